"""What may be done when: the state machine of keys and holds. Pure; the database enforces the last three lines again (migration audit_0004).

active ── restrict, one person ──▶ restricted ── release, two ──▶ active
active or restricted ── destroy, two people, all periods over, no hold ──▶ destroyed, for good
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta

from tightrope.audit.custody.models import PROPOSAL_HOURS, Act, HeldKey, Hold, KeyState, Period, Proposal
from tightrope.audit.custody.statements import SKEW, Said
from tightrope.audit.errors import CustodyRefused


def two_people(first: Said, second: Said) -> None:
    """Raises `CustodyRefused` unless two different people of the two offices signed."""
    if (
        first.custodian.person.casefold() == second.custodian.person.casefold()
        or first.custodian.key_id == second.custodian.key_id
    ):
        raise CustodyRefused("same_person", f"{second.custodian.person} has proposed it; somebody of the other office approves")
    if first.custodian.office == second.custodian.office:
        raise CustodyRefused(
            "same_office",
            f"both are of the office {first.custodian.office}; somebody of the other office approves what one proposes",
        )


def same_time(person: str, at: datetime, database: datetime) -> None:
    """Raises `CustodyRefused` where the clock of the person who signs and the database's disagree."""
    if abs(at - database) > SKEW:
        raise CustodyRefused(
            "clock",
            f"the clock of {person}'s machine says {at:%Y-%m-%d %H:%M} UTC, the database's {database:%Y-%m-%d %H:%M}: set the wrong one right first",
        )


def still_open(proposal: Proposal, first: Said, now: datetime) -> None:
    """Raises `CustodyRefused` where a proposal was decided already, or waited too long since it was signed and kept."""
    if proposal.outcome is not None:
        raise CustodyRefused("decided", f"the proposal {proposal.proposal_id} was decided already ({proposal.outcome})")
    if now > proposal.expires_at or now > first.at + timedelta(hours=PROPOSAL_HOURS) + SKEW:
        raise CustodyRefused(
            "too_late",
            f"the proposal {proposal.proposal_id} waited since {proposal.proposed_at:%Y-%m-%d %H:%M} UTC, which is too long; propose anew",
        )


def fits(act: Act, key: HeldKey) -> None:
    """Raises `CustodyRefused` where the key's state does not allow the act."""
    if key.gone is not None or key.state is KeyState.DESTROYED:
        raise CustodyRefused("destroyed", f"the key {key.kid} was destroyed; nothing can be done with it any more")
    if act is Act.RESTRICT and key.state is not KeyState.ACTIVE:
        raise CustodyRefused("restricted", f"the key {key.kid} is restricted already")
    if act in {Act.OPEN, Act.RELEASE} and key.state is not KeyState.RESTRICTED:
        raise CustodyRefused("not_restricted", f"the key {key.kid} is not restricted; it can be read as it is")


def earliest(clocks: Mapping[str, datetime]) -> datetime:
    """The time that all clocks agree has come: what one person sets forward does not count."""
    return min(clocks.values())


def over(key: HeldKey, period: Period, holds: Iterable[Hold], clocks: Mapping[str, datetime]) -> date:
    """Whether a key may be destroyed.

    Args:
        clocks: whose clock -> what it says; the earliest decides.

    Returns:
        The last day of its records.

    Raises:
        CustodyRefused: a record is to be kept still, a hold covers one, or there is none.
    """
    held = list(holds)
    if held:
        raise CustodyRefused("held", f"the key {key.kid} is held: {', '.join(f'case {hold.case}' for hold in held)}")
    if period.until is None or period.records == 0:
        raise CustodyRefused(
            "no_records",
            f"no record lies under the key {key.kid}, so that nothing tells its period: run `tightrope audit verify` first",
        )
    day = earliest(clocks).date()
    if day <= period.until:
        slowest = min(clocks, key=lambda name: clocks[name])
        raise CustodyRefused(
            "unexpired",
            f"the records under the key {key.kid} are kept until {period.until}; it is {day} by the clock that is least ahead ({slowest})",
        )
    return period.until
