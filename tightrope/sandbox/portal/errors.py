"""What can go wrong at the portal."""

from __future__ import annotations


class LoginFailed(Exception):
    """A login came back that this browser did not start, or that the provider refused. `reason` is one word for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
