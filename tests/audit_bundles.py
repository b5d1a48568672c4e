"""Bundles and logs for the tests of the verifier, built from docs/audit-formats.md alone: plain recursion as in RFC 6962, no code of the product.

`python -m tests.audit_bundles` writes the golden bundles again, byte for byte the same (tests/golden/audit/bundles).
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

GOLDEN = Path(__file__).resolve().parent / "golden" / "audit" / "bundles"
NAME = "tightrope.example/audit"
CONV = "11111111-2222-4333-8444-555555555555"
KID, DESTROYED_KID = "aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"
START = {2025: datetime(2025, 12, 31, 23, 50, tzinfo=UTC), 2026: datetime(2026, 3, 2, 1, 30, tzinfo=UTC)}
Files = dict[str, bytes]


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def mth(hashes: list[bytes]) -> bytes:
    """RFC 6962, 2.1, over leaf hashes."""
    if not hashes:
        return sha(b"")
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return sha(b"\1" + mth(hashes[:split]) + mth(hashes[split:]))


def path(index: int, hashes: list[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1."""
    if len(hashes) == 1:
        return []
    split = 1 << (len(hashes) - 1).bit_length() - 1
    if index < split:
        return [*path(index, hashes[:split]), mth(hashes[split:])]
    return [*path(index - split, hashes[split:]), mth(hashes[:split])]


@dataclass
class Signer:
    """A key with its name; kind 1 signs notes, kind 4 cosigns with a time."""

    name: str
    kind: int = 1
    seed: str = ""

    @property
    def key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(sha((self.seed or self.name).encode()))

    @property
    def blob(self) -> bytes:
        return bytes([self.kind]) + self.key.public_key().public_bytes_raw()

    @property
    def id(self) -> bytes:
        return sha(self.name.encode() + b"\n" + self.blob)[:4]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64(self.blob)}"

    def line(self, text: bytes, at: datetime | None = None) -> bytes:
        """A signature line over a note's text."""
        if self.kind == 1:
            data = self.key.sign(text)
        else:
            assert at is not None
            seconds = int(at.timestamp())
            data = seconds.to_bytes(8, "big") + self.key.sign(f"cosignature/v1\ntime {seconds}\n".encode() + text)
        return f"— {self.name} {b64(self.id + data)}\n".encode()


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

    def add(self, event: str, *, conv: str | None = None, turn: int | None = None, kid: str | None = KID, **facts: Any) -> Entry:
        """Append an entry; a `log:` event has no payload."""
        index = len(self.entries)
        seed = f"{self.shard}/{index}".encode()
        at = START[self.shard] + timedelta(seconds=10 * index)
        entry = Entry({})
        if not event.startswith("log:"):
            entry.salt, entry.payload = sha(b"salt" + seed), f'{{"text":"说 {self.shard}/{index}"}}'.encode()
            entry.ct = sha(b"nonce" + seed)[:12] + b"".join(sha(bytes([n]) + seed) for n in range(3))
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
            "until": "2046-12-31",
            "kid": kid if entry.ct else None,
            "ct_sha256": sha(entry.ct).hex() if entry.ct else None,
            "commit": sha(b"audit-payload-v1\0" + entry.salt + (entry.payload or b"")).hex() if entry.ct else None,
            "facts": facts,
            "content": {},
        }
        self.entries.append(entry)
        return entry


def story() -> list[Tree]:
    """Two years: one closed, one with a conversation of four turns, another customer's whose key was destroyed, and heartbeats."""
    old, new = Tree(2025), Tree(2026)
    old.add("log:shard:opened")
    old.add("log:sequencer:beat")
    old.add("customer:message:received", conv="99999999-2222-4333-8444-555555555555", turn=1, kid=DESTROYED_KID)
    new.add("log:shard:opened", origin=old.origin, size=3, root=old.root().hex())
    for turn in range(1, 5):
        new.add("customer:message:received", conv=CONV, turn=turn)
        new.add("gateway:turn:made", conv=CONV, turn=turn)
        new.add("log:sequencer:beat")
    new.add("audit:key:destroyed", kid="aaaaaaaa-0000-4000-8000-000000000009", reason="expired")
    new.entries[-1].leaf["facts"]["kid"] = DESTROYED_KID
    new.add("log:sequencer:beat")
    return [old, new]


