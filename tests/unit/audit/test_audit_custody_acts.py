"""Acts of custody: what one person may, what takes two, and every way round it that is refused."""

from __future__ import annotations

import dataclasses
import json
from datetime import date, timedelta
from uuid import uuid4

import pytest
from custody_world import World, key_of, people
from hypothesis import given, settings
from hypothesis import strategies as st

from tightrope.audit.custody import keyset, sharing, statements
from tightrope.audit.custody.custodians import entry
from tightrope.audit.custody.models import Act, HoldScope, KeyState, Proposal
from tightrope.audit.errors import CustodyRefused, PayloadUnreadable, WrongMasterKey
from tightrope.audit.keyring import Keyring
from tightrope.audit.models import Event

OVER, NOT_OVER = date(2046, 5, 31), date(2046, 6, 1)


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


def refused(code: str):
    return pytest.raises(CustodyRefused, check=lambda error: error.code == code)


async def destruction(world: World, kid, person="Ada") -> Proposal:
    return await world.custody.propose(key_of(person), Act.DESTROY, [kid], "period over")


def events(world: World) -> list[Event]:
    return [draft.event for _, draft in world.vault.records]


async def test_two_people_of_two_offices_destroy_a_key_whose_period_is_over(world):
    kid = world.vault.add(world.keyring, OVER)
    proposal = await destruction(world, kid)
    assert world.vault.keys[kid].state is KeyState.ACTIVE
    decision = await world.custody.approve(key_of("Cai"), proposal.proposal_id)
    assert decision.refused is None
    assert (world.vault.keys[kid].state, world.vault.keys[kid].wrapped) == (KeyState.DESTROYED, b"")
    _, proof = world.vault.records[-1]
    assert proof.event is Event.KEY_DESTROYED
    assert proof.facts["kid"] == str(kid)
    assert proof.payload["people"] == ["Ada", "Cai"]
    assert proof.payload["reason"] == "period over"
    assert len(set(proof.facts["people"])) == 2
    assert "Ada" not in json.dumps(proof.facts)


@pytest.mark.parametrize(
    ("second", "code"),
    [("Ada", "same_person"), ("Ada again", "same_person"), ("Bo", "same_office"), ("Mallory", "unknown_key")],
)
async def test_one_person_one_office_or_a_stranger_is_not_two_people(world, second, code):
    kid = world.vault.add(world.keyring, OVER)
    proposal = await destruction(world, kid)
    before = world.vault.state()
    with refused(code):
        await world.custody.approve(key_of(second), proposal.proposal_id)
    assert world.vault.state() == before


async def test_nobody_proposes_what_is_to_be_kept_still(world):
    kid = world.vault.add(world.keyring, NOT_OVER)
    with refused("unexpired"):
        await destruction(world, kid)
    world.vault.now += timedelta(days=1)
    await destruction(world, kid)


async def test_a_hold_that_is_placed_after_the_proposal_stops_the_approval_and_that_is_recorded(world):
    kid = world.vault.add(world.keyring, OVER)
    proposal = await destruction(world, kid)
    scope = HoldScope(subject_hash=world.vault.keys[kid].owner.subject_hash)
    await world.custody.place_hold(key_of("Bo"), scope, "2046-17", "litigation")
    decision = await world.custody.approve(key_of("Cai"), proposal.proposal_id)
    assert decision.refused == "held"
    assert "2046-17" in decision.why
    assert world.vault.keys[kid].state is KeyState.ACTIVE
    _, record = world.vault.records[-1]
    assert (record.event, record.facts["why"]) == (Event.DESTRUCTION_REFUSED, "held")
    with refused("decided"):
        await world.custody.approve(key_of("Cai"), proposal.proposal_id)


async def test_a_period_made_longer_after_the_proposal_stops_the_approval(world):
    kid = world.vault.add(world.keyring, OVER)
    proposal = await destruction(world, kid)
    await world.custody.extend(key_of("Bo"), [kid], date(2050, 1, 1), "the relationship goes on")
    assert (await world.custody.approve(key_of("Cai"), proposal.proposal_id)).refused == "unexpired"


