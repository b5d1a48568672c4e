"""What custodians sign: one statement for each act, and one more for its approval (tightrope/release/signing.py). Pure."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tightrope.audit.custody import keyset
from tightrope.audit.custody.custodians import Custodian, Custodians
from tightrope.audit.custody.models import Act, Proposal
from tightrope.audit.errors import CustodyRefused
from tightrope.release.signing import SignatureInvalid, open_statement, sign_statement

KIND: Final = "tightrope-custody/1"
SKEW: Final = timedelta(minutes=10)
"""How far a custodian's clock may be ahead of the database's."""

Step = Literal["act", "propose", "approve"]


@dataclass(frozen=True, slots=True)
class Said:
    """A statement that was checked: who signed it and when."""

    custodian: Custodian
    at: datetime


def statement(
    step: Step,
    act: Act,
    act_id: UUID,
    custodian: Custodian,
    at: datetime,
    *,
    kids: Sequence[UUID],
    hold_id: UUID | None,
    reason: str,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What is signed.

    Args:
        act_id: of the proposal, or of the act that takes one person.
        more: what else this act says: ground, hold's case and scope, new last day; for an approval the proposal's hash.
    """
    return {
        "kind": KIND,
        "step": step,
        "act": str(act),
        "id": str(act_id),
        "keys": keyset.commitment(kids),
        "hold": str(hold_id) if hold_id is not None else None,
        "reason": reason,
        "person": custodian.person,
        "signed": at.astimezone(UTC).isoformat(timespec="seconds"),
        **(more or {}),
    }


def sign(said: Mapping[str, Any], private: Ed25519PrivateKey) -> dict[str, Any]:
    """The statement with its signature."""
    return sign_statement(said, private)


def digest(signed: Mapping[str, Any]) -> str:
    """SHA-256 in hex of a signed statement; an approval names the proposal by it."""
    text = json.dumps(dict(signed), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class About:
    """What a proposal is about, as both people sign it.

    Attributes:
        keys: `keyset.commitment` of its keys.
    """

    act: Act
    act_id: UUID
    keys: Mapping[str, Any]
    hold_id: UUID | None

    @classmethod
    def of(cls, proposal: Proposal) -> About:
        """What the stored proposal is about."""
        return cls(proposal.act, proposal.proposal_id, keyset.commitment(proposal.kids), proposal.hold_id)

    def expected(self, step: Step) -> dict[str, Any]:
        """What a statement about it says."""
        hold = str(self.hold_id) if self.hold_id is not None else None
        return {"kind": KIND, "step": step, "act": str(self.act), "id": str(self.act_id), "keys": dict(self.keys), "hold": hold}


def check_proposal(signed: Mapping[str, Any], about: About, custodians: Custodians, now: datetime) -> Said:
    """Whether a stored proposal is what its first person signed.

    Raises:
        CustodyRefused: it is not, or the person was not in office.
    """
    return _checked(signed, custodians, now, about.expected("propose"))


def check_approval(
    signed: Mapping[str, Any], proposed: Mapping[str, Any], about: About, custodians: Custodians, now: datetime
) -> Said:
    """Whether a signed approval is of this proposal, to the letter.

    Args:
        proposed: the first person's signed statement.

    Raises:
        CustodyRefused: it is of another proposal or other keys, or the signature or its person does not count.
    """
    return _checked(signed, custodians, now, about.expected("approve") | {"proposal": digest(proposed)})


def _checked(signed: Mapping[str, Any], custodians: Custodians, now: datetime, expected: Mapping[str, Any]) -> Said:
    try:
        said, signed_by = open_statement(signed, "an act of custody")
    except SignatureInvalid as error:
        raise CustodyRefused("signature_invalid", str(error)) from None
    for name, value in expected.items():
        if said.get(name) != value:
            raise CustodyRefused("signed_other", f"what was signed is something else: its {name} differs")
    try:
        at: datetime | None = datetime.fromisoformat(str(said.get("signed")))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise CustodyRefused("signature_invalid", "the signature has no time with a zone")
    custodian = custodians.known(signed_by, at.astimezone(UTC).date())
    if said.get("person") != custodian.person:
        raise CustodyRefused("signature_invalid", f"the key {signed_by} is not that of {said.get('person')}")
    if at > now + SKEW:
        raise CustodyRefused(
            "clock_ahead",
            f"{custodian.person} signed at {at:%Y-%m-%d %H:%M} UTC, which is in the future: a clock is wrong; set it right and sign again",
        )
    return Said(custodian, at)


def decoded(text: str) -> bytes:
    """Bytes from base64, refusing anything else with a ValueError."""
    return base64.b64decode(text, validate=True)
