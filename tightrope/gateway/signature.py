"""Authenticity of Chatwoot's webhooks: `sha256=` + hex HMAC-SHA256(secret, "{timestamp}.{raw body}") (Chatwoot since v4.13.0)."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

from tightrope.gateway.errors import SignatureInvalid, TimestampStale


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The value of `X-Chatwoot-Signature` for this body."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def verify(secret: str, headers: dict[str, str], body: bytes, now: datetime, tolerance: int) -> None:
    """Check one delivery over its raw bytes; a delivery without signature is refused (fail closed).

    Args:
        headers: with lower-case names.
        tolerance: seconds that the timestamp may differ from `now`.

    Raises:
        SignatureInvalid, TimestampStale.
    """
    signature, timestamp = headers.get("x-chatwoot-signature"), headers.get("x-chatwoot-timestamp")
    if not signature or not timestamp:
        raise SignatureInvalid("the webhook carries no signature: connect the bot with its secret (Chatwoot 4.13 or newer)")
    if not hmac.compare_digest(sign(secret, timestamp, body).encode(), signature.encode("utf-8", "replace")):
        raise SignatureInvalid("the webhook's signature does not fit its body and our secret")
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise TimestampStale("the webhook's timestamp is not a number of seconds")
    if abs(now.timestamp() - int(timestamp)) > tolerance:
        raise TimestampStale(f"the webhook's timestamp is more than {tolerance} s away from our clock")
