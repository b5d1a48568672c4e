"""Attacks on what an export claims (destroyed, restricted, whole conversations, receipts of others), and on a whole log; with those on exports: all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import audit_bundles as made
from audit_bundle_attacks import (
    EXPORTS,
    FIVE,
    GONE,
    WHOLE,
    Attack,
    Place,
    at_five,
    drop_payload,
    edited,
    other_bit,
    receipts,
    rewritten,
    with_story,
    without,
)
from audit_bundles import Entry, Files, Tree, b64, canonical, listed, sha

DESTRUCTION: Place = ("altered", 2026, 13, 13)


def destroyed_by(**how: Any) -> Files:
    """The destruction on record, but not as two custodians signed it."""

    def change(trees: list[Tree]) -> None:
        tail = trees[1].entries[13:]
        del trees[1].entries[13:]
        made.destroy(trees[1], **how)
        trees[1].entries += tail[1:]

    return with_story(change)


def other_signature() -> Files:
    """The second signature is of another text; the leaf names the statement as it is."""
    how = made.destruction()
    one, two = how["payload"]["statements"]
    two["signature"] = one["signature"]
    how["statements"] = [sha(canonical(item)).hex() for item in (one, two)]
    return destroyed_by(**how)


def for_other_keys() -> Files:
    how = made.destruction("aaaaaaaa-0000-4000-8000-000000000007")
    return destroyed_by(**how)


def extended(trees: list[Tree]) -> None:
    trees[1].add("audit:retention:extended", kid=made.SYSTEM_KID, kids=[made.DESTROYED_KID])
    trees[1].entries[-1].leaf["facts"]["until"] = "2051-01-01"


def unproven_destruction() -> Files:
    return edited(lambda line: line["proof"].__setitem__(0, other_bit(line["proof"][0])), 13)


def claim_restricted(line: dict[str, Any]) -> None:
    drop_payload(line)
    line["state"] = "restricted"


def restriction(change: Callable[[Tree], None]) -> Files:
    trees = made.restricted_story()
    change(trees[1])
    return made.bundle(trees, made.owned, selection=made.CUSTOMER, restricted=frozenset([made.RESTRICTED_KID]))


def opened(tree: Tree) -> None:
    tree.add("audit:subject:opened", kid=made.SYSTEM_KID, kids=[made.RESTRICTED_KID])
    tree.entries[-1].leaf["facts"]["for"] = "good"


def claiming(selection: dict[str, Any], **changes: Any) -> Files:
    return listed(made.good(), selection=selection, **changes)


def other_receipt(kind: str, body: bytes | None = None, **changes: Any) -> Files:
    """A receipt of this kind for size 15, its body that of size 12's."""

    def change(items: list[dict[str, Any]]) -> None:
        other, own = (next(i for i in items if (i["kind"], i["size"], i["shard"]) == (kind, size, 2026)) for size in (12, 15))
        own.update({"body": other["body"] if body is None else b64(body)} | changes)

    return receipts(change)


def chain_of_15() -> bytes:
    tree = made.story()[1]
    return made.certificate(tree.note(cosigned=False), tree.seen_at(15) + timedelta(seconds=50))


def other_sm3(entry: Entry) -> None:
    entry.leaf["ct_sm3"] = "00" * 32


def log_bit(name: str, at: int) -> Files:
    """The whole log of the story with one bit changed."""
    files = made.whole_log(made.story())
    data = bytearray(files[name])
    data[at] ^= 1
    return files | {name: bytes(data)}


def log_without(*names: str) -> Files:
    return {name: data for name, data in made.whole_log(made.story()).items() if name not in names}


def log_cut() -> Files:
    """Set back to twelve leaves, with the checkpoint of then; the anchors know of fifteen."""
    trees = made.story()
    del trees[1].entries[12:]
    return made.whole_log(trees) | {"anchors.json": made.whole_log(made.story())["anchors.json"]}


def log_rewritten() -> Files:
    trees = made.story()
    rewritten(trees)
    return made.whole_log(trees) | {"anchors.json": made.whole_log(made.story())["anchors.json"]}


def log_of(change: Callable[[list[Tree]], Any]) -> Files:
    trees = made.story()
    change(trees)
    return made.whole_log(trees)


