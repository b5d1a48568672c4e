"""The state machine of custody under any order of acts by anybody, with anybody's clock."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from custody_world import OFFICES, World, key_of
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from tightrope.audit.custody.models import Act, HoldScope, KeyState
from tightrope.audit.errors import AuditError, CustodyRefused
from tightrope.audit.models import Event

someone = st.sampled_from([*OFFICES, "Ada again", "Mallory"])
names = {"Ada again": "Ada"}


class CustodyMachine(RuleBasedStateMachine):
    """Everybody tries everything."""

    keys = Bundle("keys")
    proposals = Bundle("proposals")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name))
        self.signers: dict = {}
        self.first_state: dict = {}
        self.plain: dict = {}
        self.opened_after_destruction = False

    def teardown(self) -> None:
        self.folder.cleanup()

    def attempt(self, work):
        """Run an act; a refusal changes nothing."""
        before = self.world.vault.state()
        try:
            return asyncio.run(work)
        except CustodyRefused:
            assert self.world.vault.state() == before
            return None

    @initialize(target=keys)
    def some_keys(self):
        vault, ring = self.world.vault, self.world.keyring
        made = [vault.add(ring, vault.now.date() + timedelta(days=days)) for days in (-400, -1, 0, 2)]
        for kid in made:
            self.plain[kid] = ring.unwrap(kid, vault.keys[kid].owner, vault.keys[kid].wrapped).key
        return multiple(*made)

    @rule(kid=keys, who=someone)
    def restrict(self, kid, who):
        self.attempt(self.world.custody.restrict(key_of(who), [kid], "pipl-47", "x"))

    @rule(target=proposals, kid=keys, who=someone, act=st.sampled_from([Act.DESTROY, Act.DESTROY, Act.OPEN, Act.RELEASE]))
    def propose(self, kid, who, act):
        made = self.attempt(self.world.custody.propose(key_of(who), act, [kid], "x"))
        if made is None:
            return multiple()
        self.signers[made.proposal_id] = who
        return made.proposal_id

    @rule(target=proposals, who=someone, data=st.data())
    def propose_lifting(self, who, data):
        if not self.world.vault.holds:
            return multiple()
        hold_id = data.draw(st.sampled_from(list(self.world.vault.holds)))
        made = self.attempt(self.world.custody.propose(key_of(who), Act.LIFT, [], "x", hold_id=hold_id))
        if made is None:
            return multiple()
        self.signers[made.proposal_id] = who
        return made.proposal_id

    @rule(kid=keys, first=someone, second=someone, held_first=st.booleans())
    def destroy_at_once(self, kid, first, second, held_first):
        """The short way to a destruction, so that many are tried; a hold may come between."""
        made = self.attempt(self.world.custody.propose(key_of(first), Act.DESTROY, [kid], "x"))
        if made is not None:
            self.signers[made.proposal_id] = first
            if held_first:
                self.hold(kid, "Dee")
            self.approve(made.proposal_id, second)

    @rule(proposal=proposals, who=someone)
    def approve(self, proposal, who):
        vault = self.world.vault
        before = {kid: key.state for kid, key in vault.keys.items()}
        held = {kid: bool(asyncio.run(vault.holds_on(kid))) for kid in vault.keys}
        holds = {hold_id: hold.lifted_at for hold_id, hold in vault.holds.items()}
        decision = self.attempt(self.world.custody.approve(key_of(who), proposal))
        if decision is None:
            return
        first, second = (names.get(name, name) for name in (self.signers[proposal], who))
        for kid, key in vault.keys.items():
            if key.state is KeyState.DESTROYED and before[kid] is not KeyState.DESTROYED:
                assert OFFICES[first] != OFFICES[second]
                assert not held[kid]
                assert vault.periods[kid].until < vault.now.date()
                assert decision.refused is None
        for hold_id, lifted in holds.items():
            if vault.holds[hold_id].lifted_at != lifted:
                assert OFFICES[first] != OFFICES[second]
        for data in decision.opened:
            assert data.key == self.plain[data.kid]
            assert vault.keys[data.kid].state is KeyState.RESTRICTED
            assert OFFICES[first] != OFFICES[second]

    @rule(kid=keys, who=someone)
    def hold(self, kid, who):
        scope = HoldScope(subject_hash=self.world.vault.keys[kid].owner.subject_hash)
        self.attempt(self.world.custody.place_hold(key_of(who), scope, "1", "x"))

    @rule(kid=keys, who=someone, days=st.integers(-30, 30))
    def extend(self, kid, who, days):
        before = self.world.vault.periods[kid].until
        self.attempt(self.world.custody.extend(key_of(who), [kid], self.world.vault.now.date() + timedelta(days=days), "x"))
        assert self.world.vault.periods[kid].until >= before

    @rule(hours=st.integers(1, 60))
    def time_passes(self, hours):
        self.world.vault.now += timedelta(hours=hours)

    @rule(minutes=st.sampled_from([0, 0, 0, 5, -5, 600_000, -600_000]))
    def somebody_sets_the_own_clock(self, minutes):
        self.world.ahead = timedelta(minutes=minutes)

    @invariant()
    def destroyed_means_recorded_and_gone(self):
        vault = self.world.vault
        recorded = {draft.facts["kid"] for _, draft in vault.records if draft.event is Event.KEY_DESTROYED}
        destroyed = {str(kid) for kid, key in vault.keys.items() if key.state is KeyState.DESTROYED}
        assert recorded == destroyed
        for kid, key in vault.keys.items():
            if key.state is KeyState.ACTIVE:
                assert self.world.keyring.unwrap(kid, key.owner, key.wrapped).key == self.plain[kid]
                self.world.keyring.forget(kid)
            else:
                with pytest.raises(AuditError):
                    self.world.keyring.unwrap(kid, key.owner, key.wrapped)
            if key.state is KeyState.DESTROYED:
                assert key.wrapped == b""


CustodyMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestCustodyMachine = CustodyMachine.TestCase
