"""Attacks on bindings (docs/compliance/threat-model.md, Identity: the binding's life)."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace

import pytest
from identity_world import World, new_key

from tightrope.identity.errors import BindingEnded
from tightrope.identity.models import Anonymous, EndReason
from tightrope.identity.portal import BrowserBound, CustomerBound

pytestmark = pytest.mark.integration


async def logout(world: World, token: str) -> int:
    return (await world.http.post("/portal/logout", data={"logout_token": token})).status_code


async def test_expired_binding_is_nobody(world: World):
    place = world.place()
    binding = await world.bound(place)
    world.clock.advance(20 * 60)
    turn_id = await world.turn(place, binding)
    assert await world.reader.resolve(turn_id) == Anonymous(place.conversation_id)
    with pytest.raises(BindingEnded):
        await world.reader.subject_token(binding.id)
    standing = await world.current(place)
    assert standing.binding is None
    assert (standing.events[0].reason, standing.raise_epoch) == (EndReason.EXPIRED, True)
    assert (await world.current(place)).events == (), "an end is told once"


async def test_binding_does_not_outlive_the_providers_token(world: World):
    place = world.place()
    world.firm.answer_changes = {"expires_in": 120}
    binding = await world.bound(place)
    assert (binding.expires_at - world.clock.now()).total_seconds() == 120


async def test_after_logout_a_turn_acts_as_nobody(world: World):
    place = world.place()
    binding = await world.bound(place, sid="s-after-logout")
    turn_id = await world.turn(place, binding)
    assert await logout(world, world.firm.logout_token("s-after-logout")) == 200
    assert await world.reader.resolve(turn_id) == Anonymous(place.conversation_id)
    with pytest.raises(BindingEnded):
        await world.reader.subject_token(binding.id)
    [event] = world.hooks.ended
    assert (event.conversation_id, event.reason, event.raise_epoch) == (place.conversation_id, EndReason.LOGOUT, True)
    assert (await world.current(place)).binding is None


async def test_logout_token_ends_only_its_own_session(world: World):
    mine, theirs = world.place(), world.place()
    await world.bound(mine, sid="s-own-1")
    await world.bound(theirs, "C1002", sid="s-own-2")
    token = world.firm.logout_token("s-own-1")
    assert await logout(world, token) == 200
    assert (await world.current(theirs)).binding is not None
    world.hooks.ended.clear()
    assert await logout(world, token) == 200, "a repeated delivery is answered, and does nothing"
    assert world.hooks.ended == []


async def test_logout_ends_every_conversation_of_the_session(world: World):
    places = [world.place() for _ in range(3)]
    for place in places:
        await world.bound(place, sid="s-many")
    await logout(world, world.firm.logout_token("s-many"))
    assert {e.conversation_id for e in world.hooks.ended} == {p.conversation_id for p in places}


@pytest.mark.parametrize(
    "changes",
    [
        {"key": new_key("portal-1")},
        {"iss": "https://evil.example"},
        {"aud": "brokerage"},
        {"exp": 1},
        {"exp": None},
        {"iat": 4102444800, "exp": 4102444900},
        {"exp": 4102444800},
        {"events": None},
        {"events": {}},
        {"events": "http://schemas.openid.net/event/backchannel-logout"},
        {"nonce": "n"},
        {"jti": None},
        {"sid": None},
        {"sid": 7},
    ],
    ids=lambda c: ",".join(f"{k}={'key' if k == 'key' else v}" for k, v in c.items()),
)
async def test_forged_logout_token_ends_nothing(world: World, changes: dict[str, object]):
    place = world.place()
    sid = f"s-{secrets.token_hex(4)}"
    await world.bound(place, sid=sid)
    assert await logout(world, world.firm.logout_token(sid, **changes)) == 400
    assert (await world.current(place)).binding is not None


async def test_logout_without_a_token_or_with_a_huge_body_is_refused(world: World):
    assert (await world.http.post("/portal/logout")).status_code == 400
    assert (await world.http.post("/portal/logout", content=b"x" * 20_000)).status_code == 413
    assert (await world.http.post("/portal/logout", content=b"logout_token=\xff\xfe")).status_code == 400


async def test_logout_is_asked_for_again_while_the_portals_keys_cannot_be_had(world: World):
    token = world.firm.logout_token("s-down")
    world.firm.down = True
    assert await logout(world, token) == 503


async def test_login_and_logout_at_once_never_leave_a_live_binding_behind(world: World):
    for number in range(8):
        place, sid = world.place(), f"s-race-{number}-{secrets.token_hex(3)}"
        await asyncio.gather(
            world.show(world.firm.portal_token(sid=sid), place),
            logout(world, world.firm.logout_token(sid)),
            return_exceptions=False,
        )
        assert (await world.current(place)).binding is None


async def test_second_customer_in_the_same_chat_ends_the_first_and_raises_the_epoch(world: World):
    place = world.place()
    first = await world.bound(place, "C1001")
    turn_id = await world.turn(place, first)
    outcome = await world.show(world.firm.portal_token("browser-a", "C1002"), place)
    assert isinstance(outcome, CustomerBound)
    assert [(e.kind, e.customer_id, e.reason) for e in outcome.events] == [
        ("ended", "C1001", EndReason.ANOTHER_CUSTOMER),
        ("bound", "C1002", None),
    ]
    assert outcome.raise_epoch
    assert outcome.binding.epoch == first.epoch + 1
    assert await world.reader.resolve(turn_id) == Anonymous(place.conversation_id)
    assert (await world.current(place)).binding.customer_id == "C1002"


async def test_same_customer_again_renews_without_a_new_epoch(world: World):
    place = world.place()
    await world.bound(place)
    outcome = await world.show(world.firm.portal_token(), place)
    assert isinstance(outcome, CustomerBound)
    assert [e.reason for e in outcome.events] == [EndReason.RENEWED, None]
    assert not outcome.raise_epoch


async def test_same_customer_after_expiry_starts_afresh(world: World):
    place = world.place()
    await world.bound(place)
    world.clock.advance(1300)
    outcome = await world.show(world.firm.portal_token(), place)
    assert isinstance(outcome, CustomerBound)
    assert outcome.events[0].reason is EndReason.EXPIRED
    assert outcome.raise_epoch


async def test_contact_changed_under_the_binding_ends_it(world: World):
    """Chatwoot merges contacts by e-mail or phone (reference 3.3): the conversation then belongs to somebody else."""
    place = world.place()
    binding = await world.bound(place)
    turn_id = await world.turn(place, binding)
    standing = await world.current(replace(place, contact_id="8"))
    assert standing.binding is None
    assert (standing.events[0].reason, standing.raise_epoch) == (EndReason.CONTACT_CHANGED, True)
    assert (await world.current(place)).binding is None, "changing back does not bring it back"
    assert await world.reader.resolve(turn_id) == Anonymous(place.conversation_id)


async def test_source_changed_under_the_binding_ends_it(world: World):
    place = world.place()
    await world.bound(place)
    standing = await world.current(replace(place, source_hash="f" * 64))
    assert (standing.binding, standing.events[0].reason) == (None, EndReason.SOURCE_CHANGED)


async def test_lost_contact_under_the_binding_ends_it(world: World):
    place = world.place()
    await world.bound(place)
    assert (await world.current(type(place).of(place.conversation_id, None, None))).binding is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"contact_id": "8"}, EndReason.CONTACT_CHANGED), ({"source_hash": "f" * 64}, EndReason.SOURCE_CHANGED)],
)
async def test_same_customer_in_another_place_starts_afresh(world: World, change: dict[str, str], reason: EndReason):
    place = world.place()
    await world.bound(place)
    outcome = await world.show(world.firm.portal_token(), replace(place, **change))
    assert isinstance(outcome, CustomerBound)
    assert (outcome.events[0].reason, outcome.raise_epoch) == (reason, True)


async def test_token_of_another_browser_ends_the_binding(world: World):
    place = world.place()
    await world.bound(place, cookie="browser-a")
    outcome = await world.show(world.firm.portal_token("browser-b", None), place)
    assert isinstance(outcome, BrowserBound)
    assert (outcome.events[0].reason, outcome.raise_epoch) == (EndReason.BROWSER_CHANGED, True)
    assert (await world.current(place)).binding is None


async def test_anonymous_token_of_the_same_browser_keeps_the_binding(world: World):
    place = world.place()
    await world.bound(place, cookie="browser-a")
    outcome = await world.show(world.firm.portal_token("browser-a", None), place)
    assert isinstance(outcome, BrowserBound)
    assert not outcome.raise_epoch
    assert (await world.current(place)).binding is not None
