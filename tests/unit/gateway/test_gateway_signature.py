"""Chatwoot's webhook signature: the published vector, and every way to get it wrong."""

from datetime import UTC, datetime

import pytest

from tightrope.gateway.errors import SignatureInvalid, TimestampStale
from tightrope.gateway.signature import sign, verify

SECRET, TIMESTAMP, BODY = "test-secret", "1785150000", b'{"event":"message_created","id":5012}'
VECTOR = "sha256=977d133fa6a7a0c5076428acd561eb85e2b2faaf420898db093f5a10c2fa5c5e"
NOW = datetime.fromtimestamp(1785150000, UTC)


def headers(**changed: str) -> dict[str, str]:
    return {"x-chatwoot-signature": VECTOR, "x-chatwoot-timestamp": TIMESTAMP, **changed}


def test_signature_is_the_documented_vector() -> None:
    assert sign(SECRET, TIMESTAMP, BODY) == VECTOR
    verify(SECRET, headers(), BODY, NOW, 300)


@pytest.mark.parametrize(
    "changed",
    [
        {"x-chatwoot-signature": ""},
        {"x-chatwoot-signature": VECTOR.removeprefix("sha256=")},
        {"x-chatwoot-signature": VECTOR[:-1] + "0"},
        {"x-chatwoot-signature": "sha256=" + "é" * 64},
        {"x-chatwoot-timestamp": "1785150001"},
        {"x-chatwoot-timestamp": ""},
    ],
)
def test_missing_or_wrong_signature_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(SignatureInvalid):
        verify(SECRET, headers(**changed), BODY, NOW, 300)


def test_another_body_is_refused() -> None:
    with pytest.raises(SignatureInvalid):
        verify(SECRET, headers(), BODY + b" ", NOW, 300)


@pytest.mark.parametrize("offset", [301, -301])
def test_stale_or_future_timestamp_is_refused(offset: int) -> None:
    now = datetime.fromtimestamp(1785150000 + offset, UTC)
    with pytest.raises(TimestampStale):
        verify(SECRET, headers(), BODY, now, 300)


def test_timestamp_that_is_no_number_is_refused_even_when_signed() -> None:
    stamp = "17851500ab"
    with pytest.raises(TimestampStale):
        verify(SECRET, {"x-chatwoot-signature": sign(SECRET, stamp, BODY), "x-chatwoot-timestamp": stamp}, BODY, NOW, 300)
