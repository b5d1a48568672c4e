"""The sandbox's database: identity provider, portal sessions and brokerage."""

from alembic import op

revision = "sandbox_0001"
down_revision = None
branch_labels = ("sandbox",)


def upgrade() -> None:
    """Three schemas; the role `sandbox` may read and write rows, never the structure."""
    op.execute("""
    CREATE SCHEMA identity_provider;
    CREATE TABLE identity_provider.session (
        sid         text PRIMARY KEY,
        cookie_hash bytea NOT NULL UNIQUE,
        sub         text NOT NULL,
        acr         text NOT NULL,
        auth_time   timestamptz NOT NULL,
        expires_at  timestamptz NOT NULL,
        ended_at    timestamptz
    );
    CREATE TABLE identity_provider.login_request (
        id_hash       bytea PRIMARY KEY,
        browser_hash  bytea NOT NULL,
        request       jsonb NOT NULL,
        one_time_code text NOT NULL,
        attempts      integer NOT NULL DEFAULT 0,
        expires_at    timestamptz NOT NULL
    );
    CREATE TABLE identity_provider.code (
        code_hash    bytea PRIMARY KEY,
        client_id    text NOT NULL,
        redirect_uri text NOT NULL,
        challenge    text NOT NULL,
        nonce        text NOT NULL,
        scope        text NOT NULL,
        sid          text NOT NULL REFERENCES identity_provider.session ON DELETE CASCADE,
        expires_at   timestamptz NOT NULL,
        used_at      timestamptz
    );
    CREATE TABLE identity_provider.token (
        jti        text PRIMARY KEY,
        sid        text NOT NULL REFERENCES identity_provider.session ON DELETE CASCADE,
        client_id  text NOT NULL,
        code_hash  bytea,
        expires_at timestamptz NOT NULL,
        revoked_at timestamptz
    );
    CREATE INDEX token_of_code ON identity_provider.token (code_hash);
    CREATE INDEX token_of_session ON identity_provider.token (sid);
    CREATE INDEX code_of_session ON identity_provider.code (sid);
    CREATE INDEX session_expiry ON identity_provider.session (expires_at);

    CREATE SCHEMA portal;
    CREATE TABLE portal.session (
        id_hash    bytea PRIMARY KEY,
        sub        text NOT NULL,
        sid        text NOT NULL,
        acr        text NOT NULL,
        auth_time  timestamptz NOT NULL,
        id_token   text NOT NULL,
        expires_at timestamptz NOT NULL,
        ended_at   timestamptz
    );

    CREATE SCHEMA brokerage;
    CREATE TABLE brokerage.customer (
        customer_id               text PRIMARY KEY,
        tier                      text NOT NULL,
        risk_level                text NOT NULL CHECK (risk_level IN ('C1', 'C2', 'C3', 'C4', 'C5')),
        risk_assessed_on          date NOT NULL,
        risk_disclosure_signed_on date,
        standing                  text NOT NULL CHECK (standing IN ('normal', 'dormant', 'restricted', 'frozen')),
        first_trade_on            date,
        average_assets_20d        numeric(18, 2) NOT NULL,
        margin_account_status     text NOT NULL CHECK (margin_account_status IN ('none', 'open'))
    );
    CREATE TABLE brokerage.account (
        account_id        text PRIMARY KEY,
        customer_id       text NOT NULL REFERENCES brokerage.customer,
        kind              text NOT NULL CHECK (kind IN ('cash', 'margin')),
        number            text NOT NULL,
        currency          text NOT NULL,
        status            text NOT NULL CHECK (status IN ('normal', 'dormant', 'restricted', 'frozen')),
        opened_on         date NOT NULL,
        cash_available    numeric(18, 2) NOT NULL,
        cash_frozen       numeric(18, 2) NOT NULL,
        cash_withdrawable numeric(18, 2) NOT NULL,
        market_value      numeric(18, 2) NOT NULL
    );
    CREATE INDEX account_of_customer ON brokerage.account (customer_id, account_id);
    CREATE TABLE brokerage.seeding (singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton), day date NOT NULL);

    GRANT USAGE ON SCHEMA identity_provider, portal, brokerage TO sandbox;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA identity_provider, portal TO sandbox;
    GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA brokerage TO sandbox;
    """)
