"""The graph over vectors is built where a dataset is too large to compare every vector, and nowhere else.

Keeping it costs more than everything else of adding a passage, and below index.EXACT nothing reads it. The server's role owns no table, so it
may call the one function that builds it.
"""

from __future__ import annotations

from alembic import op

revision = "knowledge_0004"
down_revision = "knowledge_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        DROP INDEX knowledge.embedding_near;

        CREATE FUNCTION knowledge.build_graph() RETURNS void
        LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
        AS 'CREATE INDEX IF NOT EXISTS embedding_near ON knowledge.embedding USING hnsw (vector public.vector_ip_ops)';

        REVOKE ALL ON FUNCTION knowledge.build_graph() FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION knowledge.build_graph() TO knowledge;
        """
    )
