"""What the pages refuse."""

from __future__ import annotations


class NotLoggedIn(Exception):
    """Nobody is logged in, or the session has ended."""


class PostRefused(Exception):
    """A form without this session's token: it does not come from our own page."""


class ExportBusy(Exception):
    """An export cannot begin now.

    Attributes:
        code: `own`: this person has one under way; `all`: as many as may run at once are under way.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ProofUnavailable(Exception):
    """A proof cannot be given; the message says why, for the auditor.

    Attributes:
        wrong: it should be there: what is published is damaged. False where it is only too early.
    """

    def __init__(self, message: str, *, wrong: bool) -> None:
        super().__init__(message)
        self.wrong = wrong
