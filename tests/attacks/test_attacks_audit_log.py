"""Attacks on a whole log: entries, tiles, checkpoints and anchors, each found and named with its index range by `verify_log.py`."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import audit_bundles as made
import pytest
from audit_bundles import Files, Tree, canonical, policy, story

from tightrope.audit.verifier import verify_log

BIG = 600
Places = set[tuple[Any, ...]]


def checked(folder: Path, *options: str) -> tuple[int, dict[str, Any], Places]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = verify_log.main(verify_log.LogCheck, [str(folder), "--json", *options])
    report = json.loads(out.getvalue() or json.dumps({"findings": [], "notes": [err.getvalue()]}))
    return code, report, {(item["kind"], item["shard"], item["first"], item["last"]) for item in report["findings"]}


@lru_cache(maxsize=1)
def big_tree() -> Tree:
    """One shard of 600 leaves: two whole tiles, one partial, one tile of level 1."""
    tree = Tree(2026)
    tree.add("log:shard:opened")
    for n in range(1, BIG):
        tree.add(*(("log:sequencer:beat",) if n % 6 == 0 else ("customer:message:received",)), conv=made.CONV, turn=n)
    return tree


@lru_cache(maxsize=1)
def big_files() -> Files:
    return made.whole_log([big_tree()], lambda _: list(range(50, BIG + 1, 50)))


@pytest.fixture
def log(tmp_path: Path) -> Callable[..., tuple[int, dict[str, Any], Places]]:
    """Writes a log folder and the true policy apart, and checks it."""

    def check(files: Files, *options: str, trees: list[Tree] | None = None) -> tuple[int, dict[str, Any], Places]:
        folder = made.write(files, tmp_path / "log")
        (tmp_path / "policy.txt").write_bytes(policy(trees or [big_tree()]))
        return checked(folder, "--policy", str(tmp_path / "policy.txt"), *options)

    return check


def flipped(name: str, at: int) -> Files:
    data = bytearray(big_files()[name])
    data[at] ^= 1
    return big_files() | {name: bytes(data)}


def less(*names: str) -> Files:
    return {name: data for name, data in big_files().items() if name not in names}


def test_a_good_log_has_no_finding(log: Any) -> None:
    code, report, places = log(big_files(), "--leaves")
    assert (code, places) == (0, set())
    assert report["checkpoints"][0]["size"] == BIG
    assert report["notes"]


def test_a_good_story_of_two_years_has_no_finding(log: Any) -> None:
    code, _, places = log(made.whole_log(story()), "--leaves", trees=story())
    assert (code, places) == (0, set())


def test_a_bit_of_an_entry(log: Any) -> None:
    # the last byte of the first bundle belongs to entry 255
    assert log(flipped("2026/tile/entries/000", -1))[0::2] == (1, {("altered", 2026, 255, 255)})


def test_a_bit_of_the_last_partial_bundle(log: Any) -> None:
    assert log(flipped("2026/tile/entries/002.p/88", -1))[0::2] == (1, {("altered", 2026, 599, 599)})


def test_a_bit_of_a_tile(log: Any) -> None:
    assert log(flipped("2026/tile/0/001", 32 * 10))[0::2] == (1, {("altered", 2026, 266, 266)})


def test_a_bit_of_a_tile_above(log: Any) -> None:
    assert log(flipped("2026/tile/1/000.p/2", 32))[0::2] == (1, {("altered", 2026, 256, 511)})


def test_entry_and_tile_changed_together(log: Any) -> None:
    tree = replace(big_tree(), entries=list(big_tree().entries))
    tree.entries[300] = replace(tree.entries[300], raw=tree.entries[300].bytes.replace(b"gw-1", b"gw-2"))
    forged = made.log_files(tree, "2026/")
    names = ("2026/tile/entries/001", "2026/tile/0/001")
    code, _, places = log(big_files() | {name: forged[name] for name in names})
    assert code == 1
    assert ("altered", 2026, 256, 511) in places  # the hash in the tile above no longer fits


def test_a_whole_branch_changed_together(log: Any) -> None:
    tree = replace(big_tree(), entries=list(big_tree().entries))
    tree.entries[300] = replace(tree.entries[300], raw=tree.entries[300].bytes.replace(b"gw-1", b"gw-2"))
    forged = {name: data for name, data in made.log_files(tree, "2026/").items() if "tile" in name}
    code, _, places = log(big_files() | forged)
    assert (code, places) == (1, {("altered", 2026, 300, 599), ("unwitnessed", 2026, 300, 599)})


@pytest.mark.parametrize("at", [0, 300, 700])
def test_a_length_in_a_bundle(log: Any, at: int) -> None:
    code, _, places = log(
        flipped("2026/tile/entries/000", at)
        if at == 0
        else big_files() | {"2026/tile/entries/000": big_files()["2026/tile/entries/000"][:at]}
    )
    assert code == 1
    assert any(kind == "altered" and last == 255 for kind, _, _, last in places)


def test_a_missing_bundle(log: Any) -> None:
    assert log(less("2026/tile/entries/001"))[0::2] == (1, {("missing", 2026, 256, 511)})


def test_a_missing_tile(log: Any) -> None:
    assert log(less("2026/tile/0/001"))[0::2] == (1, {("missing", 2026, 256, 511)})


def test_a_missing_tile_above(log: Any) -> None:
    assert log(less("2026/tile/1/000.p/2"))[0::2] == (1, {("missing", 2026, 0, 511)})


def test_entries_and_tile_missing_in_the_middle_leave_the_rest_checked(log: Any) -> None:
    code, report, places = log(less("2026/tile/entries/001", "2026/tile/0/001"))
    assert (code, places) == (1, {("missing", 2026, 256, 511)})
    assert not any("cannot be computed" in note for note in report["notes"] if "600" in note)


def test_entries_and_tile_missing_at_the_end(log: Any) -> None:
    code, _, places = log(less("2026/tile/entries/002.p/88", "2026/tile/0/002.p/88"))
    assert code == 1
    assert ("missing", 2026, 512, 599) in places


def test_the_tail_is_dropped(log: Any) -> None:
    """The log set back to its 300 first leaves with a checkpoint that was good then; an anchor knows of 600."""
    short = replace(big_tree(), entries=big_tree().entries[:300])
    files = made.log_files(short, "2026/") | {"anchors.json": big_files()["anchors.json"]}
    assert log(files)[0::2] == (1, {("missing", 2026, 300, 599)})


def test_a_conversation_is_dropped_and_the_log_made_again_with_its_key(log: Any) -> None:
    tree = Tree(2026, [entry for n, entry in enumerate(big_tree().entries) if not 310 <= n < 320], witnesses=())
    files = made.log_files(tree, "2026/") | {"anchors.json": big_files()["anchors.json"]}
    code, _, places = log(files)
    assert code == 1
    assert ("missing", 2026, 590, 599) in places  # a larger tree was signed
    assert ("unwitnessed", 2026, 300, 589) in places


def test_rewritten_from_genesis_with_the_logs_key(log: Any) -> None:
    tree = replace(big_tree(), entries=list(big_tree().entries), witnesses=())
    tree.entries[0] = replace(tree.entries[0], raw=tree.entries[0].bytes.replace(b"gw-1", b"gw-2"))
    files = made.log_files(tree, "2026/")
    assert log(files | {"anchors.json": b"[]"})[2] >= {("unwitnessed", 2026, 0, 599)}
    code, _, places = log(files | {"anchors.json": big_files()["anchors.json"]})
    assert code == 1
    assert ("altered", 2026, 0, 599) in places


def test_strict_counts_what_nobody_witnessed(log: Any) -> None:
    files = made.log_files(replace(big_tree(), witnesses=()), "2026/")
    assert log(files)[0] == 0
    assert log(files, "--strict")[0] == 1


def test_a_fork(log: Any) -> None:
    other = replace(big_tree(), entries=list(big_tree().entries))
    other.entries[400] = replace(other.entries[400], raw=other.entries[400].bytes.replace(b"gw-1", b"gw-2"))
    items = json.loads(big_files()["anchors.json"])
    items.append(items[-1] | {"checkpoint": other.note(cosigned=False).decode()})
    code, _, places = log(big_files() | {"anchors.json": canonical(items)})
    assert code == 1
    assert ("altered", 2026, 0, 599) in places


def test_clocks(log: Any) -> None:
    tree = replace(big_tree(), entries=list(big_tree().entries))
    for index, hours in ((50, -2), (60, 2)):
        leaf = dict(tree.entries[index].leaf)
        leaf["ts"] = made.time(made.datetime.fromisoformat(leaf["ts"]) + timedelta(hours=hours))
        tree.entries[index] = replace(tree.entries[index], leaf=leaf)
    # anchored every 300 leaves (50 minutes): with the limit of an hour nothing else is late
    code, _, places = log(made.whole_log([tree], lambda _: [300, BIG]), "--late-minutes", "60")
    assert (code, places) == (1, {("late", 2026, 50, 50), ("altered", 2026, 60, 60)})


def test_nothing_anchored_is_late(log: Any) -> None:
    tree = replace(big_tree(), witnesses=())
    code, _, places = log(made.log_files(tree, "2026/"))
    assert code == 0
    assert ("late", 2026, 0, 538) in places  # the last ten minutes are not late yet


@pytest.mark.parametrize("kind", ["witness-c2sp", "worm-s3", "chain-http", "what-is-this"])
def test_a_time_that_nothing_bears_out_is_no_outside_clock(log: Any, kind: str) -> None:
    """A receipt without a known cosignature or a stamp cannot make late records early."""
    tree = replace(big_tree(), witnesses=())
    files = made.log_files(tree, "2026/")
    early = tree.entries[0].leaf["ts"]
    note = files["2026/checkpoint"]
    bodies = {"worm-s3": made.kept(2026, BIG, note), "chain-http": made.certificate(note, tree.seen_at(0))}
    item = {
        "anchor": "nobody",
        "kind": kind,
        "shard": 2026,
        "size": len(tree.entries),
        "received": early,
        "asserted": early,
        "body": made.b64(bodies.get(kind, b"")),
    }
    if kind == "chain-http":
        item["asserted"] = made.time(tree.seen_at(0))
    files["anchors.json"] = made.canonical([item | {"checkpoint": note.decode()}])
    code, _, places = log(files)
    assert code == 0
    assert ("late", 2026, 0, 538) in places


def test_heartbeats_stop_and_gaps_are_declared(log: Any) -> None:
    tree = Tree(2026)
    tree.add("log:shard:opened")
    for n in range(1, 40):
        tree.add(
            "log:gap:declared"
            if n == 30
            else "log:sequencer:beat"
            if n < 10 or (n > 20 and not 25 < n < 35)
            else "bot:message:sent"
        )
    _, report, _ = log(made.whole_log([tree]), trees=[tree])
    said = [note for note in report["notes"] if "heartbeat" in note or "gap" in note]
    assert [note[: note.index(" ", 14)] for note in said if "gap" in note]
    assert any("2026/9..21 for 120 s, NOT DECLARED" in note for note in said)
    assert any("2026/25..35 for 100 s, declared" in note for note in said)


@pytest.mark.parametrize(
    ("facts", "place"),
    [
        ({"root": "00" * 32}, ("altered", 2026, 0, 0)),
        ({"size": 2}, ("altered", 2026, 0, 0)),
        ({"size": 9}, ("missing", 2025, 3, 8)),
        ({"size": "x"}, ("altered", 2026, 0, 0)),
    ],
)
def test_the_link_to_the_year_before(log: Any, facts: dict[str, Any], place: tuple[Any, ...]) -> None:
    trees = story()
    trees[1].entries[0].leaf["facts"]["before"] |= facts
    code, _, places = log(made.whole_log(trees), trees=trees)
    assert (code, places) == (1, {place})


def test_the_year_before_is_not_here(log: Any) -> None:
    code, report, places = log(made.whole_log(story()[1:]), trees=story())
    assert (code, places) == (0, set())
    assert any("2025 is not here" in note for note in report["notes"])


def test_a_first_leaf_that_opens_no_shard(log: Any) -> None:
    tree = Tree(2026)
    tree.add("log:sequencer:beat")
    assert log(made.whole_log([tree]), trees=[tree])[0::2] == (1, {("altered", 2026, 0, 0)})


def test_a_leaf_with_a_key_twice_is_found_when_leaves_are_read(log: Any) -> None:
    tree = replace(story()[1])
    tree.entries[5].raw = tree.entries[5].bytes.replace(b'"event":', b'"event":"a:b:c","event":')
    files = made.whole_log([tree])
    assert log(files, trees=[tree])[2] == set()
    assert log(files, "--leaves", trees=[tree])[0::2] == (1, {("altered", 2026, 5, 5)})


@pytest.mark.parametrize("size", [2**63 - 1, 10**18, 5000])
def test_an_absurd_size_ends_at_once(log: Any, size: int) -> None:
    tree = big_tree()
    text = f"{tree.origin}\n{size}\n{made.b64(tree.root())}\n".encode()
    started = time.monotonic()
    code, _, places = log(big_files() | {"2026/checkpoint": text + b"\n" + tree.log_key.line(text)})
    assert code == 1
    assert any(kind == "missing" and last == size - 1 for kind, _, _, last in places)
    assert time.monotonic() - started < 20


def test_a_log_of_one_year_and_an_empty_one(log: Any, tmp_path: Path) -> None:
    tree = Tree(2027)
    made.START[2027] = made.START[2026]
    code, _, places = log(made.log_files(big_tree()), trees=[big_tree()])
    assert code == 0
    assert {kind for kind, *_ in places} <= {"late"}
    empty = made.write({"checkpoint": tree.note()}, tmp_path / "empty")
    (tmp_path / "p").write_bytes(policy([tree]))
    assert checked(empty, "--policy", str(tmp_path / "p"))[0::2] == (0, set())


def test_no_log_at_all(log: Any, tmp_path: Path) -> None:
    code, report, _ = log({"x": b""})
    assert code == 2
    assert "verify.py" in report["notes"][0]


def test_a_key_destroyed_too_early_is_found_when_leaves_are_read(log: Any) -> None:
    trees = story(until="2046-12-31")
    assert log(made.whole_log(trees), trees=trees)[2] == set()
    code, report, places = log(made.whole_log(trees), "--leaves", trees=trees)
    assert (code, places) == (1, {("altered", 2026, 13, 13)})
    assert "destroys the key of record 2025/2 before its last day 2046-12-31 is over" in report["findings"][0]["what"]
    assert any("NOT checked: they lie encrypted" in note for note in report["notes"])
