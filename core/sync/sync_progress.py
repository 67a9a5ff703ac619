"""How far a sync has come: a row of `syncs`, written in the transaction of the import that it tells of."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from core.jobs.filter import LONGEST_RANGE


@dataclass(frozen=True, slots=True)
class SyncName:
    """What is pulled from where, as which client's jobs. `remote_client` is empty where the server is told none."""

    url: str
    remote_client: str
    client_id: str

    def values(self) -> dict[str, str]:
        return {"url": self.url, "remote_client": self.remote_client, "client_id": self.client_id}


_THIS = "url = :url AND remote_client = :remote_client AND client_id = :client_id"


def find_gaps(
    connection: Connection, name: SyncName, since: datetime, settled: datetime, now: datetime
) -> list[tuple[datetime, datetime]]:
    """Find what is to be asked for between `since` and `now`, in order: what is not done, and all from `settled` on."""
    rows = connection.execute(
        text(f"""
            SELECT lower(gap), upper(gap) FROM unnest(
                tstzmultirange(tstzrange(:since, :now))
                - coalesce((SELECT done FROM syncs WHERE {_THIS}), '{{}}') * tstzmultirange(tstzrange(NULL, :settled))
            ) AS gap ORDER BY gap
        """),
        {"since": since, "settled": settled, "now": now} | name.values(),
    )
    return [(start, end) for start, end in rows]


def find_length(connection: Connection, name: SyncName) -> timedelta:
    """Find how long a range may be that is asked for at once."""
    length = connection.execute(text(f"SELECT length FROM syncs WHERE {_THIS}"), name.values()).scalar()
    return LONGEST_RANGE if length is None else min(length, LONGEST_RANGE)


def note_progress(connection: Connection, name: SyncName, start: datetime, end: datetime, length: timedelta) -> None:
    """Note that the range from `start` to `end` is done (none, where they are equal), and how long the next may be."""
    connection.execute(
        text("""
            INSERT INTO syncs (url, remote_client, client_id, done, length)
            VALUES (:url, :remote_client, :client_id, tstzmultirange(tstzrange(:start, :end)), :length)
            ON CONFLICT (url, remote_client, client_id) DO UPDATE
            SET done = syncs.done + excluded.done, length = excluded.length, updated_at = now()
        """),
        {"start": start, "end": end, "length": length} | name.values(),
    )
