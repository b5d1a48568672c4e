"""The audit log: records, keys, chain, segments, and the rights of each role on them."""

from alembic import op

revision = "audit_0001"
down_revision = None
branch_labels = ("audit",)
depends_on = None

TABLES = """
CREATE SCHEMA audit;
REVOKE ALL ON SCHEMA audit FROM PUBLIC;

CREATE TABLE audit.master (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    check_value bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE audit.keys (
    kid uuid PRIMARY KEY,
    subject_hash bytea NOT NULL,
    class text NOT NULL,
    year smallint NOT NULL,
    wrapped bytea NOT NULL,
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'restricted', 'destroyed')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX keys_owner ON audit.keys (subject_hash, class, year);

CREATE TABLE audit.conversations (
    conv uuid PRIMARY KEY,
    conversation_id text NOT NULL UNIQUE
);

CREATE TABLE audit.content (
    sha256 bytea PRIMARY KEY CHECK (sha256 = pg_catalog.sha256(data)),
    kind text NOT NULL,
    data bytea NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE audit.records (
    id uuid PRIMARY KEY,
    ord bigint GENERATED ALWAYS AS IDENTITY,
    conv uuid,
    event text NOT NULL,
    turn integer,
    ts timestamptz NOT NULL,
    kid uuid NOT NULL,
    leaf bytea NOT NULL,
    ct bytea NOT NULL
);
ALTER TABLE audit.records ALTER COLUMN ct SET STORAGE EXTERNAL;
CREATE INDEX records_conv ON audit.records (conv, ord);

-- What waits for the sealer. Filled by a trigger, so that no writer can forget it.
CREATE TABLE audit.pending (
    ord bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    record_id uuid NOT NULL,
    queued_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 2000);

CREATE TABLE audit.refused (
    record_id uuid PRIMARY KEY,
    reason text NOT NULL,
    refused_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE audit.chain (
    seq bigint PRIMARY KEY CHECK (seq > 0),
    record_id uuid NOT NULL UNIQUE,
    leaf_hash bytea NOT NULL,
    prev bytea NOT NULL UNIQUE,
    hash bytea NOT NULL UNIQUE,
    sealed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE audit.segments (
    first bigint PRIMARY KEY,
    last bigint NOT NULL UNIQUE CHECK (last >= first),
    key text NOT NULL UNIQUE,
    sha256 bytea NOT NULL,
    bytes bigint NOT NULL,
    head bytea NOT NULL,
    receipt jsonb NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The sealer's own account of itself: heartbeat, and the head it last chained, which a cut tail contradicts.
CREATE TABLE audit.sealer (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    host text NOT NULL DEFAULT '',
    pid integer NOT NULL DEFAULT 0,
    beat_at timestamptz NOT NULL DEFAULT '-infinity',
    head_seq bigint NOT NULL DEFAULT 0,
    head_hash bytea NOT NULL DEFAULT '\\x',
    store text NOT NULL DEFAULT '',
    segment_error text
) WITH (fillfactor = 50);
INSERT INTO audit.sealer DEFAULT VALUES;
"""

TRIGGERS = """
CREATE FUNCTION audit.append_only() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    RAISE EXCEPTION 'audit.% only grows: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;

-- ALWAYS also holds in a session that set session_replication_role = replica.
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['records', 'chain', 'content', 'conversations', 'segments', 'refused', 'master'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.%I
                        FOR EACH STATEMENT EXECUTE FUNCTION audit.append_only()', name);
        EXECUTE format('ALTER TABLE audit.%I ENABLE ALWAYS TRIGGER append_only', name);
    END LOOP;
END $$;

CREATE FUNCTION audit.enqueue() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    INSERT INTO audit.pending (record_id) SELECT id FROM fresh ORDER BY ord;
    PERFORM pg_catalog.pg_notify('audit_new', '');
    RETURN NULL;
END $$;
CREATE TRIGGER enqueue AFTER INSERT ON audit.records REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION audit.enqueue();
ALTER TABLE audit.records ENABLE ALWAYS TRIGGER enqueue;

CREATE FUNCTION audit.announce() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    PERFORM pg_catalog.pg_notify('audit_sealed', '');
    RETURN NULL;
END $$;
CREATE TRIGGER announce AFTER INSERT ON audit.chain FOR EACH STATEMENT EXECUTE FUNCTION audit.announce();

CREATE FUNCTION audit.released(record uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT EXISTS (SELECT 1 FROM audit.chain WHERE record_id = record)
$$;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA audit FROM PUBLIC;
"""

GRANTS = """
GRANT USAGE ON SCHEMA audit TO gateway, worker, operator, auditor, sealer;
GRANT EXECUTE ON FUNCTION audit.released(uuid) TO gateway, worker, operator, auditor, sealer;

-- Writers add; they read no record, not even their own.
GRANT INSERT ON audit.records, audit.keys, audit.conversations, audit.content, audit.master TO gateway, worker, operator, auditor;
GRANT SELECT ON audit.keys, audit.conversations, audit.master TO gateway, worker, operator;
GRANT SELECT (sha256) ON audit.content TO gateway, worker, operator;

GRANT SELECT ON ALL TABLES IN SCHEMA audit TO auditor;

-- The sealer has no key: it can neither read a payload nor write a record.
GRANT SELECT ON audit.records, audit.chain, audit.segments, audit.sealer, audit.pending, audit.refused TO sealer;
GRANT INSERT ON audit.chain, audit.segments, audit.refused TO sealer;
GRANT DELETE ON audit.pending TO sealer;
GRANT UPDATE ON audit.sealer TO sealer;
"""


def upgrade() -> None:
    """Create the schema `audit`."""
    op.execute(TABLES)
    op.execute(TRIGGERS)
    op.execute(GRANTS)