async def test_a_clock_that_one_person_sets_forward_does_not_end_a_period(world):
    kid = world.vault.add(world.keyring, date(2047, 1, 1))
    world.ahead = timedelta(days=400)
    with refused("clock"):
        await destruction(world, kid)
    # The database's clock goes along with the proposer's; the approver's own does not.
    world.ahead = timedelta()
    world.vault.now += timedelta(days=400)
    proposal = await destruction(world, kid)
    world.vault.now -= timedelta(days=400)
    with refused("clock_ahead"):
        await world.custody.approve(key_of("Cai"), proposal.proposal_id)
    world.vault.now += timedelta(days=400)
    world.ahead = -timedelta(days=400)
    with refused("clock"):
        await world.custody.approve(key_of("Cai"), proposal.proposal_id)
    assert world.vault.keys[kid].state is KeyState.ACTIVE


async def test_the_sequencers_beat_counts_as_a_clock(world):
    kid = world.vault.add(world.keyring, OVER)
    world.vault.log = world.vault.now - timedelta(days=2)
    with refused("unexpired"):
        await destruction(world, kid)


async def test_an_approval_of_one_proposal_does_not_do_for_another(world):
    one, other = world.vault.add(world.keyring, OVER), world.vault.add(world.keyring, OVER)
    first, second = await destruction(world, one), await destruction(world, other)
    cai = world.custodians.by_key[entry(key_of("Cai"), "", "")["key_id"]]
    signed = statements.sign(
        statements.statement(
            "approve",
            Act.DESTROY,
            first.proposal_id,
            cai,
            world.vault.now,
            kids=first.kids,
            hold_id=None,
            reason="",
            more={"proposal": statements.digest(first.signed)},
        ),
        key_of("Cai"),
    )
    about = statements.About.of
    statements.check_approval(signed, first.signed, about(first), world.custodians, world.vault.now)
    for foreign in (
        second,
        dataclasses.replace(second, proposal_id=first.proposal_id),
        dataclasses.replace(first, kids=(other,)),
    ):
        with refused("signed_other"):
            statements.check_approval(signed, foreign.signed, about(foreign), world.custodians, world.vault.now)
    with refused("signed_other"):  # the same words, another first signature
        statements.check_approval(signed, second.signed, about(first), world.custodians, world.vault.now)


async def test_a_proposal_altered_in_the_table_is_not_what_was_signed(world):
    one, other = world.vault.add(world.keyring, OVER), world.vault.add(world.keyring, OVER)
    proposal = await destruction(world, one)
    world.vault.proposals[proposal.proposal_id] = dataclasses.replace(proposal, kids=(other,))
    with refused("signed_other"):
        await world.custody.approve(key_of("Cai"), proposal.proposal_id)
    forged = json.loads(json.dumps(dict(proposal.signed)))
    forged["statement"]["keys"] = keyset.commitment([other])
    world.vault.proposals[proposal.proposal_id] = dataclasses.replace(proposal, kids=(other,), signed=forged)
    with refused("signature_invalid"):
        await world.custody.approve(key_of("Cai"), proposal.proposal_id)


async def test_a_proposal_waits_three_days_whatever_the_table_says(world):
    kid = world.vault.add(world.keyring, OVER)
    proposal = await destruction(world, kid)
    world.vault.now += timedelta(hours=73)
    with refused("too_late"):
        await world.custody.approve(key_of("Cai"), proposal.proposal_id)
    world.vault.proposals[proposal.proposal_id] = dataclasses.replace(proposal, proposed_at=world.vault.now)
    with refused("too_late"):
        await world.custody.approve(key_of("Cai"), proposal.proposal_id)


async def test_a_key_without_records_is_not_destroyed(world):
    kid = world.vault.add(world.keyring, OVER, records=0)
    with refused("no_records"):
        await destruction(world, kid)


async def restricted(world: World, until: date = NOT_OVER):
    kid = world.vault.add(world.keyring, until)
    plain = world.keyring.unwrap(kid, world.vault.keys[kid].owner, world.vault.keys[kid].wrapped).key
    await world.custody.restrict(key_of("Ada"), [kid], "pipl-47", "request 12")
    return kid, plain


async def test_a_restricted_key_opens_for_no_one_alone(world):
    kid, plain = await restricted(world)
    key = world.vault.keys[kid]
    assert key.state is KeyState.RESTRICTED
    assert key.ground == "pipl-47"
    assert len(key.shares) == 5  # Ada has two keys
    with pytest.raises(WrongMasterKey):
        world.keyring.unwrap(kid, key.owner, key.wrapped)
    for person in ("Ada", "Cai"):
        custodian = world.custodians.of(key_of(person), date(2046, 6, 1))
        share = sharing.unseal(kid, None, key.shares, custodian, key_of(person))
        for guess in (share, sharing.join(share, share), bytes(32)):
            with pytest.raises(PayloadUnreadable):
                world.keyring.lift(kid, key.owner, key.wrapped, guess)
    assert plain not in key.wrapped


