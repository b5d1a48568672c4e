"""Bundles and logs for the tests of the verifier, built from docs/audit-formats.md alone: plain recursion as in RFC 6962, no code of the product.

`python -m tests.audit_bundles` writes the golden bundles again, byte for byte the same (tests/golden/audit/bundles).
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))  # for `python -m`
from audit_bundle_parts import (  # noqa: F401 - also for those who import this module
    CUSTODIANS,
    DESTROYED_KID,
    NODES,
    Files,
    Signer,
    b64,
    canonical,
    certificate,
    custodian,
    custodians,
    der,
    destruction,
    kept,
    mth,
    nodes,
    path,
    sha,
    signed,
    tile_name,
    time,
    token,
    write,
    zipped,
)

GOLDEN = Path(__file__).resolve().parent / "golden" / "audit" / "bundles"
NAME = "tightrope.example/audit"
CONV = "11111111-2222-4333-8444-555555555555"
EARLIER, SHUT = "99999999-2222-4333-8444-555555555555", "77777777-2222-4333-8444-555555555555"
CUSTOMER = {"customer": "c0" * 32}  # an export's selection: a keyed hash
KID, SYSTEM_KID, RESTRICTED_KID = (f"aaaaaaaa-0000-4000-8000-00000000000{n}" for n in (1, 9, 3))
START = {2025: datetime(2025, 12, 31, 23, 50, tzinfo=UTC), 2026: datetime(2026, 3, 2, 1, 30, tzinfo=UTC)}


WITNESSES = (Signer("internal-audit.example/w", 4), Signer("custodian.example/w", 4))


@dataclass
class Entry:
    """What the writer would hold of one record."""

    leaf: dict[str, Any]
    payload: bytes | None = None
    salt: bytes = b""
    ct: bytes | None = None
    raw: bytes | None = None

    @property
    def bytes(self) -> bytes:
        return self.raw if self.raw is not None else canonical(self.leaf)


@dataclass
class Tree:
    """One shard: its entries, its keys, and when each checkpoint was seen outside."""

    shard: int
    entries: list[Entry] = field(default_factory=list)
    witnesses: tuple[Signer, ...] = WITNESSES
    signer: Signer | None = None

    @property
    def origin(self) -> str:
        return f"{NAME}/{self.shard}"

    @property
    def log_key(self) -> Signer:
        return self.signer or Signer(self.origin)

    def hashes(self, size: int | None = None) -> list[bytes]:
        return [sha(b"\0" + entry.bytes) for entry in self.entries[:size]]

    def root(self, size: int | None = None) -> bytes:
        return mth(self.hashes(size))

    def seen_at(self, size: int) -> datetime:
        """Two seconds after the last leaf's time."""
        return START[self.shard] + timedelta(seconds=10 * size - 8)

    def text(self, size: int | None = None) -> bytes:
        size = len(self.entries) if size is None else size
        return f"{self.origin}\n{size}\n{b64(self.root(size))}\n".encode()

    def note(self, size: int | None = None, *, cosigned: bool = True) -> bytes:
        size = len(self.entries) if size is None else size
        text = self.text(size)
        lines = [self.log_key.line(text)]
        if cosigned:
            lines += [witness.line(text, self.seen_at(size)) for witness in self.witnesses]
        return text + b"\n" + b"".join(lines)

    def add(
        self,
        event: str,
        *,
        conv: str | None = None,
        turn: int | None = None,
        kid: str | None = KID,
        until: str = "2046-12-31",
        payload: Any = None,
        **facts: Any,
    ) -> Entry:
        """Append an entry; a `log:` event has no payload."""
        index = len(self.entries)
        seed = f"{self.shard}/{index}".encode()
        at = START[self.shard] + timedelta(seconds=10 * index)
        entry = Entry({})
        if not event.startswith("log:"):
            entry.salt, entry.payload = sha(b"salt" + seed), f'{{"text":"说 {self.shard}/{index}"}}'.encode()
            entry.ct = sha(b"nonce" + seed)[:12] + b"".join(sha(bytes([n]) + seed) for n in range(3))
            if payload is not None:
                entry.payload = canonical(payload)
        entry.leaf = {
            "v": 2,
            "id": f"{sha(b'id' + seed).hex()[:8]}-0000-4000-8000-{sha(b'id' + seed).hex()[8:20]}",
            "ts": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "host": "gw-1",
            "build": "0.1.0",
            "release": "r-0123456789abcdef",
            "event": event,
            "conv": conv,
            "turn": turn,
            "cls": "conversation" if conv else "system",
            "until": until,
            "kid": kid if entry.ct else None,
            "ct_sha256": sha(entry.ct).hex() if entry.ct else None,
            "commit": sha(b"audit-payload-v1\0" + entry.salt + (entry.payload or b"")).hex() if entry.ct else None,
            "facts": facts,
            "content": {},
        }
        self.entries.append(entry)
        return entry


