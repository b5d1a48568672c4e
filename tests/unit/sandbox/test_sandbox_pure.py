"""The sandbox's pure parts: relative dates, PKCE, faults, tokens and small helpers."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.infra.secrets import new_ec_key
from tightrope.infra.settings import Settings
from tightrope.sandbox.brokerage.days import answered_by
from tightrope.sandbox.brokerage.faults import Fault, FaultBook, FaultOrder
from tightrope.sandbox.catalogue import BY_ID, CUSTOMERS, TWELVE, Months
from tightrope.sandbox.identity.models import AuthorizationRequest, Session, needs_login, pkce_matches
from tightrope.sandbox.portal.models import browser_hash, chat_claims, logout_claims
from tightrope.sandbox.portal.text import chips
from tightrope.sandbox.tokens import RemoteKeys, SigningKey, TokenInvalid, verify
from tightrope.sandbox.web import basic_credentials

NOW = datetime(2026, 11, 20, 2, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("today", "months", "expected"),
    [
        (date(2026, 11, 20), Months(6), date(2026, 5, 20)),
        (date(2026, 8, 31), Months(6), date(2026, 2, 28)),
        (date(2024, 8, 31), Months(6), date(2024, 2, 29)),
        (date(2026, 1, 15), Months(2), date(2025, 11, 15)),
        (date(2026, 12, 1), Months(12), date(2025, 12, 1)),
        (date(2026, 11, 20), Months(6, plus_days=1), date(2026, 5, 21)),
    ],
)
def test_months_are_calendar_months(today: date, months: Months, expected: date):
    assert months.before(today) == expected


@given(st.dates(min_value=date(2020, 1, 1), max_value=date(2100, 1, 1)))
def test_on_every_day_one_customer_stands_at_six_months_and_one_a_day_short(today: date):
    def half_a_year_after(day: date) -> date:
        return min(later for later in (day + timedelta(days=n) for n in range(178, 190)) if Months(6).before(later) >= day)

    at, short = (BY_ID[name].first_trade for name in ("C1010", "C1002"))
    assert at is not None
    assert short is not None
    assert half_a_year_after(at.before(today)) <= today
    assert half_a_year_after(short.before(today)) > today


def test_the_two_hundred_customers_keep_their_ids_and_own_their_accounts():
    assert [item.customer_id for item in CUSTOMERS] == [f"C{number}" for number in range(1001, 1201)]
    assert CUSTOMERS[:12] == TWELVE
    accounts = [account.account_id for item in CUSTOMERS for account in item.accounts]
    assert len(set(accounts)) == len(accounts)
    assert all(account.account_id.startswith("A" + item.customer_id[1:]) for item in CUSTOMERS for account in item.accounts)


def test_chips_name_no_account_where_there_is_none():
    assert chips(BY_ID["C1011"], "zh")[0] == "无账户"
    assert chips(BY_ID["C1007"], "en")[3] == "account restricted"


def test_pkce_takes_the_verifier_of_the_challenge_only():
    verifier = "v" * 43
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    assert pkce_matches(verifier, challenge)
    assert not pkce_matches("w" * 43, challenge)
    assert not pkce_matches(verifier[:-1], challenge)
    assert not pkce_matches(challenge, challenge)
    assert not pkce_matches("é" * 43, challenge)


def test_rfc_7636_appendix_b():
    assert pkce_matches("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")


@pytest.mark.parametrize(
    ("prompt", "hint", "max_age", "expected"),
    [
        ("", "", None, False),
        ("login", "", None, True),
        ("", "C1001", None, False),
        ("", "C1002", None, True),
        ("", "", 60, False),
        ("", "", 59, True),
    ],
)
def test_a_session_spares_the_login_unless_the_client_asks(prompt, hint, max_age, expected):
    request = AuthorizationRequest("c", "r", "openid", "s", "n", "x", prompt, hint, max_age, "")
    session = Session("sid", "C1001", "loa2", NOW - timedelta(seconds=60), NOW + timedelta(hours=1))
    assert needs_login(request, session, NOW) is expected
    assert needs_login(request, None, NOW)


def test_faults_are_used_up_in_order_and_only_by_their_customer_and_operation():
    book = FaultBook()
    book.order(FaultOrder(customer="C1001", operation="get_balance", fault=Fault.STALE, times=2))
    book.order(FaultOrder(customer="C1001", fault=Fault.SLOW, times=1))
    assert book.take("C1002", "get_balance") is None
    assert book.take("C1001", "list_accounts") is Fault.SLOW
    assert [book.take("C1001", "get_balance") for _ in range(3)] == [Fault.STALE, Fault.STALE, None]


def test_the_browser_hash_is_of_the_cookie_as_it_stands():
    cookie = "abcDEF_-0123"
    assert browser_hash(cookie) == base64.urlsafe_b64encode(hashlib.sha256(b"abcDEF_-0123").digest()).rstrip(b"=").decode()
    assert len(browser_hash(cookie)) == 43


def test_a_chat_token_is_never_a_logout_token():
    assert "events" not in chat_claims("i", "cookie", None, NOW)
    assert not {"sub", "bsh"} & set(logout_claims("i", "sid", NOW))


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey(new_ec_key())


def signed(key: SigningKey, typ: str = "JWT", **changes: object) -> str:
    now = int(NOW.timestamp())
    return key.sign({"iss": "i", "aud": "a", "sub": "s", "iat": now, "exp": now + 60} | changes, typ=typ)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "x"}, "issuer"),
        ({"aud": "x"}, "audience"),
        ({"aud": ["a", "b"]}, "audience"),
        ({"exp": int(NOW.timestamp())}, "expired"),
        ({"exp": "tomorrow"}, "claims"),
        ({"iat": int(NOW.timestamp()) + 30}, "not_yet"),
        ({"sub": ""}, "claims"),
        ({"sub": 7}, "claims"),
    ],
)
def test_each_wrong_claim_has_its_reason(key: SigningKey, changes, reason: str):
    with pytest.raises(TokenInvalid) as caught:
        verify(signed(key, **changes), key.public(), issuer="i", audience="a", now=NOW, require=("sub",))
    assert caught.value.reason == reason
    assert verify(signed(key), key.public(), issuer="i", audience="a", now=NOW, require=("sub",))["sub"] == "s"


@given(st.text(max_size=200))
def test_no_text_is_taken_for_a_token(text: str):
    key = _SHARED
    with pytest.raises(TokenInvalid):
        verify(text, key.public(), issuer="i", audience="a", now=NOW)


_SHARED = SigningKey(new_ec_key())


def test_a_token_of_another_kind_or_key_is_refused(key: SigningKey):
    for token, reason in ((signed(key, typ="at+jwt"), "kind"), (signed(_SHARED), "signature")):
        with pytest.raises(TokenInvalid) as caught:
            verify(token, key.public(), issuer="i", audience="a", now=NOW)
        assert caught.value.reason == reason


def test_a_key_of_another_curve_is_not_taken():
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = ec.generate_private_key(ec.SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(SystemExit):
        SigningKey(pem)


async def test_keys_are_fetched_once_and_an_unknown_key_does_not_hammer_the_issuer(key: SigningKey):
    fetched: list[int] = []

    def issuer(request: httpx.Request) -> httpx.Response:
        fetched.append(1)
        return httpx.Response(200, json=key.jwks())

    keys = RemoteKeys(httpx.AsyncClient(transport=httpx.MockTransport(issuer)), "http://issuer/jwks")
    await keys.for_token(signed(key))
    await keys.for_token(signed(key))
    await keys.for_token(signed(_SHARED))
    assert len(fetched) == 1
    keys._fetched -= 31
    await keys.for_token(signed(_SHARED))
    assert len(fetched) == 2
    with pytest.raises(TokenInvalid):
        await keys.for_token("nonsense")


async def test_an_issuer_in_trouble_is_an_http_error(key: SigningKey):
    http = httpx.AsyncClient(transport=httpx.MockTransport(lambda request: httpx.Response(503)))
    with pytest.raises(httpx.HTTPError):
        await RemoteKeys(http, "http://issuer/jwks").for_token(signed(key))


@pytest.mark.parametrize(
    "header", [None, "", "Bearer x", "Basic", "Basic !!", "Basic " + base64.b64encode(b"nocolon").decode(), "Basic /w=="]
)
def test_what_is_no_basic_header_brings_no_credentials(header: str | None):
    assert basic_credentials(header) is None


def test_basic_credentials_are_form_decoded():
    header = "Basic " + base64.b64encode(b"a%3Ab:c%20d").decode()
    assert basic_credentials(header) == ("a:b", "c d")


def test_the_sandbox_does_not_start_in_production(tmp_path):
    from tightrope.sandbox.api import create_app

    settings = Settings(
        mode="production",
        secrets_dir=tmp_path,
        brokerage_url="https://core.firm",
        identity_issuer="https://login.firm",
        portal_public_url="https://www.firm",
        identity_internal_url="https://login.firm",
    )
    with pytest.raises(SystemExit, match="demo and tests"):
        create_app(settings)


@pytest.mark.parametrize(
    ("kind", "filed", "by"),
    [
        # Friday, 10:31: two trading days, and one working day with fifteen more, as rules/data/service_deadlines.yml says.
        ("closure", NOW, date(2026, 11, 24)),
        ("closure", NOW + timedelta(hours=5), date(2026, 11, 25)),
        ("complaint", NOW, date(2026, 12, 14)),
        ("statement", NOW, date(2026, 11, 23)),
        ("contact_change", NOW, date(2026, 11, 27)),
    ],
)
def test_the_firm_answers_by_the_day_that_its_own_deadlines_name(kind: str, filed: datetime, by: date):
    assert answered_by(kind, filed) == by


def test_where_no_calendar_is_published_the_firm_names_a_day_with_room():
    filed = datetime(2030, 1, 4, 2, 31, tzinfo=UTC)
    assert timedelta(days=25) < answered_by("complaint", filed) - filed.date() < timedelta(days=40)
