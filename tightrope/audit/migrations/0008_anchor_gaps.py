"""A gap in anchoring is a shard's: one that is open in a closed year hides none in the year that grows."""

from alembic import op

revision = "audit_0008"
down_revision = "audit_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """At most one open gap in each shard, instead of one in the log."""
    op.execute("DROP INDEX audit.anchor_gaps_open")
    op.execute("CREATE UNIQUE INDEX anchor_gaps_open ON audit.anchor_gaps (shard) WHERE covered_at IS NULL")
