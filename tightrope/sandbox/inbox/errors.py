"""What the stand-in answers when it refuses, in Chatwoot's words."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """A refusal with an HTTP status and Chatwoot's JSON body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body


def unauthorized(text: str) -> ApiError:
    """401 with `error`."""
    return ApiError(401, {"error": text})


def not_found() -> ApiError:
    """404 as ActiveRecord::RecordNotFound is rendered."""
    return ApiError(404, {"error": "Resource could not be found"})


def unprocessable(text: str) -> ApiError:
    """422 with `error`."""
    return ApiError(422, {"error": text})


def server_error(text: str) -> ApiError:
    """500: what an unknown enum value causes in Chatwoot."""
    return ApiError(500, {"status": 500, "error": text})


BOT_REFUSED = "Access to this endpoint is not authorized for bots"
TOKEN_REFUSED = "Invalid Access Token"  # noqa: S105 - the error text, not a token
ACCOUNT_REFUSED = "You are not authorized to access this account"
BOT_ACCOUNT_REFUSED = "Bot is not authorized to access this account"
"""Texts of 401 answers (access_token_auth_helper.rb, ensure_current_account_helper.rb)."""
