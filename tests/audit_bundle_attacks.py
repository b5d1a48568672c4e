"""Attacks on an export of the audit log, each by a forger who knows the format: hashes in the manifest are made right again where that helps."""

from __future__ import annotations

import base64
import json
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import Any

import audit_bundles as made
from audit_bundles import Entry, Files, Signer, Tree, b64, canonical, listed, sha

Place = tuple[str, int | None, int | None, int | None]
ORDER = 2**252 + 27742317777372353535851937790883648493
WHOLE: Place = ("altered", 2026, 0, 14)
FIVE: Place = ("altered", 2026, 5, 5)
GONE: Place = ("missing", 2026, 5, 5)


@dataclass(frozen=True)
class Attack:
    """What is done, which findings must name it (each must be there), and the exit code against the true policy."""

    make: Callable[[], Files | bytes]
    found: tuple[Place, ...]
    code: int = 1
    says: str = ""


def edited(
    change: Callable[[dict[str, Any]], None], index: int = 5, shard: int = 2026, files: Files | None = None, **manifest: Any
) -> Files:
    """A good bundle with one record's line changed."""
    files = dict(files or made.good())
    lines = []
    for raw in files["records.jsonl"].splitlines():
        line = json.loads(raw)
        if (line["shard"], line["index"]) == (shard, index):
            change(line)
        lines.append(canonical(line))
    return listed(files | {"records.jsonl": b"\n".join(lines) + b"\n"}, **manifest)