def destroy(tree: Tree, kid: str = DESTROYED_KID, **how: Any) -> Entry:
    """Append the record that a key was destroyed."""
    entry = tree.add("audit:key:destroyed", kid=SYSTEM_KID, **(destruction(kid) | how))
    entry.leaf["facts"]["kid"] = kid
    return entry


def story(*, until: str = "2026-01-31") -> list[Tree]:
    """Two years: one closed, with a conversation whose key was destroyed when its last day was over; one with a conversation of four turns."""
    old, new = Tree(2025), Tree(2026)
    old.add("log:shard:opened")
    old.add("log:sequencer:beat")
    old.add("customer:message:received", conv=EARLIER, turn=1, kid=DESTROYED_KID, until=until)
    new.add("log:shard:opened", before={"origin": old.origin, "size": 3, "root": old.root().hex()})
    for turn in range(1, 5):
        new.add("customer:message:received", conv=CONV, turn=turn)
        new.add("gateway:turn:made", conv=CONV, turn=turn)
        new.add("log:sequencer:beat")
    destroy(new)
    new.add("log:sequencer:beat")
    return [old, new]


def restricted_story() -> list[Tree]:
    """The story, and after it a conversation whose key is restricted by the last record."""
    trees = story()
    trees[1].add("customer:message:received", conv=SHUT, turn=1, kid=RESTRICTED_KID)
    trees[1].add("audit:subject:restricted", kid=SYSTEM_KID, kids=[RESTRICTED_KID], ground="pipl-47")
    return trees


def policy(trees: list[Tree], *, quorum: str = "witnesses", witnesses: tuple[Signer, ...] = WITNESSES) -> bytes:
    """A C2SP trust policy: every log key, two witnesses, both needed."""
    lines = ["# keys of the audit log", *(f"log {tree.log_key.vkey}" for tree in trees)]
    lines += [f"witness w{n} {witness.vkey}" for n, witness in enumerate(witnesses)]
    lines += [f"group witnesses all {' '.join(f'w{n}' for n in range(len(witnesses)))}"] if witnesses else []
    lines.append(f"quorum {quorum}")
    return ("\n".join(lines) + "\n").encode()


def anchors(tree: Tree, sizes: list[int]) -> list[dict[str, Any]]:
    """Witnesses' cosignatures, a time stamp, a store's receipt and a chain's certificate for each of these sizes."""
    found = []
    for size in sizes:
        note, at = tree.note(size, cosigned=False), tree.seen_at(size)
        for witness in tree.witnesses:
            found.append((witness.name, "witness-c2sp", note, at, witness.line(tree.text(size), at)))
        found.append(("tsa", "rfc3161", note, at + timedelta(seconds=30), token(note, at + timedelta(seconds=30))))
        found.append(("bucket", "worm-s3", note, None, kept(tree.shard, size, note)))
        found.append(("chain", "chain-http", note, at + timedelta(seconds=50), certificate(note, at + timedelta(seconds=50))))
    return [
        {
            "anchor": name,
            "kind": kind,
            "shard": tree.shard,
            "size": int(note.split(b"\n")[1]),
            "checkpoint": note.decode(),
            "received": time(at or tree.seen_at(len(tree.entries))),
            "asserted": time(at) if at else None,
            "body": b64(body),
        }
        for name, kind, note, at, body in found
    ]


