"""The pure verification of tokens; every refusal over a real database is in tests/attacks."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from identity_world import b64, browser_hash, new_key, sign

from tightrope.identity.errors import TokenRefused
from tightrope.identity.models import Reason
from tightrope.identity.tokens import LOGOUT_EVENT, KeyRing, KeyUnknown, verify_id_token, verify_logout_token, verify_portal_token

NOW = datetime(2026, 11, 20, 2, 31, tzinfo=UTC)
AT = int(NOW.timestamp())
KEY = new_key("portal-1")
RING = KeyRing.from_jwks({"keys": [KEY.as_dict(private=False)]})
ISSUER = "http://localhost:8100"
CLAIMS = {
    "iss": ISSUER,
    "aud": "tightrope-gateway",
    "jti": "j-1",
    "iat": AT,
    "exp": AT + 300,
    "bsh": browser_hash("cookie"),
    "sub": "C1001",
    "sid": "s-1",
    "auth_time": AT,
    "acr": "loa2",
}


def portal(token: object, now: datetime = NOW):
    return verify_portal_token(token, RING, issuer=ISSUER, now=now)


def test_genuine_portal_token_gives_its_claims():
    claims = portal(sign(KEY, CLAIMS))
    assert (claims.customer_id, claims.sid, claims.acr, claims.jti) == ("C1001", "s-1", "loa2", "j-1")
    assert claims.expires_at == NOW + timedelta(seconds=300)
    assert claims.auth_time == NOW
    assert b64(claims.browser_hash) == browser_hash("cookie")


def test_browser_token_names_no_customer():
    claims = portal(sign(KEY, {k: v for k, v in CLAIMS.items() if k not in {"sub", "sid", "auth_time", "acr"}}))
    assert (claims.customer_id, claims.sid, claims.acr, claims.auth_time) == (None, None, None, None)


def test_audience_may_be_a_list_of_one():
    assert portal(sign(KEY, CLAIMS | {"aud": ["tightrope-gateway"]})).customer_id == "C1001"


@given(st.integers(-10_000, 10_000), st.integers(-10_000, 10_000))
def test_time_window_is_exact(issued: int, life: int):
    token = sign(KEY, CLAIMS | {"iat": AT + issued, "exp": AT + issued + life})
    valid = issued + life > 0 and issued <= 30 and life <= 300
    if valid:
        assert portal(token).expires_at == NOW + timedelta(seconds=issued + life)
    else:
        with pytest.raises(TokenRefused) as refused:
            portal(token)
        assert refused.value.reason in {Reason.EXPIRED, Reason.FROM_THE_FUTURE, Reason.LIVES_TOO_LONG}


@given(
    st.one_of(st.text(max_size=80), st.binary(max_size=40), st.integers(), st.none(), st.lists(st.text(max_size=3), max_size=3))
)
def test_whatever_is_not_a_token_is_refused_and_never_crashes(token: object):
    with pytest.raises(TokenRefused):
        portal(token)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(CLAIMS)), _json)
def test_signed_nonsense_in_any_claim_is_refused_or_harmless(name: str, value: object):
    token = sign(KEY, CLAIMS | {name: value})
    claims = None
    with suppress(TokenRefused):
        claims = portal(token)
    if claims is not None:
        assert claims.issuer == ISSUER
        assert claims.customer_id is None or (isinstance(claims.customer_id, str) and claims.customer_id)


@given(st.integers(0, 400), st.integers(0, 255))
def test_any_changed_byte_breaks_the_token(position: int, byte: int):
    token = sign(KEY, CLAIMS).encode()
    position %= len(token)
    changed = token[:position] + bytes([byte]) + token[position + 1 :]
    text = changed.decode("latin-1")
    # The last character of a part holds padding bits that mean nothing: the same bytes, the same token.
    if [_bytes(part) for part in text.split(".")] == [_bytes(part) for part in token.decode().split(".")]:
        return
    with pytest.raises(TokenRefused):
        portal(text)


def _bytes(part: str) -> bytes | str:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return part


@pytest.mark.parametrize("payload", [b"[]", b"7", b"not json", b'{"iss":', b"\xff\xfe", b"[" * 3000])
def test_signed_payload_that_is_no_object_is_malformed(payload: bytes):
    from joserfc import jws

    token = jws.serialize_compact({"alg": "ES256", "kid": "portal-1"}, payload, KEY, algorithms=["ES256"])
    with pytest.raises(TokenRefused) as refused:
        portal(token)
    assert refused.value.reason == Reason.MALFORMED


@pytest.mark.parametrize("header", [b"[]", b"7", b"{", b"\xff", b"[" * 3000])
def test_header_that_is_no_object_is_malformed(header: bytes):
    with pytest.raises(TokenRefused) as refused:
        portal(f"{b64(header)}.e30.AAAA")
    assert refused.value.reason == Reason.MALFORMED


@pytest.mark.parametrize("value", [float("inf"), 1e300, -1e300, True, "1795141860", [1]])
def test_time_that_is_no_time_is_refused(value: object):
    with pytest.raises(TokenRefused):
        portal(sign(KEY, CLAIMS | {"exp": value}))


def test_login_in_the_future_is_refused():
    with pytest.raises(TokenRefused):
        portal(sign(KEY, CLAIMS | {"auth_time": AT + 3600}))


@pytest.mark.parametrize("text", ["", "x" * 256, "a\nb", "a\x00b", "\u202eC1001"])
def test_customer_id_with_odd_characters_is_refused(text: str):
    with pytest.raises(TokenRefused) as refused:
        portal(sign(KEY, CLAIMS | {"sub": text}))
    assert refused.value.reason == Reason.CLAIM_MISSING


def test_logout_token_gives_its_session():
    token = sign(
        KEY,
        {
            "iss": ISSUER,
            "aud": "tightrope-gateway",
            "jti": "j",
            "iat": AT,
            "exp": AT + 60,
            "sid": "s",
            "events": {LOGOUT_EVENT: {}},
        },
    )
    assert verify_logout_token(token, RING, issuer=ISSUER, now=NOW).sid == "s"


def id_token(**changes: object) -> str:
    claims = {
        "iss": ISSUER,
        "aud": "c",
        "sub": "C1001",
        "nonce": "n",
        "iat": AT,
        "exp": AT + 60,
        "auth_time": AT - 5,
        "sid": "s",
        "acr": "loa2",
    }
    return sign(KEY, {k: v for k, v in (claims | changes).items() if v is not None})


def test_id_token_gives_its_claims():
    claims = verify_id_token(id_token(), RING, issuer=ISSUER, client_id="c", nonce="n", now=NOW)
    assert (claims.customer_id, claims.sid, claims.acr, claims.auth_time) == ("C1001", "s", "loa2", NOW - timedelta(seconds=5))


def test_id_token_without_session_level_and_login_time_still_names_the_customer():
    claims = verify_id_token(id_token(sid=None, acr=None, auth_time=None), RING, issuer=ISSUER, client_id="c", nonce="n", now=NOW)
    assert (claims.sid, claims.acr, claims.auth_time) == (None, None, NOW)


def test_id_token_for_several_audiences_needs_us_as_the_authorized_party():
    token = id_token(aud=["c", "d"], azp="c")
    assert verify_id_token(token, RING, issuer=ISSUER, client_id="c", nonce="n", now=NOW).customer_id == "C1001"
    with pytest.raises(TokenRefused):
        verify_id_token(id_token(aud=["c", "d"]), RING, issuer=ISSUER, client_id="c", nonce="n", now=NOW)


def test_key_ring_takes_public_keys_only():
    secret = {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "kid": "x"}
    with pytest.raises(ValueError, match="no public key"):
        KeyRing.from_jwks({"keys": [secret]})
    ring = KeyRing.from_jwks({"keys": [secret, KEY.as_dict(private=False)]})
    with pytest.raises(KeyUnknown):
        ring.pick("x")


@pytest.mark.parametrize("document", [None, [], {}, {"keys": 7}, {"keys": [7]}, {"keys": []}, {"keys": [{"kty": "EC"}]}, "text"])
def test_document_that_is_no_key_set_is_refused(document: object):
    with pytest.raises(ValueError, match="JWK set"):
        KeyRing.from_jwks(document)


def test_token_without_key_name_needs_a_ring_of_one():
    other = new_key("portal-2")
    both = KeyRing.from_jwks({"keys": [KEY.as_dict(private=False), other.as_dict(private=False)]})
    _, payload, signature = sign(KEY, CLAIMS).split(".")
    assert RING.pick(None) is not None
    with pytest.raises(KeyUnknown):
        both.pick(None)
    nameless = f"{b64(json.dumps({'alg': 'ES256'}).encode())}.{payload}.{signature}"
    with pytest.raises(TokenRefused):
        portal(nameless)
