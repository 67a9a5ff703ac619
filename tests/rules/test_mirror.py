"""Where the tests of a module are: in the file of its name, or where this table says, with the reason."""

from tests.conftest import ROOT
from tests.rules.test_packages import ROOMS, modules, name_of

# What begins like this, and has no test file of its own, is tested there. The longest beginning counts.
TESTED_BY = {
    # Seen whole: what a page shows is what its parts show together.
    "dashboard/audit/": "tests/rules/test_pages.py",
    "dashboard/categories/": "tests/dashboard/categories/test_page.py",
    "dashboard/exports/": "tests/dashboard/exports/test_page.py",
    "dashboard/jobs/": "tests/dashboard/jobs/test_page.py",
    "dashboard/keys/": "tests/dashboard/keys/test_page.py",
    "dashboard/people/": "tests/dashboard/people/test_page.py",
    "dashboard/open_job/": "tests/dashboard/jobs/test_page.py",
    "dashboard/reviews/": "tests/dashboard/reviews/test_page.py",
    "dashboard/quality/": "tests/dashboard/quality/test_page.py",
    "dashboard/queues/": "tests/dashboard/reviews/test_shared_queues.py",
    "dashboard/policy/": "tests/dashboard/policy/test_page.py",
    "dashboard/open_job/policy.py": "tests/dashboard/policy/test_page.py",
    "dashboard/widgets/written_text.py": "tests/dashboard/policy/test_page.py",
    "dashboard/samples/": "tests/dashboard/quality/test_page.py",
    # Where a press goes that comes late is a matter of a real browser.
    "dashboard/address/steps.py": "tests/browser/test_job_panel.py",
    "dashboard/session/first_run.py": "tests/browser/test_keys_page.py",
    "dashboard/open_job/showing.py": "tests/browser/test_reviews_page.py",
    "dashboard/open_job/review": "tests/dashboard/reviews/test_page.py",
    "dashboard/open_job/seen.py": "tests/dashboard/reviews/test_page.py",
    "dashboard/open_job/announcement.py": "tests/browser/test_accessibility.py",
    "dashboard/open_job/prompt_text.py": "tests/browser/test_inert_text.py",
    "dashboard/exports/file_check.py": "tests/browser/test_exports_page.py",
    "dashboard/exports/receipt_corner.py": "tests/browser/test_exports_page.py",
    "dashboard/widgets/window.py": "tests/browser/test_job_layout.py",
    "dashboard/widgets/onward.py": "tests/browser/test_categories_page.py",
    # Read from an address, by every page.
    "dashboard/address/": "tests/dashboard/address/test_view.py",
    "dashboard/audit/address.py": "tests/rules/test_pages.py",
    "dashboard/session/kept_fields.py": "tests/dashboard/policy/test_page.py",
    "dashboard/session/default_texts.py": "tests/dashboard/jobs/test_page.py",
    "dashboard/widgets/": "tests/dashboard/jobs/test_page.py",
    "dashboard/widgets/markdown_escape.py": "tests/browser/test_inert_text.py",
    "dashboard/widgets/failure.py": "tests/rules/test_pages.py",
    "dashboard/session/confirmation.py": "tests/dashboard/keys/test_page.py",
    # Who is there, asked by every page, and over real sockets.
    "dashboard/session/": "tests/rules/test_admission.py",
    "dashboard/session/new_secret.py": "tests/dashboard/keys/test_page.py",
    "dashboard/session/person.py": "tests/browser/test_sign_in.py",
    "dashboard/session/connections.py": "tests/browser/test_sign_in.py",
    "dashboard/session/resources.py": "tests/dashboard/jobs/test_page.py",
    "dashboard/session/step_cache.py": "tests/dashboard/jobs/test_page.py",
    "dashboard/server/sign_in_": "tests/browser/test_sign_in.py",
    # Sessions, with a provider and a browser.
    "dashboard/server/held_sessions.py": "tests/browser/test_sign_in.py",
    "dashboard/server/backchannel_logout.py": "tests/browser/test_sign_in.py",
    "dashboard/server/visitors.py": "tests/dashboard/server/test_floods.py",
    "dashboard/server/websocket.py": "tests/dashboard/server/test_floods.py",
    # What starts a process is started by tests of processes.
    "dashboard/__main__.py": "tests/system/test_process.py",
    "dashboard/app.py": "tests/system/test_process.py",
    "dashboard/main.py": "tests/rules/test_pages.py",
    "api/__main__.py": "tests/system/test_process.py",
    "core/db/migrations/distributed.py": "tests/system/test_distributed.py",
    "core/__main__.py": "tests/core/cli/test_runner.py",
    "fencepost/__main__.py": "tests/browser/test_installed.py",
    "core/cli/watchdog.py": "tests/system/test_stopping.py",
    "core/upkeep.py": "tests/system/test_process.py",
    # The parts of an answer of the API, by the routes that give it.
    "api/": "tests/api/test_routes.py",
    "api/pages.py": "tests/api/test_downloads.py",
    "api/report.py": "tests/dashboard/quality/test_page.py",
    "api/request_log.py": "tests/api/test_downloads.py",
    "core/auth/claims.py": "tests/core/auth/test_sign_in.py",
    "core/auth/people.py": "tests/core/auth/test_rights.py",
    "core/auth/withheld.py": "tests/core/auth/test_rights.py",
    # A command, by what it prints.
    "core/cli/": "tests/core/cli/test_runner.py",
    "core/cli/audit.py": "tests/core/audit/test_verification.py",
    "core/cli/check.py": "tests/core/check/test_run.py",
    "core/cli/import_options.py": "tests/core/cli/test_import_files.py",
    "core/cli/keeping/": "tests/core/keeping/test_forgetting.py",
    "core/cli/sync.py": "tests/core/sync/test_sync.py",
    # A rule of `core check`, by what the command says.
    "core/check/": "tests/core/check/test_run.py",
    # One subject, whose parts mean nothing alone.
    "core/audit/": "tests/core/audit/test_events.py",
    "core/counts/": "tests/core/counts/test_by_day.py",
    "core/counts/outcomes.py": "tests/core/counts/test_disagreements.py",
    "core/csv/": "tests/core/csv/test_records.py",
    "core/db/": "tests/core/db/test_database.py",
    "core/export/nodes.py": "tests/core/export/test_node_copy.py",
    "core/db/embedded.py": "tests/system/test_embedded.py",
    "core/db/grants.py": "tests/rules/test_grants.py",
    "core/db/migrations/": "tests/core/db/test_migrations.py",
    "core/db/migrations/functions.py": "tests/core/db/test_functions.py",
    "core/export/": "tests/core/export/test_export.py",
    "core/db/migrations/expected.py": "tests/core/check/test_restored.py",
    "core/facts/": "tests/core/facts/test_writing.py",
    "core/intake/": "tests/core/intake/test_importer.py",
    "core/intake/demo_": "tests/core/intake/test_demo.py",
    "core/jobs/": "tests/core/jobs/test_query.py",
    "core/jobs/hidden_text.py": "tests/dashboard/jobs/test_page.py",
    "core/jobs/strata.py": "tests/core/quality/test_samples.py",
    "core/jobs/wall.py": "tests/rules/test_walls.py",
    "core/jobs/reason_hours.py": "tests/core/jobs/test_reasons.py",
    "core/quality/drawing.py": "tests/core/quality/test_samples.py",
    "core/quality/places.py": "tests/core/quality/test_samples.py",
    "core/quality/": "tests/core/quality/test_answers.py",
    "core/export/review_columns.py": "tests/core/export/test_review_export.py",
    "core/review/history.py": "tests/core/export/test_review_export.py",
    "core/policy/": "tests/core/policy/test_texts.py",
    "core/quality/policies.py": "tests/core/policy/test_texts.py",
    "core/review/needs.py": "tests/core/review/test_saved_queues.py",
    "core/review/week.py": "tests/core/review/test_saved_queues.py",
    "core/review/": "tests/dashboard/reviews/test_page.py",
    "core/keeping/": "tests/core/keeping/test_forgetting.py",
    "core/keeping/erasures.py": "tests/dashboard/retention/test_page.py",
    "core/keeping/holds.py": "tests/core/keeping/test_erasure.py",
    "core/keeping/survey.py": "tests/core/keeping/test_erasure.py",
    "core/keeping/traces.py": "tests/core/keeping/test_erasure.py",
    "core/sync/": "tests/core/sync/test_sync.py",
    "core/stall_watch.py": "tests/core/sync/test_sync.py",
    "core/webhooks/": "tests/core/webhooks/test_sender.py",
    "core/webhooks/description.py": "tests/api/test_openapi.py",
    "core/gold/": "tests/core/review/test_known_jobs.py",
    "core/cli/webhooks.py": "tests/core/webhooks/test_sender.py",
    "core/review/finished_samples.py": "tests/core/webhooks/test_sender.py",
    "core/quality/finishing.py": "tests/core/webhooks/test_sender.py",
    "dashboard/retention/": "tests/dashboard/retention/test_page.py",
    "dashboard/webhooks/": "tests/dashboard/webhooks/test_page.py",
    # Said by whatever is wrong, everywhere.
    "core/errors.py": "tests/api/test_errors.py",
    # What a monitor and the log say, over a real socket.
    "core/metrics/": "tests/api/test_metrics.py",
    "core/log_lines.py": "tests/api/test_metrics.py",
    "core/request_id.py": "tests/api/test_metrics.py",
    # Who acts, and what time and texts are: asked by every test.
    "core/actor.py": "tests/rules/test_access_table.py",
    "core/characters.py": "tests/core/jobs/test_filter.py",
    "core/instants.py": "tests/core/jobs/test_filter.py",
}


