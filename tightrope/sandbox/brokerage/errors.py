"""Refusals of the business API, as problem details (RFC 9457)."""

from __future__ import annotations

from typing import Any, Final

PROBLEM_BASE: Final = "https://tightrope.invalid/problems/"
"""A name space, not an address: `.invalid` never resolves (RFC 2606)."""


class Problem(Exception):
    """A refusal with its problem type; `detail` is for engineers and holds no personal data."""

    def __init__(self, status: int, name: str, title: str, detail: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.name = name
        self.title = title
        self.detail = detail
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        return {"type": PROBLEM_BASE + self.name, "title": self.title, "status": self.status, "detail": self.detail}


def unauthenticated(reason: str) -> Problem:
    """401: no token, or one that is not good here."""
    return Problem(
        401,
        "invalid-token",
        "Invalid token",
        f"The access token was not accepted ({reason}).",
        headers={"WWW-Authenticate": f'Bearer error="invalid_token", error_description="{reason}"'},
    )


def insufficient_scope(scope: str) -> Problem:
    """403: a good token without the operation's scope."""
    return Problem(
        403,
        "insufficient-scope",
        "Insufficient scope",
        f"This operation needs the scope {scope}.",
        headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
    )


def not_permitted() -> Problem:
    """403, the same to the last byte whether the thing is another's or does not exist."""
    return Problem(403, "not-permitted", "Not permitted", "The token's customer may not read this, or it does not exist.")


def no_account() -> Problem:
    """404: the customer is known and has never opened an account."""
    return Problem(404, "no-account", "No account", "This customer has no account, so there are no facts about trading.")


def bad_request(detail: str) -> Problem:
    return Problem(400, "bad-request", "Bad request", detail)


def no_margin_account() -> Problem:
    """404: the customer is known and has no credit account."""
    return Problem(404, "no-margin-account", "No credit account", "This customer has no credit account.")


def not_published() -> Problem:
    return Problem(404, "not-published", "Not published", "No such market, or the exchange has not published one of the days.")


def request_in_progress() -> Problem:
    return Problem(
        409, "request-in-progress", "In progress", "A request of this customer is under way; its outcome is not known yet."
    )


def already_open() -> Problem:
    return Problem(409, "already-open", "Already open", "A request of this kind is already with the firm.")


def closure_blocked() -> Problem:
    return Problem(
        409, "closure-blocked", "Closure blocked", "Something still stands in one of the accounts; see the closure facts."
    )


def too_large() -> Problem:
    return Problem(413, "too-large", "Too large", "The body is above 16 KiB.")


def key_reused() -> Problem:
    return Problem(422, "idempotency-key-reused", "Key reused", "This idempotency key came with another body.")


def internal() -> Problem:
    return Problem(500, "internal", "Internal error", "Ordered by the sandbox.")
