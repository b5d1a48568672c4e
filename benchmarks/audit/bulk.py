"""A log of millions of records copied in: records, places, tree folder with a signed checkpoint, and index rows.

Leaves, their hashes, the tree, the proofs and the index rows are real. The ciphertexts of the many are short random bytes that nobody can open, with
their true hashes in the leaves; the records of one customer and the last ones of the log are as the recorder makes them, in the demo's length.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import sys
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID, uuid4

import tightrope
from benchmarks.audit.population import Busy, Kind, Script, cells, drafts
from benchmarks.audit.tables import Copier, filling
from benchmarks.audit.world import RELEASE, World
from tightrope.audit.index.models import Source
from tightrope.audit.index.repository import COLUMNS
from tightrope.audit.index.rows import VERSION, customer_of, row_of
from tightrope.audit.keyring import DataKey, Keyring
from tightrope.audit.leaf import PayloadRef, build_leaf, build_log_leaf, keep_until, payload_bytes, timestamp
from tightrope.audit.log_keys import LogKeys
from tightrope.audit.models import Event, Place, RecordDraft
from tightrope.audit.tlog import tiles
from tightrope.audit.tlog.checkpoint import Checkpoint, sign_checkpoint
from tightrope.audit.tlog.merkle import Frontier
from tightrope.audit.tree_folder import CHECKPOINT, TreeFolder

PROBE = "C1001"
"""The customer who is looked for: real records, in 40 conversations spread over the whole log."""
PROBE_CONVERSATIONS = 40
SIDE_BY_SIDE = 2000
"""Conversations that go on at once: the records of one are this far from each other."""
CHUNK = 65_536
"""Records copied at once; whole tiles."""
DAYS = 330
RESTRICTED = 1000
"""One customer in so many has a restricted key."""
BYTES_AN_EVENT = 3_300
"""Disk that an event takes at most while the log is built."""

TABLES = {
    "records": "audit.records (id, conv, event, turn, ts, kid, leaf, ct)",
    "leaves": "audit.leaves (shard, index, record_id, leaf_hash)",
    "rows": f"audit_index.records ({', '.join(COLUMNS)})",
    "keys": "audit.keys (kid, subject_hash, class, year, wrapped, state, shares)",
    "conversations": "audit.conversations (conv, conversation_id)",
}
_NONE = r"\N"
_BYTES = "\\\\x"
_RANDOM = 16 + 44 + 32
"""Random bytes that one of the many takes: id, ciphertext, commitment."""

Lines = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Built:
    """A log as it stands.

    Attributes:
        tail: records at its end that are real and that the index has not read.
        probe: records of the customer's conversations; `conversation` is the inbox's id of one of them.
    """

    size: int
    tail: int
    probe: int
    conversations: int
    customers: int
    conversation: str
    shard: int


@dataclass(slots=True)
class _Speaking:
    """A conversation that goes on: its keys, and how far it is."""

    kinds: tuple[Kind, ...]
    conv: str
    kid: str
    customer: tuple[str, str, bool]
    at: int = 0


class Bulk:
    """Builds one log in an empty world."""

    def __init__(self, world: World, size: int, *, tail: int) -> None:
        self._settings, self._world, self._size, self._tail = world.settings, world, size, tail
        self._keyring = Keyring.from_settings(world.settings)
        end = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
        self._began, self._shard = end - timedelta(days=DAYS), end.year
        self._step = DAYS * 86_400_000 / size
        self._busy, self._waiting = Busy(SIDE_BY_SIDE, seed=size), list[Script]()
        self._customers = max(50, size // 50)
        self._owners: dict[int, tuple[str, str, bool]] = {}
        self._numbers = count()
        self._named: set[UUID] = set()
        self._days: dict[int, tuple[str, str]] = {}
        self._lines: Lines = defaultdict(list)

    def build(self) -> Built:
        """Copy everything in, write the tree, sign its checkpoint."""
        origin = f"{self._settings.audit_log_name}/{self._shard}"
        keys, folder, frontier = LogKeys.from_settings(self._settings), TreeFolder.of(self._settings, self._shard), Frontier()
        real = self._real_places()
        probe = len(real) - self._tail
        with filling(self._world, [table.split()[0] for table in TABLES.values()]):
            copier = Copier(self._world, TABLES)
            speaking = [self._next() for _ in range(SIDE_BY_SIDE)]
            for first in range(0, self._size, CHUNK):
                leaves = self._chunk(first, min(CHUNK, self._size - first), speaking, real, origin, keys.vkeys(origin))
                hashes = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves]
                self._lines["leaves"] = [
                    f"{self._shard}\t{index}\t{line[:36]}\t{_BYTES}{hashed.hex()}\n"
                    for index, (line, hashed) in enumerate(zip(self._lines["records"], hashes, strict=True), first)
                ]
                copier.copy(self._lines)
                self._lines = defaultdict(list)
                _lay(folder, frontier.size, leaves, hashes)
                frontier.extend(hashes)
                sys.stderr.write(f"  {frontier.size:,} of {self._size:,} records\n" if first % (16 * CHUNK) == 0 else "")
            copier.close()
            sys.stderr.write("  indexes of the tables\n")
        note = sign_checkpoint(Checkpoint(origin, self._size, frontier.root()), keys.signers(origin))
        folder.path.joinpath(CHECKPOINT).write_bytes(note)
        self._keep(origin, keys.vkeys(origin), frontier, note)
        number = next(self._numbers) + PROBE_CONVERSATIONS
        return Built(self._size, self._tail, probe, number, len(self._owners) + 1, "probe-7", self._shard)

    def _real_places(self) -> dict[int, RecordDraft]:
        """Where the records stand that are made as the recorder makes them: the customer's, and the whole tail."""
        real: dict[int, RecordDraft] = {}
        step = (self._size - self._tail) // (PROBE_CONVERSATIONS + 1)
        gap = max(1, min(SIDE_BY_SIDE, step // 40))
        for number in range(PROBE_CONVERSATIONS):
            sort, first = ("old", "granted", "fees-brokerage@v3", "guide-07@v2", "person")[number % 5], 1 + number * step
            today = (self._began + timedelta(milliseconds=first * self._step)).date()
            said = drafts(sort, f"probe-{number}", PROBE, today=today)
            real |= {first + at * gap: draft for at, draft in enumerate(said)}
        at, number = self._size - self._tail, 0
        while at < self._size:
            sort = ("fees-brokerage@v3", "level", "guide-03@v1", "person")[number % 4]
            said = drafts(sort, f"tail-{number}", f"T{number % 500}")[: self._size - at]
            real |= dict(enumerate(said, at))
            at, number = at + len(said), number + 1
        return real

    def _chunk(
        self,
        first: int,
        number: int,
        speaking: list[_Speaking],
        real: dict[int, RecordDraft],
        origin: str,
        vkeys: list[str],
    ) -> list[bytes]:
        """The leaves from a place on, with their lines for the tables."""
        leaves, records, rows = list[bytes](), self._lines["records"], self._lines["rows"]
        random, slots, began = os.urandom(_RANDOM * number), self._busy.slots(number), self._began.timestamp() * 1000
        for index in range(first, first + number):
            milliseconds = int(began + index * self._step)
            if index == 0:
                leaves.append(self._opened(milliseconds, origin, vkeys))
                continue
            if index in real:
                leaves.append(self._real(index, milliseconds, real[index]))
                continue
            at = _RANDOM * (index - first)
            who = speaking[slots[index - first]]
            kind = who.kinds[who.at]
            record_id, ct = str(UUID(bytes=random[at : at + 16], version=4)), random[at + 16 : at + 60]
            moment, until = self._times(milliseconds)
            kid, customer, closed = who.customer if kind.named else (who.kid, "", False)
            leaf = (
                kind.template
                % (random[at + 60 : at + 92].hex(), who.conv, hashlib.sha256(ct).hexdigest(), record_id, kid, moment, until)
            ).encode("ascii")
            turn = _NONE if kind.turn is None else kind.turn
            records.append(
                f"{record_id}\t{who.conv}\t{kind.event}\t{turn}\t{moment}\t{kid}\t{_BYTES}{leaf.hex()}\t{_BYTES}{ct.hex()}\n"
            )
            told = kind.closed if closed else kind.cells % customer if kind.named else kind.cells
            rows.append(f"{self._shard}\t{index}\t{record_id}\t{moment}\t{kind.event}\t{who.conv}\t{turn}\t{kid}\t{told}\n")
            leaves.append(leaf)
            who.at += 1
            if who.at == len(who.kinds):
                speaking[slots[index - first]] = self._next()
        return leaves

    def _next(self) -> _Speaking:
        """A conversation begins: its name and key, and its customer's key where that is new."""
        if not self._waiting:
            self._waiting = self._busy.begin(10_000)
        script, name = self._waiting.pop(), f"c-{next(self._numbers)}"
        conv, kid = str(self._keyring.conv(name)), str(uuid4())
        self._lines["conversations"].append(f"{conv}\t{name}\n")
        self._key(kid, secrets.token_bytes(32), restricted=False)
        customer = ("", "", False)
        if script.verified:
            number = self._busy.customer(self._customers)
            if number not in self._owners:
                hashed, theirs, closed = self._keyring.customer(f"B{number}"), str(uuid4()), number % RESTRICTED == 7
                self._owners[number] = (theirs, f"{_BYTES}{hashed.hex()}", closed)
                self._key(theirs, hashed, restricted=closed)
            customer = self._owners[number]
        return _Speaking(script.kinds, conv, kid, customer)

    def _key(self, kid: str, owner: bytes, *, restricted: bool) -> None:
        state = "restricted\t[]" if restricted else f"active\t{_NONE}"
        wrapped = secrets.token_hex(60)
        self._lines["keys"].append(f"{kid}\t{_BYTES}{owner.hex()}\tconversation\t{self._shard}\t{_BYTES}{wrapped}\t{state}\n")

    def _real(self, index: int, milliseconds: int, draft: RecordDraft) -> bytes:
        """A record as the recorder makes it, and, before the tail, its index row as the indexer makes it."""
        keyring, at, record_id = self._keyring, datetime.fromtimestamp(milliseconds / 1000, UTC), uuid4()
        owner = keyring.owner(conversation_id=draft.conversation_id, subject=draft.subject, year=self._shard)
        key, payload = keyring.cached(owner) or keyring.new_key(owner), payload_bytes(draft.payload)
        self._real_key(key, str(draft.conversation_id))
        sealed, conv = keyring.encrypt(key, record_id, payload), keyring.conv(str(draft.conversation_id))
        leaf = build_leaf(
            record_id=record_id,
            at=at,
            host="bench",
            build=tightrope.__version__,
            release=RELEASE,
            event=str(draft.event),
            conv=conv,
            turn=draft.turn,
            payload=PayloadRef(key.kid, hashlib.sha256(sealed.ct).digest(), sealed.commit),
            cls=owner.cls,
            facts=draft.facts,
            content=draft.content,
        )
        turn = _NONE if draft.turn is None else draft.turn
        front = f"{record_id}\t{conv}\t{draft.event}\t{turn}\t{timestamp(at)}\t{key.kid}"
        self._lines["records"].append(f"{front}\t{_BYTES}{leaf.hex()}\t{_BYTES}{sealed.ct.hex()}\n")
        if index < self._size - self._tail:
            opened = json.loads(payload)
            named = keyring.customer(PROBE) if customer_of(opened) else None
            row = row_of(Source(Place(self._shard, index), record_id, json.loads(leaf), opened, key.kid, "active", named))
            told = cells(row) % f"{_BYTES}{named.hex()}" if named else cells(row) % ()
            self._lines["rows"].append(
                f"{self._shard}\t{index}\t{record_id}\t{timestamp(at)}\t{draft.event}\t{conv}\t{turn}\t{key.kid}\t{told}\n"
            )
        return leaf

    def _real_key(self, key: DataKey, conversation: str) -> None:
        if key.kid not in self._named:
            self._named.add(key.kid)
            self._lines["keys"].append(
                f"{key.kid}\t{_BYTES}{key.owner.subject_hash.hex()}\t{key.owner.cls}\t{key.owner.year}\t{_BYTES}{key.wrapped.hex()}\tactive\t{_NONE}\n"
            )
        conv = self._keyring.conv(conversation)
        if conv not in self._named:
            self._named.add(conv)
            self._lines["conversations"].append(f"{conv}\t{conversation}\n")

    def _opened(self, milliseconds: int, origin: str, vkeys: list[str]) -> bytes:
        """The shard's first leaf."""
        record_id, at = uuid4(), datetime.fromtimestamp(milliseconds / 1000, UTC)
        facts = {"shard": self._shard, "origin": origin, "vkeys": vkeys, "before": None}
        event = str(Event.SHARD_OPENED)
        leaf = build_log_leaf(
            record_id=record_id, at=at, host="bench", build=tightrope.__version__, release=RELEASE, event=event, facts=facts
        )
        front = f"{record_id}\t{_NONE}\t{event}\t{_NONE}\t{timestamp(at)}\t{_NONE}"
        self._lines["records"].append(f"{front}\t{_BYTES}{leaf.hex()}\t{_NONE}\n")
        row = row_of(Source(Place(self._shard, 0), record_id, json.loads(leaf), None, None, None, None))
        self._lines["rows"].append(
            f"{self._shard}\t0\t{record_id}\t{timestamp(at)}\t{event}\t{_NONE}\t{_NONE}\t{_NONE}\t{cells(row) % ()}\n"
        )
        return leaf

    def _times(self, milliseconds: int) -> tuple[str, str]:
        """A time, and the last day that a record of then is kept, as leaves write them."""
        day, rest = divmod(milliseconds, 86_400_000)
        if day not in self._days:
            date = datetime.fromtimestamp(day * 86_400, UTC).date()
            self._days[day] = (date.isoformat(), keep_until(date, 20).isoformat())
        text, until = self._days[day]
        seconds, thousandths = divmod(rest, 1000)
        minutes, second = divmod(seconds, 60)
        return f"{text}T{minutes // 60:02}:{minutes % 60:02}:{second:02}.{thousandths:03}Z", until

    def _keep(self, origin: str, vkeys: list[str], frontier: Frontier, note: bytes) -> None:
        """What the sealer and the indexer would have noted."""
        with self._world.superuser() as conn:
            conn.execute("INSERT INTO audit.master (check_value) VALUES (%s)", (self._keyring.check_value,))
            conn.execute(
                "INSERT INTO audit.shards (shard, origin, size, frontier, vkeys) VALUES (%s, %s, %s, %s, %s)",
                (self._shard, origin, frontier.size, b"".join(frontier.hashes), vkeys),
            )
            conn.execute(
                "INSERT INTO audit.checkpoints (shard, size, root, note) VALUES (%s, %s, %s, %s)",
                (self._shard, frontier.size, frontier.root(), note),
            )
            conn.execute(
                "UPDATE audit_index.state SET shard = %s, next = %s, version = %s, built_at = now()",
                (self._shard, self._size - self._tail, VERSION),
            )


def _lay(folder: TreeFolder, before: int, leaves: list[bytes], hashes: list[bytes]) -> None:
    """Tiles and entry bundles as `TreeFolder.grow` writes them, without waiting for the disk at each."""
    made = {tile.path: data for tile, data in tiles.grown(before, hashes, folder.nodes(before))}
    for at in range(0, len(leaves), tiles.WIDTH):
        part = leaves[at : at + tiles.WIDTH]
        made[tiles.entries_path((before + at) // tiles.WIDTH, len(part))] = tiles.bundle(part)
    for name, data in made.items():
        path = folder.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        if ".p/" not in name:
            shutil.rmtree(f"{path}.p", ignore_errors=True)
