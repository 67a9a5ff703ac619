"""`python -m core check`: is the source as Fencepost needs it?"""

import sys

import click

from core.audit.chain import parse_head
from core.check.finding import Level
from core.check.restored import check_restored
from core.check.run import run_checks
from core.db.startup import open_databases
from core.settings import load_settings


@click.command("check", short_help="Say what is wrong with the source, and how to fix it.")
@click.option("--restored", is_flag=True, help="Look through a database that was restored from a dump.")
@click.option("--expect", metavar="SEQ:HASH", help="With --restored: the head of the audit when the dump was made.")
def check_command(restored: bool, expect: str | None) -> None:
    """Look at the source and at Fencepost's own tables; a line for each finding, with its remedy.

    Statements that fix something stand on lines of their own. Nothing is changed, and no prompt is printed.
    Exit code 0: no problem, though perhaps advice; 1: a problem.
    """
    if expect is not None and not restored:
        raise click.UsageError("--expect belongs to --restored; `audit verify` takes it, too.")
    expected = None if expect is None else parse_head(expect)
    settings = load_settings()
    levels = []
    databases = open_databases(settings)
    try:
        for finding in check_restored(databases, expected) if restored else run_checks(databases, settings):
            levels.append(finding.level)
            click.echo(f"{finding.level.upper():8} {' '.join(finding.text.split())}")
            for statement in finding.statements:
                click.echo(statement)
    finally:
        databases.close()
    if Level.PROBLEM in levels:
        sys.exit(1)
