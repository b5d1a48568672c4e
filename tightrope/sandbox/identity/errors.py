"""What the provider refuses, in OAuth's words."""

from __future__ import annotations


class OAuthError(Exception):
    """An error for the token, revocation or authorization endpoint (RFC 6749 5.2, 4.1.2.1; RFC 8693 2.2.2).

    Attributes:
        error: OAuth's code.
        description: for engineers; ASCII, no token content.
        status: HTTP status at the token endpoint.
    """

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status


class RequestRefused(Exception):
    """An authorization request whose client or redirect address is not known: shown on a page, never redirected."""


class LoginRefused(Exception):
    """The login form cannot be accepted. `reason` is `expired`, `code`, `customer` or `attempts`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