def test_every_module_has_its_tests() -> None:
    """A module has a test file of its name, or a line of the table above names the one that stands for it."""
    names = [name_of(path) for path in modules(*ROOMS)]
    asked = {name for name in names if not name.endswith("/__init__.py") and "/migrations/versions/" not in name}
    own = {name for name in asked if (ROOT / file_of_tests(name)).exists()}
    standing = {name: beginning for name in asked - own if (beginning := longest_beginning(name))}

    assert asked - own - set(standing) == set()
    assert [beginning for beginning in TESTED_BY if beginning not in standing.values()] == []
    assert [file for file in TESTED_BY.values() if not (ROOT / file).exists()] == []


def test_every_test_lies_where_its_code_lies() -> None:
    """A folder of tests of a room has the name of a package of that room."""
    folders = {path.parent for room in ROOMS for path in (ROOT / "tests" / room).rglob("test_*.py")}

    assert [
        str(folder.relative_to(ROOT)) for folder in folders if not (ROOT / folder.relative_to(ROOT / "tests")).is_dir()
    ] == []


def file_of_tests(name: str) -> str:
    """Return the path of the test file of a module's own name."""
    folder, _, file = name.rpartition("/")
    return f"tests/{folder}/test_{file}"


def longest_beginning(name: str) -> str:
    return max((beginning for beginning in TESTED_BY if name.startswith(beginning)), key=len, default="")
