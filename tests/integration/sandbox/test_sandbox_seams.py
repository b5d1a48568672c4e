"""The sandbox's tokens through the eyes of the part that consumes them: both sides of docs/wire-contracts.md, no doubles."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import pytest

from tightrope.identity.bindings import Bindings
from tightrope.identity.errors import ProviderRefused, TokenRefused
from tightrope.identity.oidc import Provider, challenge
from tightrope.identity.portal import Checked, PortalDoor, Refused

pytestmark = pytest.mark.integration


@pytest.fixture
def provider(world) -> Provider:
    return Provider(world.http, world.settings, world.clock)


@pytest.fixture
def door(world, provider) -> PortalDoor:
    return PortalDoor(world.http, world.settings, world.clock, provider, Bindings.__new__(Bindings))


async def test_the_gateway_takes_the_portals_token_and_the_provider_confirms_it(world, door):
    browser = world.browser()
    await browser.http.get("/")
    anonymous = await door.check(await browser.chat_token())
    assert isinstance(anonymous, Checked)
    assert anonymous.claims.browser_hash == hashlib.sha256(browser.http.cookies["tr_browser"].encode()).digest()
    assert anonymous.proof is None
    await browser.portal_log_in("C1012")
    known = await door.check(await browser.chat_token())
    assert isinstance(known, Checked)
    assert known.proof is not None
    assert known.proof.customer_id == "C1012"
    business = await world.exchange.exchange(known.proof.subject_token.value, "accounts:read")
    assert len((await world.business.accounts(business, "C1012")).value.items) == 3


async def test_a_portal_token_kept_over_the_logout_is_not_confirmed(world, door):
    browser = world.browser()
    await browser.portal_log_in("C1001")
    kept = await browser.chat_token()
    await browser.http.post("/portal/logout", json={}, headers={"Origin": "http://localhost:8100"})
    assert isinstance(await door.check(kept), Refused)
    (logout,) = world.wires.logout_tokens
    assert (await door.check_logout(logout)).sid
    with pytest.raises(TokenRefused):
        await door.check_logout(kept)
    assert isinstance(await door.check(logout), Refused)


async def test_the_gateways_login_link_ends_in_a_proof_that_can_be_exchanged(world, provider):
    browser = world.browser()
    verifier, nonce = "v" * 43, "n" * 43
    url = await provider.authorization_url(state="s", nonce=nonce, code_challenge=challenge(verifier), language="en")
    page = await browser.http.get(url)
    assert "Sign in" in page.text
    back = await browser.type_code(page, "C1002")
    query = {name: values[0] for name, values in parse_qs(urlsplit(back.headers["location"]).query).items()}
    proof = await provider.redeem(code=query["code"], verifier=verifier, nonce=nonce, answered_by=query["iss"])
    assert (proof.customer_id, proof.acr) == ("C1002", "loa2")
    assert await world.exchange.exchange(proof.subject_token.value, "eligibility:read")
    with pytest.raises(ProviderRefused):
        await provider.redeem(code=query["code"], verifier=verifier, nonce=nonce, answered_by=query["iss"])


def test_both_sides_make_the_same_challenge():
    assert challenge("v" * 43) == base64.urlsafe_b64encode(hashlib.sha256(b"v" * 43).digest()).rstrip(b"=").decode()
