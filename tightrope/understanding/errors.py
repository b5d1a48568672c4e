"""What the understanding part refuses."""

from __future__ import annotations


class BadRequestError(Exception):
    """The request cannot be answered; `str(error)` says what to change. The HTTP edge turns it into OpenAI's error shape."""

    def __init__(self, message: str, *, status: int = 400, code: str = "invalid_request", param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param


class TrainingDataError(Exception):
    """The example lines or thresholds cannot be used; names the file and line."""