def policy(trees: list[Tree], *, quorum: str = "witnesses", witnesses: tuple[Signer, ...] = WITNESSES) -> bytes:
    """A C2SP trust policy: every log key, two witnesses, both needed."""
    lines = ["# keys of the audit log", *(f"log {tree.log_key.vkey}" for tree in trees)]
    lines += [f"witness w{n} {witness.vkey}" for n, witness in enumerate(witnesses)]
    lines += [f"group witnesses all {' '.join(f'w{n}' for n in range(len(witnesses)))}", f"quorum {quorum}"]
    return ("\n".join(lines) + "\n").encode()


def der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    width = b"" if len(body) < 128 else len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag]) + (bytes([128 + len(width)]) + width if width else bytes([len(body)])) + body


def token(note: bytes, at: datetime) -> bytes:
    """An RFC 3161 response with TSTInfo but without a signer: enough for a reader that says that it does not check the signature."""
    sha256 = der(0x30, der(6, bytes.fromhex("608648016503040201")), der(5))
    info = der(
        0x30,
        der(2, b"\1"),
        der(6, b"\x2a\x03\x04"),
        der(0x30, sha256, der(4, sha(note))),
        der(2, b"\x12\x34"),
        der(0x18, at.strftime("%Y%m%d%H%M%SZ").encode()),
    )
    content = der(0x30, der(6, bytes.fromhex("2a864886f70d0109100104")), der(0xA0, der(4, info)))
    signed = der(0x30, der(2, b"\3"), der(0x31, sha256), content, der(0x31))
    return der(0x30, der(0x30, der(2, b"\0")), der(0x30, der(6, bytes.fromhex("2a864886f70d010702")), der(0xA0, signed)))


def time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def anchors(tree: Tree, sizes: list[int]) -> list[dict[str, Any]]:
    """A witness's cosignature and a time stamp for each of these sizes."""
    found = []
    for size in sizes:
        note, at = tree.note(size, cosigned=False), tree.seen_at(size)
        for witness in tree.witnesses:
            found.append((witness.name, "witness-c2sp", note, at, witness.line(tree.text(size), at)))
        found.append(("tsa", "rfc3161", note, at + timedelta(seconds=30), token(note, at + timedelta(seconds=30))))
        found.append(("bucket", "worm-s3", note, at + timedelta(seconds=40), b"{}"))
    return [
        {
            "anchor": name,
            "kind": kind,
            "shard": tree.shard,
            "size": int(note.split(b"\n")[1]),
            "checkpoint": note.decode(),
            "received": time(at),
            "asserted": time(at),
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
) -> Files:
    """An export of the chosen entries."""
    files: Files = {}
    lines, destroyed, receipts = [], [], []
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


def good() -> Files:
    """The whole conversation of the story, the destroyed customer's record and the proof of the destruction."""
    kinds = ("audit:key:destroyed", "log:shard:opened")
    return bundle(
        story(),
        lambda _, __, entry: entry.leaf["conv"] is not None or entry.leaf["event"] in kinds,
        selection={"conversation": CONV},
    )


def tile_name(kind: str, n: int, width: int) -> str:
    name = f"{n % 1000:03}"
    while n >= 1000:
        n //= 1000
        name = f"x{n % 1000:03}/{name}"
    return f"tile/{kind}/{name}" + (f".p/{width}" if width < 256 else "")


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


def write(files: Files, folder: Path) -> Path:
    for name, data in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder


def zipped(files: Files) -> bytes:
    """A zip that is the same on every machine: stored, in order, without the time of day."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 3, 3, 0, 0, 0)), data)
    return out.getvalue()


def main() -> None:
    """Write the golden bundles."""
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from audit_bundle_attacks import ATTACKS

    GOLDEN.mkdir(parents=True, exist_ok=True)
    (GOLDEN / "policy.txt").write_bytes(policy(story()))
    (GOLDEN / "good.zip").write_bytes(zipped(good()))
    for name, attack in ATTACKS.items():
        tampered = attack.make()
        (GOLDEN / f"{name}.zip").write_bytes(tampered if isinstance(tampered, bytes) else zipped(tampered))


if __name__ == "__main__":
    main()