def bundle(
    trees: list[Tree],
    chosen: Callable[[Tree, int, Entry], bool],
    *,
    masked: bool = False,
    selection: dict[str, Any] | None = None,
    restricted: frozenset[str] = frozenset(),
    convs: list[str] | None = None,
) -> Files:
    """An export of the chosen entries."""
    files: Files = {}
    lines, destroyed, receipts, there = [], [], [], set()
    gone = {e.leaf["facts"]["kid"] for t in trees for e in t.entries if e.leaf["event"] == "audit:key:destroyed"}
    for tree in trees:
        files[f"{tree.shard}/checkpoint"] = tree.note()
        receipts += anchors(tree, [*range(4, len(tree.entries), 4), len(tree.entries)])
        hashes = tree.hashes()
        for index, entry in enumerate(tree.entries):
            if not chosen(tree, index, entry):
                continue
            kid = entry.leaf["kid"]
            state = "destroyed" if kid in gone else "restricted" if kid in restricted else "active"
            proof = [b64(item) for item in path(index, hashes)]
            line = {
                "shard": tree.shard,
                "index": index,
                "leaf": entry.bytes.decode(),
                "ct": None if entry.ct is None else b64(entry.ct),
            }
            line |= {"state": state, "proof": proof}
            if entry.payload is not None and state == "active" and not masked:
                line |= {"payload": b64(entry.payload), "salt": b64(entry.salt)}
            lines.append(line)
            there |= {entry.leaf["conv"]} - {None}
            files[f"proofs/{tree.shard}-{index}.tlog-proof"] = (
                "\n".join(["c2sp.org/tlog-proof@v1", f"index {index}", *proof, "", ""]).encode() + tree.note()
            )
            if entry.leaf["event"] == "audit:key:destroyed":
                destroyed.append({"kid": entry.leaf["facts"]["kid"], "at": entry.leaf["ts"], "place": f"{tree.shard}/{index}"})
    files["policy.txt"] = policy(trees)
    files["anchors.json"] = canonical(receipts)
    files["destroyed.json"] = canonical(destroyed)
    files["records.jsonl"] = b"".join(canonical(line) + b"\n" for line in lines)
    files["README.txt"] = b"python verify.py .\n"
    manifest = {
        "v": 1,
        "kind": "tightrope-audit-bundle",
        "made": time(max(tree.seen_at(len(tree.entries)) for tree in trees) + timedelta(minutes=1)),
        "log": NAME,
        "masked": masked,
        "selection": selection or {"period": "2025-12-31/2026-03-03"},
        "conversations": sorted(there) if convs is None else convs,
        "shards": [
            {"shard": t.shard, "origin": t.origin, "size": len(t.entries), "checkpoint": f"{t.shard}/checkpoint"} for t in trees
        ],
        "records": len(lines),
        "files": {},
    }
    return listed(files, manifest)


def listed(files: Files, manifest: dict[str, Any] | None = None, **changes: Any) -> Files:
    """The files with a manifest that names their present hashes: what a forger does who knows the format."""
    manifest = (manifest or json.loads(files["manifest.json"])) | changes
    manifest["files"] = {name: sha(data).hex() for name, data in sorted(files.items()) if name != "manifest.json"}
    return dict(sorted({**files, "manifest.json": canonical(manifest)}.items()))


KINDS = (
    "audit:retention:extended",
    "audit:key:destroyed",
    "audit:subject:restricted",
    "audit:subject:opened",
    "log:shard:opened",
)


def owned(_: Tree, __: int, entry: Entry) -> bool:
    """What an export of a customer holds: conversations, and what was done to their keys."""
    return entry.leaf["conv"] is not None or entry.leaf["event"] in KINDS


