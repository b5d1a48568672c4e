"""Hashes and signatures: inclusion proofs (RFC 9162), SM3, Ed25519 (RFC 8032), C2SP signed notes, checkpoints, cosignatures and trust policies.

Used by verify.py, which lies beside it.
"""

from __future__ import annotations

import base64
import datetime
import functools
import hashlib
import re
from typing import Any, NoReturn

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493  # RFC 8032, section 5.1
D = -121665 * pow(121666, P - 2, P) % P
BASE_Y = (4 * pow(5, P - 2, P) % P).to_bytes(32, "little")
M = 2**32 - 1
SM3_START = bytes.fromhex("7380166f4914b2b9172442d7da8a0600a96f30bc163138aae38dee4db0fb0e4e")


def fail(text: str) -> NoReturn:
    raise ValueError(text)


def need(holds: object, otherwise: str) -> None:
    if not holds:
        fail(otherwise)


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def sm3(data: bytes, *, plain: bool = False) -> bytes:
    """SM3 (GB/T 32905-2016): by Python's OpenSSL where it has it, else, or if `plain`, step by step."""
    try:
        if not plain:
            return hashlib.new("sm3", data).digest()
    except ValueError:
        pass  # an OpenSSL without it

    def turn(x: int, n: int) -> int:
        return (x << n % 32 | x >> 32 - n % 32) & M

    v = [int.from_bytes(SM3_START[at : at + 4], "big") for at in range(0, 32, 4)]
    padded = data + b"\x80" + bytes(-(len(data) + 9) % 64) + (8 * len(data)).to_bytes(8, "big")
    for block in range(0, len(padded), 64):
        w = [int.from_bytes(padded[at : at + 4], "big") for at in range(block, block + 64, 4)]
        for j in range(16, 68):
            x = w[j - 16] ^ w[j - 9] ^ turn(w[j - 3], 15)
            w.append(x ^ turn(x, 15) ^ turn(x, 23) ^ turn(w[j - 13], 7) ^ w[j - 6])
        a, b, c, d, e, f, g, h = v
        for j in range(64):
            one = turn(turn(a, 12) + e + turn(0x79CC4519 if j < 16 else 0x7A879D8A, j) & M, 7)
            two = (a ^ b ^ c if j < 16 else a & b | a & c | b & c) + d + (one ^ turn(a, 12)) + (w[j] ^ w[j + 4]) & M
            x = (e ^ f ^ g if j < 16 else e & f | ~e & g) + h + one + w[j] & M
            a, b, c, d, e, f, g, h = two, a, turn(b, 9), c, x ^ turn(x, 9) ^ turn(x, 17), e, turn(f, 19), g
        v = [x ^ y for x, y in zip(v, (a, b, c, d, e, f, g, h))]
    return b"".join(x.to_bytes(4, "big") for x in v)


