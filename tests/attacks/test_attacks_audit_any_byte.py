"""Any byte changed anywhere is found; nothing is found where nothing was done."""

from __future__ import annotations

import contextlib
import io
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import audit_bundles as made
import pytest
from audit_bundles import CONV, Files, Tree, canonical, listed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tightrope.audit.verifier import verify, verify_log

EVENTS = ("customer:message:received", "gateway:turn:made", "log:sequencer:beat", "bot:message:sent", "log:gap:declared")
slow = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])


def run(module: Any, *options: str) -> tuple[int, dict[str, Any]]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = module.main(module.LogCheck if module is verify_log else verify.Check, [*options, "--json"])
    return code, json.loads(out.getvalue() or json.dumps({"findings": [], "notes": [err.getvalue()]}))


@lru_cache(maxsize=1)
def small() -> Files:
    """A short good bundle of one shard."""
    tree = Tree(2026)
    tree.add("log:shard:opened")
    for turn in (1, 2):
        tree.add("customer:message:received", conv=CONV, turn=turn)
    return made.bundle([tree], lambda *_: True, selection={"conversation": CONV})


@lru_cache(maxsize=1)
def small_log() -> Files:
    tree = Tree(2026)
    tree.add("log:shard:opened")
    for n in range(1, 300):
        tree.add("customer:message:received", conv=CONV, turn=n)
    return made.whole_log([tree], lambda _: [60, 120, 180, 240, 300])


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    (tmp_path / "trusted.txt").write_bytes(made.policy([Tree(2026)]))
    return tmp_path


def changed(files: Files, data: st.DataObject, name: str) -> Files:
    at = data.draw(st.integers(0, len(files[name]) - 1), label="offset")
    flip = data.draw(st.integers(1, 255), label="xor")
    content = bytearray(files[name])
    content[at] ^= flip
    return files | {name: bytes(content)}


def harmless(before: bytes, after: bytes) -> bool:
    """Only what nothing in the bundle binds: when it was made and what was asked for (and blanks between). The report's hash tells it."""
    try:
        one, two = json.loads(before), json.loads(after)
    except ValueError:
        return False
    return all(one[name] == two.get(name) for name in one if name not in ("made", "selection")) and one.keys() == two.keys()


@slow
@given(data=st.data())
def test_any_byte_of_any_file_of_an_export(trusted: Path, data: st.DataObject) -> None:
    good = small()
    name = data.draw(st.sampled_from(sorted(good)), label="file")
    bad = changed(good, data, name)
    (trusted / "bad.zip").write_bytes(made.zipped(bad))

    code, report = run(verify, str(trusted / "bad.zip"), "--policy", str(trusted / "trusted.txt"))

    if name == "manifest.json" and harmless(good[name], bad[name]):
        assert code == 2 or f"manifest SHA-256 {made.sha(bad[name]).hex()}" in " ".join(report["notes"])
    else:
        assert code in (1, 2), report
        assert code == (2 if not report["findings"] else 1)


@slow
@given(data=st.data())
def test_any_letter_of_a_record_though_the_manifest_is_made_right(trusted: Path, data: st.DataObject) -> None:
    good = small()
    lines = [json.loads(raw) for raw in good["records.jsonl"].splitlines()]
    line = lines[data.draw(st.integers(1, 2), label="record")]
    field = data.draw(st.sampled_from(["leaf", "ct", "payload", "salt", "proof"]), label="field")
    text = line["proof"][0] if field == "proof" else line[field]
    at = data.draw(st.integers(0, len(text) - 1), label="offset")
    letter = data.draw(st.characters(blacklist_categories=["Cs"]).filter(lambda c: c != text[at]), label="letter")
    text = text[:at] + letter + text[at + 1 :]
    line[field] = [text, *line["proof"][1:]] if field == "proof" else text
    bad = listed(good | {"records.jsonl": b"".join(canonical(item) + b"\n" for item in lines)})
    (trusted / "bad.zip").write_bytes(made.zipped(bad))

    code, report = run(verify, str(trusted / "bad.zip"), "--policy", str(trusted / "trusted.txt"))

    assert code == 1
    assert ("altered", line["index"]) in {(item["kind"], item["first"]) for item in report["findings"]}


