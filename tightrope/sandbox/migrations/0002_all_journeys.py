"""The brokerage for all journeys: positions, orders, transfers, new shares, products, further facts, and tickets with idempotency keys."""

from alembic import op

revision = "sandbox_0002"
down_revision = "sandbox_0001"
branch_labels = None


def upgrade() -> None:
    """What comes in lists is kept as it travels, with the columns that rules look at; `nr` is its place in the list.

    Seeded rows may be replaced, so the role may delete them; customers and accounts it may not.
    """
    op.execute("""
    ALTER TABLE brokerage.customer ALTER COLUMN risk_level DROP NOT NULL, ALTER COLUMN risk_assessed_on DROP NOT NULL;
    ALTER TABLE brokerage.seeding ADD COLUMN stamp text NOT NULL DEFAULT '';

    CREATE TABLE brokerage.entry (
        kind       text NOT NULL CHECK (kind IN ('position', 'order', 'transfer', 'ipo', 'product')),
        owner      text NOT NULL,
        nr         integer NOT NULL CHECK (nr > 0),
        account_id text NOT NULL REFERENCES brokerage.account,
        open       boolean NOT NULL,
        document   jsonb NOT NULL,
        PRIMARY KEY (kind, owner, nr)
    );
    COMMENT ON COLUMN brokerage.entry.owner IS 'account of a position or product, customer of the rest';
    COMMENT ON COLUMN brokerage.entry.open IS 'blocks the closing of its account';
    CREATE INDEX entry_of_account ON brokerage.entry (account_id, kind) WHERE open;

    CREATE TABLE brokerage.fact (
        kind        text NOT NULL CHECK (kind IN ('options', 'margin_account', 'risk', 'contact')),
        customer_id text NOT NULL REFERENCES brokerage.customer,
        document    jsonb NOT NULL,
        PRIMARY KEY (kind, customer_id)
    );

    CREATE SEQUENCE brokerage.ticket_number START 1001;
    CREATE TABLE brokerage.ticket (
        ticket_number   text PRIMARY KEY,
        customer_id     text NOT NULL REFERENCES brokerage.customer,
        operation       text NOT NULL,
        idempotency_key text NOT NULL,
        body_hash       bytea NOT NULL,
        kind            text NOT NULL CHECK (kind IN ('statement', 'closure', 'contact_change', 'complaint')),
        subject         text NOT NULL,
        created_at      timestamptz NOT NULL,
        request         jsonb NOT NULL,
        answer          text NOT NULL,
        UNIQUE (customer_id, operation, idempotency_key)
    );
    COMMENT ON COLUMN brokerage.ticket.answer IS 'the body as it was sent; a repetition gets the same bytes';
    COMMENT ON COLUMN brokerage.ticket.subject IS 'which contact detail; empty for the others';
    CREATE INDEX ticket_of_customer ON brokerage.ticket (customer_id, kind, created_at DESC);

    GRANT SELECT, INSERT, UPDATE, DELETE ON brokerage.entry, brokerage.fact, brokerage.ticket TO sandbox;
    GRANT USAGE ON SEQUENCE brokerage.ticket_number TO sandbox;
    """)
