"""What people really have and do: the smallest of each kind, what must come out, and the test that holds it."""

import ast
from functools import cache

import pytest

from tests.conftest import ROOT

INPUTS = "core/intake/test_inputs.py"
SAME = f"{INPUTS}::test_a_file_that_one_has_touched_comes_back"
WRONG = f"{INPUTS}::test_what_can_be_misread_is_refused_in_a_sentence"
FIELDS = "dashboard/jobs/test_page.py::test_what_cannot_be_looked_for_is_said_and_stays"
KEYS = "browser/test_reviews_page.py::test_keys_work_on_other_layouts_and_after_a_switch"
FRESH = "browser/test_sign_in.py::test_a_session_ends_with_its_hours_also_in_an_idle_tab"
POOLER = "system/test_pooler.py::test_exports_work_behind_a_pooler"
MACHINE = "core/csv/test_format.py::test_no_setting_of_a_machine_changes_a_byte"
STATES = "core/db/test_driver_errors.py::test_each_sqlstate_has_a_sentence_of_its_own_reason"
YEARS = "core/intake/test_importer.py::test_the_first_and_the_last_times_that_there_are"

# What one has or does | what must come out | where it is held.
TABLE = f"""
a 5" disk, without quotes around | refused by record and column | {WRONG}
"say "hello" now" | refused by record and column | {WRONG}
"say \\"hello\\" now" | refused by record and column | {WRONG}
the same with --skip-bad | set aside alone, as it was | {INPUTS}::test_a_wrong_record_is_set_aside_alone
the same from another server | refused, or set aside | core/sync/test_sync.py::test_a_record_that_is_wrong_is_refused_or_set_aside_as_in_a_file
any bytes | Python's strict reader agrees, or it is refused | core/csv/test_records.py::test_what_is_read_is_what_python_reads_or_it_is_refused
TRUE, True, t, 1 and their opposites | the same job | {SAME}
a space for T, +00, UTC, no seconds | the same job | {SAME}
blank lines, rows of delimiters | skipped, counted | {SAME}
no end of line behind the last cell | the same job where that cell is whole, else cut | {SAME}
an empty last cell without an end of line | refused as cut | {WRONG}
headers in upper case or another order | the same job | {SAME}
semicolons, tabs | found by themselves | {SAME}
another delimiter | --delimiter names it | {INPUTS}::test_files_without_categories_are_imported_when_asked
a file with guards | asks for --spreadsheet-safe | {WRONG}
a file with guards whose receipt is here | known by its hash | {INPUTS}::test_a_receipt_tells_whether_there_are_guards
guards that were stored | a second run puts them right | {INPUTS}::test_a_second_run_mends_texts_that_were_stored_with_their_guards
a fault behind a prompt of several lines | the line as an editor counts, and the record | {WRONG}
rejected as a status | points to the decision | {WRONG}
a date without a time, a time without a zone | says which is missing | {WRONG}
04/05/2026, or a number of days | says that it can be misread | {WRONG}
api_key_id, api_key_name | kept beside the job | {INPUTS}::test_the_api_key_of_a_job_is_kept_beside_it
further categories | named once as left out | {INPUTS}::test_the_api_key_of_a_job_is_kept_beside_it
no categories | asks for --without-categories | {WRONG}
the link that an import prints | port, client and times of these jobs | core/intake/test_importer.py::test_the_command_says_what_it_did_and_where_to_look
files of psql and pandas | the same jobs, nothing new | {INPUTS}::test_files_of_psql_and_pandas_are_imported_as_they_are
psql with NULL '\\N', or in its text format | says how to write it | {WRONG}
a mark of UTF-8 several times | the same job | {SAME}
a month saved in LibreOffice | the same jobs, nothing new | {INPUTS}::test_a_month_that_was_saved_in_libreoffice_is_the_same_month
one hour here, two hours at the provider | asked anew, then in | {FRESH}
a provider that knows no max_age | said, then asked by prompt=login | {FRESH}
a link opened signed out | that page after signing in | {FRESH}
a session that ends in a review | that job and its note after signing in | browser/test_sign_in.py::test_two_people_review_at_once
a page of another server to come back to | the start page | dashboard/server/test_sign_in_steps.py::test_a_cookie_that_was_tampered_with_leads_to_the_start_page
a provider without email | the claim that is named | core/auth/test_address_claim.py::test_a_claim_that_is_named_is_the_address
a claim that nobody verifies | refused at start unless trusted | core/auth/test_address_claim.py::test_what_is_said_of_email_is_not_said_of_another_claim
a sign-in that is refused there | why, and the way back | {FRESH}
a provider that is away | what to do | browser/test_sign_in.py::test_a_provider_that_is_away_is_said
an address that may not come in | why, and how to leave | browser/test_sign_in.py::test_whoever_is_not_meant_meets_a_refusal
an id with spaces, braces, quotes, as a URL | the job | dashboard/jobs/test_pasted_ids.py::test_ids_are_read_as_they_are_pasted
several ids at once | several jobs | dashboard/jobs/test_page.py::test_what_is_pasted_is_found
pasted line breaks | prompts of several lines | dashboard/jobs/test_page.py::test_what_is_pasted_is_found
a text that is too long | said, and it stays | {FIELDS}
a bound with seconds, Apply | not widened to its minute | dashboard/jobs/test_page.py::test_a_bound_that_was_not_touched_stays_exact
a key after a switch | works | {KEYS}
Cyrillic, Greek, AZERTY | by letter or by place | {KEYS}
a held key | verdicts on jobs that were on screen alone | browser/test_reviews_page.py::test_many_verdicts_are_on_the_jobs_that_were_on_screen
two presses a moment apart | one thing done | browser/test_reviews_page.py::test_two_clicks_a_moment_apart_do_a_thing_once
PgBouncer in both modes, before either database | the same bytes | {POOLER}
core check behind PgBouncer | names it | {POOLER}
?schema=, ?pgbouncer=, +asyncpg | works | core/db/test_address.py::test_addresses_of_other_programs_are_translated
%, @, / and # in a password | works, or the part that is wrong | core/db/test_address.py::test_a_password_need_not_be_escaped
an address that cannot be read | its part, and nothing of the password | core/db/test_address.py::test_what_cannot_be_read_is_named_by_its_part
sslmode=require without TLS there | said | core/db/test_database.py::test_a_server_without_tls_is_said
SQL_ASCII | refused, or said of a source, at start | core/db/test_database.py::test_another_encoding_is_found_at_start
TZ, LANG, LC_ALL, HOME and TMPDIR missing or wrong | the same bytes | {MACHINE}
a folder that cannot be written | named, with the remedy | system/test_embedded.py::test_a_place_that_cannot_be_written_is_named
a checkout of somebody else, read-only | the folder named; works with FENCEPOST_HOME | system/test_unprivileged.py::test_another_home_is_all_that_it_takes
an account without a name, as in containers | said | system/test_unprivileged.py::test_an_account_without_a_name_is_told_so
umask 077 | works | system/test_unprivileged.py::test_another_home_is_all_that_it_takes
umask 000 | files and folders stay the owner's | core/cli/test_output.py::test_a_file_gets_its_name_when_it_is_whole
the embedded server killed | started again | system/test_embedded.py::test_a_server_that_has_died_is_started_again
a stale postmaster.pid | the server comes up | system/test_embedded.py::test_a_stale_number_of_another_process_is_no_server
rm -rf .fencepost under a server | made anew | system/test_embedded.py::test_a_home_that_was_removed_is_made_anew
a folder that changed its owner | the true reason | system/test_embedded.py::test_a_folder_of_another_owner_is_named
several first starts at once | one seeds | core/intake/test_demo.py::test_of_several_first_starts_one_seeds
one connection more than open files allow | a sentence, one line in the log | api/test_routes.py::test_one_connection_too_many_is_told_so
a host that vanishes | said within the limit | core/db/test_database.py::test_a_host_that_vanishes_is_said_within_the_limit
SIGTERM while the database hangs | the command ends | system/test_stopping.py::test_sigterm_ends_whatever_goes_on
deadlocks, a full disk, too many connections | each its own sentence | {STATES}
a type of 4,000 characters | refused, so that it can be set aside | {WRONG}
old code on newer tables | use that version, or a dump | core/db/test_database.py::test_tables_of_a_newer_version_are_left_alone
the years 1 and 9999 in a file | imported, with a link that works | {YEARS}
the years 1 and 9999 in an export | whole, with total and receipt | api/test_routes.py::test_the_first_and_the_last_years_are_exported
a clock that is put back | any 60 seconds count all the same | api/test_limits.py::test_any_60_seconds_count_not_those_of_the_clock
one person, two windows, one job | told before it is replaced | dashboard/reviews/test_page.py::test_a_verdict_in_another_window_is_not_replaced_without_a_word
a verdict that waits when the server stops | there again, and said | dashboard/reviews/test_page.py::test_a_verdict_that_waited_when_the_server_was_stopped_is_told
SIGKILL in an export to a file | no part of a file stays | core/cli/test_output.py::test_a_command_that_is_killed_leaves_nothing_behind
"""  # noqa: E501 - a line is a line

LINES = [tuple(part.strip() for part in line.split(" | ")) for line in TABLE.strip().splitlines()]


@cache
def functions_in(name: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / name).read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[0])
def test_every_input_of_the_table_is_held(line: tuple[str, ...]) -> None:
    """Each line has what must come out of it, and names a test that there is."""
    _, must, held = line
    file, _, test = held.partition("::")

    assert must
    assert test in functions_in(file)