async def test_two_people_open_it_for_one_reading_and_what_was_handed_over_opens_nothing_later(world):
    kid, plain = await restricted(world)
    proposal = await world.custody.propose(key_of("Cai"), Act.OPEN, [kid], "the regulator asks")
    stolen = world.vault.keys[kid].shares, proposal
    decision = await world.custody.approve(key_of("Bo"), proposal.proposal_id)
    assert [key.key for key in decision.opened] == [plain]
    assert world.vault.keys[kid].state is KeyState.RESTRICTED
    _, record = world.vault.records[-1]
    assert (record.event, record.facts["for"], record.payload["people"]) == (Event.SUBJECT_OPENED, "one_reading", ["Cai", "Bo"])
    with refused("decided"):
        await world.custody.approve(key_of("Bo"), proposal.proposal_id)
    key = world.vault.keys[kid]
    bo = world.custodians.of(key_of("Bo"), date(2046, 6, 1))
    old = sharing.join(
        sharing.unseal(kid, None, stolen[0], bo, key_of("Bo")),
        sharing.unseal(kid, proposal.proposal_id, proposal.shares[str(kid)], bo, key_of("Bo")),
    )
    with pytest.raises(PayloadUnreadable):
        world.keyring.lift(kid, key.owner, key.wrapped, old)


async def test_two_people_make_it_active_again(world):
    kid, plain = await restricted(world)
    proposal = await world.custody.propose(key_of("Ada"), Act.RELEASE, [kid], "the customer withdrew the request")
    assert (await world.custody.approve(key_of("Dee"), proposal.proposal_id)).refused is None
    key = world.vault.keys[kid]
    assert (key.state, key.shares) == (KeyState.ACTIVE, None)
    assert world.keyring.unwrap(kid, key.owner, key.wrapped).key == plain


async def test_a_share_handed_over_serves_its_key_proposal_and_person_only(world):
    kid, _ = await restricted(world)
    proposal = await world.custody.propose(key_of("Ada"), Act.OPEN, [kid], "x")
    cai, dee = (world.custodians.of(key_of(name), date(2046, 6, 1)) for name in ("Cai", "Dee"))
    handed = proposal.shares[str(kid)]
    assert sharing.unseal(kid, proposal.proposal_id, handed, cai, key_of("Cai"))
    for key_id, proposal_id, sealed, person, private in (
        (uuid4(), proposal.proposal_id, handed, cai, "Cai"),
        (kid, uuid4(), handed, cai, "Cai"),
        (kid, None, handed, cai, "Cai"),
        (kid, proposal.proposal_id, {cai.key_id: handed[dee.key_id]}, cai, "Cai"),
        (kid, proposal.proposal_id, handed, cai, "Dee"),
        (kid, proposal.proposal_id, {cai.key_id: "no base64"}, cai, "Cai"),
    ):
        with refused("share_invalid"):
            sharing.unseal(key_id, proposal_id, sealed, person, key_of(private))
    with refused("no_share"):
        sharing.unseal(kid, proposal.proposal_id, {}, cai, key_of("Cai"))


async def test_a_restricted_key_is_destroyed_without_being_opened(world):
    kid, _ = await restricted(world, OVER)
    proposal = await destruction(world, kid)
    assert (await world.custody.approve(key_of("Dee"), proposal.proposal_id)).refused is None
    for act in (Act.OPEN, Act.RELEASE, Act.DESTROY):
        with refused("destroyed"):
            await world.custody.propose(key_of("Ada"), act, [kid], "again")
    with refused("destroyed"):
        await world.custody.restrict(key_of("Ada"), [kid], "pipl-47", "again")


async def test_a_key_that_the_log_says_is_destroyed_stays_so_even_if_the_table_has_it_back(world):
    kid = world.vault.add(world.keyring, OVER)
    world.vault.keys[kid] = dataclasses.replace(world.vault.keys[kid], gone=world.vault.now)
    with refused("destroyed"):
        await world.custody.restrict(key_of("Ada"), [kid], "pipl-47", "again")


