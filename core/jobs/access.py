"""What every read of jobs needs to know: whose they may be, and what their database offers."""

from dataclasses import dataclass

from core.db.databases import Databases
from core.db.folding import Folding
from core.db.topology import ONE_SERVER, Topology
from core.jobs.wall import Wall


@dataclass(frozen=True, slots=True)
class NotedReasons:
    """Reasons that staff have marked as underage, and names of rules where the jobs' database does not know these."""

    underage: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()


NOTHING_NOTED = NotedReasons()


@dataclass(frozen=True, slots=True)
class JobAccess:
    """Whose jobs may be read, how their database folds the case of letters, and whether facts are kept beside them.

    They are where the jobs are ours, and make questions quick. The answers are the same.
    `jobs_are_ours`: their table has our indexes, on one server. `tells_api_keys`: it says which API key a job was
    submitted with. `counts_reasons`: reasons are counted beside the facts. `writes_times`: facts hold the jobs' times
    as text. `topology`: on which servers the jobs lie.
    `are_settled`: in the snapshot that is read no job is noted as unsettled, so that facts alone have the answer.
    """

    wall: Wall
    folding: Folding
    has_facts: bool = False
    jobs_are_ours: bool = False
    tells_api_keys: bool = False
    counts_reasons: bool = False
    writes_times: bool = False
    topology: Topology = ONE_SERVER
    are_settled: bool = False


def make_access(databases: Databases, wall: Wall) -> JobAccess:
    """Say how the jobs of the source are read behind a wall."""
    source = databases.source
    return JobAccess(
        wall,
        source.folding(),
        source.has_facts(),
        databases.jobs_are_ours and not source.topology().is_distributed,
        source.tells_api_keys(),
        source.counts_reasons(),
        source.writes_times(),
        source.topology(),
    )
