"""Datasets, documents, chunks and the inverted index of the embedded knowledge server."""

from __future__ import annotations

from alembic import op

revision = "knowledge_0001"
down_revision = None
branch_labels = ("knowledge",)
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE SCHEMA knowledge;

        CREATE TABLE knowledge.dataset (
            id text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{32}$'),
            name text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 128),
            description text NOT NULL DEFAULT '',
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL
        );

        CREATE TABLE knowledge.document (
            id text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{32}$'),
            dataset_id text NOT NULL REFERENCES knowledge.dataset ON DELETE CASCADE,
            name text NOT NULL,
            content bytea NOT NULL,
            meta_fields jsonb,
            enabled boolean NOT NULL DEFAULT true,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL
        );
        CREATE INDEX document_dataset ON knowledge.document (dataset_id);

        CREATE TABLE knowledge.chunk (
            number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            id text NOT NULL CHECK (id ~ '^[0-9a-f]{16}$'),
            document_id text NOT NULL REFERENCES knowledge.document ON DELETE CASCADE,
            dataset_id text NOT NULL REFERENCES knowledge.dataset ON DELETE CASCADE,
            content text NOT NULL,
            keywords text[] NOT NULL DEFAULT '{}',
            UNIQUE (document_id, id)
        );
        CREATE INDEX chunk_dataset ON knowledge.chunk (dataset_id);

        CREATE TABLE knowledge.posting (
            dataset_id text NOT NULL,
            term text NOT NULL,
            chunk bigint NOT NULL REFERENCES knowledge.chunk ON DELETE CASCADE,
            PRIMARY KEY (dataset_id, term, chunk)
        );
        CREATE INDEX posting_chunk ON knowledge.posting (chunk);

        GRANT USAGE ON SCHEMA knowledge TO knowledge;
        GRANT SELECT, INSERT, UPDATE, DELETE ON knowledge.dataset, knowledge.document TO knowledge;
        GRANT SELECT, INSERT, DELETE ON knowledge.chunk, knowledge.posting TO knowledge;
        """
    )
