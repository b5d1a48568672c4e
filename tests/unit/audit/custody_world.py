"""People with keys, and a vault in memory, for tests of custody."""

from __future__ import annotations

import copy
import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from event_schemas import faults

from tightrope.audit.custody.custodians import Custodians, entry, load_custodians
from tightrope.audit.custody.models import HeldKey, Hold, KeyState, Period, Proposal
from tightrope.audit.custody.service import Custody
from tightrope.audit.keyring import Keyring, Owner
from tightrope.audit.leaf import check_facts, payload_bytes
from tightrope.audit.models import RecordDraft

START = datetime(2046, 6, 1, 9, 0, tzinfo=UTC)
OFFICES = {"Ada": "compliance", "Bo": "compliance", "Cai": "data protection", "Dee": "data protection"}


def key_of(name: str) -> Ed25519PrivateKey:
    """The same key for the same name."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def people(folder: Path, **changes) -> Custodians:
    """Ada and Bo of compliance, Cai and Dee of data protection; Ada has a second key."""
    rows = [entry(key_of(name), name, office) for name, office in OFFICES.items()]
    rows.append(entry(key_of("Ada again"), "Ada", "compliance"))
    for row in rows:
        row.update(changes.get(row["person"], {}))
    path = folder / "custodians.json"
    path.write_text(json.dumps({"custodians": rows}), encoding="utf-8")
    return load_custodians(path, production=True)


class MemoryVault:
    """See tightrope.audit.custody.vault.Vault. Nothing is undone on a refusal: the service has to check before it writes."""

    def __init__(self) -> None:
        self.now = START
        self.log: datetime | None = None
        self.keys: dict[UUID, HeldKey] = {}
        self.periods: dict[UUID, Period] = {}
        self.holds: dict[UUID, Hold] = {}
        self.proposals: dict[UUID, Proposal] = {}
        self.records: list[tuple[UUID, RecordDraft]] = []

    def state(self):
        """Everything, to be compared."""
        return copy.deepcopy((self.keys, self.periods, self.holds, self.proposals, self.records))

    def add(self, keyring: Keyring, until: date, *, owner: Owner | None = None, records: int = 3) -> UUID:
        made = keyring.new_key(owner or Owner(uuid4().bytes, "conversation", until.year - 20))
        self.keys[made.kid] = HeldKey(made.kid, made.owner, made.wrapped, KeyState.ACTIVE)
        self.periods[made.kid] = Period(until, records)
        keyring.forget(made.kid)
        return made.kid

    def _set(self, key: HeldKey, **changes) -> None:
        old = self.keys[key.kid]
        assert old.state is not KeyState.DESTROYED
        values = {name: getattr(old, name) for name in HeldKey.__slots__} | changes
        self.keys[key.kid] = HeldKey(**values)

    async def lock(self) -> None:
        pass

    async def clocks(self):
        return {"database": self.now} | ({"log": self.log} if self.log else {})

    async def key(self, kid):
        return self.keys.get(kid)

    async def period(self, kid):
        return self.periods[kid]

    async def holds_on(self, kid):
        owner = self.keys[kid].owner.subject_hash
        return [h for h in self.holds.values() if h.lifted_at is None and (h.scope.subject_hash == owner or h.scope.first)]

    async def hold(self, hold_id):
        return self.holds.get(hold_id)

    async def proposal(self, proposal_id):
        return self.proposals.get(proposal_id)

    async def record(self, draft):
        check_facts(draft.facts)
        found = faults(draft.event, dict(draft.facts), json.loads(payload_bytes(draft.payload)))
        assert not found, found
        record_id = uuid4()
        self.records.append((record_id, draft))
        return record_id

    async def add_proposal(self, proposal):
        self.proposals[proposal.proposal_id] = proposal

    async def decided(self, proposal_id, outcome):
        old = self.proposals[proposal_id]
        values = {name: getattr(old, name) for name in Proposal.__slots__} | {"outcome": outcome}
        self.proposals[proposal_id] = Proposal(**values)

    async def add_hold(self, hold, record):
        self.holds[hold.hold_id] = hold

    async def lift_hold(self, hold_id, record):
        old = self.holds[hold_id]
        self.holds[hold_id] = Hold(old.hold_id, old.scope, old.case, old.placed_at, self.now)

    async def restrict(self, key, wrapped, shares, ground, record):
        self._set(key, wrapped=wrapped, shares=shares, ground=ground, state=KeyState.RESTRICTED, since=self.now)

    async def release(self, key, wrapped, record):
        self._set(key, wrapped=wrapped, shares=None, ground=None, state=KeyState.ACTIVE, since=self.now)

    async def destroy(self, kid, day, record):
        self._set(self.keys[kid], wrapped=b"", shares=None, state=KeyState.DESTROYED, since=self.now)

    async def extend(self, kid, until, record):
        old = self.periods[kid]
        self.periods[kid] = Period(until, old.records)


class World:
    """A vault, a keyring, and everybody's own clock."""

    def __init__(self, folder: Path) -> None:
        self.custodians = people(folder)
        self.vault = MemoryVault()
        self.keyring = Keyring(bytes(range(32)))
        self.ahead = timedelta()

    @property
    def custody(self) -> Custody:
        """Custody by somebody whose clock is ahead by `ahead`."""
        return Custody(self.vault, self.keyring, self.custodians, lambda: self.vault.now + self.ahead)
