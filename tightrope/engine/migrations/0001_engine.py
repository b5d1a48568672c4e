"""State and turns of conversations."""

from __future__ import annotations

from alembic import op

revision = "engine_0001"
down_revision = None
branch_labels = ("engine",)
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE SCHEMA engine;

        -- json, not jsonb: given back byte for byte as written, and a NUL character in a customer's text or metadata does no harm.
        CREATE TABLE engine.conversation (
            sender_id text PRIMARY KEY CHECK (length(sender_id) BETWEEN 1 AND 255),
            state json NOT NULL,
            turns integer NOT NULL CHECK (turns > 0),
            updated_at timestamptz NOT NULL
        );
        COMMENT ON TABLE engine.conversation IS 'What the next turn depends on: slots, stack, offers. One row a conversation.';

        CREATE TABLE engine.turn (
            sender_id text NOT NULL REFERENCES engine.conversation ON DELETE CASCADE,
            number integer NOT NULL CHECK (number > 0),
            turn_key text CHECK (length(turn_key) = 64),
            at timestamptz NOT NULL,
            events json NOT NULL,
            PRIMARY KEY (sender_id, number)
        );
        COMMENT ON COLUMN engine.turn.turn_key IS 'SHA-256 of the gateway''s turn id, in hex; a turn is never run twice.';
        CREATE UNIQUE INDEX turn_once ON engine.turn (sender_id, turn_key) WHERE turn_key IS NOT NULL;

        GRANT USAGE ON SCHEMA engine TO assistant;
        GRANT SELECT, INSERT, UPDATE ON engine.conversation TO assistant;
        GRANT SELECT, INSERT ON engine.turn TO assistant;
        """
    )
