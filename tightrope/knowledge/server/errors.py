"""RAGFlow's error codes (A3 of the RAGFlow notes)."""

from __future__ import annotations

SUCCESS, EXCEPTION, ARGUMENT, DATA = 0, 100, 101, 102


class ApiError(Exception):
    """A business error: HTTP 200 with this code and message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
