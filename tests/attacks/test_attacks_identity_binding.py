"""Attacks on bindings and grants (docs/compliance/threat-model.md, Identity: the binding's life, and grant)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest
from identity_world import World, new_key, open_world

from tightrope.identity.errors import BindingEnded, BoxBroken, GrantConflict
from tightrope.identity.models import Anonymous, Customer, EndReason
from tightrope.identity.portal import BrowserBound, CustomerBound
from tightrope.infra.clock import FixedClock
from tightrope.infra.database import Role, open_pool
from tightrope.infra.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture
async def world(database: Settings, clock: FixedClock) -> AsyncIterator[World]:
    async with open_world(database, clock) as made:
        yield made


async def logout(world: World, token: str) -> int:
    return (await world.http.post("/portal/logout", data={"logout_token": token})).status_code


async def test_granted_turn_acts_for_the_bound_customer(world: World):
    place = world.place()
    binding = await world.bound(place)
    turn_id = await world.turn(place, binding)
    caller = await world.reader.resolve(turn_id)
    assert caller == Customer(
        place.conversation_id, "C1001", frozenset({"accounts:read", "eligibility:read"}), "loa2", binding.id
    )
    assert caller.may("accounts:read")
    assert not caller.may("orders:write")
    assert (await world.reader.subject_token(binding.id)).startswith("subject-")
    assert await world.reader.subject_token(str(binding.id)) == await world.reader.subject_token(binding.id)


async def test_turn_without_binding_is_anonymous_in_its_conversation(world: World):
    place = world.place()
    assert await world.reader.resolve(await world.turn(place, None)) == Anonymous(place.conversation_id)


async def test_invented_turn_id_is_anonymous(world: World):
    place = world.place()
    await world.turn(place, await world.bound(place))
    assert await world.reader.resolve(secrets.token_urlsafe(32)) == Anonymous()


@pytest.mark.parametrize(
    "turn_id", [None, "", 7, "x" * 42, "x" * 44, "中" * 43, "' OR 1=1 --" + "x" * 32, "x" * 42 + "\n", b"x" * 43, {"$ne": 1}]
)
async def test_malformed_turn_id_is_anonymous(world: World, turn_id: object):
    assert await world.reader.resolve(turn_id) == Anonymous()


async def test_stale_grant_is_anonymous(world: World):
    place = world.place()
    turn_id = await world.turn(place, await world.bound(place))
    world.clock.advance(59)
    assert isinstance(await world.reader.resolve(turn_id), Customer)
    world.clock.advance(1)
    assert await world.reader.resolve(turn_id) == Anonymous()


async def test_retry_refreshes_the_grant(world: World):
    place = world.place()
    binding = await world.bound(place)
    turn_id = await world.turn(place, binding)
    world.clock.advance(59)
    async with world.worker.connection() as conn:
        await world.grants.open(conn, turn_id, place.conversation_id, binding)
    world.clock.advance(59)
    assert isinstance(await world.reader.resolve(turn_id), Customer)


async def test_retry_after_the_customer_left_is_anonymous(world: World):
    place = world.place()
    turn_id = await world.turn(place, await world.bound(place))
    async with world.worker.connection() as conn:
        await world.grants.open(conn, turn_id, place.conversation_id, None)
    assert await world.reader.resolve(turn_id) == Anonymous(place.conversation_id)


async def test_closed_grant_is_anonymous(world: World):
    place = world.place()
    turn_id = await world.turn(place, await world.bound(place))
    async with world.worker.connection() as conn:
        await world.grants.close(conn, turn_id)
    assert await world.reader.resolve(turn_id) == Anonymous()


async def test_grant_of_a_rolled_back_turn_never_existed(world: World):
    place = world.place()
    turn_id = secrets.token_urlsafe(32)
    async with world.worker.connection() as conn:
        await world.grants.open(conn, turn_id, place.conversation_id, None)
        await conn.rollback()
    assert await world.reader.resolve(turn_id) == Anonymous()


async def test_grant_of_an_ended_binding_is_anonymous(world: World):
    place = world.place()
    binding = await world.bound(place)
    turn_id = await world.turn(place, binding)
    async with world.worker.connection() as conn:
        await world.bindings.end(conn, place.conversation_id, EndReason.RESOLVED)
    assert await world.reader.resolve(turn_id) == Anonymous(place.conversation_id)
    with pytest.raises(BindingEnded):
        await world.reader.subject_token(binding.id)


async def test_turn_id_cannot_be_granted_to_another_conversation(world: World):
    mine, theirs = world.place(), world.place()
    turn_id = await world.turn(mine, None)
    with pytest.raises(GrantConflict):
        async with world.worker.connection() as conn:
            await world.grants.open(conn, turn_id, theirs.conversation_id, await world.bound(theirs))
    assert await world.reader.resolve(turn_id) == Anonymous(mine.conversation_id)


async def test_binding_of_another_conversation_cannot_be_granted(world: World):
    mine, theirs = world.place(), world.place()
    with pytest.raises(GrantConflict):
        await world.turn(mine, await world.bound(theirs))


async def test_grant_that_disagrees_with_its_binding_is_anonymous(world: World, superuser):
    mine, theirs = world.place(), world.place()
    turn_id = await world.turn(mine, await world.bound(mine))
    other = await world.bound(theirs, "C1002")
    with superuser("tightrope") as insider:
        insider.execute(
            'UPDATE identity."grant" SET binding_id = %s WHERE conversation_id = %s', (other.id, mine.conversation_id)
        )
    assert await world.reader.resolve(turn_id) == Anonymous(mine.conversation_id)


async def test_subject_token_of_a_foreign_binding_does_not_open(world: World, superuser):
    mine, theirs = await world.bound(world.place()), await world.bound(world.place(), "C1002")
    with superuser("tightrope") as insider:
        insider.execute(
            "UPDATE identity.binding SET subject_token_box = (SELECT subject_token_box FROM identity.binding WHERE id = %s) WHERE id = %s",
            (theirs.id, mine.id),
        )
    with pytest.raises(BoxBroken):
        await world.reader.subject_token(mine.id)


@pytest.mark.parametrize("binding_id", [uuid4(), str(uuid4()), "", "C1001", "' OR true --"])
async def test_invented_binding_id_opens_nothing(world: World, binding_id: object):
    with pytest.raises(BindingEnded):
        await world.reader.subject_token(binding_id)  # type: ignore[arg-type]


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


async def test_action_server_cannot_write_grants_or_bindings(world: World):
    place = world.place()
    binding = await world.bound(place)
    attempts = [
        "INSERT INTO identity.\"grant\" VALUES (decode(repeat('00', 32), 'hex'), 'c', NULL, NULL, '{}', NULL, now())",
        "UPDATE identity.\"grant\" SET expires_at = expires_at + interval '1 day'",
        'DELETE FROM identity."grant"',
        "UPDATE identity.binding SET customer_id = 'C1002'",
        "UPDATE identity.binding SET ended_at = NULL, end_reason = NULL",
        "DELETE FROM identity.binding",
        "SELECT * FROM identity.login_link",
        "SELECT * FROM identity.browser",
        "SELECT * FROM identity.used_token",
    ]
    for statement in attempts:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with world.actions.connection() as conn:
                await conn.execute(statement)
    assert (await world.current(place)).binding == binding


@pytest.mark.parametrize("role", [Role.GATEWAY, Role.WORKER, Role.AUDITOR, Role.SEALER, Role.OPERATOR])
async def test_subject_tokens_are_read_by_the_action_server_alone(world: World, role: Role):
    async with open_pool(world.settings, role, max_size=1) as pool:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with pool.connection() as conn:
                await conn.execute("SELECT subject_token_box FROM identity.binding")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE identity.binding SET customer_id = 'C1002'",
        "UPDATE identity.binding SET expires_at = now()",
        "DELETE FROM identity.binding",
    ],
)
@pytest.mark.parametrize("role", [Role.GATEWAY, Role.WORKER])
async def test_bindings_can_only_be_made_and_ended(world: World, role: Role, statement: str):
    async with open_pool(world.settings, role, max_size=1) as pool:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with pool.connection() as conn:
                await conn.execute(statement)


async def test_nothing_that_could_act_for_a_customer_rests_in_clear(world: World, superuser):
    place = world.place()
    binding = await world.bound(place)
    turn_id = await world.turn(place, binding)
    token = await world.reader.subject_token(binding.id)
    with superuser("tightrope") as insider:
        for table in ("binding", "grant", "browser", "used_token"):
            rows = insider.execute(f'SELECT t::text FROM identity."{table}" t').fetchall()
            assert rows
            text = repr(rows)
            assert turn_id not in text
            assert token not in text
            assert token.encode().hex() not in text
            assert "browser-a" not in text


async def test_expired_rows_are_purged(world: World):
    place = world.place()
    await world.turn(place, await world.bound(place))
    await world.link(place)
    for table in ('"grant"', "used_token", "login_link"):
        assert len(await world.rows(f"SELECT 1 FROM identity.{table} WHERE conversation_id = %s", place.conversation_id)) == 1
    world.clock.advance(90_000)
    async with world.worker.connection() as conn:
        await world.grants.purge(conn)
    for table in ('"grant"', "used_token", "login_link"):
        assert await world.rows(f"SELECT 1 FROM identity.{table} WHERE conversation_id = %s", place.conversation_id) == []
