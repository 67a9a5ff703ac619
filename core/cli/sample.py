"""`python -m core sample`: draw jobs by chance, and say what the verdicts on them mean for all jobs."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from core.actor import COMMAND_LINE
from core.cli.export import parameter_options
from core.cli.input import FileName
from core.cli.output import open_output
from core.cli.runner import make_plain, open_checked
from core.db.databases import Databases
from core.errors import InvalidParameter, NotPossible
from core.instants import print_instant
from core.jobs.filter import PARAMETERS, JobFilter
from core.jobs.strata import Stratification
from core.program import COMMAND
from core.quality.answers import Answer, Group, answer_sample
from core.quality.file import start_sample_file
from core.quality.progress import find_lapsed
from core.quality.samples import Judging, Plan, draw_sample, find_sample, list_samples
from core.quality.sentences import list_figures, list_flag_figures, name_group, say_errors, say_figure, say_versions
from core.settings import load_settings


@click.group()
def sample() -> None:
    """Draw jobs by chance, and say what the verdicts on them mean for all jobs."""


@sample.command("draw", short_help="Draw a sample of decided jobs; print its id.")
@click.option("--name", required=True, help="What the sample is for.")
@click.option("--size", type=int, required=True, help="How many jobs.")
@click.option(
    "--strata",
    default="decision",
    show_default=True,
    help=f"What tells strata apart, with commas: {', '.join(Stratification)}.",
)
@click.option("--at-least", type=int, default=1, show_default=True, help="Jobs of each stratum at least.")
@click.option("--narrowest", is_flag=True, help="The rest where it narrows the answer most, not in proportion.")
@click.option("--opinions", type=int, default=1, show_default=True, help="People who judge each job.")
@click.option("--open", "is_open", is_flag=True, help="Decisions are seen while they are judged.")
@click.option("--categories", "needs_categories", is_flag=True, help="Who judges must say categories, too.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed draws the same jobs.")
@parameter_options(PARAMETERS)
def draw_command(
    name: str,
    size: int,
    strata: str,
    at_least: int,
    narrowest: bool,
    opinions: int,
    is_open: bool,
    needs_categories: bool,
    seed: int,
    **given: tuple[str, ...],
) -> None:
    """Draw a sample of the decided jobs that a filter means; print its id, and nothing else.

    The parameters of the filter are those of the API, with hyphens for underscores.
    """
    job_filter = JobFilter.from_params((name, value) for name in PARAMETERS for value in given[name])
    plan = Plan(name, size, _parse_strata(strata), at_least, seed, narrowest)
    judging = Judging(opinions, is_blind=not is_open, needs_categories=needs_categories)
    with open_checked(load_settings()) as databases:
        draw_sample(databases, COMMAND_LINE, job_filter, plan, judging, hand_over=click.echo)


@sample.command("list")
def list_command() -> None:
    """List the samples, the newest first."""
    with open_checked(load_settings()) as databases:
        for row in list_samples(databases, COMMAND_LINE.wall):
            click.echo(make_plain(f"{row.sample_id}  {print_instant(row.drawn_at)}  {row.name}"))


@sample.command("show", short_help="Say what the verdicts on a sample mean for all jobs.")
@click.argument("sample_id", type=click.UUID)
def show_command(sample_id: UUID) -> None:
    """Say how far a sample is judged, and what the verdicts mean for all jobs that it was drawn from."""
    with open_checked(load_settings()) as databases:
        found = _get(databases, sample_id)
        answer = answer_sample(databases, sample_id, found.strata, COMMAND_LINE)
        lapsed = find_lapsed(databases, COMMAND_LINE.wall, sample_id)
    judged = f"{found.name}: {answer.judged:,} of {answer.drawn:,} jobs judged."
    if lapsed.gone or lapsed.changed:
        judged += f" Not judged, {len(lapsed.gone):,} are gone and {len(lapsed.changed):,} decided anew since."
    for line in (judged, *say_versions(answer.versions), *_say(answer, found.strata)):
        click.echo(make_plain(line))


@sample.command("file", short_help="Write a sample as CSV, with weights.")
@click.argument("sample_id", type=click.UUID)
@click.option("-o", "--output", type=FileName(path_type=Path, dir_okay=False), required=True, help="A new file.")
def file_command(sample_id: UUID, output: Path) -> None:
    """Write each drawn job with its stratum, its weight and its verdicts, for figures of your own."""
    settings = load_settings()
    with open_checked(settings) as databases, open_output(output) as file:
        _get(databases, sample_id)

        async def write() -> None:
            started = start_sample_file(
                databases, sample_id, COMMAND_LINE, first_byte_timeout=settings.fencepost_first_byte_timeout
            )
            async with started as running, aclosing(running.stream()) as blocks:
                async for block in blocks:
                    file.write(block)

        asyncio.run(write())


def _parse_strata(value: str) -> tuple[Stratification, ...]:
    try:
        return tuple(Stratification(item) for item in value.split(","))
    except ValueError:
        raise InvalidParameter(f"strata is not a list of {', '.join(Stratification)}: correct it.") from None


def _get(databases: Databases, sample_id: UUID) -> Any:
    found = find_sample(databases, COMMAND_LINE.wall, sample_id)
    if found is None:
        raise NotPossible(f"There is no sample {sample_id}: `{COMMAND} sample list` names those that there are.")
    return found


def _say(answer: Answer, strata_by: Sequence[str]) -> list[str]:
    figures = [*list_figures(answer), *list_flag_figures(answer)]
    return [
        *(f"{name}: {say_figure(figure)}" for name, figure in figures),
        say_errors(answer.errors),
        *(_say_stratum(group, strata_by) for group in answer.strata),
    ]


def _say_stratum(group: Group, strata_by: Sequence[str]) -> str:
    said = f"{group.judged:,} of {group.drawn:,} drawn from {group.jobs:,} judged"
    return f"{name_group(group, strata_by[1:])}: {said}; wrong {say_figure(group.wrong)}"
