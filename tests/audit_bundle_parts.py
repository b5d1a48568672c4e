"""Hashes, signatures, receipts and custodians' statements for the golden bundles, from docs/audit-formats.md, anchors.md and custody.md alone."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

DESTROYED_KID = "aaaaaaaa-0000-4000-8000-000000000002"
CUSTODIANS = (("Ada", "compliance"), ("Cai", "data protection"))
Files = dict[str, bytes]
NODES = ("court.example/node", "notary.example/node", "forensics.example/node")


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


def custodian(n: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(sha(CUSTODIANS[n][0].encode()))


def custodians(*rows: dict[str, Any]) -> bytes:
    """The file of custodians: two people of two offices, with the named changes."""
    made = []
    for n, (person, office) in enumerate(CUSTODIANS):
        public = custodian(n).public_key().public_bytes_raw()
        made.append({"key_id": sha(public).hex()[:16], "public_key": b64(public), "person": person, "office": office})
    return canonical({"custodians": [row | (rows[n] if n < len(rows) else {}) for n, row in enumerate(made)]})


def signed(n: int, step: str, kids: list[str], person: str = "", **more: Any) -> dict[str, Any]:
    """A custodian's statement that keys be destroyed, with the signature (docs/custody.md)."""
    hashes = [sha(b"\0" + bytes.fromhex(kid.replace("-", ""))) for kid in sorted(kids)]
    said = {
        "kind": "tightrope-custody/1",
        "step": step,
        "act": "destroy",
        "id": "bbbbbbbb-0000-4000-8000-000000000001",
        "hold": None,
    }
    said |= {"keys": {"count": len(kids), "root": mth(hashes).hex()}, "reason": "the period is over"}
    said |= {"person": person or CUSTODIANS[n][0], "signed": "2026-03-02T01:30:00+00:00", **more}
    public = custodian(n).public_key().public_bytes_raw()
    signature = b64(custodian(n).sign(canonical(said)))
    return {"statement": said, "public_key": b64(public), "key_id": sha(public).hex()[:16], "signature": signature}


def destruction(kid: str = DESTROYED_KID, who: tuple[int, int] = (0, 1), **second: Any) -> dict[str, Any]:
    """Facts and payload of a record that two custodians destroyed a key, together with another one."""
    kids = sorted([kid, "aaaaaaaa-0000-4000-8000-0000000000ff"])
    proposed = signed(who[0], "propose", kids)
    approved = signed(who[1], "approve", kids, **{"proposal": sha(canonical(proposed)).hex(), **second})
    hashes = [sha(b"\0" + bytes.fromhex(one.replace("-", ""))) for one in kids]
    inclusion = {"index": kids.index(kid), "proof": [step.hex() for step in path(kids.index(kid), hashes)]}
    both = [proposed, approved]
    return {
        "statements": [sha(canonical(item)).hex() for item in both],
        "people": [sha(base64.b64decode(item["public_key"])).hex() for item in both],
        "payload": {"reason": "the period is over", "statements": both, "inclusion": inclusion},
    }


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


def kept(shard: int, size: int, note: bytes) -> bytes:
    """What a store says that it keeps."""
    return canonical({"key": f"checkpoint/{shard}/{size:012d}.{sha(note).hex()}", "sha256": sha(note).hex(), "store": "s3"})


def certificate(note: bytes, at: datetime, signers: tuple[str, ...] = NODES[:2]) -> bytes:
    """What nodes of a chain sign (docs/anchors.md): two of three."""
    lines = [
        "tightrope-chain-attestation/v1",
        "chain.example",
        "0xabc",
        "7",
        f"{at:%Y-%m-%dT%H:%M:%SZ}",
        f"sha256:{sha(note).hex()}",
    ]
    text = ("\n".join(lines) + "\n").encode()
    return text + b"\n" + b"".join(Signer(name).line(text) for name in signers)


def nodes() -> bytes:
    """Keys of the chain's nodes, as an auditor gets them from its operators."""
    return "".join(f"{Signer(name).vkey}  # {name}\n" for name in NODES).encode()


def tile_name(kind: str, n: int, width: int) -> str:
    name = f"{n % 1000:03}"
    while n >= 1000:
        n //= 1000
        name = f"x{n % 1000:03}/{name}"
    return f"tile/{kind}/{name}" + (f".p/{width}" if width < 256 else "")


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
