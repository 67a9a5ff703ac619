"""The migrations: two branches, because `jobs` are ours only where no SOURCE_DATABASE_URL is set."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from core.errors import DatabaseUnavailable

# The branch labels of the two first migrations.
OURS = "fencepost"
JOBS = "jobs"


def upgrade(connection: Connection, *, with_jobs: bool, partitioned: bool = False) -> None:
    """Create or upgrade Fencepost's own tables and, where asked, `jobs` and `moderation_logs`.

    `partitioned` tells how `jobs` is made where it is new; one that exists stays as it is.
    Runs in the transaction of the connection: all or nothing.
    """
    config = _config()
    config.attributes |= {"connection": connection, "partitioned": partitioned}
    for branch in _branches(with_jobs):
        command.upgrade(config, f"{branch}@head")


def is_current(connection: Connection, *, with_jobs: bool) -> bool:
    """Tell whether the tables are those of this version."""
    scripts = ScriptDirectory.from_config(_config())
    wanted = {scripts.get_revision(f"{branch}@head").revision for branch in _branches(with_jobs)}
    return wanted <= set(MigrationContext.configure(connection).get_current_heads())


def refuse_newer(connection: Connection, setting: str) -> None:
    """Raise `DatabaseUnavailable` where a newer version of Fencepost has made the tables."""
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if not known.issuperset(MigrationContext.configure(connection).get_current_heads()):
        raise DatabaseUnavailable(
            f"The tables in {setting} were made by a newer version of Fencepost: use that version, or restore a dump "
            "from before (see docs/upgrading.md)."
        )


def _branches(with_jobs: bool) -> tuple[str, ...]:
    return (OURS, JOBS) if with_jobs else (OURS,)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "core.db:migrations")
    config.set_main_option("path_separator", "os")
    return config
