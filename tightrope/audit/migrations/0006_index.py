"""The auditor's index: what questions are asked by, derived from the log and made again from it at any time."""

from alembic import op

revision = "audit_0006"
down_revision = "audit_0005"
branch_labels = None
depends_on = None

TABLES = """
CREATE SCHEMA audit_index;
REVOKE ALL ON SCHEMA audit_index FROM PUBLIC;

CREATE TABLE audit_index.records (
    shard smallint NOT NULL,
    index bigint NOT NULL,
    record_id uuid NOT NULL UNIQUE,
    ts timestamptz NOT NULL,
    event text NOT NULL,
    conv uuid,
    turn integer,
    kid uuid,
    key_state text,
    release text NOT NULL,
    lang text,
    handoff text,
    customer bytea,
    journeys text[] NOT NULL,
    rules text[] NOT NULL,
    findings text[] NOT NULL,
    verdicts text[] NOT NULL,
    reasons text[] NOT NULL,
    outcomes text[] NOT NULL,
    cited text[] NOT NULL,
    considered text[] NOT NULL,
    responses text[] NOT NULL,
    models text[] NOT NULL,
    people text[] NOT NULL,
    inputs jsonb NOT NULL,
    PRIMARY KEY (shard, index)
);
CREATE INDEX records_ts ON audit_index.records (ts);
CREATE INDEX records_event ON audit_index.records (event text_pattern_ops, ts);
CREATE INDEX records_conv ON audit_index.records (conv);
CREATE INDEX records_customer ON audit_index.records (customer) WHERE customer IS NOT NULL;
CREATE INDEX records_kid ON audit_index.records (kid) WHERE kid IS NOT NULL;
CREATE INDEX records_closed ON audit_index.records (key_state) WHERE key_state IN ('restricted', 'missing');
CREATE INDEX keys_closed ON audit.keys (kid) WHERE state <> 'active';
CREATE INDEX records_journeys ON audit_index.records USING gin (journeys) WHERE journeys <> '{}';
CREATE INDEX records_findings ON audit_index.records USING gin (rules, findings, verdicts) WHERE rules <> '{}';
CREATE INDEX records_cited ON audit_index.records USING gin (cited) WHERE cited <> '{}';
CREATE INDEX records_people ON audit_index.records USING gin (people) WHERE people <> '{}';

-- How far the index has read, and by which version of its rules.
CREATE TABLE audit_index.state (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    shard smallint NOT NULL DEFAULT 0,
    next bigint NOT NULL DEFAULT 0,
    version integer NOT NULL DEFAULT 0,
    built_at timestamptz
);
INSERT INTO audit_index.state DEFAULT VALUES;
"""

GRANTS = """
GRANT USAGE ON SCHEMA audit_index TO auditor;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON audit_index.records TO auditor;
GRANT SELECT, UPDATE ON audit_index.state TO auditor;
"""


def upgrade() -> None:
    """Create the schema `audit_index`."""
    op.execute(TABLES)
    op.execute(GRANTS)
