"""The tree takes the chain's place: leaves of yearly shards, checkpoints, and the sealer's own clear records."""

from alembic import op

revision = "audit_0002"
down_revision = "audit_0001"
branch_labels = None
depends_on = None

TABLES = """
-- A shard is one year's tree. The frontier (roots of its full subtrees, largest first, 32 bytes each) goes forward with its leaves.
CREATE TABLE audit.shards (
    shard smallint PRIMARY KEY,
    origin text NOT NULL UNIQUE,
    size bigint NOT NULL,
    frontier bytea NOT NULL,
    vkeys text[] NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);

-- A row here is the durable receipt: the record has its place in the tree. Released means this.
CREATE TABLE audit.leaves (
    shard smallint NOT NULL,
    index bigint NOT NULL CHECK (index >= 0),
    record_id uuid NOT NULL UNIQUE,
    leaf_hash bytea NOT NULL,
    sequenced_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (shard, index)
);

-- Write-once guard: never two signed trees of one size.
CREATE TABLE audit.checkpoints (
    shard smallint NOT NULL,
    size bigint NOT NULL,
    root bytea NOT NULL,
    note bytea NOT NULL,
    signed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (shard, size)
);

-- What the chain had sealed keeps its order; the sequencer folds it into the tree when it next starts.
INSERT INTO audit.leaves (shard, index, record_id, leaf_hash, sequenced_at)
SELECT extract(year FROM sealed_at AT TIME ZONE 'UTC'),
       row_number() OVER (PARTITION BY extract(year FROM sealed_at AT TIME ZONE 'UTC') ORDER BY seq) - 1, record_id, leaf_hash, sealed_at
FROM audit.chain;

DROP TABLE audit.segments;
DROP TABLE audit.chain;
DROP FUNCTION audit.announce();

CREATE TABLE audit.segments (
    shard smallint NOT NULL,
    first bigint NOT NULL CHECK (first >= 0),
    last bigint NOT NULL CHECK (last >= first),
    key text NOT NULL UNIQUE,
    sha256 bytea NOT NULL,
    bytes bigint NOT NULL,
    frontier bytea NOT NULL,
    receipt jsonb NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (shard, first)
);

ALTER TABLE audit.sealer DROP COLUMN head_seq, DROP COLUMN head_hash, ADD COLUMN tree_error text;

-- The sealer's own records have no payload, so they need no key.
ALTER TABLE audit.records ALTER COLUMN kid DROP NOT NULL, ALTER COLUMN ct DROP NOT NULL,
    ADD CONSTRAINT payload_or_log CHECK (CASE WHEN event LIKE 'log:%' THEN kid IS NULL AND ct IS NULL ELSE kid IS NOT NULL AND ct IS NOT NULL END);
"""

TRIGGERS = """
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['leaves', 'checkpoints', 'segments'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.%I
                        FOR EACH STATEMENT EXECUTE FUNCTION audit.append_only()', name);
        EXECUTE format('ALTER TABLE audit.%I ENABLE ALWAYS TRIGGER append_only', name);
    END LOOP;
END $$;

-- A shard goes forward only, and is never removed.
CREATE FUNCTION audit.shard_grows() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    IF TG_OP <> 'UPDATE' OR NEW.shard <> OLD.shard OR NEW.origin <> OLD.origin OR NEW.size < OLD.size THEN
        RAISE EXCEPTION 'audit.shards only grows: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER shard_grows BEFORE UPDATE OR DELETE ON audit.shards FOR EACH ROW EXECUTE FUNCTION audit.shard_grows();
ALTER TABLE audit.shards ENABLE ALWAYS TRIGGER shard_grows;
CREATE TRIGGER append_only BEFORE TRUNCATE ON audit.shards FOR EACH STATEMENT EXECUTE FUNCTION audit.append_only();
ALTER TABLE audit.shards ENABLE ALWAYS TRIGGER append_only;

CREATE FUNCTION audit.announce() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    PERFORM pg_catalog.pg_notify('audit_sealed', '');
    RETURN NULL;
END $$;
CREATE TRIGGER announce AFTER INSERT ON audit.leaves FOR EACH STATEMENT EXECUTE FUNCTION audit.announce();

CREATE OR REPLACE FUNCTION audit.released(record uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT EXISTS (SELECT 1 FROM audit.leaves WHERE record_id = record)
$$;

-- The one way for the sealer to write a record: of the log itself, without payload.
CREATE FUNCTION audit.log_event(id uuid, event text, ts timestamptz, leaf bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    INSERT INTO audit.records (id, event, ts, leaf) VALUES (id, event, ts, leaf)
$$;
REVOKE ALL ON FUNCTION audit.shard_grows(), audit.announce(), audit.log_event(uuid, text, timestamptz, bytea) FROM PUBLIC;
"""

GRANTS = """
GRANT EXECUTE ON FUNCTION audit.log_event(uuid, text, timestamptz, bytea) TO sealer;
GRANT SELECT ON audit.shards, audit.leaves, audit.checkpoints, audit.segments TO auditor, sealer;
GRANT INSERT ON audit.shards, audit.leaves, audit.checkpoints, audit.segments TO sealer;
GRANT UPDATE (size, frontier, vkeys) ON audit.shards TO sealer;
"""


def upgrade() -> None:
    """Replace the chain by the tree."""
    op.execute(TABLES)
    op.execute(TRIGGERS)
    op.execute(GRANTS)
