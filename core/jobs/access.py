"""What every read of jobs needs to know: whose they may be, and what their database offers."""

from dataclasses import dataclass

from core.db.databases import Databases
from core.db.folding import Folding
from core.jobs.wall import Wall


@dataclass(frozen=True, slots=True)
class JobAccess:
    """Whose jobs may be read, how their database folds the case of letters, and whether they are ours.

    Only where they are ours is anything kept beside them that makes a question quick. The answers are the same.
    """

    wall: Wall
    folding: Folding
    jobs_are_ours: bool = False


def make_access(databases: Databases, wall: Wall) -> JobAccess:
    """Say how the jobs of the source are read behind a wall."""
    return JobAccess(wall, databases.source.folding(), databases.jobs_are_ours)
