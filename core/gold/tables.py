"""The tables of settled answers and of what people said to them: apart from `reviews`, so that none counts as one."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Numeric,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from core.db.schema import ours

# Jobs of which it is known whether they should be rejected; null: it was, and is not any more.
gold_answers = Table(
    "gold_answers",
    ours,
    Column("job_id", Uuid, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("job_created_at", DateTime(timezone=True), nullable=False),
    Column("should_reject", Boolean),
    # The admin who has settled it; null: most of three or more people, who had disagreed.
    Column("settled_by", Text),
    Column("settled_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)

# A job that was given to a person to see what they say, and what they said.
gold_turns = Table(
    "gold_turns",
    ours,
    Column("turn_id", BigInteger, Identity(always=True), primary_key=True),
    Column("person", Text, nullable=False),
    Column("job_id", Uuid, nullable=False),
    # The answer that was settled when it was given.
    Column("should_reject", Boolean, nullable=False),
    Column("given_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    # When the job was given to the person as any other one: from then on their verdicts are reviews.
    Column("ended_at", DateTime(timezone=True)),
    Column("act_id", Uuid),
    Column("verdict", Text),
    Column("categories", ARRAY(Text)),
    Column("note", Text),
    Column("saw_text", Boolean),
    # Null: nothing was said yet, or the person was not sure.
    Column("is_right", Boolean),
    Column("judged_at", DateTime(timezone=True)),
)

# One row: which share of the jobs that people are given are such.
gold_settings = Table(
    "gold_settings",
    ours,
    Column("id", SmallInteger, primary_key=True, server_default=text("1")),
    Column("rate", Numeric(4, 3, asdecimal=False), nullable=False),
)