@slow
@given(data=st.data())
def test_any_byte_of_the_checkpoint_though_the_manifest_is_made_right(trusted: Path, data: st.DataObject) -> None:
    """A changed name of a witness makes his line one of an unknown key: then the checkpoint has no quorum."""
    bad = listed(changed(small(), data, "2026/checkpoint"))
    (trusted / "bad.zip").write_bytes(made.zipped(bad))

    code, report = run(verify, str(trusted / "bad.zip"), "--policy", str(trusted / "trusted.txt"))

    assert code == 1  # at least the tlog-proofs, which hold the checkpoint as it was
    assert report["findings"]


@slow
@given(data=st.data())
def test_any_byte_of_a_tile_or_bundle_of_a_log(trusted: Path, data: st.DataObject) -> None:
    good = small_log()
    name = data.draw(st.sampled_from(sorted(name for name in good if "tile" in name)), label="file")
    folder = made.write(changed(good, data, name), trusted / "log")

    code, report = run(verify_log, str(folder), "--policy", str(trusted / "trusted.txt"))

    made.write({name: good[name]}, folder)
    assert code == 1
    assert report["findings"]


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), size=st.integers(1, 40), masked=st.booleans(), whole=st.booleans())
def test_good_exports_have_no_finding(trusted: Path, data: st.DataObject, size: int, masked: bool, whole: bool) -> None:
    trees, turn, owned = [Tree(2025), Tree(2026)][data.draw(st.integers(0, 1)) :], 0, 0
    for tree in trees:
        before = trees[0] if tree is not trees[0] else None
        link = {"origin": before.origin, "size": len(before.entries), "root": before.root().hex()} if before else None
        tree.add("log:shard:opened", before=link)
        for _ in range(size - 1):
            event = data.draw(st.sampled_from(EVENTS))
            turn += event == "customer:message:received" or (turn == 0 and event == "gateway:turn:made")
            own = not event.startswith("log:")
            owned += own
            tree.add(event, conv=CONV if own else None, turn=turn or None if own else None)
    whole = whole and owned > 0  # an export without a record has a finding, see test_attacks_audit_bundle
    chosen = data.draw(st.sets(st.integers(0, size - 1), min_size=1))
    restricted = frozenset(data.draw(st.sets(st.just(made.KID))))
    if restricted:
        trees[-1].add("audit:subject:restricted", kid=made.SYSTEM_KID, kids=sorted(restricted), ground="pipl-47")
    files = made.bundle(
        trees,
        lambda _, index, entry: (
            entry.leaf["event"] in made.KINDS[:-1] or (entry.leaf["conv"] == CONV if whole else index in chosen)
        ),
        masked=masked,
        selection={"conversation": CONV} if whole else {"period": "2026"},
        restricted=restricted,
    )
    (trusted / "policy.txt").write_bytes(made.policy(trees))
    (trusted / "good.zip").write_bytes(made.zipped(files))

    code, report = run(verify, str(trusted / "good.zip"), "--policy", str(trusted / "policy.txt"), "--strict")

    assert (code, report["findings"]) == (0, [])


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), size=st.one_of(st.integers(1, 20), st.sampled_from([255, 256, 257, 511, 512, 513, 600])))
def test_good_logs_have_no_finding(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, size: int) -> None:
    tree = Tree(2026)
    tree.add("log:shard:opened")
    for turn in range(1, size):
        event = data.draw(st.sampled_from(EVENTS)) if size < 20 else EVENTS[turn % 5]
        tree.add(event, conv=CONV, turn=turn)
    folder = made.write(made.whole_log([tree], lambda _: [*range(50, size, 50), size]), tmp_path_factory.mktemp("log"))

    code, report = run(verify_log, str(folder), "--strict", "--leaves")

    assert (code, report["findings"]) == (0, [])
