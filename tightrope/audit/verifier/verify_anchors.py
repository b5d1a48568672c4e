"""What others attest: receipts of anchors, and the clock that they are. Also what a verifier finds and notes. Used by verify.py."""

from __future__ import annotations

import bisect
import contextlib
import json
import os
import re
import sys
from typing import Any, Iterator, NoReturn

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from verify_notes import Notes, b64, ed25519, fail, iso, need, opened, seconds, sha, vkey

ABSENT = "is not there"
UNSIGNED = "over this checkpoint; NOT checked here: "
OPENSSL = "its signature, openssl ts -verify -data CHECKPOINT -in BODY -CAfile TSA"


def parse(data: bytes) -> Any:
    """JSON without a key twice and without floats."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return dict(pairs) if len(dict(pairs)) == len(pairs) else fail("JSON with a key twice")

    def no_float(text: str) -> NoReturn:
        raise ValueError(f"JSON with {text[:20]}, which is no integer")

    return json.loads(data.decode(), object_pairs_hook=once, parse_float=no_float, parse_constant=fail)


def stamped(body: bytes, note: bytes) -> float:
    """genTime of the RFC 3161 token whose imprint is SHA-256 of the note (DER of TSTInfo)."""
    found = re.search(rb"`\x86H\x01e\x03\x04\x02\x01(?:\x05\0)?\x04 " + re.escape(sha(note)) + rb"\x02(.)", body, re.S)
    at = found.end() + found[1][0] if found else fail("a time stamp over something else")
    time = re.sub(rb"\x18.(....)(..)(..)(..)(..)(..)(\.\d+)?Z.*", rb"\1-\2-\3T\4:\5:\6+00:00", body[at:], flags=re.S)
    return float(seconds(time.decode()))


class Anchors(Notes):
    """Findings and notes; receipts of anchors, checked as far as the reader's keys reach. `nodes` are the keys of a chain's nodes."""

    def __init__(self, late: float, given: Any) -> None:
        super().__init__()
        self.late, self.given, self.now = late, given, 0.0
        self.findings, self.notes, self.nodes = dict[Any, Any](), list[str](), dict[Any, bytes]()
        if given.chain_nodes:
            with open(given.chain_nodes, encoding="utf-8") as file:
                words = [line.split("#")[0].strip() for line in file]
            for name, key in (vkey(word) for word in words if word):
                need(key[0] == 1 and key not in self.nodes.values(), "chain nodes: no Ed25519 key, or one that stands twice")
                self.nodes[name] = key

    def find(self, kind: str, what: str, shard: Any = None, first: int = -1, last: int = -1) -> None:
        ranges = self.findings.setdefault((kind, what, shard), [])
        if ranges and ranges[-1][1] + 1 == first:  # neighbours become one range
            first, last = ranges.pop()[0], max(first, last)
        ranges.append([first, max(first, last)])

    @contextlib.contextmanager
    def guard(self, what: str, place: Any = ()) -> Iterator[None]:
        """What cannot be read as the formats say has been altered."""
        try:
            yield
        except Exception as error:
            text = f"{what}: {error if isinstance(error, ValueError) else repr(error)}"[:300]
            self.find("missing" if text.endswith(ABSENT) else "altered", text, *place)

    def anchors(self, data: bytes) -> None:
        """Every receipt of anchors.json; then forks, and the first time at which each size was seen outside."""
        for item in parse(data):
            shard, size, note = item["shard"], item["size"], item["checkpoint"].encode()
            with self.guard(f"anchor {item['anchor']}", (shard, 0, size - 1)):
                body, asserted = b64(item["body"]), item["asserted"] and seconds(item["asserted"])
                head = self.checkpoint(note + (body if item["kind"] == "witness-c2sp" else b""))
                need(head[:2] == (shard, size), "holds the checkpoint of another shard or size")
                at, clock, how = self.receipt(item["kind"], note, body, head)
                need(None in (at, asserted) or abs(at - asserted) < 1, "asserts another time than its body")
                if clock:  # a time that nothing here bears out is no clock
                    self.times[shard].append((size, at))
                at = asserted if at is None else at
                self.notes.append(
                    f"anchor 锚 {shard} size {size}  {item['anchor']} ({item['kind']})  {iso(at) if at else '-'}  {how}"
                )
        roots = {shard: dict(heads.keys()) for shard, heads in self.heads.items()}
        for shard, size in {
            (shard, size) for shard, heads in self.heads.items() for size, root in heads if roots[shard][size] != root
        }:
            self.find("altered", "a fork: two trees of one size were signed", shard, 0, size - 1)
        for times in self.times.values():  # of each size, the first time of it or of any larger tree
            times.sort()
            for n in reversed(range(len(times) - 1)):
                times[n] = times[n][0], min(times[n][1], times[n + 1][1])

    def receipt(self, kind: str, note: bytes, body: bytes, head: Any) -> Any:
        """Time that the body of a receipt names, whether it counts as an outside clock, and what was and was not checked."""
        if kind == "witness-c2sp":
            at = min(head[3].values(), default=None)
            return at, at is not None, "checked" if head[3] else "no witness of the policy"
        if kind == "rfc3161":
            return stamped(body, note), False, UNSIGNED + OPENSSL
        if kind == "chain-http":
            text, signatures = opened(body)
            title, network, transaction, height, time, digest, end = text.decode().split("\n")
            need((title, end) == ("tightrope-chain-attestation/v1", ""), "no certificate of a chain")
            need(digest == f"sha256:{sha(note).hex()}", "the certificate is of another checkpoint")
            signed = {(name, blob[:4]) for name, blob in signatures if self.signs((name, blob[:4]), text, blob[4:])}
            need(not self.nodes or 2 * len(signed) > len(self.nodes), f"{len(signed)} of {len(self.nodes)} nodes signed")
            how = (
                f"signed by {len(signed)} of {len(self.nodes)} nodes"
                if self.nodes
                else UNSIGNED + "who signed, --chain-nodes FILE"
            )
            return seconds(time), bool(self.nodes), f"{how}; NOT checked here: block {height} of {network}, look up {transaction}"
        if kind in ("worm-s3", "worm-folder"):
            said, key = parse(body), f"checkpoint/{head[0]}/{head[1]:012}.{sha(note).hex()}"
            need((said.get("key"), said.get("sha256")) == (key, sha(note).hex()), "the store's receipt is of another checkpoint")
            who = "the store" if kind == "worm-s3" else "a folder of the firm, no outside witness,"
            return None, False, f"names this checkpoint; NOT checked here: that {who} holds it, read back {key}"
        return None, False, "asserted, NOT checked here: this kind is not known"

    def signs(self, name: Any, text: bytes, signature: bytes) -> bool:
        """Whether a node of the chain signed; one that signed something else counts as silent."""
        return name in self.nodes and ed25519(self.nodes[name][1:], text, signature)

    def outside(self, shard: int, index: int) -> float | None:
        """When the first outside clock saw this leaf."""
        times = self.times.get(shard, [])
        after = bisect.bisect(times, (index, float("inf")))
        return times[after][1] if after < len(times) else None
