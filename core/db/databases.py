"""Fencepost's own database and the source of the jobs, together."""

import logging
from dataclasses import dataclass

from sqlalchemy import text

from core.db import migrations
from core.db.database import Database
from core.db.driver_errors import MIGRATE
from core.db.embedded import EmbeddedServer
from core.errors import DatabaseUnavailable
from core.program import COMMAND

log = logging.getLogger("fencepost.database")

# Characters that a key of the audit should have at least: a shorter one works, because events may be hashed with it.
SHORTEST_AUDIT_KEY = 32


@dataclass(frozen=True, slots=True)
class Databases:
    """Fencepost's own database, and the source that holds the jobs: the same one, or somebody else's.

    No statement touches both.
    """

    ours: Database
    source: Database
    server: EmbeddedServer | None
    # The key of the audit's chain, and those that it was hashed with before.
    audit_key: bytes | None = None
    former_audit_keys: tuple[bytes, ...] = ()

    @property
    def jobs_are_ours(self) -> bool:
        return self.ours is self.source

    @property
    def audit_key_is_short(self) -> bool:
        return self.audit_key is not None and len(self.audit_key.decode(errors="replace")) < SHORTEST_AUDIT_KEY

    def check(self) -> None:
        """Raise `DatabaseUnavailable` with the remedy where a database cannot be used as it is.

        What may end an export later is said in the log, and so is a key of the audit that may be guessed.
        """
        if self.audit_key_is_short:
            log.warning(
                "FENCEPOST_AUDIT_KEY has fewer than %d characters, and whoever guesses it can forge the audit: rotate "
                "it (docs/audit.md)",
                SHORTEST_AUDIT_KEY,
            )
        with self.ours.transaction() as connection:
            migrations.refuse_newer(connection, self.ours.setting)
            if not migrations.is_current(connection, with_jobs=self.jobs_are_ours):
                raise DatabaseUnavailable(f"The tables in {self.ours.setting} are missing or old: {MIGRATE}.")
        if not self.jobs_are_ours:
            with self.source.transaction() as connection:
                for name in ("jobs", "moderation_logs"):
                    connection.execute(text(f"SELECT FROM {name} LIMIT 0"))
                if connection.execute(text("SHOW server_encoding")).scalar_one() == "SQL_ASCII":
                    # PostgreSQL converts every other encoding; of this one it knows nothing until it reads a text.
                    log.warning(
                        "%s is encoded in SQL_ASCII, which checks nothing: an export breaks off at a text that is no "
                        "UTF-8; `%s check` says what to do",
                        self.source.setting,
                        COMMAND,
                    )

    def close(self) -> None:
        """Give all connections back and leave the embedded server."""
        self.ours.close()
        self.source.close()
        if self.server is not None:
            self.server.stop()
