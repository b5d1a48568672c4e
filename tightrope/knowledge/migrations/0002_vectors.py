"""Vectors of passages beside the inverted index, and which encoder a dataset's vectors are of.

Datasets of before have neither, and are copies of `knowledge_base/`: they are deleted, and publishing puts them back.
Creating an extension needs the superuser (or an operator who made it before); the server's own role may only read, add and
delete rows.
"""

from __future__ import annotations

from alembic import op

revision = "knowledge_0002"
down_revision = "knowledge_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE EXTENSION IF NOT EXISTS vector SCHEMA public;

        DELETE FROM knowledge.dataset;

        ALTER TABLE knowledge.dataset
            ADD COLUMN embedding_model text NOT NULL DEFAULT '',
            ADD COLUMN revision bigint NOT NULL DEFAULT 0;
        ALTER TABLE knowledge.posting ADD COLUMN head boolean NOT NULL;
        ALTER TABLE knowledge.document
            ADD COLUMN run text NOT NULL DEFAULT 'UNSTART' CHECK (run IN ('UNSTART', 'RUNNING', 'CANCEL', 'DONE', 'FAIL'));

        CREATE TABLE knowledge.embedding (
            chunk bigint NOT NULL REFERENCES knowledge.chunk ON DELETE CASCADE,
            part smallint NOT NULL,
            dataset_id text NOT NULL,
            vector public.vector(384) NOT NULL,
            PRIMARY KEY (chunk, part)
        );
        CREATE INDEX embedding_dataset ON knowledge.embedding (dataset_id);
        CREATE INDEX embedding_near ON knowledge.embedding USING hnsw (vector public.vector_ip_ops);

        GRANT SELECT, INSERT, DELETE ON knowledge.embedding TO knowledge;
        """
    )
