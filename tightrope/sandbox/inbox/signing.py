"""Webhook bodies and their signature, byte for byte as Rails makes them (lib/webhooks/trigger.rb)."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any
from uuid import UUID

import orjson

_RAILS_ESCAPES = (
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    (b"&", b"\\u0026"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)


def encode(payload: dict[str, Any]) -> bytes:
    """JSON as ActiveSupport writes it: `<`, `>`, `&` and U+2028/9 are escaped, so a re-serialised body never verifies."""
    body = orjson.dumps(payload)
    for plain, escaped in _RAILS_ESCAPES:
        if plain in body:
            body = body.replace(plain, escaped)
    return body


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """`sha256=` and the hex HMAC over `"{timestamp}.{raw body}"`."""
    digest = hmac.new(secret.encode(), str(timestamp).encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"sha256={digest}"


def headers(secret: str | None, timestamp: int, delivery_id: UUID, body: bytes) -> dict[str, str]:
    """Headers of one attempt. Without a secret the two signature headers are absent, as in Chatwoot."""
    plain = {"Content-Type": "application/json", "Accept": "application/json", "X-Chatwoot-Delivery": str(delivery_id)}
    if secret is None:
        return plain
    return plain | {"X-Chatwoot-Timestamp": str(timestamp), "X-Chatwoot-Signature": signature(secret, timestamp, body)}
