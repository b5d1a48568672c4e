"""When each object of the segment store was last read and found right."""

from alembic import op

revision = "audit_0005"
down_revision = "audit_0004"
branch_labels = None
depends_on = None

TABLES = """
-- Not evidence: it only says what is due to be read again.
CREATE TABLE audit.store_reads (
    key text PRIMARY KEY,
    read_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON audit.store_reads TO auditor;
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(TABLES)
