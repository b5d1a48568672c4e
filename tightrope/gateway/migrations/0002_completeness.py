"""What completeness needs: how a turn was decided, turns that were given up, the gateway's own counts, and looking through a period quickly."""

from alembic import op

revision = "gateway_0002"
down_revision = "gateway_0001"
branch_labels = None
depends_on = None

_SQL = """
ALTER TABLE gateway.turn ADD COLUMN decision text;
COMMENT ON COLUMN gateway.turn.decision IS 'ask, or the key of the approved sentence that was given instead; null before this column';
ALTER TABLE gateway.turn DROP CONSTRAINT turn_state_check;
ALTER TABLE gateway.turn ADD CONSTRAINT turn_state_check CHECK (state IN ('open', 'committed', 'refused'));
COMMENT ON COLUMN gateway.turn.state IS 'refused: begun, and given up before it was answered (the switch, a person); its record says why';

-- Of those that a period holds, by time; these tables grow in the order of time.
CREATE INDEX inbound_received ON gateway.inbound USING brin (received_at);
CREATE INDEX turn_started ON gateway.turn USING brin (started_at);
CREATE INDEX turn_ended ON gateway.turn USING brin (committed_at);
CREATE INDEX outbox_created ON gateway.outbox USING brin (created_at);
CREATE INDEX outbox_sent ON gateway.outbox USING brin (sent_at);
CREATE INDEX conversation_created ON gateway.conversation USING brin (created_at);

-- How often Chatwoot's webhooks were taken or refused: what leaves no row elsewhere is counted here by the minute.
CREATE TABLE gateway.webhooks (
    minute   timestamptz NOT NULL,
    outcome  text NOT NULL,
    count    bigint NOT NULL CHECK (count > 0),
    PRIMARY KEY (minute, outcome)
);

-- The gateway's own count of what went through it; one row for each period, without a gap.
CREATE TABLE gateway.frames (
    until      timestamptz PRIMARY KEY,
    since      timestamptz NOT NULL CHECK (since < until),
    counts     jsonb NOT NULL,
    totals     jsonb NOT NULL,
    record_id  uuid NOT NULL
);

-- What a conversation has on record: its closing record says how many there are.
CREATE FUNCTION gateway.records_of(conversation text) RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT count(*) FROM audit.records r JOIN audit.conversations c USING (conv) WHERE c.conversation_id = conversation
$$;
REVOKE ALL ON FUNCTION gateway.records_of(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gateway.records_of(text) TO worker;

-- The reconciler's look at the turns: the hash in place of the live id.
CREATE VIEW gateway.turn_seen AS
    SELECT conversation_id, number, sender_id, encode(sha256(convert_to(turn_id, 'UTF8')), 'hex') AS turn_sha256, wording IS NULL AS asked,
           state, record_id, started_at, committed_at
      FROM gateway.turn;

GRANT SELECT, INSERT, UPDATE ON gateway.webhooks TO gateway;
GRANT SELECT ON gateway.webhooks TO worker;
GRANT SELECT, INSERT ON gateway.frames TO worker;
GRANT SELECT ON gateway.webhooks, gateway.frames, gateway.turn_seen TO auditor;
GRANT SELECT (created_at) ON gateway.outbox TO auditor;

-- Of the log: records of a period, and what was compared already.
CREATE INDEX records_ts ON audit.records USING brin (ts);
CREATE INDEX records_reconciled ON audit.records (ord) WHERE event = 'audit:log:reconciled';
"""


def upgrade() -> None:
    op.execute(_SQL)
