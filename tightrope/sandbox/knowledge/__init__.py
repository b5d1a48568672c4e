"""A knowledge server that fails as RAGFlow fails."""
