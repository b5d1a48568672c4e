"""The embedded knowledge server: the part of RAGFlow 0.27 that Tightrope uses, over Postgres."""