CLAIMS: dict[str, Attack] = {
    "destroyed-too-early": Attack(
        lambda: made.bundle(made.story(until="2046-12-31"), made.owned, selection=made.CUSTOMER),
        (DESTRUCTION, ("altered", 2025, 2, 2)),
        says="before its last day",
    ),
    "destroyed-though-kept-longer": Attack(lambda: with_story(extended), (DESTRUCTION,), says="before its last day 2051-01-01"),
    "destroyed-on-its-last-day": Attack(
        lambda: made.bundle(made.story(until="2026-03-02"), made.owned, selection=made.CUSTOMER), (DESTRUCTION,)
    ),
    "destruction-not-in-the-tree": Attack(unproven_destruction, (DESTRUCTION, ("altered", 2025, 2, 2)), says="proof"),
    "destruction-by-one": Attack(
        lambda: destroyed_by(**made.destruction(who=(0, 0))), (DESTRUCTION, ("altered", 2025, 2, 2)), says="one person"
    ),
    "destruction-by-one-under-two-names": Attack(
        lambda: destroyed_by(**made.destruction(who=(0, 0), person="Cai")), (DESTRUCTION,), says="one person"
    ),
    "destruction-not-signed": Attack(other_signature, (DESTRUCTION,), says="not signed by two people"),
    "destruction-without-statements": Attack(
        lambda: destroyed_by(payload={"reason": "x", "statements": []}), (DESTRUCTION,), says="statements"
    ),
    "destruction-of-another-approval": Attack(
        lambda: destroyed_by(statements=[made.destruction()["statements"][0], "11" * 32]), (DESTRUCTION,), says="its statements"
    ),
    "destruction-of-other-keys": Attack(for_other_keys, (DESTRUCTION,), says="other keys"),
    "destruction-of-another-proposal": Attack(
        lambda: destroyed_by(**made.destruction(proposal="00" * 32)), (DESTRUCTION,), says="did not approve"
    ),
    "destruction-other-act": Attack(
        lambda: destroyed_by(**made.destruction(act="open")), (DESTRUCTION,), says="not sign the same"
    ),
    "destruction-by-others-than-named": Attack(
        lambda: destroyed_by(people=["00" * 32, "11" * 32]), (DESTRUCTION,), says="other people"
    ),
    "restricted-without-record": Attack(lambda: edited(claim_restricted), (GONE,), says="restricted"),
    "restricted-other-key": Attack(
        lambda: restriction(lambda tree: tree.entries[-1].leaf["facts"].update(kids=[made.KID])),
        (("missing", 2026, 15, 15),),
        says="restricted",
    ),
    "restricted-but-opened": Attack(lambda: restriction(opened), (("missing", 2026, 15, 15),), says="restricted"),
    "conversation-dropped": Attack(
        lambda: listed(without("2025-2"), selection={"conversation": None, **made.CUSTOMER}),
        (("missing", None, None, None),),
        says=f"every record of conversation {made.EARLIER}",
    ),
    "conversation-unlisted": Attack(
        lambda: claiming(made.CUSTOMER, conversations=[made.CONV]), (("altered", 2025, 2, 2),), says="does not list"
    ),
    "conversation-and-another": Attack(
        lambda: claiming({"conversation": "1-2"}), (("altered", None, None, None),), says="another number"
    ),
    "conversation-of-another": Attack(
        lambda: listed(made.good_conversation(), selection={"conversation": made.EARLIER}),
        (("altered", None, None, None),),
        says="another conversation than the one asked for",
    ),
    "worm-receipt-of-another": Attack(lambda: other_receipt("worm-s3"), (WHOLE,), says="another checkpoint"),
    "worm-receipt-empty": Attack(lambda: other_receipt("worm-s3", b"{}"), (WHOLE,), says="another checkpoint"),
    "chain-certificate-of-another": Attack(
        lambda: other_receipt("chain-http", asserted=made.time(made.story()[1].seen_at(12) + timedelta(seconds=50))),
        (WHOLE,),
        says="another checkpoint",
    ),
    "chain-time": Attack(
        lambda: other_receipt("chain-http", chain_of_15(), asserted="2026-03-02T01:00:00.000Z"), (WHOLE,), says="another time"
    ),
    "chain-no-certificate": Attack(lambda: other_receipt("chain-http", b"{}"), (WHOLE,), says="signed note"),
    "sm3-of-another": Attack(lambda: at_five(other_sm3), (FIVE,), says="SM3"),
    "log-entry-bit": Attack(lambda: log_bit("2026/tile/entries/000.p/15", -1), (("altered", 2026, 14, 14),), says="differ"),
    "log-tile-bit": Attack(lambda: log_bit("2026/tile/0/000.p/15", 5 * 32), (FIVE,), says="differ"),
    "log-entries-missing": Attack(lambda: log_without("2026/tile/entries/000.p/15"), (("missing", 2026, 0, 14),)),
    "log-tail-dropped": Attack(log_cut, (("missing", 2026, 12, 14),), says="larger tree"),
    "log-rewritten-by-key-holder": Attack(log_rewritten, (WHOLE,)),
    "log-turn-missing": Attack(
        lambda: log_of(lambda trees: trees[1].entries[7].leaf.update(turn=4) or trees[1].entries[8].leaf.update(turn=4)),
        (("missing", 2026, 6, 6),),
        says="turns 3 to 3",
    ),
    "log-destroyed-too-early": Attack(
        lambda: made.whole_log(made.story(until="2046-12-31")), (DESTRUCTION,), says="before its last day"
    ),
    "log-year-before-changed": Attack(
        lambda: log_of(lambda trees: trees[1].entries[0].leaf["facts"]["before"].update(root="00" * 32)),
        (("altered", 2026, 0, 0),),
        says="another last checkpoint",
    ),
}

ATTACKS = EXPORTS | CLAIMS
"""Name of the golden file -> attack."""
