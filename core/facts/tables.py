"""The tables beside the jobs, as SQLAlchemy Core knows them; they are there only where the jobs are ours."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY

beside = MetaData()

job_facts = Table(
    "job_facts",
    beside,
    Column("created_at", DateTime(timezone=True), primary_key=True),
    Column("job_id", Uuid, primary_key=True),
    Column("code", SmallInteger, nullable=False),
    Column("client_id", Text, nullable=False),
    # Null where nobody has written them yet.
    Column("created_text", Text),
    Column("completed_text", Text),
)

job_counts = Table(
    "job_counts",
    beside,
    Column("hour", DateTime(timezone=True), nullable=False),
    # Null: of all clients.
    Column("client_id", Text),
    Column("code", SmallInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("is_new", Boolean, nullable=False),
)

job_facts_unsettled = Table(
    "job_facts_unsettled",
    beside,
    Column("note_id", BigInteger, primary_key=True),
    Column("job_id", Uuid, nullable=False),
    Column("created_at", DateTime(timezone=True)),
    Column("gone_by", BigInteger),
)

job_facts_state = Table(
    "job_facts_state",
    beside,
    Column("relations", ARRAY(BigInteger), nullable=False),
    Column("filled_to", DateTime(timezone=True)),
    Column("is_complete", Boolean, nullable=False),
)

job_reason_counts = Table(
    "job_reason_counts",
    beside,
    Column("hour", DateTime(timezone=True), nullable=False),
    # Null: of all clients.
    Column("client_id", Text),
    Column("reason_hash", BigInteger, nullable=False),
    Column("code", SmallInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
)

job_reasons = Table(
    "job_reasons",
    beside,
    Column("digest", LargeBinary, primary_key=True),
    Column("reason_hash", BigInteger, nullable=False),
    # Hashes of up to five different prompts.
    Column("prompts", ARRAY(BigInteger), nullable=False),
    # Null where it is not known to be the name of a rule.
    Column("reason", Text),
)
