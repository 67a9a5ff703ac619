"""The commands that make tables and demo jobs."""

import psycopg

from tests.support.commands import RunCore, refusal


def test_migrate_makes_the_tables(run_core: RunCore, empty_database_url: str) -> None:
    """A command on a database without tables names `migrate`, and after it all is well."""
    empty = {"DATABASE_URL": empty_database_url}

    before = run_core("keys", "list", **empty)
    migrated = run_core("migrate", **empty)
    after = run_core("keys", "list", **empty)

    assert refusal(before, 1) == "The tables in DATABASE_URL are missing or old: run `python -m core migrate`."
    assert (migrated.returncode, migrated.stdout, migrated.stderr) == (0, b"", b"")
    assert (after.returncode, after.stdout) == (
        0,
        b"KEY ID  NAME  CLIENT  SCOPES  STATE  CREATED  CREATED BY  LAST USED  EXPIRES  REVOKED  NETWORKS\n",
    )


def test_seed_makes_demo_jobs(run_core: RunCore, connection: psycopg.Connection) -> None:
    """`seed` fills an empty database, and says for which days."""
    done = run_core("seed", "--jobs", "1500", "--seed", "3", "--until", "2026-05-01")

    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr == b"1,500 demo jobs from 2026-01-01 to 2026-05-01.\n"
    assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (1500,)
