"""`python -m core erase`: a job, or all jobs of a client, erased for good."""

import sys
from datetime import UTC, datetime
from uuid import UUID

import click

from core.actor import COMMAND_LINE
from core.cli.output import echo_done
from core.cli.runner import make_plain, open_checked
from core.db.databases import Databases
from core.errors import InvalidParameter, NotPossible
from core.instants import print_instant
from core.intake.importer import count
from core.keeping.erasure import erase, explain_source
from core.keeping.survey import Survey, Target, survey
from core.keeping.traces import remove_traces
from core.settings import load_settings


@click.command("erase", short_help="Erase a job, or all jobs of a client, for good.")
@click.option("--job", "job_id", type=click.UUID, metavar="ID", help="The job.")
@click.option("--client", "client_id", metavar="ID", help="The client, all of whose jobs are meant.")
@click.option("--traces", is_flag=True, help="Erase nothing more; remove what earlier erasures have left in the files.")
@click.option("--rewrite", is_flag=True, help="Write the tables anew, so that no byte stays; everybody waits for it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase_command(job_id: UUID | None, client_id: str | None, traces: bool, rewrite: bool, yes: bool) -> None:
    """Erase jobs with their logs, and every copy of their texts: notes, drafts, reasons. Verdicts stay, without notes.

    Says which exports may hold them. Refused under a hold; what was erased does not come back by an import. Backups and
    the files of exports are not reached (docs/retention.md).
    """
    if (job_id is not None) + (client_id is not None) + traces != 1:
        raise click.UsageError("Give one of --job ID, --client ID and --traces.")
    if client_id is not None and not client_id.strip():
        raise InvalidParameter("client is empty: name the client whose jobs are erased.")
    started_at = datetime.now(UTC)
    with open_checked(load_settings()) as databases:
        if not traces:
            _erase(databases, Target(job_id, client_id), yes=yes)
        for sentence in remove_traces(databases, started_at, rewrite=rewrite):
            click.echo(make_plain(sentence), err=True)
        if not (traces or databases.jobs_are_ours):
            raise NotPossible(explain_source(databases, Target(job_id, client_id)))


def _erase(databases: Databases, target: Target, *, yes: bool) -> None:
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("Nobody can be asked here: give --yes.")
        found = survey(databases, target)
        if not (found.is_empty and databases.jobs_are_ours):
            click.echo(f"{_describe(found)} of {make_plain(str(target))}.", err=True)
            click.confirm("Erase this for good?", abort=True, err=True)
    found = erase(databases, COMMAND_LINE, target)
    echo_done(f"Erased {_describe(found)} of {make_plain(str(target))}.")
    for export in found.exports:
        started_at = print_instant(export.started_at)
        echo_done(f"may be in export {export.export_id} of {started_at} by {make_plain(export.requested_by)}")


def _describe(found: Survey) -> str:
    jobs, logs, notes, drafts = (count(getattr(found, f"{noun}s"), noun) for noun in ("job", "log", "note", "draft"))
    return f"{jobs}, {logs}, {notes} and {drafts}"
