"""Events get into the audit through one function, which numbers and times them; rows name the key of their hash."""

from alembic import op

from core.db.migrations import functions

revision = "fencepost_0010"
down_revision = "fencepost_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema = functions.find_schema("audit_events")
    op.execute("ALTER TABLE audit_events ADD key_id text CHECK (key_id ~ '^[0-9a-f]{12}$')")
    # Always empty, and nobody but the owner has a right on it: so nobody else can hold the lock that writers take,
    # as anybody could who may connect if it were an advisory one.
    op.execute("CREATE TABLE audit_lock ()")
    # A number of 2^62 or more, or a time that is far ahead, is none of ours: it must not keep others from following.
    op.execute(f"""
        CREATE FUNCTION audit_begin(OUT seq bigint, OUT at timestamptz, OUT previous bytea, OUT key_id text)
            LANGUAGE plpgsql SECURITY DEFINER AS $$
        DECLARE
            last_at timestamptz;
        BEGIN
            LOCK TABLE {schema}.audit_lock IN EXCLUSIVE MODE;
            SELECT event.seq + 1, event.at, event.hash, event.key_id INTO seq, last_at, previous, key_id
                FROM {schema}.audit_events AS event WHERE event.seq < 4611686018427387904
                ORDER BY event.seq DESC LIMIT 1;
            seq := coalesce(seq, 1);
            at := clock_timestamp();
            IF last_at > at AND last_at < at + interval '1 day' THEN
                at := last_at;
            END IF;
        END
        $$
    """)
    op.execute(f"""
        CREATE FUNCTION audit_append(
            new_seq bigint, new_at timestamptz, new_event text, new_actor text, new_address text,
            new_remote_address text, new_subject text, new_details jsonb, new_key_id text, new_hash bytea
        ) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
        DECLARE
            due record;
        BEGIN
            SELECT * INTO due FROM {schema}.audit_begin();
            IF new_seq IS DISTINCT FROM due.seq THEN
                RAISE EXCEPTION 'audit_events: the next row has the number %', due.seq;
            END IF;
            IF (new_at BETWEEN due.at - interval '1 minute' AND due.at) IS NOT TRUE THEN
                RAISE EXCEPTION 'audit_events: the time of a row is now';
            END IF;
            IF new_key_id IS NULL AND due.key_id IS NOT NULL THEN
                RAISE EXCEPTION 'audit_events: the row before was hashed with a key' USING ERRCODE = 'FP001';
            END IF;
            INSERT INTO {schema}.audit_events
                (seq, at, event, actor, address, remote_address, subject, details, key_id, hash)
            VALUES (new_seq, new_at, new_event, new_actor, new_address, new_remote_address, new_subject, new_details,
                new_key_id, new_hash);
        END
        $$
    """)
    functions.seal_functions(schema, "^audit_")
    # Whoever could add events still can, and in no other way.
    op.execute("""
        DO $$
        DECLARE
            grantee text;
        BEGIN
            FOR grantee IN
                SELECT CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END
                FROM pg_class CROSS JOIN LATERAL aclexplode(relacl) AS acl
                WHERE pg_class.oid = 'audit_events'::regclass AND privilege_type = 'INSERT' AND acl.grantee <> relowner
            LOOP
                EXECUTE format('REVOKE INSERT ON audit_events FROM %s', grantee);
                EXECUTE format('GRANT EXECUTE ON FUNCTION audit_begin, audit_append TO %s', grantee);
            END LOOP;
        END
        $$
    """)
