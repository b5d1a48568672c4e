"""Attacks on grants (docs/compliance/threat-model.md, Identity: grant)."""

from __future__ import annotations

import secrets
from uuid import uuid4

import psycopg
import pytest
from identity_world import World

from tightrope.identity.errors import BindingEnded, BoxBroken, GrantConflict
from tightrope.identity.models import SCOPES, Anonymous, Customer, EndReason
from tightrope.infra.database import Role, open_pool

pytestmark = pytest.mark.integration


async def test_granted_turn_acts_for_the_bound_customer(world: World):
    place = world.place()
    binding = await world.bound(place)
    turn_id = await world.turn(place, binding)
    caller = await world.reader.resolve(turn_id)
    assert caller == Customer(place.conversation_id, "C1001", frozenset(SCOPES), "loa2", binding.id)
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
        await world.bindings.end(conn, place.conversation_id, EndReason.BROWSER_CHANGED)
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


@pytest.mark.parametrize(
    "binding_id", [uuid4(), str(uuid4()), "", "C1001", "' OR true --"], ids=["uuid", "text of a uuid", "empty", "customer", "sql"]
)
async def test_invented_binding_id_opens_nothing(world: World, binding_id: object):
    with pytest.raises(BindingEnded):
        await world.reader.subject_token(binding_id)  # type: ignore[arg-type]


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
