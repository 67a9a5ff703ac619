"""What every read of jobs needs to know: whose they may be, and what their database offers."""

from dataclasses import dataclass

from core.db.databases import Databases
from core.db.folding import Folding
from core.jobs.wall import Wall


@dataclass(frozen=True, slots=True)
class JobAccess:
    """Whose jobs may be read, how their database folds the case of letters, and whether they are ours.

    Only where they are ours is anything kept beside them that makes a question quick. The answers are the same.
    `tells_api_keys`: their table says which API key a job was submitted with.
    """

    wall: Wall
    folding: Folding
    jobs_are_ours: bool = False
    tells_api_keys: bool = False


def make_access(databases: Databases, wall: Wall) -> JobAccess:
    """Say how the jobs of the source are read behind a wall."""
    source = databases.source
    return JobAccess(wall, source.folding(), databases.jobs_are_ours, source.tells_api_keys())
