"""The log's clock is one of its own: not the database's clock once more."""

from alembic import op

revision = "audit_0010"
down_revision = "audit_0009"
branch_labels = None
depends_on = None

FUNCTIONS = """
-- A beat is dated by the database; how far that is ahead of the sealer's machine stands in it. So this is what the sealer's machine said, or the beat's
-- date where that is earlier. Only a beat with its place counts. Null while the log has none.
CREATE OR REPLACE FUNCTION audit.log_time() RETURNS timestamptz LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT r.ts - make_interval(secs => greatest(coalesce(audit.leaf_fact(r.leaf, 'database_ms')::double precision, 0), 0) / 1000)
    FROM audit.records r WHERE r.event = 'log:sequencer:beat' AND EXISTS (SELECT FROM audit.leaves l WHERE l.record_id = r.id)
    ORDER BY r.ord DESC LIMIT 1
$$;
"""


def upgrade() -> None:
    """Replace the function."""
    op.execute(FUNCTIONS)
