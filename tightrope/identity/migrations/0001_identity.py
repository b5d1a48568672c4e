"""Bindings, grants, browsers, login links and used tokens. Secrets are stored as SHA-256 only, the subject token encrypted."""

from alembic import op

revision = "identity_0001"
down_revision = None
branch_labels = ("identity",)
depends_on = None

_TABLES = """
CREATE SCHEMA identity;

CREATE TABLE identity.binding (
    id                 uuid PRIMARY KEY,
    conversation_id    text NOT NULL,
    contact_id         text NOT NULL CHECK (contact_id <> ''),
    source_id_hash     text NOT NULL CHECK (source_id_hash <> ''),
    customer_id        text NOT NULL CHECK (customer_id <> ''),
    sid                text,
    acr                text NOT NULL,
    scopes             text[] NOT NULL,
    auth_time          timestamptz NOT NULL,
    epoch              int NOT NULL,
    subject_token_box  bytea NOT NULL,
    created_at         timestamptz NOT NULL,
    expires_at         timestamptz NOT NULL,
    ended_at           timestamptz,
    end_reason         text,
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);
CREATE UNIQUE INDEX binding_live ON identity.binding (conversation_id) WHERE ended_at IS NULL;
CREATE INDEX binding_session ON identity.binding (sid) WHERE ended_at IS NULL;
CREATE INDEX binding_conversation ON identity.binding (conversation_id, epoch);

CREATE TABLE identity."grant" (
    turn_hash          bytea PRIMARY KEY CHECK (octet_length(turn_hash) = 32),
    conversation_id    text NOT NULL,
    binding_id         uuid REFERENCES identity.binding,
    customer_id        text,
    scopes             text[] NOT NULL,
    acr                text,
    expires_at         timestamptz NOT NULL,
    CHECK ((binding_id IS NULL) = (customer_id IS NULL))
);

CREATE TABLE identity.browser (
    conversation_id    text PRIMARY KEY,
    contact_id         text NOT NULL,
    source_id_hash     text NOT NULL,
    browser_hash       bytea NOT NULL CHECK (octet_length(browser_hash) = 32),
    set_at             timestamptz NOT NULL
);

CREATE TABLE identity.used_token (
    jti_hash           bytea PRIMARY KEY CHECK (octet_length(jti_hash) = 32),
    conversation_id    text,
    contact_id         text,
    source_id_hash     text,
    used_at            timestamptz NOT NULL,
    expires_at         timestamptz NOT NULL
);
CREATE INDEX used_token_expiry ON identity.used_token (expires_at);

CREATE TABLE identity.login_link (
    link_hash          bytea PRIMARY KEY CHECK (octet_length(link_hash) = 32),
    conversation_id    text NOT NULL,
    scopes             text[] NOT NULL,
    journey            text,
    created_at         timestamptz NOT NULL,
    expires_at         timestamptz NOT NULL,
    state_hash         bytea UNIQUE,
    attempt_hash       bytea,
    refused_at         timestamptz,
    used_at            timestamptz
);

GRANT USAGE ON SCHEMA identity TO gateway, worker, actions, auditor;

-- Who writes subject tokens cannot read them back; who reads them cannot write.
GRANT SELECT (id, conversation_id, contact_id, source_id_hash, customer_id, sid, acr, scopes, auth_time, epoch, created_at,
              expires_at, ended_at, end_reason) ON identity.binding TO gateway, worker, auditor;
GRANT INSERT ON identity.binding TO gateway, worker;
GRANT UPDATE (ended_at, end_reason) ON identity.binding TO gateway, worker;
GRANT SELECT ON identity.binding, identity."grant" TO actions;
GRANT SELECT, INSERT, UPDATE, DELETE ON identity."grant" TO worker;
GRANT SELECT, INSERT, UPDATE ON identity.browser, identity.login_link TO gateway, worker;
GRANT DELETE ON identity.login_link TO worker;
GRANT SELECT, INSERT, DELETE ON identity.used_token TO gateway, worker;
"""


def upgrade() -> None:
    op.execute(_TABLES)
