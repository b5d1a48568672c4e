"""A dataset's pagerank, as RAGFlow has it: it lifts scores above 1, and our client must notice."""

from __future__ import annotations

from alembic import op

revision = "knowledge_0003"
down_revision = "knowledge_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE knowledge.dataset ADD COLUMN pagerank smallint NOT NULL DEFAULT 0 CHECK (pagerank BETWEEN 0 AND 100)")
