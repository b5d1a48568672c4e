"""The inverted index answers from the index alone: 18,000 postings of one question were as many reads of the table."""

from __future__ import annotations

from alembic import op

revision = "knowledge_0005"
down_revision = "knowledge_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE knowledge.posting DROP CONSTRAINT posting_pkey;
        ALTER TABLE knowledge.posting ADD PRIMARY KEY (dataset_id, term, chunk) INCLUDE (head);
        """
    )