def climb(at: int, last: int, node: bytes, proof: list[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2)."""
    need(0 <= at <= last and len(proof) <= 64, "not a place in the checkpoint's tree, or a proof of more than 64 hashes")
    for other in proof:
        need(last, "the inclusion proof is too long")
        node = sha(b"\1" + (other + node if at & 1 or at == last else node + other))
        while at == last and at and not at & 1:
            at, last = at >> 1, last >> 1
        at, last = at >> 1, last >> 1
    need(not last, "the inclusion proof is too short")
    return node


def b64(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    need(base64.b64encode(data).decode() == text, "base64 that is not in its one form")
    return data


def seconds(text: str) -> float:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def iso(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).isoformat(timespec="milliseconds")[:23] + "Z"


def add(a: Any, b: Any) -> Any:
    """Sum of two points in extended coordinates (5.1.4)."""
    e, f, g, h = (a[1] - a[0]) * (b[1] - b[0]), (a[1] + a[0]) * (b[1] + b[0]), 2 * D * a[3] * b[3], 2 * a[2] * b[2]
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def point(data: bytes) -> Any:
    """A point from its 32 bytes (5.1.3); only the one form of a point of the curve is taken."""
    sign, y = divmod(int.from_bytes(data, "little"), 1 << 255)
    u, v = y * y - 1, D * y * y + 1
    x = u * v**3 * pow(u * v**7, (P - 5) // 8, P) % P
    x = x * pow(2, (P - 1) // 4, P) % P if (v * x * x - u) % P else x
    need(len(data) == 32 and y < P and (v * x * x - u) % P == 0 and (x or not sign), "a key that is no point of the curve")
    x = x if x & 1 == sign else P - x
    return x, y, 1, x * y % P


@functools.lru_cache(4096)  # a note may repeat a signature any number of times
def ed25519(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether [S]B - [k]A is R (5.1.7). S has one form only (below L), and a key of small order signs nothing."""
    a, base, q, s = point(key), point(BASE_Y), (0, 1, 1, 0), int.from_bytes(signature[32:], "little")
    minus, four = (P - a[0], a[1], 1, P - a[3]), add(add(a, a), add(a, a))
    if len(signature) != 64 or s >= L or add(four, four)[0] == 0:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    table = (q, base, minus, add(base, minus))
    for bit in range(252, -1, -1):
        q = add(add(q, q), table[(s >> bit & 1) + 2 * (k >> bit & 1)])
    x, y = (value * pow(q[2], P - 2, P) % P for value in q[:2])
    return signature[:32] == (y | (x & 1) << 255).to_bytes(32, "little")


def opened(note: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The text of a C2SP signed note, and its signatures: name, and key id with what was signed."""
    text, tail = note[: note.rfind(b"\n\n") + 1], note[note.rfind(b"\n\n") + 2 :].decode()
    need(re.fullmatch("(\u2014 [^ \n]+ [^ \n]+\n)+", tail), "not a signed note")
    return text, [(name, b64(blob)) for _, name, blob in (line.split(" ") for line in tail[:-1].split("\n"))]


def vkey(text: str) -> tuple[tuple[str, bytes], bytes]:
    """Name and id of a C2SP verifier key, and the key: its type and public key."""
    owner, key_id, key = text.split("+", 2)
    need(sha(owner.encode() + b"\n" + b64(key)).hex()[:8] == key_id, f"the key of {owner} has another id")
    return (owner, bytes.fromhex(key_id)), b64(key)


class Notes:
    """The keys of a policy, and every checkpoint that they signed.

    `heads` is shard -> (size, root) -> names of witnesses; `times` is shard -> (size, when a witness saw it); `passed` names keys of types not known here.
    """

    def __init__(self) -> None:
        self.quorum, self.groups, self.keys = "", dict[str, Any](none=(0, [])), dict[Any, Any]()
        self.heads, self.times, self.passed = dict[int, Any](), dict[int, Any](), set[str]()

    def policy(self, text: str) -> None:
        """Read a C2SP tlog-policy. Key types that are not known here are kept out of every count."""
        for word in (line.split() for line in text.split("\n") if line.strip() and line.strip()[0] != "#"):
            role, name, members = word[0], [*word, ""][1], word[3:] if word[0] == "group" else []
            need(role in ("log", "quorum") or (role in ("witness", "group") and name not in self.groups), f"policy: {word}")
            if role in ("log", "witness"):
                owner, key = vkey(word[1 + (role == "witness")])
                taken = [other for _, _, other in self.keys.values()]
                need(role == "log" or key not in taken, f"policy: the key of {owner[0]} stands twice")
                self.keys[owner] = role, name, key
            if role in ("group", "witness"):
                count = {"all": len(members), "any": 1}.get(word[2]) or int(word[2]) if members else 1
                used = [*members, *(one for _, others in self.groups.values() for one in others)]
                known = set(members) <= set(self.groups) - {"none"} and len(set(used)) == len(used)  # one voice counts once
                need(known and 0 < count <= max(1, len(members)), f"policy: group {name} is not well defined")
                self.groups[name] = count, members
            if role == "quorum":
                need(name in self.groups and not self.quorum, "policy: a second quorum, or one of an unknown name")
                self.quorum = name
        need(self.quorum, "policy: no quorum line")

    def enough(self, name: str, cosigned: Any) -> bool:
        """Whether these witnesses satisfy the witness or group of this name."""
        count, members = self.groups[name]
        return name in cosigned or sum(self.enough(member, cosigned) for member in members) >= count

    def checkpoint(self, note: bytes) -> Any:
        """Shard, size, root, witnesses with their times, and origin of a signed checkpoint. Signatures of unknown keys are ignored."""
        text, signatures = opened(note)
        signed, cosigned = False, dict[str, int]()
        origin, digits, root = text.decode().split("\n")[:3]
        need(re.fullmatch("0|[1-9][0-9]{0,18}", digits) and len(b64(root)) == 32, "not a checkpoint")
        for name, blob in signatures:
            role, who, key = self.keys.get((name, blob[:4]), ("", "", b"\0"))
            if role == "log" and key[0] == 1 and name == origin:
                signed = ed25519(key[1:], text, blob[4:]) or fail(f"the signature of {name} does not hold")
            elif role:
                self.passed.update([name] if key[0] not in (1, 4) else [])
            if role == "witness" and key[0] == 4:
                cosigned[who] = int.from_bytes(blob[4:12], "big")
                said = b"cosignature/v1\ntime %d\n" % cosigned[who] + text
                need(ed25519(key[1:], said, blob[12:]), f"the cosignature of {who} does not hold")
        need(signed, "not signed by a log key of the policy")
        shard, size = int(origin.rsplit("/", 1)[1]), int(digits)
        self.heads.setdefault(shard, {}).setdefault((size, b64(root)), set()).update(cosigned)
        self.times.setdefault(shard, []).extend((size, at) for at in cosigned.values())
        return shard, size, b64(root), cosigned, origin
