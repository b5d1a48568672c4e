"""Custody: restrict, hold, extend (one person); open, release, lift, destroy (two people of two offices). Every act is signed and on the record."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tightrope.audit.custody import keyset, rules, sharing, statements
from tightrope.audit.custody.custodians import Custodian, Custodians
from tightrope.audit.custody.models import (
    DESTROYED_AT_ONCE,
    KEYS_AT_ONCE,
    TWO_PEOPLE,
    Act,
    Decision,
    HeldKey,
    Hold,
    HoldScope,
    Proposal,
)
from tightrope.audit.custody.statements import Said
from tightrope.audit.custody.vault import Vault
from tightrope.audit.errors import CustodyRefused
from tightrope.audit.keyring import DataKey, Keyring
from tightrope.audit.models import Event, RecordDraft

LONGEST_REASON: Final = 2000


@lru_cache(maxsize=1)
def grounds() -> dict[str, dict[str, str]]:
    """Legal grounds of a restriction: code -> language -> sentence (grounds.json)."""
    data: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("grounds.json").read_text(encoding="utf-8"))
    return data


@dataclass(frozen=True, slots=True)
class _Signed:
    """A statement with its signature, and who signed."""

    custodian: Custodian
    at: datetime
    signed: Mapping[str, Any]


class Custody:
    """The acts of custodians on one vault. Each call belongs to one transaction of the vault; the caller commits it, also after a `Decision` that refuses."""

    def __init__(self, vault: Vault, keyring: Keyring, custodians: Custodians, now: Callable[[], datetime]) -> None:
        """`now` is the clock of the person who signs; the vault has its own."""
        self._vault = vault
        self._keyring = keyring
        self._custodians = custodians
        self._now = now

    async def restrict(self, private: Ed25519PrivateKey, kids: Sequence[UUID], ground: str, reason: str) -> UUID:
        """Put keys under the two offices' shares: the ordinary reader cannot open them any more.

        Args:
            ground: code of the legal ground (`grounds`).
            reason: in the custodian's words: the request's number, for instance.

        Returns:
            Id of the act, as in the record.

        Raises:
            CustodyRefused: a key is missing, restricted or destroyed, or the person may not act.
        """
        if ground not in grounds():
            raise CustodyRefused("ground", f"there is no ground {ground!r}; there are: {', '.join(grounds())}")
        keys = await self._keys(Act.RESTRICT, kids)
        act_id = uuid4()
        signed = await self._sign("act", Act.RESTRICT, act_id, private, kids=kids, reason=reason, more={"ground": ground})
        record = await self._recorded(
            Event.SUBJECT_RESTRICTED,
            act_id,
            [signed],
            reason,
            {"kids": [str(key.kid) for key in keys], "ground": ground},
        )
        for key in keys:
            active = self._keyring.unwrap(key.kid, key.owner, key.wrapped)
            wrapped, shares = self._shared(active, signed.at.date())
            await self._vault.restrict(key, wrapped, shares, ground, record)
            self._keyring.forget(key.kid)
        return act_id

    async def place_hold(self, private: Ed25519PrivateKey, scope: HoldScope, case: str, reason: str) -> Hold:
        """Place a legal hold; it covers what there is and what comes.

        Raises:
            CustodyRefused: no case number, a period that ends before it begins, or the person may not act.
        """
        if not case.strip():
            raise CustodyRefused("case", "a hold names its case")
        if scope.first is not None and scope.last is not None and scope.last < scope.first:
            raise CustodyRefused("period", f"the period ends on {scope.last}, before it begins on {scope.first}")
        await self._vault.lock()
        hold_id = uuid4()
        more = {"case": case, "scope": scope.kind, "first": _day(scope.first), "last": _day(scope.last)}
        signed = await self._sign("act", Act.HOLD, hold_id, private, hold_id=hold_id, reason=reason, more=more)
        facts = {"hold": str(hold_id), "scope": scope.kind}
        record = await self._recorded(Event.HOLD_PLACED, hold_id, [signed], reason, facts, {"case": case, **_scoped(scope)})
        hold = Hold(hold_id, scope, case, (await self._vault.clocks())["database"])
        await self._vault.add_hold(hold, record)
        return hold

    async def extend(self, private: Ed25519PrivateKey, kids: Sequence[UUID], until: date, reason: str) -> UUID:
        """Keep the records under keys longer, as when a relationship goes on or an authority asks. Never shorter.

        Returns:
            Id of the act.

        Raises:
            CustodyRefused: a key is kept until then or longer already, or was destroyed.
        """
        keys = await self._keys(Act.EXTEND, kids)
        for key in keys:
            period = await self._vault.period(key.kid)
            if period.until is not None and until <= period.until:
                raise CustodyRefused(
                    "shorter",
                    f"the records under the key {key.kid} are kept until {period.until} already; a period is only ever made longer",
                )
        act_id = uuid4()
        signed = await self._sign("act", Act.EXTEND, act_id, private, kids=kids, reason=reason, more={"until": until.isoformat()})
        facts = {"kids": [str(key.kid) for key in keys], "until": until.isoformat()}
        record = await self._recorded(Event.RETENTION_EXTENDED, act_id, [signed], reason, facts)
        for key in keys:
            await self._vault.extend(key.kid, until, record)
        return act_id

    async def propose(
        self, private: Ed25519PrivateKey, act: Act, kids: Sequence[UUID], reason: str, *, hold_id: UUID | None = None
    ) -> Proposal:
        """Propose what takes two people. For opening, the own share of each key goes sealed to the other office.

        Args:
            hold_id: for `LIFT`, which hold; `kids` is empty then.

        Raises:
            CustodyRefused: the key's state or the hold does not allow it, a record is to be kept still, or the person may not act.
        """
        if act not in TWO_PEOPLE:
            raise CustodyRefused("one_person", f"{act} takes one person; there is nothing to propose")
        proposal_id = uuid4()
        if act is Act.LIFT:
            await self._vault.lock()
            kids = ()
            await self._held(hold_id)
            keys: list[HeldKey] = []
        else:
            keys = await self._keys(act, kids)
        signed = await self._sign("propose", act, proposal_id, private, kids=kids, hold_id=hold_id, reason=reason)
        if act is Act.DESTROY:
            clocks = {**await self._vault.clocks(), signed.custodian.person: signed.at}
            for key in keys:
                rules.over(key, await self._vault.period(key.kid), await self._vault.holds_on(key.kid), clocks)
        shares: dict[str, dict[str, str]] = {}
        if act in {Act.OPEN, Act.RELEASE}:
            others = self._custodians.others(signed.custodian.office, signed.at.date())
            for key in keys:
                own = sharing.unseal(key.kid, None, key.shares or {}, signed.custodian, private)
                shares[str(key.kid)] = sharing.hand_over(key.kid, proposal_id, own, others)
        at = (await self._vault.clocks())["database"]
        proposal = Proposal(proposal_id, act, tuple(key.kid for key in keys), hold_id, signed.signed, shares, at)
        if act is Act.DESTROY:
            meant = keyset.commitment(proposal.kids)
            facts = {"keys": meant["count"], "root": meant["root"]}
            listed = {"keys": [str(kid) for kid in proposal.kids]}
            await self._recorded(Event.DESTRUCTION_PROPOSED, proposal_id, [signed], reason, facts, listed)
        await self._vault.add_proposal(proposal)
        return proposal

    async def approve(self, private: Ed25519PrivateKey, proposal_id: UUID) -> Decision:
        """Sign as the second person, and do it. What is refused although two people signed is on the record as well.

        Raises:
            CustodyRefused: there is no such proposal, it was decided or waited too long, or the key is nobody's who may act.
        """
        await self._vault.lock()
        proposal = await self._vault.proposal(proposal_id)
        if proposal is None:
            raise CustodyRefused("no_proposal", f"there is no proposal {proposal_id}")
        clocks = await self._vault.clocks()
        about = statements.About.of(proposal)
        first = statements.check_proposal(proposal.signed, about, self._custodians, clocks["database"])
        rules.still_open(proposal, first, clocks["database"])
        mine = await self._sign(
            "approve",
            proposal.act,
            proposal_id,
            private,
            kids=proposal.kids,
            hold_id=proposal.hold_id,
            reason="",
            more={"proposal": statements.digest(proposal.signed)},
        )
        second = statements.check_approval(mine.signed, proposal.signed, about, self._custodians, clocks["database"])
        rules.two_people(first, second)
        both = [_Signed(first.custodian, first.at, proposal.signed), mine]
        reason = str(proposal.signed["statement"]["reason"])
        try:
            opened = await self._do(proposal, both, first, second, clocks, reason, private)
        except CustodyRefused as error:
            if proposal.act is Act.DESTROY:
                facts = {"keys": about.keys["count"], "root": about.keys["root"], "why": error.code}
                await self._recorded(Event.DESTRUCTION_REFUSED, proposal_id, both, reason, facts, {"sentence": str(error)})
            await self._vault.decided(proposal_id, error.code)
            return Decision(proposal_id, proposal.act, proposal.kids, error.code, str(error))
        await self._vault.decided(proposal_id, "done")
        return Decision(proposal_id, proposal.act, proposal.kids, opened=opened)

    async def _do(
        self,
        proposal: Proposal,
        both: Sequence[_Signed],
        first: Said,
        second: Said,
        clocks: Mapping[str, datetime],
        reason: str,
        private: Ed25519PrivateKey,
    ) -> tuple[DataKey, ...]:
        """All or nothing: everything is checked before anything is written."""
        if proposal.act is Act.LIFT:
            hold = await self._held(proposal.hold_id)
            record = await self._recorded(Event.HOLD_LIFTED, proposal.proposal_id, both, reason, {"hold": str(hold.hold_id)})
            await self._vault.lift_hold(hold.hold_id, record)
            return ()
        keys = await self._keys(proposal.act, proposal.kids)
        if proposal.act is Act.DESTROY:
            known = {**clocks, first.custodian.person: first.at, second.custodian.person: second.at}
            for key in keys:
                rules.over(key, await self._vault.period(key.kid), await self._vault.holds_on(key.kid), known)
            places = keyset.inclusions(proposal.kids)
            for key in keys:
                facts, more = {"kid": str(key.kid)}, {"inclusion": places[key.kid]}
                record = await self._recorded(Event.KEY_DESTROYED, proposal.proposal_id, both, reason, facts, more)
                await self._vault.destroy(key.kid, rules.earliest(known).date(), record)
                self._keyring.forget(key.kid)
            return ()
        return await self._open(proposal, keys, both, second, reason, private)

    async def _open(
        self,
        proposal: Proposal,
        keys: Sequence[HeldKey],
        both: Sequence[_Signed],
        second: Said,
        reason: str,
        private: Ed25519PrivateKey,
    ) -> tuple[DataKey, ...]:
        opened = []
        for key in keys:
            handed = proposal.shares.get(str(key.kid), {})
            theirs = sharing.unseal(key.kid, proposal.proposal_id, handed, second.custodian, private)
            own = sharing.unseal(key.kid, None, key.shares or {}, second.custodian, private)
            opened.append(self._keyring.lift(key.kid, key.owner, key.wrapped, sharing.join(theirs, own)))
        once = proposal.act is Act.OPEN
        facts = {"kids": [str(key.kid) for key in keys], "for": "one_reading" if once else "good"}
        record = await self._recorded(Event.SUBJECT_OPENED, proposal.proposal_id, both, reason, facts)
        for key, data in zip(keys, opened, strict=True):
            if once:
                # Other shares at once: what was handed over for this reading opens nothing a second time.
                wrapped, shares = self._shared(data, second.at.date())
                await self._vault.restrict(key, wrapped, shares, key.ground or "", record)
            else:
                await self._vault.release(key, data.wrapped, record)
        return tuple(opened) if once else ()

    def _shared(self, key: DataKey, day: date) -> tuple[bytes, dict[str, str]]:
        """A data key under a fresh two-person key: its wrapped form, and everybody's share."""
        one, two = self._custodians.offices
        first, second = self._custodians.at(one, day), self._custodians.at(two, day)
        if not first or not second:
            raise CustodyRefused(
                "empty_office", "an office has nobody in it: nobody could ever open the key again; name a custodian first"
            )
        together, left, right = sharing.split()
        return self._keyring.restrict(key, together), sharing.seal_shares(key.kid, (left, first), (right, second))

    async def _keys(self, act: Act, kids: Sequence[UUID]) -> list[HeldKey]:
        wanted = sorted(set(kids))
        if not wanted:
            raise CustodyRefused("no_keys", "there is no key that this is about")
        most = DESTROYED_AT_ONCE if act is Act.DESTROY else KEYS_AT_ONCE
        if len(wanted) > most:
            raise CustodyRefused("too_many", f"{len(wanted)} keys at once are more than {most}; take them in parts")
        await self._vault.lock()
        keys = []
        for kid in wanted:
            key = await self._vault.key(kid)
            if key is None:
                raise CustodyRefused("no_key", f"there is no key {kid}")
            rules.fits(act, key)
            keys.append(key)
        return keys

    async def _held(self, hold_id: UUID | None) -> Hold:
        hold = await self._vault.hold(hold_id) if hold_id is not None else None
        if hold is None:
            raise CustodyRefused("no_hold", f"there is no hold {hold_id}")
        if hold.lifted_at is not None:
            raise CustodyRefused("lifted", f"the hold of case {hold.case} was lifted on {hold.lifted_at:%Y-%m-%d} already")
        return hold

    async def _sign(
        self,
        step: statements.Step,
        act: Act,
        act_id: UUID,
        private: Ed25519PrivateKey,
        *,
        kids: Sequence[UUID] = (),
        hold_id: UUID | None = None,
        reason: str,
        more: Mapping[str, Any] | None = None,
    ) -> _Signed:
        if step != "approve" and not reason.strip():
            raise CustodyRefused("reason", "an act of custody has a reason")
        if len(reason) > LONGEST_REASON:
            raise CustodyRefused("reason", f"the reason is longer than {LONGEST_REASON} characters")
        at = self._now()
        custodian = self._custodians.of(private, at.astimezone(UTC).date())
        rules.same_time(custodian.person, at, (await self._vault.clocks())["database"])
        said = statements.statement(step, act, act_id, custodian, at, kids=kids, hold_id=hold_id, reason=reason, more=more)
        return _Signed(custodian, at, statements.sign(said, private))

    async def _recorded(
        self,
        event: Event,
        act_id: UUID,
        people: Sequence[_Signed],
        reason: str,
        facts: Mapping[str, Any],
        more: Mapping[str, Any] | None = None,
    ) -> UUID:
        return await self._vault.record(
            RecordDraft(
                event,
                facts={
                    **facts,
                    "act": str(act_id),
                    "people": [item.custodian.fingerprint for item in people],
                    "statements": [statements.digest(item.signed) for item in people],
                    "custodians": self._custodians.digest,
                },
                payload={
                    "reason": reason,
                    "people": [item.custodian.person for item in people],
                    "statements": [dict(item.signed) for item in people],
                    **(more or {}),
                },
            )
        )


def _day(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None


def _scoped(scope: HoldScope) -> dict[str, Any]:
    return {
        "owner": scope.subject_hash.hex() if scope.subject_hash is not None else None,
        "conv": str(scope.conv) if scope.conv is not None else None,
        "first": _day(scope.first),
        "last": _day(scope.last),
    }