def other_bit(text: str) -> str:
    """Base64 with one bit of its bytes changed."""
    data = bytearray(base64.b64decode(text))
    data[len(data) // 2] ^= 1
    return b64(bytes(data))


def put(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda line: line.update({name: value})


def flipped(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda line: line.update({name: other_bit(line[name])})


def without(*places: str, keep_proofs: bool = False, fix: bool = True) -> Files:
    """A good bundle without these records."""
    files, lines = made.good(), []
    for raw in files["records.jsonl"].splitlines():
        line = json.loads(raw)
        if f"{line['shard']}-{line['index']}" not in places:
            lines.append(raw)
    for place in places if not keep_proofs else ():
        del files[f"proofs/{place}.tlog-proof"]
    files["records.jsonl"] = b"\n".join(lines) + b"\n"
    return listed(files, records=len(lines)) if fix else files


def replaced(name: str, old: bytes, new: bytes, count: int = 1) -> Files:
    files = made.good()
    assert old in files[name]
    return listed(files | {name: files[name].replace(old, new, count)})


def signature(change: Callable[[bytes], bytes], line: int = 0) -> Files:
    """The checkpoint of 2026 with the blob of one signature line changed."""
    files = made.good()
    head, tail = files["2026/checkpoint"].split(b"\n\n")
    lines = tail.splitlines()
    start, blob = lines[line].rsplit(b" ", 1)
    lines[line] = start + b" " + b64(change(base64.b64decode(blob))).encode()
    return listed(files | {"2026/checkpoint": head + b"\n\n" + b"\n".join(lines) + b"\n"})


def malleable(blob: bytes) -> bytes:
    s = int.from_bytes(blob[36:], "little") + ORDER
    return blob[:36] + s.to_bytes(32, "little")


def drop_payload(line: dict[str, Any]) -> None:
    del line["payload"], line["salt"]


def claim_destroyed(line: dict[str, Any]) -> None:
    drop_payload(line)
    line["state"] = "destroyed"


def with_story(change: Callable[[list[Tree]], None], **options: Any) -> Files:
    """A bundle of a log in which something was already wrong, or made wrong with the log's own key."""
    trees = made.story()
    change(trees)
    return made.bundle(trees, made.owned, selection=made.CUSTOMER, **options)


def at_five(change: Callable[[Entry], None]) -> Files:
    return with_story(lambda trees: change(trees[1].entries[5]))


def rewritten(trees: list[Tree]) -> None:
    """From its first entry, with the log's own key; no witness signs that."""
    trees[1].entries[0].leaf["host"] = "gw-9"
    trees[1].witnesses = ()


def forged_policy() -> Files:
    """Everything made again under the forger's keys, with his policy inside."""
    trees = made.story()
    witnesses = tuple(Signer(w.name, 4, "mallory" + w.name) for w in made.WITNESSES)
    for tree in trees:
        tree.signer, tree.witnesses = Signer(tree.origin, 1, "mallory" + tree.origin), witnesses
    files = made.bundle(trees, made.owned, selection=made.CUSTOMER)
    return listed(files | {"policy.txt": made.policy(trees, witnesses=witnesses)})


def receipts(change: Callable[[list[dict[str, Any]]], None]) -> Files:
    files = made.good()
    items = json.loads(files["anchors.json"])
    change(items)
    return listed(files | {"anchors.json": canonical(items)})


def fork(items: list[dict[str, Any]]) -> None:
    tree = made.story()[1]
    tree.entries[7].leaf["host"] = "gw-9"
    items.append(items[-1] | {"checkpoint": tree.note(cosigned=False).decode()})


def rolled_back() -> Files:
    old = made.story()[1].note(12)
    files = made.good()
    shards = json.loads(files["manifest.json"])["shards"]
    shards[1]["size"] = 12
    return listed(files | {"2026/checkpoint": old}, shards=shards)


def replayed_receipt() -> Files:
    tree = made.story()[1]
    proof = [b64(item) for item in made.path(5, tree.hashes(12))]
    text = "\n".join(["c2sp.org/tlog-proof@v1", "index 5", *proof, "", ""]).encode() + tree.note(12)
    return listed(made.good() | {"proofs/2026-5.tlog-proof": text})


def twice_in_leaf(entry: Entry) -> None:
    entry.raw = canonical(entry.leaf).replace(b'"event":', b'"event":"bot:message:sent","event":')


def escaped_leaf(entry: Entry) -> None:
    entry.raw = canonical(entry.leaf).replace(b'"gw-1"', b'"\\u0067w-1"')


def moved(minutes: int) -> Callable[[Entry], None]:
    def change(entry: Entry) -> None:
        at = made.datetime.fromisoformat(entry.leaf["ts"]) + timedelta(minutes=minutes)
        entry.leaf["ts"] = made.time(at)

    return change


def swapped_payloads() -> Files:
    lines = {json.loads(raw)["index"]: json.loads(raw) for raw in made.good()["records.jsonl"].splitlines()}
    four, five = lines[4], lines[5]
    files = edited(lambda line: line.update(payload=five["payload"], salt=five["salt"]), 4)
    return edited(lambda line: line.update(payload=four["payload"], salt=four["salt"]), 5, files=files)


def proof_of_another() -> Files:
    lines = {json.loads(raw)["index"]: json.loads(raw) for raw in made.good()["records.jsonl"].splitlines()}
    return edited(put("proof", lines[4]["proof"]))


def record_raw(change: Callable[[bytes], bytes]) -> Files:
    files = made.good()
    lines = [change(raw) if b'"index":5,' in raw else raw for raw in files["records.jsonl"].splitlines()]
    return listed(files | {"records.jsonl": b"\n".join(lines) + b"\n"})


def doubled() -> Files:
    files = made.good()
    lines = [part for raw in files["records.jsonl"].splitlines() for part in ([raw, raw] if b'"index":5,' in raw else [raw])]
    return listed(files | {"records.jsonl": b"\n".join(lines) + b"\n"}, records=len(lines))


def two_of_a_name() -> bytes:
    out = BytesIO(made.zipped(made.good()))
    with warnings.catch_warnings(), zipfile.ZipFile(out, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr(zipfile.ZipInfo("records.jsonl", (2026, 3, 3, 0, 0, 0)), b"")
    return out.getvalue()


def bomb() -> bytes:
    """A zip whose directory claims 5 GiB."""
    data = bytearray(made.zipped({"manifest.json": b"{}", "big": b"x"}))
    at = data.rindex(b"PK\1\2")
    data[at + 24 : at + 28] = (0xFFFFFFF0).to_bytes(4, "little")
    at = data.index(b"PK\1\2")
    data[at + 24 : at + 28] = (0xFFFFFFF0).to_bytes(4, "little")
    return bytes(data)


def without_witnesses(trees: list[Tree]) -> Files:
    """The story rewritten, its anchors left out."""
    files = with_story(rewritten)
    return listed(files | {"anchors.json": b"[]", "policy.txt": made.policy(trees)})


EXPORTS: dict[str, Attack] = {
    "leaf-bit": Attack(lambda: edited(lambda line: line.update(leaf=line["leaf"].replace("gw-1", "gw-3"))), (FIVE,)),
    "ciphertext-bit": Attack(lambda: edited(flipped("ct")), (FIVE,), says="ciphertext"),
    "payload-bit": Attack(lambda: edited(flipped("payload")), (FIVE,), says="payload"),
    "salt-bit": Attack(lambda: edited(flipped("salt")), (FIVE,), says="payload"),
    "proof-bit": Attack(
        lambda: edited(lambda line: line["proof"].__setitem__(0, other_bit(line["proof"][0]))), (FIVE,), says="proof"
    ),
    "checkpoint-bit": Attack(
        lambda: replaced("2026/checkpoint", b"/2026\n15\n", b"/2026\n16\n"), (("altered", 2026, 0, 15),), says="signature"
    ),
    "signature-bit": Attack(
        lambda: signature(lambda blob: blob[:40] + bytes([blob[40] ^ 1]) + blob[41:]), (WHOLE,), says="signature"
    ),
    "cosignature-bit": Attack(
        lambda: signature(lambda blob: blob[:40] + bytes([blob[40] ^ 1]) + blob[41:], 1), (WHOLE,), says="cosignature"
    ),
    "cosignature-time": Attack(
        lambda: signature(lambda blob: blob[:11] + bytes([blob[11] ^ 1]) + blob[12:], 1), (WHOLE,), says="cosignature"
    ),
    "malleable-signature": Attack(lambda: signature(malleable), (WHOLE,), says="signature"),
    "manifest-bit": Attack(
        lambda: (
            made.good() | {"manifest.json": made.good()["manifest.json"].replace(b'"records.jsonl":"', b'"records.jsonl":"0')}
        ),
        (("altered", None, None, None),),
        says="file records.jsonl",
    ),
    "manifest-count": Attack(lambda: listed(made.good(), records=11), (("altered", None, None, None),), says="counts 11"),
    "manifest-twice": Attack(
        lambda: made.good() | {"manifest.json": made.good()["manifest.json"].replace(b'"v":1', b'"v":1,"v":1')},
        (),
        2,
        says="twice",
    ),
    "drop-record": Attack(lambda: without("2026-5", keep_proofs=True), (GONE,)),
    "drop-record-naively": Attack(lambda: without("2026-5", keep_proofs=True, fix=False), (GONE, ("altered", None, None, None))),
    "drop-turn": Attack(lambda: without("2026-7", "2026-8"), (("missing", 2026, 6, 9),), says="turns 3 to 3"),
    "drop-first-turn": Attack(lambda: without("2026-1", "2026-2"), (("missing", 2026, 0, 3),), says="turns 1 to 1"),
    "drop-ciphertext": Attack(lambda: edited(put("ct", None)), (GONE,), says="ciphertext"),
    "drop-payload": Attack(lambda: edited(drop_payload), (GONE,)),
    "drop-file": Attack(
        lambda: {name: data for name, data in made.good().items() if name != "README.txt"}, (("missing", None, None, None),)
    ),
    "drop-proof-file": Attack(
        lambda: listed({name: data for name, data in made.good().items() if name != "proofs/2026-5.tlog-proof"}), (GONE,)
    ),
    "rewritten-by-key-holder": Attack(lambda: with_story(rewritten), (("unwitnessed", 2026, 0, 2),), 0),
    "rewritten-anchors-kept": Attack(
        lambda: listed(with_story(rewritten) | {"anchors.json": made.good()["anchors.json"]}), (WHOLE,), says="fork"
    ),
    "fork": Attack(lambda: receipts(fork), (WHOLE,), says="fork"),
    "rollback": Attack(rolled_back, (("altered", 2026, 4, 5), ("altered", 2026, 13, 13)), says="proof"),
    "clock-back": Attack(lambda: at_five(moved(-60)), (("late", 2026, 5, 5),), 0),
    "clock-forward": Attack(lambda: at_five(moved(60)), (FIVE,), says="time"),
    "swapped-payloads": Attack(swapped_payloads, (("altered", 2026, 4, 5),), says="payload"),
    "proof-of-another": Attack(proof_of_another, (FIVE,), says="proof"),
    "receipt-replayed": Attack(replayed_receipt, (FIVE,), says="tlog-proof"),
    "stamp-of-another": Attack(
        lambda: receipts(
            lambda items: next(i for i in items if i["kind"] == "rfc3161" and i["size"] == 15).update(body=items[2]["body"])
        ),
        (WHOLE,),
        says="time stamp over something else",
    ),
    "stamp-time": Attack(
        lambda: receipts(
            lambda items: next(i for i in items if i["kind"] == "rfc3161" and i["size"] == 8).update(
                asserted=items[0]["asserted"]
            )
        ),
        (("altered", 2026, 0, 7),),
        says="another time",
    ),
    "emptied": Attack(
        lambda: listed(
            {name: data for name, data in made.good().items() if not name.startswith("proofs/")} | {"records.jsonl": b""},
            records=0,
        ),
        (("missing", None, None, None),),
        says="no record",
    ),
    "policy-swapped": Attack(forged_policy, (WHOLE, ("altered", 2025, 0, 2)), says="not signed"),
    "destroyed-without-record": Attack(
        lambda: edited(claim_destroyed),
        (FIVE,),
        says="destroyed",
    ),
    "destruction-record-dropped": Attack(lambda: without("2026-13"), (("altered", 2025, 2, 2),), says="destroyed"),
    "unlisted-file": Attack(
        lambda: made.good() | {"extra.html": b"trust me"}, (("altered", None, None, None),), says="file extra.html"
    ),
    "duplicate-index": Attack(doubled, (FIVE,), says="twice"),
    "renumbered": Attack(lambda: edited(put("index", 6)), (("altered", 2026, 6, 6), GONE)),
    "index-true": Attack(lambda: edited(put("index", True), 1), (("missing", 2026, 1, 1),), says="order"),
    "leaf-key-twice": Attack(lambda: at_five(twice_in_leaf), (FIVE,), says="twice"),
    "leaf-escaped": Attack(lambda: at_five(escaped_leaf), (FIVE,), says="canonical"),
    "leaf-surrogate": Attack(lambda: record_raw(lambda raw: raw.replace(b'"leaf":"{', b'"leaf":"\\ud800{')), (FIVE,)),
    "leaf-field-more": Attack(lambda: at_five(lambda entry: entry.leaf.update(note="x")), (FIVE,), says="fields"),
    "leaf-without-key": Attack(lambda: at_five(lambda entry: entry.leaf.update(kid=None)), (FIVE,), says="key"),
    "record-id-twice": Attack(
        lambda: with_story(lambda trees: trees[1].entries[5].leaf.update(id=trees[1].entries[4].leaf["id"])),
        (FIVE,),
        says="twice",
    ),
    "record-key-twice": Attack(
        lambda: record_raw(lambda raw: raw.replace(b'"index":5,', b'"index":4,"index":5,')), (GONE,), says="twice"
    ),
    "record-field-more": Attack(lambda: edited(put("comment", "checked")), (FIVE,), says="fields"),
    "record-not-utf8": Attack(lambda: record_raw(lambda raw: raw.replace(b'"state":"', b'"state":"\xff')), (GONE,)),
    "index-absurd": Attack(lambda: edited(put("index", 2**63), 13), (("altered", 2026, 2**63, 2**63), ("missing", 2026, 13, 13))),
    "size-absurd": Attack(
        lambda: replaced("2026/checkpoint", b"/2026\n15\n", b"/2026\n9223372036854775808\n"), (("altered", 2026, 0, 2**63 - 1),)
    ),
    "proof-of-10000": Attack(lambda: edited(put("proof", [b64(sha(b"x"))] * 10000)), (FIVE,), says="64"),
    "state-unknown": Attack(lambda: edited(put("state", "fine")), (FIVE,), says="state"),
    "masked-with-payload": Attack(lambda: listed(made.good(), masked=True), (("altered", 2026, 4, 5),), says="payload"),
    "shard-hidden": Attack(
        lambda: listed(made.good(), shards=json.loads(made.good()["manifest.json"])["shards"][1:]),
        (("altered", None, None, None),),
    ),
    "zip-dotdot": Attack(
        lambda: made.zipped(made.good() | {"../evil.txt": b"x"}), (("altered", None, None, None),), says="../evil.txt"
    ),
    "zip-two-of-a-name": Attack(two_of_a_name, (), 2, says="one name"),
    "zip-bomb": Attack(bomb, (), 2, says="4 GiB"),
}
"""Name of the golden file -> attack."""
