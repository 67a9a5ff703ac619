"""The tables, as SQLAlchemy Core knows them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Identity,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSTZMULTIRANGE

# The source's tables: somebody else's where SOURCE_DATABASE_URL is set, so nothing but these columns is relied on.
source = MetaData()

jobs = Table(
    "jobs",
    source,
    Column("job_id", Uuid, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("is_prohibited", Boolean),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("completed_at", DateTime(timezone=True)),
    Column("prompt", Text),
    Column("reason", Text),
    Column("api_key_id", Text),
    Column("api_key_name", Text),
)

# The columns of jobs that a source may lack: it is then as if all were null.
OPTIONAL = ("api_key_id", "api_key_name")

moderation_logs = Table(
    "moderation_logs",
    source,
    Column("log_id", BigInteger, Identity(always=False), primary_key=True),
    Column("job_id", Uuid, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("category_ai_adult_general", Boolean),
    Column("category_underage", Boolean),
    Column("category_nsfw", Boolean),
)

# Fencepost's own tables.
ours = MetaData()

api_keys = Table(
    "api_keys",
    ours,
    Column("key_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    # Null: a staff key, which sees the jobs of all clients.
    Column("client_id", Text),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("secret_sha256", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    # The name of the actor who made it, and the id of the key that it replaces.
    Column("created_by", Text, nullable=False),
    Column("replaces", Text),
    # Where its requests may come from, as CIDR; null: from anywhere.
    Column("networks", ARRAY(Text)),
    # At most a minute old.
    Column("last_used_at", DateTime(timezone=True)),
)

# Those who have signed in. A session or a ticket from before `signed_out_at` is worthless.
people = Table(
    "people",
    ours,
    Column("person", Text, primary_key=True),
    Column("address", Text, nullable=False),
    Column("signed_in_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("signed_out_at", DateTime(timezone=True)),
    Column("preferences", JSONB, nullable=False, server_default=text("'{}'")),
    # When they came in for the first time.
    Column("came_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)

# What admins have given, beside the lists of the settings, to whom: a person by address, a domain, or a group.
rights = Table(
    "rights",
    ours,
    Column("kind", Text, primary_key=True),
    # Empty: whichever provider says so, where there is one.
    Column("provider", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("scopes", ARRAY(Text), nullable=False),
    # Null: for all clients.
    Column("clients", ARRAY(Text)),
    Column("given_by", Text, nullable=False),
    Column("given_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)

# Each sign-in, by the SHA-256 of the id that the browser has, with what scopes are looked up by.
sessions = Table(
    "sessions",
    ours,
    Column("session", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("is_verified", Boolean, nullable=False),
    Column("authenticated_at", DateTime(timezone=True), nullable=False),
    Column("first_seen_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    # Whether the person held any scope when the session was last used: what the audit was told.
    Column("is_allowed", Boolean, nullable=False),
    # Whether the provider has said when that was (`auth_time`), and not only when it made the token.
    Column("is_time_said", Boolean, nullable=False, server_default=text("false")),
    # When it was ended by itself; a sign-out ends all of a person's, see `people`.
    Column("ended_at", DateTime(timezone=True)),
    # The provider's name for its own session (`sid`), and its ID token, to sign out there with.
    Column("provider_session", Text),
    Column("id_token", Text),
    # Where it began, and in which browser: by what people know their own.
    Column("remote_address", Text),
    Column("browser", Text),
    # The groups that the provider said the person is in; and when the session was last used, to the minute.
    Column("groups", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("last_seen_at", DateTime(timezone=True)),
)

# Append-only: a trigger refuses everything but INSERT, and the function `audit_append` numbers and times what it adds.
audit_events = Table(
    "audit_events",
    ours,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("event", Text, nullable=False),
    Column("actor", Text, nullable=False),
    # The person's own address, which is what is shown; and the network address that the request came from.
    Column("address", Text),
    Column("remote_address", Text),
    Column("subject", Text),
    Column("details", JSONB, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    # Which FENCEPOST_AUDIT_KEY the hash was made with; null: none, or it was recorded before keys had names.
    Column("key_id", Text),
)

# Always empty: writers of the audit wait for each other by a lock on it.
audit_lock = Table("audit_lock", ours)

exports = Table(
    "exports",
    ours,
    Column("export_id", Uuid, primary_key=True),
    Column("requested_by", Text, nullable=False),
    Column("via", Text, nullable=False),
    Column("client_id", Text),
    # Where the wall allows several clients and the filter names none of them: which.
    Column("clients", ARRAY(Text)),
    Column("filter", JSONB, nullable=False),
    Column("snapshot_at", DateTime(timezone=True)),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("heartbeat_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("finished_at", DateTime(timezone=True)),
    Column("status", Text, nullable=False, server_default=text("'running'")),
    Column("rows", BigInteger, nullable=False, server_default=text("0")),
    Column("bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("sha256", Text),
    # 'per-node' where servers behind the source took snapshots of their own; null: it is one snapshot.
    Column("snapshot", Text),
)

# Those of the exports that hold verdicts and not jobs.
review_exports = Table("review_exports", ours, Column("export_id", Uuid, primary_key=True))

# Verdicts of staff on decisions. A row remembers the job as it was then, because the job may live elsewhere; a newer
# verdict of the same person supersedes it, and so does taking it back.
reviews = Table(
    "reviews",
    ours,
    Column("review_id", BigInteger, Identity(always=True), primary_key=True),
    # One act of a person: a verdict on one job, or on all with the same prompt.
    Column("act_id", Uuid, nullable=False),
    Column("person", Text, nullable=False),
    Column("job_id", Uuid, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("job_created_at", DateTime(timezone=True), nullable=False),
    Column("is_prohibited", Boolean, nullable=False),
    Column("evaluated", Boolean, nullable=False),
    Column("category_ai_adult_general", Boolean),
    Column("category_underage", Boolean),
    Column("category_nsfw", Boolean),
    Column("verdict", Text, nullable=False),
    # The categories that the person would set; null: they said nothing about them.
    Column("categories", ARRAY(Text)),
    Column("note", Text),
    Column("reviewed_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("superseded_at", DateTime(timezone=True)),
    # The person's verdict that counted until then; it counts again where this one is taken back.
    Column("supersedes", BigInteger),
    # Whether the prompt was shown to the person before; null: not recorded then.
    Column("saw_text", Boolean),
    # The newest version of the policy when it was given (null: none), and later ones that do not let it count.
    Column("policy_version", BigInteger),
    Column("outdated_by", ARRAY(BigInteger), nullable=False, server_default=text("'{}'")),
    # The shared queue or the sample in which it was given; null: elsewhere.
    Column("queue_id", Uuid),
)

# What categories and reasons mean. Versions are numbered over all subjects: of each subject the newest applies.
policies = Table(
    "policies",
    ours,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    # Markdown; empty: what was there before is taken back.
    Column("text", Text, nullable=False),
    Column("written_by", Text, nullable=False),
    Column("written_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    # Whether verdicts from before count in Quality, on jobs that the text is about.
    Column("earlier_count", Boolean, nullable=False),
)

# Queues that people share: which jobs, of which of the kinds of `core.review.queues`, and what a verdict needs.
queues = Table(
    "queues",
    ours,
    Column("queue_id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("saved_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    # The client that its filter names, and the filter as receipts have it; whether jobs after its end belong to it.
    Column("client_id", Text),
    Column("filter", JSONB, nullable=False),
    Column("is_growing", Boolean, nullable=False),
    Column("kind", Text, nullable=False),
    Column("is_oldest_first", Boolean, nullable=False),
    Column("needs_note", Boolean, nullable=False),
    Column("needs_categories", Boolean, nullable=False),
    # By which it is to be done (null: none), and who takes part (null: everybody).
    Column("last_day", Date),
    Column("people", ARRAY(Text)),
    Column("closed_at", DateTime(timezone=True)),
)

# Samples of decided jobs, drawn by chance. A sample keeps what it was drawn from, so that what verdicts on its jobs say
# of all jobs comes from our tables alone.
samples = Table(
    "samples",
    ours,
    Column("sample_id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("drawn_by", Text, nullable=False),
    Column("drawn_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    # Not written any more: `clients` says it. Servers of the version before may still run.
    Column("client_id", Text),
    # The clients whose jobs alone it is of, null: of all; and the filter as receipts have it.
    Column("clients", ARRAY(Text)),
    Column("filter", JSONB, nullable=False),
    Column("strata", ARRAY(Text), nullable=False),
    Column("seed", BigInteger, nullable=False),
    # How many people judge each job, whether its decision is hidden from them until they have, and whether they must
    # say which categories it should bear.
    Column("opinions", SmallInteger, nullable=False, server_default=text("1")),
    Column("is_blind", Boolean, nullable=False, server_default=text("true")),
    Column("needs_categories", Boolean, nullable=False, server_default=text("false")),
    # Null: until it is done; and everybody.
    Column("last_day", Date),
    Column("people", ARRAY(Text)),
    # When it had all opinions, or could have no more; null: not yet.
    Column("finished_at", DateTime(timezone=True)),
)
sample_strata = Table(
    "sample_strata",
    ours,
    Column("sample_id", Uuid, primary_key=True),
    Column("stratum", Integer, primary_key=True),
    Column("values", JSONB, nullable=False),
    Column("population", BigInteger, nullable=False),
)
sample_jobs = Table(
    "sample_jobs",
    ours,
    Column("sample_id", Uuid, primary_key=True),
    Column("job_id", Uuid, primary_key=True),
    Column("stratum", Integer, nullable=False),
    # The order in which the jobs are to be judged: by chance, so that any first so many are a sample, too.
    Column("place", Integer, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("job_created_at", DateTime(timezone=True), nullable=False),
    Column("is_prohibited", Boolean, nullable=False),
)

# What is noted of reasons, wherever their jobs live.
noted_reasons = Table(
    "noted_reasons",
    ours,
    Column("reason", Text, primary_key=True),
    # The name of a rule, seen beside enough different prompts.
    Column("is_rule", Boolean, nullable=False, server_default=text("false")),
    # Marked by staff: prompts with this reason are hidden like those flagged underage.
    Column("is_underage", Boolean, nullable=False, server_default=text("false")),
    Column("noted_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)

# Where other services are told what happens, and each message to one of them: due again until it has arrived.
webhook_endpoints = Table(
    "webhook_endpoints",
    ours,
    Column("endpoint_id", Uuid, primary_key=True),
    Column("url", Text, nullable=False),
    # Null: it hears of the jobs of all clients.
    Column("client_id", Text),
    Column("events", ARRAY(Text), nullable=False),
    # What messages are signed with; null once it is removed.
    Column("secret", Text),
    Column("created_by", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("paused_at", DateTime(timezone=True)),
    Column("removed_at", DateTime(timezone=True)),
)
webhook_deliveries = Table(
    "webhook_deliveries",
    ours,
    Column("delivery_id", BigInteger, Identity(always=True), primary_key=True),
    Column("endpoint_id", Uuid, nullable=False),
    # What the endpoint knows it by, the same each time that it is sent.
    Column("message_id", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("attempts", SmallInteger, nullable=False, server_default=text("0")),
    # While somebody sends it, this is when others may, because the first has died.
    Column("due_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("last_status", SmallInteger),
    Column("last_error", Text),
    Column("delivered_at", DateTime(timezone=True)),
    Column("given_up_at", DateTime(timezone=True)),
)

review_drafts = Table(
    "review_drafts",
    ours,
    Column("person", Text, primary_key=True),
    Column("job_id", Uuid, primary_key=True),
    Column("note", Text, nullable=False),
    Column("saved_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    # A verdict that is being recorded, with its categories: where it stays it never was.
    Column("verdict", Text),
    Column("categories", ARRAY(Text)),
)

# Who is at a job, until when.
review_claims = Table(
    "review_claims",
    ours,
    Column("job_id", Uuid, primary_key=True),
    Column("person", Text, nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False),
)

# What was pulled from other servers: the ranges of created_at that need not be asked for again, and how long a range
# was asked for last, because it is shorter where the server struggles.
syncs = Table(
    "syncs",
    ours,
    Column("url", Text, primary_key=True),
    # The client that was named to the other server; empty: none was.
    Column("remote_client", Text, primary_key=True),
    Column("client_id", Text, primary_key=True),
    Column("done", TSTZMULTIRANGE, nullable=False),
    Column("length", Interval, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)

# When each task that runs once a day has begun last, in whichever process.
upkeep_tasks = Table(
    "upkeep_tasks",
    ours,
    Column("task", Text, primary_key=True),
    Column("begun_at", DateTime(timezone=True), nullable=False),
)

# The ids of jobs that were erased for good: an import leaves them out.
erased_jobs = Table(
    "erased_jobs",
    ours,
    Column("job_id", Uuid, primary_key=True),
    Column("erased_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)