async def test_a_hold_is_placed_by_one_and_lifted_by_two(world):
    kid = world.vault.add(world.keyring, OVER)
    hold = await world.custody.place_hold(
        key_of("Ada"), HoldScope(first=date(2026, 1, 1), last=date(2026, 12, 31)), "7/2046", "x"
    )
    with refused("held"):
        await destruction(world, kid)
    proposal = await world.custody.propose(key_of("Ada"), Act.LIFT, [], "case closed", hold_id=hold.hold_id)
    with refused("same_office"):
        await world.custody.approve(key_of("Bo"), proposal.proposal_id)
    assert (await world.custody.approve(key_of("Cai"), proposal.proposal_id)).refused is None
    assert events(world)[-1] is Event.HOLD_LIFTED
    with refused("lifted"):
        await world.custody.propose(key_of("Ada"), Act.LIFT, [], "again", hold_id=hold.hold_id)
    await destruction(world, kid)


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda c, kid: c.restrict(key_of("Ada"), [kid], "because", "x"), "ground"),
        (lambda c, kid: c.restrict(key_of("Ada"), [], "pipl-47", "x"), "no_keys"),
        (lambda c, kid: c.restrict(key_of("Ada"), [uuid4()], "pipl-47", "x"), "no_key"),
        (lambda c, kid: c.restrict(key_of("Ada"), [kid], "pipl-47", "  "), "reason"),
        (lambda c, kid: c.restrict(key_of("Ada"), [kid], "pipl-47", "x" * 2001), "reason"),
        (lambda c, kid: c.restrict(key_of("Mallory"), [kid], "pipl-47", "x"), "unknown_key"),
        (lambda c, kid: c.restrict(key_of("Ada"), [uuid4() for _ in range(501)], "pipl-47", "x"), "too_many"),
        (lambda c, kid: c.place_hold(key_of("Ada"), HoldScope(subject_hash=b"x"), " ", "x"), "case"),
        (
            lambda c, kid: c.place_hold(key_of("Ada"), HoldScope(first=date(2026, 2, 1), last=date(2026, 1, 1)), "1", "x"),
            "period",
        ),
        (lambda c, kid: c.propose(key_of("Ada"), Act.RESTRICT, [kid], "x"), "one_person"),
        (lambda c, kid: c.propose(key_of("Ada"), Act.OPEN, [kid], "x"), "not_restricted"),
        (lambda c, kid: c.propose(key_of("Ada"), Act.LIFT, [], "x", hold_id=uuid4()), "no_hold"),
        (lambda c, kid: c.approve(key_of("Ada"), uuid4()), "no_proposal"),
        (lambda c, kid: c.extend(key_of("Ada"), [kid], OVER, "x"), "shorter"),
    ],
)
async def test_what_is_refused_changes_nothing(world, act, code):
    kid = world.vault.add(world.keyring, OVER)
    before = world.vault.state()
    with refused(code):
        await act(world.custody, kid)
    assert world.vault.state() == before


async def test_who_has_left_acts_no_more(world, tmp_path):
    world.custodians = people(tmp_path, Cai={"until": "2046-05-30"})
    kid = world.vault.add(world.keyring, OVER)
    proposal = await destruction(world, kid)
    with refused("out_of_office"):
        await world.custody.approve(key_of("Cai"), proposal.proposal_id)
    world.custodians = people(tmp_path, Cai={"until": "2046-05-30"}, Dee={"until": "2046-05-30"})
    other = world.vault.add(world.keyring, OVER)
    with refused("empty_office"):
        await world.custody.restrict(key_of("Ada"), [other], "pipl-47", "x")


@given(st.sets(st.uuids(), min_size=1, max_size=70), st.uuids())
@settings(max_examples=50)
def test_every_key_of_a_set_shows_that_it_was_meant_and_no_other_does(kids, stranger):
    meant, places = keyset.commitment(kids), keyset.inclusions(kids)
    assert set(places) == kids
    for kid, place in places.items():
        keyset.check(kid, meant, place)
    if stranger not in kids:
        for place in (next(iter(places.values())), {}, None, {"index": "0", "proof": ["x"]}):
            with refused("signed_other"):
                keyset.check(stranger, meant, place)


def test_a_restricted_key_is_wrapped_anew_without_its_people():
    old, new = Keyring(bytes(32)), Keyring(bytes(range(32)))
    made = old.new_key(old.owner(conversation_id=None, subject="C1", year=2026))
    both, *_ = sharing.split()
    wrapped = old.restrict(made, both)
    exchanging = Keyring(bytes(range(32)), other=old._master)
    again = exchanging.rewrap(made.kid, made.owner, wrapped, restricted=True)
    assert new.lift(made.kid, made.owner, again, both).key == made.key
    assert exchanging.rewrap(made.kid, made.owner, again, restricted=True) is None
