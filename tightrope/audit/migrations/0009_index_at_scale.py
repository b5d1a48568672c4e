"""What an index of millions of rows is asked with every question: how many records cannot be read, and which answers cite a document at all."""

from alembic import op

revision = "audit_0009"
down_revision = "audit_0008"
branch_labels = None
depends_on = None

INDEXES = """
-- Every answer tells how many of the records looked at cannot be read; without this each question about a customer would read all rows.
DROP INDEX audit_index.records_closed;
CREATE INDEX records_closed ON audit_index.records (key_state) WHERE key_state <> 'active';

-- A document in whatever version: its name without the version.
CREATE FUNCTION audit_index.documents(cited text[]) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = '' AS $$
    SELECT coalesce(array_agg(DISTINCT split_part(one, '@', 1)), '{}') FROM unnest(cited) AS one
$$;
REVOKE ALL ON FUNCTION audit_index.documents(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_index.documents(text[]) TO auditor;
CREATE INDEX records_documents ON audit_index.records USING gin (audit_index.documents(cited)) WHERE cited <> '{}';
"""


def upgrade() -> None:
    """Add the indexes."""
    op.execute(INDEXES)
