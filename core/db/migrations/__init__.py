"""The migrations: two branches, because `jobs` are ours only where no SOURCE_DATABASE_URL is set."""

from pathlib import Path

from sqlalchemy import Connection, text

from core.errors import DatabaseUnavailable

# The branch labels of the two first migrations.
OURS = "fencepost"
JOBS = "jobs"

VERSIONS = Path(__file__).parent / "versions"


def upgrade(connection: Connection, *, with_jobs: bool, partitioned: bool = False) -> None:
    """Create or upgrade Fencepost's own tables and, where asked, `jobs` and `moderation_logs`.

    `partitioned` tells how `jobs` is made where it is new; one that exists stays as it is.
    Runs in the transaction of the connection: all or nothing.
    """
    # Only who upgrades waits for Alembic, which takes a third of the time in which everything else is imported.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "core.db:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes |= {"connection": connection, "partitioned": partitioned}
    for branch in _branches(with_jobs):
        command.upgrade(config, f"{branch}@head")


def is_current(connection: Connection, *, with_jobs: bool) -> bool:
    """Tell whether the tables are those of this version."""
    return {find_head(branch) for branch in _branches(with_jobs)} <= _applied(connection)


def refuse_newer(connection: Connection, setting: str) -> None:
    """Raise `DatabaseUnavailable` where a newer version of Fencepost has made the tables."""
    if not _applied(connection) <= set(list_revisions()):
        raise DatabaseUnavailable(
            f"The tables in {setting} were made by a newer version of Fencepost: use that version, or restore a dump "
            "from before (see docs/upgrading.md)."
        )


def list_revisions() -> list[str]:
    """List what Alembic calls the migrations, in order: each one's file is called so, and after that what it is for."""
    return sorted("_".join(path.stem.split("_")[:2]) for path in VERSIONS.glob("*_*_*.py"))


def find_head(branch: str) -> str:
    """Return the last migration of a branch."""
    return [revision for revision in list_revisions() if revision.startswith(f"{branch}_")][-1]


def _applied(connection: Connection) -> set[str]:
    """Return the last migration of each branch that a database has had."""
    if connection.execute(text("SELECT to_regclass('alembic_version')")).scalar_one() is None:
        return set()
    return set(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())


def _branches(with_jobs: bool) -> tuple[str, ...]:
    return (OURS, JOBS) if with_jobs else (OURS,)
