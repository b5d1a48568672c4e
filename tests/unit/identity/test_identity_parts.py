"""Secret box, key cache, provider client, pages, ids: what needs no database."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from identity_world import FakeFirm, new_key

from tightrope.identity.box import SecretBox
from tightrope.identity.errors import (
    BoxBroken,
    IdentityError,
    ProviderInvalid,
    ProviderRefused,
    ProviderUnavailable,
    TokenRefused,
)
from tightrope.identity.grants import turn_hash
from tightrope.identity.keys import Jwks
from tightrope.identity.models import SCOPES, IdentityEvent, Place, Proof, Reason, SubjectToken
from tightrope.identity.oidc import Provider, challenge
from tightrope.identity.pages import CONTENT_SECURITY_POLICY, language_of, page
from tightrope.identity.portal import PortalDoor, Refused
from tightrope.identity.tokens import verify_portal_token
from tightrope.infra.clock import FixedClock
from tightrope.infra.http import outbound_client
from tightrope.infra.secrets import write_secret
from tightrope.infra.settings import Settings


@pytest.fixture
def firm(settings: Settings, clock: FixedClock) -> FakeFirm:
    return FakeFirm(settings, clock)


@pytest.fixture
async def provider(firm: FakeFirm, settings: Settings, clock: FixedClock):
    async with outbound_client(settings, purpose="test", transport=firm.transport) as http:
        yield Provider(http, settings, clock)


@given(st.text(max_size=300), st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_box_opens_for_its_owner_only(text: str, owner: str, other: str):
    text, owner, other = (value.encode("utf-8", "replace").decode() for value in (text, owner, other))
    box = SecretBox(b"k" * 32)
    sealed = box.seal(text, owner)
    assert box.open(sealed, owner) == text
    assert sealed != box.seal(text, owner)
    if other != owner:
        with pytest.raises(BoxBroken):
            box.open(sealed, other)


@pytest.mark.parametrize(
    "spoil",
    [lambda b: b"", lambda b: b[:5], lambda b: b"\x02" + b[1:], lambda b: b[:-1] + bytes([b[-1] ^ 1]), lambda b: b + b"x"],
)
def test_altered_box_does_not_open(spoil):
    box = SecretBox(b"k" * 32)
    with pytest.raises(BoxBroken):
        box.open(spoil(box.seal("token", "row")), "row")
    with pytest.raises(BoxBroken):
        SecretBox(b"l" * 32).open(box.seal("token", "row"), "row")


def test_box_comes_from_the_firms_key(settings: Settings):
    sealed = SecretBox.from_settings(settings).seal("token", "row")
    key = base64.b64decode((settings.secrets_path / "identity_box_key").read_text())
    assert SecretBox(key).open(sealed, "row") == "token"


@pytest.mark.parametrize("value", ["", "not base64!", base64.b64encode(b"short").decode()])
def test_bad_box_key_is_named(settings: Settings, value: str):
    write_secret(settings, "identity_box_key", value)
    with pytest.raises(BoxBroken, match="identity_box_key"):
        SecretBox.from_settings(settings)


def test_turn_ids_have_one_form():
    assert turn_hash("x" * 43) is not None
    for wrong in ("x" * 42, "x" * 44, "x" * 42 + "=", "x" * 42 + "\n", None, 7, b"x" * 43):
        assert turn_hash(wrong) is None


def test_secrets_do_not_show_in_representations(clock: FixedClock):
    proof = Proof("C1001", "s", "loa2", clock.now(), SubjectToken("very-secret", None))
    assert "very-secret" not in repr(proof)


def test_event_for_the_record_is_plain(clock: FixedClock):
    event = IdentityEvent("refused", "1-1", None, None, Reason.EXPIRED, way="portal_token")
    assert event.as_record() == {
        "kind": "refused",
        "customer_id": None,
        "binding_id": None,
        "reason": "expired",
        "acr": None,
        "way": "portal_token",
    }


def test_place_is_known_only_with_contact_and_source():
    place = Place.of("1-1", 7, "ab")
    assert place.known
    assert place.contact_id == "7"
    assert not replace(place, contact_id="").known
    assert not Place.of("1-1", 7, None).known


async def test_keys_are_fetched_once_and_again_for_a_new_key(firm: FakeFirm, settings: Settings, clock: FixedClock):
    async with outbound_client(settings, purpose="test", transport=firm.transport) as http:
        jwks = Jwks(http, "http://127.0.0.1:8100/.well-known/jwks.json", clock)

        async def check(token: str):
            return await jwks.verified(
                lambda ring: verify_portal_token(token, ring, issuer=settings.portal_public_url, now=clock.now())
            )

        await check(firm.portal_token())
        await check(firm.portal_token())
        assert len(firm.asked) == 1
        firm.portal_key = new_key("portal-2")
        with pytest.raises(TokenRefused):
            await check(firm.portal_token())
        assert len(firm.asked) == 1, "not again within ten seconds, whatever key a token names"
        clock.advance(11)
        await check(firm.portal_token())
        assert len(firm.asked) == 2
        firm.down = True
        clock.advance(1800)
        await check(firm.portal_token())
        clock.advance(1801)
        with pytest.raises(ProviderUnavailable):
            await check(firm.portal_token())


async def test_keys_that_are_none_are_unavailable(settings: Settings, clock: FixedClock):
    for answer in (httpx.Response(500), httpx.Response(200, text="<html>"), httpx.Response(200, json={"keys": []})):
        transport = httpx.MockTransport(lambda _, answer=answer: answer)
        async with outbound_client(settings, purpose="test", transport=transport) as http:
            with pytest.raises(ProviderUnavailable):
                await Jwks(http, "http://127.0.0.1/jwks", clock).verified(lambda ring: ring)


async def test_provider_off_the_allow_list_is_unavailable(firm: FakeFirm, clock: FixedClock, settings: Settings):
    elsewhere = settings.model_copy(update={"identity_internal_url": "https://idp.example"})
    async with outbound_client(elsewhere, purpose="test", transport=firm.transport) as http:
        with pytest.raises(ProviderUnavailable):
            await Provider(http, elsewhere, clock).authorization_url(state="s", nonce="n", code_challenge="c", language="zh")
    assert firm.asked == []


async def test_authorization_request_is_complete(provider: Provider, settings: Settings):
    url = httpx.URL(await provider.authorization_url(state="s", nonce="n", code_challenge=challenge("v"), language="en"))
    assert str(url).startswith(settings.identity_issuer + "/authorize?")
    assert dict(url.params) == {
        "response_type": "code",
        "client_id": "tightrope-gateway",
        "redirect_uri": "http://localhost:8080/login/callback",
        "scope": " ".join(("openid", *SCOPES)),
        "state": "s",
        "nonce": "n",
        "code_challenge": challenge("v"),
        "code_challenge_method": "S256",
        "ui_locales": "en",
    }


def test_pkce_challenge_is_that_of_rfc_7636():
    assert challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": None},
        {"jwks_uri": 7},
        {"authorization_endpoint": "http://localhost:8101/a"},
    ],
)
async def test_unusable_discovery_is_refused(provider: Provider, firm: FakeFirm, changes: dict[str, object]):
    firm.metadata_changes = changes
    with pytest.raises(ProviderInvalid):
        await provider.authorization_url(state="s", nonce="n", code_challenge="c", language="zh")


async def test_discovery_is_kept_for_a_while(provider: Provider, firm: FakeFirm, clock: FixedClock):
    for _ in range(3):
        await provider.authorization_url(state="s", nonce="n", code_challenge="c", language="zh")
    assert len(firm.asked) == 1
    clock.advance(601)
    await provider.authorization_url(state="s", nonce="n", code_challenge="c", language="zh")
    assert len(firm.asked) == 2


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (500, ProviderUnavailable),
        (503, ProviderUnavailable),
        (401, ProviderUnavailable),
        (400, ProviderRefused),
        (302, ProviderRefused),
    ],
)
async def test_token_endpoints_failures_are_told_apart(
    provider: Provider, firm: FakeFirm, status: int, error: type[IdentityError]
):
    firm.token_status = status
    with pytest.raises(error):
        await provider.redeem(code="c", verifier="v", nonce="n", answered_by=provider.issuer)


@pytest.mark.parametrize("text", ["[]", "<html>", "7", '"x"'])
async def test_answer_that_is_no_object_is_refused(settings: Settings, clock: FixedClock, text: str):
    async with outbound_client(
        settings, purpose="test", transport=httpx.MockTransport(lambda _: httpx.Response(200, text=text))
    ) as http:
        with pytest.raises(ProviderInvalid):
            await Provider(http, settings, clock).authorization_url(state="s", nonce="n", code_challenge="c", language="zh")


@pytest.mark.parametrize(
    ("changes", "scopes", "life"),
    [
        ({}, SCOPES, 1200),
        ({"scope": "openid accounts:read orders:write"}, ("accounts:read",), 1200),
        ({"scope": ""}, (), 1200),
        ({"expires_in": None}, SCOPES, None),
        ({"expires_in": "soon"}, SCOPES, None),
        ({"expires_in": True}, SCOPES, None),
    ],
)
async def test_exchange_takes_scopes_and_life_as_granted(
    settings: Settings, clock: FixedClock, firm: FakeFirm, changes, scopes, life
):
    firm.answer_changes = changes
    door = PortalDoor.open(settings, clock, transport=firm.transport)
    checked = await door.check(firm.portal_token())
    await door.aclose()
    assert not isinstance(checked, Refused)
    assert checked.proof is not None
    assert checked.proof.scopes == scopes
    expires = checked.proof.subject_token.expires_at
    assert (expires and (expires - clock.now()).total_seconds()) == life
    assert firm.forms[-1]["scope"] == " ".join(SCOPES)


async def test_browser_token_is_never_exchanged(settings: Settings, clock: FixedClock, firm: FakeFirm):
    door = PortalDoor.open(settings, clock, transport=firm.transport)
    checked = await door.check(firm.portal_token(customer=None))
    assert not isinstance(checked, Refused)
    assert checked.proof is None
    with pytest.raises(ProviderInvalid):
        await door.provider.confirm("x", checked.claims)
    assert firm.forms == []
    await door.aclose()


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        (None, "zh"),
        ("", "zh"),
        ("fr-FR", "zh"),
        ("en", "en"),
        ("en-GB,zh;q=0.8", "en"),
        ("en;q=0.5,zh-CN;q=0.9", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US;q=abc", "en"),
        ("," * 5000, "zh"),
    ],
)
def test_page_speaks_the_readers_language(accept: str | None, language: str):
    assert language_of(accept) == language


@pytest.mark.parametrize("name", ["done", "mismatch", "expired", "used", "declined", "unavailable"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_page_is_complete_and_loads_nothing(name, language):
    text = page(name, language, "http://localhost:8100")
    assert "<script" not in text
    assert "src=" not in text
    assert "{" not in text.split("</style>")[1]
    assert text.count("http://") == (2 if name == "done" else 1)
    assert 'name="viewport" content="width=device-width' in text
    assert ("转人工" in text or "对话" in text) if language == "zh" else "chat" in text


def test_page_escapes_the_address_it_leads_to():
    assert '"><script>' not in page("done", "en", 'http://x/"><script>')


def test_style_is_the_one_that_the_policy_allows():
    import hashlib

    style = page("done", "zh", "http://x").split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY


def test_identity_reads_nothing_that_chatwoot_claims():
    """The code knows no field of Chatwoot but contact and source id, which only end bindings."""
    code = "".join(path.read_text() for path in Path("tightrope/identity").glob("*.py"))
    for field in ("hmac_verified", "identifier_hash", '"identifier"', "custom_attributes", '"email"', '"phone_number"'):
        assert field not in code
