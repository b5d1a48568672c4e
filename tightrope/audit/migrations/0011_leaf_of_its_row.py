"""A leaf has to be the leaf of its row, and of a form that custody and the tree can read.

Periods of keys are reckoned from leaves: one that names another key, or no day, would keep a key for ever or stop every destruction, and the log only
grows. One that is too long or too deep for an entry of the tree never comes in. No stored row changes.
"""

from alembic import op

revision = "audit_0011"
down_revision = "audit_0010"
branch_labels = None
depends_on = None

FUNCTION = """
CREATE OR REPLACE FUNCTION audit.leaf_says_so() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    said jsonb;
BEGIN
    IF (SELECT u.rolsuper FROM pg_catalog.pg_roles u WHERE u.rolname = session_user) THEN
        RETURN NEW;
    END IF;
    IF length(NEW.leaf) > 65535 THEN
        RAISE EXCEPTION 'the leaf of the record % does not fit an entry of the log', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    said := convert_from(NEW.leaf, 'UTF8')::jsonb;
    IF said ->> 'event' IS DISTINCT FROM NEW.event THEN
        RAISE EXCEPTION 'the leaf of the record % is of another event than %', NEW.id, NEW.event USING ERRCODE = 'check_violation';
    END IF;
    IF said ->> 'id' IS DISTINCT FROM NEW.id::text OR said ->> 'kid' IS DISTINCT FROM NEW.kid::text OR said ->> 'conv' IS DISTINCT FROM NEW.conv::text
        OR said ->> 'turn' IS DISTINCT FROM NEW.turn::text THEN
        RAISE EXCEPTION 'the leaf of the record % names another record, key, conversation or turn than its row', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    IF coalesce(said ->> 'until', '') !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' THEN
        RAISE EXCEPTION 'the leaf of the record % does not say until which day it is kept', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    PERFORM (said ->> 'until')::date;  -- a day that is in no calendar is refused here
    RETURN NEW;
END $$;
"""


def upgrade() -> None:
    """Compare more of a leaf with its row."""
    op.execute(FUNCTION)
