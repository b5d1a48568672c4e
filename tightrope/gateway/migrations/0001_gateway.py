"""The gateway's tables: inbound events, conversations, turns, offers, outbox, switch, and procrastinate's job queue."""

from pathlib import Path

import procrastinate
from alembic import op

revision = "gateway_0001"
down_revision = None
branch_labels = ("gateway",)
depends_on = ("audit_0001", "identity_0001")

_TABLES = """
CREATE SCHEMA gateway;

CREATE TABLE gateway.conversation (
    conversation_id  text PRIMARY KEY,
    account_id       bigint NOT NULL,
    display_id       bigint NOT NULL,
    inbox_id         bigint,
    contact_id       bigint,
    source_hash      text,
    epoch            int NOT NULL DEFAULT 0,
    turn_count       int NOT NULL DEFAULT 0,
    language         text NOT NULL DEFAULT 'zh',
    status           text NOT NULL DEFAULT 'pending',
    held_by          text,
    context          jsonb NOT NULL DEFAULT '{}',
    disclosed_epoch  int NOT NULL DEFAULT -1,
    status_at        double precision NOT NULL DEFAULT 0,
    last_inbound_at  timestamptz,
    created_at       timestamptz NOT NULL
);
COMMENT ON COLUMN gateway.conversation.held_by IS 'null: the bot may answer; else why a person holds it (assigned, replied, opened, switch)';

COMMENT ON COLUMN gateway.conversation.context IS 'what a handing-over tells the agent of this session: journey, step, data given, sources shown';

CREATE TABLE gateway.inbound (
    id               bigserial PRIMARY KEY,
    conversation_id  text NOT NULL REFERENCES gateway.conversation,
    kind             text NOT NULL,
    dedupe_key       text NOT NULL UNIQUE,
    order_key        bigint NOT NULL,
    message_id       bigint,
    body             jsonb NOT NULL,
    record_id        uuid,
    received_at      timestamptz NOT NULL,
    state            text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'failed')),
    outcome          text
);
CREATE INDEX inbound_pending ON gateway.inbound (conversation_id, order_key, id) WHERE state = 'pending';

CREATE INDEX inbound_message ON gateway.inbound (message_id) WHERE message_id IS NOT NULL;

CREATE TABLE gateway.turn (
    turn_id          text PRIMARY KEY,
    conversation_id  text NOT NULL REFERENCES gateway.conversation,
    inbound_id       bigint NOT NULL UNIQUE REFERENCES gateway.inbound,
    number           int NOT NULL,
    sender_id        text NOT NULL,
    language         text NOT NULL,
    text             text NOT NULL,
    wording          text,
    attempt          int NOT NULL DEFAULT 1,
    state            text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'committed')),
    record_id        uuid,
    started_at       timestamptz NOT NULL,
    committed_at     timestamptz
);
COMMENT ON COLUMN gateway.turn.text IS 'what the first attempt decided to ask; a repetition asks the same and decides nothing again';
CREATE INDEX turn_conversation ON gateway.turn (conversation_id, number);

CREATE TABLE gateway.outbox (
    id               uuid PRIMARY KEY,
    seq              bigserial,
    conversation_id  text NOT NULL REFERENCES gateway.conversation,
    display_id       bigint NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('message', 'note', 'labels', 'priority', 'open', 'typing')),
    body             jsonb NOT NULL,
    bot              boolean NOT NULL,
    journey          text,
    even_if_held     boolean NOT NULL DEFAULT false,
    record_id        uuid CHECK (record_id IS NOT NULL OR kind = 'typing'),
    state            text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sending', 'sent', 'blocked', 'withheld', 'failed')),
    attempts         int NOT NULL DEFAULT 0,
    next_at          timestamptz NOT NULL DEFAULT now(),
    claimed_at       timestamptz,
    sent_at          timestamptz,
    chatwoot_id      bigint,
    error            text,
    created_at       timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN gateway.outbox.even_if_held IS 'part of a handing-over: goes out although the conversation is no longer pending';
CREATE INDEX outbox_open ON gateway.outbox (conversation_id, seq) WHERE state IN ('pending', 'sending');
CREATE INDEX outbox_pending ON gateway.outbox (seq) WHERE state IN ('pending', 'sending');

CREATE TABLE gateway.offer (
    nonce            text PRIMARY KEY,
    conversation_id  text NOT NULL REFERENCES gateway.conversation,
    epoch            int NOT NULL,
    outbox_id        uuid NOT NULL REFERENCES gateway.outbox,
    title            text NOT NULL,
    payload          text NOT NULL,
    expires_at       timestamptz NOT NULL,
    consumed_at      timestamptz
);
CREATE INDEX offer_outbox ON gateway.offer (outbox_id);

CREATE TABLE gateway.switch (
    id               bigserial PRIMARY KEY,
    scope            text NOT NULL,
    off              boolean NOT NULL,
    reason           text NOT NULL,
    who              text NOT NULL,
    at               timestamptz NOT NULL DEFAULT clock_timestamp(),
    record_id        uuid NOT NULL
);
CREATE VIEW gateway.switch_now AS
    SELECT scope, reason, who, at FROM (SELECT DISTINCT ON (scope) * FROM gateway.switch ORDER BY scope, id DESC) latest WHERE off;
COMMENT ON VIEW gateway.switch_now IS 'the scopes that are off now: all, or journey:<id>';

CREATE FUNCTION gateway.is_off(journey text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT 1 FROM gateway.switch_now WHERE scope = 'all' OR scope = 'journey:' || coalesce(journey, ''))
$$;

CREATE FUNCTION gateway.switch_turned() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NOTIFY switch_turned; RETURN NULL; END $$;
CREATE TRIGGER switch_turned AFTER INSERT ON gateway.switch FOR EACH STATEMENT EXECUTE FUNCTION gateway.switch_turned();

GRANT USAGE ON SCHEMA gateway TO gateway, worker, actions, operator, auditor;
GRANT SELECT, INSERT ON gateway.conversation TO gateway;
GRANT UPDATE (inbox_id, contact_id, source_hash) ON gateway.conversation TO gateway;
GRANT SELECT, INSERT ON gateway.inbound TO gateway;
GRANT SELECT ON gateway.outbox TO gateway;
GRANT UPDATE (chatwoot_id) ON gateway.outbox TO gateway;
GRANT SELECT, INSERT, UPDATE ON gateway.conversation, gateway.inbound, gateway.turn, gateway.outbox, gateway.offer TO worker;
GRANT SELECT ON gateway.switch_now, gateway.switch TO worker, operator, actions, gateway;
GRANT INSERT ON gateway.switch TO operator;
-- The auditor sees what became of things, never a live turn id, an unconsumed token or a message outside the record.
GRANT SELECT ON gateway.conversation TO auditor;
GRANT SELECT (conversation_id, number, attempt, state, record_id, started_at, committed_at) ON gateway.turn TO auditor;
GRANT SELECT (id, conversation_id, kind, message_id, record_id, received_at, state, outcome) ON gateway.inbound TO auditor;
GRANT SELECT (id, seq, conversation_id, kind, bot, journey, record_id, state, attempts, sent_at, chatwoot_id) ON gateway.outbox TO auditor;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA gateway TO gateway, worker, operator;
"""

_JOBS = """
GRANT USAGE ON SCHEMA jobs TO gateway, worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA jobs TO worker;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA jobs TO gateway, worker;
GRANT SELECT, INSERT ON jobs.procrastinate_jobs, jobs.procrastinate_events TO gateway;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA jobs TO gateway, worker;
ALTER ROLE gateway IN DATABASE tightrope SET search_path = jobs, public;
ALTER ROLE worker IN DATABASE tightrope SET search_path = jobs, public;
"""


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute("CREATE SCHEMA jobs")
    op.execute("SET LOCAL search_path = jobs")
    schema = Path(procrastinate.__file__).parent / "sql" / "schema.sql"
    op.get_bind().connection.cursor().execute(schema.read_text(encoding="utf-8"))
    op.execute("SET LOCAL search_path = public")
    op.execute(_JOBS)
