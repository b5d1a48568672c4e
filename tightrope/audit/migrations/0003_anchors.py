"""Anchors: what waits to be submitted, the receipts, how each anchor stands, and the gaps."""

from alembic import op

revision = "audit_0003"
down_revision = "audit_0002"
branch_labels = None
depends_on = None

TABLES = """
-- Checkpoints chosen for anchoring that have no receipt yet; a crash loses none.
CREATE TABLE audit.anchor_outbox (
    anchor text NOT NULL,
    shard smallint NOT NULL,
    size bigint NOT NULL CHECK (size > 0),
    note bytea NOT NULL,
    chosen_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    PRIMARY KEY (anchor, shard, size)
);

-- `settles` chosen checkpoints got their proof by this receipt, the oldest chosen at `waiting_since`: what waited through an outage stays visible.
CREATE TABLE audit.anchor_receipts (
    anchor text NOT NULL,
    kind text NOT NULL,
    shard smallint NOT NULL,
    size bigint NOT NULL,
    note bytea NOT NULL,
    body bytea NOT NULL,
    asserted_at timestamptz,
    received_at timestamptz NOT NULL,
    waiting_since timestamptz NOT NULL,
    settles integer NOT NULL CHECK (settles > 0),
    PRIMARY KEY (anchor, shard, size)
);

-- The newest of each anchor. Witnesses are asked every few seconds; of their cosignatures one in each interval becomes a receipt.
CREATE TABLE audit.anchors (
    anchor text PRIMARY KEY,
    kind text NOT NULL,
    shard smallint,
    size bigint,
    note bytea,
    body bytea,
    asserted_at timestamptz,
    received_at timestamptz,
    failures integer NOT NULL DEFAULT 0,
    problem text,
    problem_at timestamptz,
    incident boolean NOT NULL DEFAULT false,
    unwell text
) WITH (fillfactor = 50);

-- A time in which the policy was not met. Opened and closed, never removed.
CREATE TABLE audit.anchor_gaps (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard smallint NOT NULL,
    size bigint NOT NULL,
    since timestamptz NOT NULL,
    found_at timestamptz NOT NULL,
    missing text[] NOT NULL,
    need smallint NOT NULL,
    covered_at timestamptz
);
CREATE UNIQUE INDEX anchor_gaps_open ON audit.anchor_gaps ((true)) WHERE covered_at IS NULL;
"""

TRIGGERS = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.anchor_receipts
    FOR EACH STATEMENT EXECUTE FUNCTION audit.append_only();
ALTER TABLE audit.anchor_receipts ENABLE ALWAYS TRIGGER append_only;
"""

GRANTS = """
GRANT SELECT, INSERT, DELETE ON audit.anchor_outbox TO sealer;
GRANT UPDATE (attempts) ON audit.anchor_outbox TO sealer;
GRANT SELECT, INSERT ON audit.anchor_receipts TO sealer;
GRANT SELECT, INSERT, UPDATE ON audit.anchors TO sealer;
GRANT SELECT, INSERT ON audit.anchor_gaps TO sealer;
GRANT UPDATE (covered_at) ON audit.anchor_gaps TO sealer;
GRANT SELECT ON audit.anchor_outbox, audit.anchor_receipts, audit.anchors, audit.anchor_gaps TO auditor;
"""


def upgrade() -> None:
    """Create the tables of the anchors."""
    op.execute(TABLES)
    op.execute(TRIGGERS)
    op.execute(GRANTS)
