"""Attacks on the portal token (docs/compliance/threat-model.md, Identity: portal token)."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from identity_world import World, b64, new_key
from joserfc import jws
from joserfc.jwk import OctKey

from tightrope.identity.models import Reason
from tightrope.identity.portal import BrowserBound, CustomerBound, Refused, Repeated

pytestmark = pytest.mark.integration


async def refused(world: World, token: object, why: Reason) -> None:
    place = world.place()
    outcome = await world.show(token, place)
    assert isinstance(outcome, Refused)
    assert outcome.reason is why
    assert outcome.events[0].conversation_id == place.conversation_id
    assert await world.rows("SELECT 1 FROM identity.binding WHERE conversation_id = %s", place.conversation_id) == []
    assert await world.rows("SELECT 1 FROM identity.browser WHERE conversation_id = %s", place.conversation_id) == []


async def test_portal_token_binds_customer_and_browser(world: World):
    place = world.place()
    outcome = await world.show(world.firm.portal_token(), place)
    assert isinstance(outcome, CustomerBound)
    assert (outcome.binding.customer_id, outcome.binding.acr, outcome.binding.epoch) == ("C1001", "loa2", 0)
    assert [e.kind for e in outcome.events] == ["bound"]
    assert not outcome.raise_epoch
    form = world.firm.forms[-1]
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:token-exchange"


async def test_browser_token_logs_nobody_in(world: World):
    place = world.place()
    outcome = await world.show(world.firm.portal_token(customer=None), place)
    assert isinstance(outcome, BrowserBound)
    assert (await world.current(place)).binding is None
    assert world.firm.forms == []


async def test_portal_token_of_one_conversation_is_refused_in_another(world: World):
    token = world.firm.portal_token()
    await world.show(token, world.place())
    await refused(world, token, Reason.REPLAYED)


async def test_portal_token_of_one_contact_is_refused_for_another_in_the_same_conversation(world: World):
    place = world.place()
    token = world.firm.portal_token()
    await world.show(token, place)
    moved = type(place)(place.conversation_id, "99", place.source_hash)
    outcome = await world.show(token, moved)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.REPLAYED


async def test_portal_token_repeated_in_its_own_conversation_binds_once(world: World):
    place = world.place()
    token = world.firm.portal_token()
    await world.show(token, place)
    again = await world.show(token, place)
    assert isinstance(again, Repeated)
    assert again.events == ()
    assert len(await world.rows("SELECT 1 FROM identity.binding WHERE conversation_id = %s", place.conversation_id)) == 1


async def test_portal_token_does_not_undo_a_logout(world: World):
    place = world.place()
    used, unused = world.firm.portal_token(sid="s-undo"), world.firm.portal_token(sid="s-undo")
    await world.show(used, place)
    logout = await world.http.post("/portal/logout", data={"logout_token": world.firm.logout_token("s-undo")})
    assert logout.status_code == 200
    assert isinstance(await world.show(used, place), Repeated)
    late = await world.show(unused, place)
    assert isinstance(late, Refused)
    assert late.reason is Reason.NOT_CONFIRMED
    assert (await world.current(place)).binding is None


async def test_two_deliveries_of_one_portal_token_bind_once(world: World):
    token, here, there = world.firm.portal_token(), world.place(), world.place()
    outcomes = await asyncio.gather(world.show(token, here), world.show(token, there))
    assert sorted(type(o).__name__ for o in outcomes) == ["CustomerBound", "Refused"]


async def test_two_tokens_at_once_leave_one_live_binding(world: World):
    place = world.place()
    tokens = [world.firm.portal_token(customer=c) for c in ("C1001", "C1002", "C1001")]
    await asyncio.gather(*(world.show(t, place) for t in tokens))
    live = await world.rows(
        "SELECT 1 FROM identity.binding WHERE conversation_id = %s AND ended_at IS NULL", place.conversation_id
    )
    assert len(live) == 1


@pytest.mark.parametrize("audience", ["brokerage", "tightrope", None, ["tightrope-gateway", "brokerage"], 7])
async def test_portal_token_for_another_audience_is_refused(world: World, audience: object):
    await refused(world, world.firm.portal_token(aud=audience), Reason.WRONG_AUDIENCE)


async def test_portal_token_of_another_issuer_is_refused(world: World):
    await refused(world, world.firm.portal_token(iss="https://evil.example"), Reason.WRONG_ISSUER)
    await refused(world, world.firm.portal_token(iss=world.settings.identity_issuer), Reason.WRONG_ISSUER)


async def test_portal_token_by_another_key_is_refused(world: World):
    await refused(world, world.firm.portal_token(key=new_key("portal-1")), Reason.BAD_SIGNATURE)
    await refused(world, world.firm.portal_token(key=new_key("evil")), Reason.BAD_SIGNATURE)
    evil = new_key("evil")
    embedded = {"jwk": evil.as_dict(private=False), "jku": "https://evil.example/jwks"}
    await refused(world, world.firm.portal_token(key=evil, header=embedded), Reason.BAD_SIGNATURE)
    await refused(world, world.firm.portal_token(key=world.firm.provider_key), Reason.BAD_SIGNATURE)


async def test_portal_token_with_an_altered_claim_is_refused(world: World):
    header, payload, signature = world.firm.portal_token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["sub"] = "C1002"
    await refused(world, f"{header}.{b64(json.dumps(claims).encode())}.{signature}", Reason.BAD_SIGNATURE)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, "ES384", ["ES256"]])
async def test_portal_token_without_signature_is_refused(world: World, algorithm: object):
    _, payload, signature = world.firm.portal_token().split(".")
    header = b64(json.dumps({"alg": algorithm, "kid": "portal-1"}).encode())
    await refused(world, f"{header}.{payload}.", Reason.BAD_SIGNATURE)
    await refused(world, f"{header}.{payload}.{signature}", Reason.BAD_SIGNATURE)


async def test_portal_token_signed_with_the_public_key_as_a_secret_is_refused(world: World):
    _, payload, _ = world.firm.portal_token().split(".")
    claims = base64.urlsafe_b64decode(payload + "==")
    for secret in (
        world.firm.portal_key.as_pem(private=False),
        json.dumps(world.firm.portal_key.as_dict(private=False)).encode(),
    ):
        key = OctKey.import_key(b64(secret))
        token = jws.serialize_compact({"alg": "HS256", "kid": "portal-1"}, claims, key, algorithms=["HS256"])
        await refused(world, token, Reason.BAD_SIGNATURE)


async def test_expired_portal_token_is_refused(world: World):
    token = world.firm.portal_token()
    world.clock.advance(300)
    await refused(world, token, Reason.EXPIRED)


async def test_portal_token_that_expires_between_check_and_use_is_refused(world: World):
    place = world.place()
    checked = await world.door.check(world.firm.portal_token())
    world.clock.advance(301)
    async with world.worker.connection() as conn:
        outcome = await world.door.consume(conn, place, checked)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.EXPIRED


async def test_portal_token_from_the_future_is_refused(world: World):
    now = int(world.clock.now().timestamp())
    await refused(world, world.firm.portal_token(iat=now + 120, exp=now + 300), Reason.FROM_THE_FUTURE)


async def test_portal_token_that_lives_too_long_is_refused(world: World):
    now = int(world.clock.now().timestamp())
    await refused(world, world.firm.portal_token(exp=now + 301), Reason.LIVES_TOO_LONG)
    await refused(world, world.firm.portal_token(iat=now - 3600, exp=now + 60), Reason.LIVES_TOO_LONG)


@pytest.mark.parametrize("value", [None, "", "abc", 7, "=" * 43, b64(b"x" * 31), b64(b"x" * 33), "é" * 43])
async def test_portal_token_without_browser_hash_is_refused(world: World, value: object):
    await refused(world, world.firm.portal_token(cookie=None, bsh=value), Reason.BROWSER_MISSING)


@pytest.mark.parametrize("claim", ["jti", "iat", "exp", "sid", "acr", "auth_time"])
async def test_portal_token_without_a_claim_is_refused(world: World, claim: str):
    await refused(world, world.firm.portal_token(**{claim: None}), Reason.CLAIM_MISSING)


async def test_logout_token_is_no_portal_token(world: World):
    await refused(world, world.firm.logout_token("sid-C1001"), Reason.MALFORMED)


async def test_portal_token_is_no_logout_token(world: World):
    place = world.place()
    token = world.firm.portal_token()
    await world.show(token, place)
    answer = await world.http.post("/portal/logout", data={"logout_token": token})
    assert answer.status_code == 400
    assert (await world.current(place)).binding is not None


async def test_portal_token_that_the_provider_does_not_confirm_binds_nothing(world: World):
    world.firm.refuse = True
    await refused(world, world.firm.portal_token(), Reason.NOT_CONFIRMED)
    world.firm.refuse = False
    world.firm.answer_changes = {"access_token": None}
    await refused(world, world.firm.portal_token(), Reason.NOT_CONFIRMED)


async def test_portal_token_is_not_taken_while_the_provider_is_down(world: World):
    token = world.firm.portal_token()
    world.firm.down = True
    await refused(world, token, Reason.UNAVAILABLE)
    world.firm.down = False
    assert isinstance(await world.show(token, world.place()), CustomerBound), "an unavailable provider consumes nothing"


@pytest.mark.parametrize("token", [None, 7, "", "a.b", "a.b.c", "..", "x" * 50_000, "é.é.é", "{}", ["a"], "e30.e30.e30"])
async def test_portal_token_that_is_not_a_token_is_refused(world: World, token: object):
    place = world.place()
    outcome = await world.show(token, place)
    assert isinstance(outcome, Refused)
    assert outcome.reason in {Reason.MALFORMED, Reason.BAD_SIGNATURE}


async def test_portal_token_in_an_unknown_place_binds_nothing(world: World):
    token = world.firm.portal_token()
    place = type(world.place()).of("1-unknown-place", None, None)
    outcome = await world.show(token, place)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.PLACE_UNKNOWN
    assert isinstance(await world.show(token, world.place()), CustomerBound), "it was not consumed"