def good() -> Files:
    """A customer's conversations, one with a destroyed key, and the proof of the destruction."""
    return bundle(story(), owned, selection=CUSTOMER)


def good_restricted() -> Files:
    """The same and a conversation that is restricted, with the record that says so."""
    return bundle(restricted_story(), owned, selection=CUSTOMER, restricted=frozenset([RESTRICTED_KID]))


def good_conversation() -> Files:
    """One conversation, named by the leaf's id."""
    return bundle(story()[1:], lambda *those: those[2].leaf["conv"] == CONV, selection={"conversation": CONV})


def good_sm() -> Files:
    """Leaves with the SM3 of their ciphertexts."""
    trees = story()
    for entry in (entry for tree in trees for entry in tree.entries if entry.ct):
        entry.leaf["ct_sm3"] = hashlib.new("sm3", entry.ct).hexdigest()
    trees[1].entries[0].leaf["facts"]["before"]["root"] = trees[0].root().hex()
    return bundle(trees, owned, selection=CUSTOMER)


def long_tree() -> Tree:
    """More than one tile."""
    tree = Tree(2026)
    tree.add("log:shard:opened")
    for n in range(1, 300):
        tree.add("log:sequencer:beat") if n % 6 == 0 else tree.add("customer:message:received", conv=CONV, turn=n - n // 6)
    return tree


GOOD: dict[str, Callable[[], Files]] = {
    "good": good,
    "good-masked": lambda: bundle(story(), owned, masked=True, selection=CUSTOMER),
    "good-restricted": good_restricted,
    "good-conversation": good_conversation,
    "good-sm": good_sm,
    "good-log": lambda: whole_log(story()),
    "good-log-of-300": lambda: whole_log([long_tree()], lambda _: [60, 120, 180, 240, 300]),
}
"""Name of the golden file -> how it is made; none may have a finding but what was destroyed by policy."""


def log_files(tree: Tree, prefix: str = "") -> Files:
    """The tree as a C2SP tlog-tiles folder."""
    files: Files = {f"{prefix}checkpoint": tree.note()}
    hashes, level = tree.hashes(), 0
    for n in range(0, len(tree.entries), 256):
        part = [entry.bytes for entry in tree.entries[n : n + 256]]
        files[prefix + tile_name("entries", n // 256, len(part))] = b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in part)
    while hashes:
        for n in range(0, len(hashes), 256):
            files[prefix + tile_name(str(level), n // 256, len(hashes[n : n + 256]))] = b"".join(hashes[n : n + 256])
        hashes = [mth(hashes[n : n + 256]) for n in range(0, len(hashes) - 255, 256)]
        level += 1
    return files


def whole_log(trees: list[Tree], sizes: Callable[[Tree], list[int]] = lambda tree: [len(tree.entries)]) -> Files:
    """Every shard's folder, with anchors and policy beside them."""
    files = {name: data for tree in trees for name, data in log_files(tree, f"{tree.shard}/").items()}
    files["anchors.json"] = canonical([item for tree in trees for item in anchors(tree, sizes(tree))])
    files["policy.txt"] = policy(trees)
    return files


def main() -> None:
    """Write the golden bundles."""
    from audit_claim_attacks import ATTACKS

    GOLDEN.mkdir(parents=True, exist_ok=True)
    (GOLDEN / "policy.txt").write_bytes(policy(story()))
    (GOLDEN / "custodians.json").write_bytes(custodians())
    (GOLDEN / "nodes.txt").write_bytes(nodes())
    expected: dict[str, Any] = {name: {"good": True, "code": 0, "found": []} for name in GOOD}
    for name, make in GOOD.items():
        (GOLDEN / f"{name}.zip").write_bytes(zipped(make()))
    for name, attack in ATTACKS.items():
        tampered = attack.make()
        (GOLDEN / f"{name}.zip").write_bytes(tampered if isinstance(tampered, bytes) else zipped(tampered))
        expected[name] = {"good": False, "code": attack.code, "found": [list(place) for place in attack.found]}
    (GOLDEN / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
