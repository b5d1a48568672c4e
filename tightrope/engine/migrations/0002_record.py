"""The inputs of each turn, trackers that begin anew, which release runs; one function to take a conversation and one to keep a turn."""

from __future__ import annotations

from alembic import op

revision = "engine_0002"
down_revision = "engine_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE engine.turn ADD COLUMN inputs json;
        COMMENT ON COLUMN engine.turn.inputs IS
            'What went into the engine (engine/record.py): replayed from the state before, it gives the same events. NULL before release 0.2.';
        ALTER TABLE engine.conversation ADD COLUMN begins integer NOT NULL DEFAULT 1 CHECK (begins > 0);
        COMMENT ON COLUMN engine.conversation.begins IS
            'The turn that the tracker begins with: events that were replaced from outside stay in the history.';

        CREATE TABLE engine.release (
            number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            stamp text NOT NULL CHECK (length(stamp) BETWEEN 1 AND 100),
            at timestamptz NOT NULL DEFAULT now()
        );
        COMMENT ON TABLE engine.release IS 'What servers loaded, newest last: a server that runs something else looks whether its files changed.';

        -- Functions, because their plans are kept and both need several statements in one trip; volatile, so that the second
        -- statement sees what the last holder of the lock wrote.
        CREATE FUNCTION engine.take(sender text, key text,
                                    OUT state text, OUT turns integer, OUT known text, OUT stamp text, OUT begins integer)
        LANGUAGE plpgsql VOLATILE AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock(hashtextextended(sender, 5005));
            SELECT c.state::text, c.turns, c.begins INTO take.state, take.turns, take.begins
              FROM engine.conversation c WHERE c.sender_id = take.sender;
            IF key IS NOT NULL THEN
                SELECT t.events::text INTO take.known FROM engine.turn t WHERE t.sender_id = take.sender AND t.turn_key = take.key;
            END IF;
            SELECT r.stamp INTO take.stamp FROM engine.release r ORDER BY r.number DESC LIMIT 1;
        END $$;

        CREATE FUNCTION engine.keep(sender text, state json, number integer, key text, at timestamptz, events json, inputs json,
                                    begins integer)
        RETURNS void LANGUAGE plpgsql VOLATILE AS $$
        BEGIN
            INSERT INTO engine.conversation AS c (sender_id, state, turns, updated_at, begins)
            VALUES (keep.sender, keep.state, keep.number, keep.at, keep.begins)
            ON CONFLICT (sender_id) DO UPDATE
               SET state = excluded.state, turns = excluded.turns, updated_at = excluded.updated_at, begins = excluded.begins;
            INSERT INTO engine.turn (sender_id, number, turn_key, at, events, inputs)
            VALUES (keep.sender, keep.number, keep.key, keep.at, keep.events, keep.inputs);
        END $$;

        REVOKE ALL ON FUNCTION engine.take, engine.keep FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION engine.take, engine.keep TO assistant;
        GRANT SELECT, INSERT ON engine.release TO assistant;
        """
    )
