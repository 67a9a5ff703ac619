"""Settled answers, what people said to them, and how often they are asked."""

from alembic import op

revision = "fencepost_0026"
down_revision = "fencepost_0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE gold_answers (
            job_id uuid PRIMARY KEY,
            client_id text NOT NULL,
            job_created_at timestamptz NOT NULL,
            should_reject boolean,
            settled_by text,
            settled_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE INDEX gold_answers_created ON gold_answers (job_created_at)")
    op.execute("""
        CREATE TABLE gold_turns (
            turn_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            person text NOT NULL,
            job_id uuid NOT NULL,
            should_reject boolean NOT NULL,
            given_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            ended_at timestamptz,
            act_id uuid,
            verdict text,
            categories text[],
            note text,
            saw_text boolean,
            is_right boolean,
            judged_at timestamptz
        )
    """)
    op.execute("CREATE INDEX gold_turns_person ON gold_turns (person, job_id)")
    op.execute("""
        CREATE TABLE gold_settings (
            id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
            rate numeric(4, 3) NOT NULL CHECK (rate BETWEEN 0 AND 0.5)
        )
    """)
    op.execute("INSERT INTO gold_settings (rate) VALUES (0)")
    op.execute("""
        INSERT INTO gold_answers (job_id, client_id, job_created_at, should_reject)
        SELECT job_id, min(client_id), min(job_created_at), 2 * count(*) FILTER (WHERE rejects) > count(*)
        FROM (
            SELECT *, is_prohibited = (verdict = 'agree') AS rejects FROM reviews
            WHERE superseded_at IS NULL AND verdict IN ('agree', 'overturn')
        ) AS firm
        GROUP BY job_id
        HAVING count(*) >= 3 AND bool_or(rejects) AND NOT bool_and(rejects)
            AND 2 * count(*) FILTER (WHERE rejects) <> count(*)
    """)
