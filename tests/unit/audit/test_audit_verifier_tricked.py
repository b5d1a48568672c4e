"""Exports made to be believed, or to hold the reader up: each was believed once, or hung."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import audit_bundles as made
import pytest
from audit_bundles import WITNESSES, canonical, listed

from tightrope.audit.verifier import verify, verify_notes

SCRIPT = Path(verify.__file__)


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", str(SCRIPT), str(folder), *options]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env={}, check=False, timeout=60)


@pytest.fixture
def trusted(tmp_path: Path) -> str:
    (tmp_path / "trusted.txt").write_bytes(made.policy(made.story()))
    return str(tmp_path / "trusted.txt")


def test_a_record_behind_the_last_line_is_seen(tmp_path: Path, trusted: str) -> None:
    """Other programs read a last line that does not end; the verifier passed it over."""
    files = made.good()
    invented = files["records.jsonl"].split(b"\n")[0].replace(b'"active"', b'"destroyed"')
    files = listed(files | {"records.jsonl": files["records.jsonl"] + invented})
    done = run(made.write(files, tmp_path / "b"), "--policy", trusted)
    assert done.returncode == 1, done.stdout
    assert "altered     -  file records.jsonl: after its last line" in done.stdout


def test_a_pipe_in_the_folder_does_not_hang_the_reader(tmp_path: Path, trusted: str) -> None:
    folder = made.write(made.good(), tmp_path / "b")
    os.mkfifo(folder / "x")
    done = run(folder, "--policy", trusted)
    assert done.returncode == 2
    assert "no plain file" in done.stderr


def test_what_cannot_be_read_moves_no_cursor(tmp_path: Path) -> None:
    files = made.good() | {"policy.txt": b"log \x1b[2J\x1b[1;1HRESULT-nothing-missing+00000000+AAAA\nquorum none\n"}
    done = run(made.write(files, tmp_path / "b"))
    assert done.returncode == 2
    assert "\x1b" not in done.stderr


def test_a_selection_of_a_part_is_not_taken_for_the_whole(tmp_path: Path, trusted: str) -> None:
    """Nobody signs the selection: one more word in it took the search for gaps away without a sound."""
    files = made.good()
    manifest = json.loads(files["manifest.json"])
    manifest["selection"]["to"] = "9999-12-31"
    done = run(made.write(files | {"manifest.json": canonical(manifest)}, tmp_path / "b"), "--policy", trusted)
    assert "turns: NOT looked at for gaps" in done.stdout


@pytest.mark.parametrize("place", ["contentx", "factsx"])
def test_a_leaf_with_a_field_more_beside_a_free_one(tmp_path: Path, place: str) -> None:
    tree = made.story()[0]
    tree.entries[0].leaf[place] = {}
    files = made.bundle([tree], lambda *_: True)
    done = run(made.write(files, tmp_path / "b"))
    assert done.returncode == 1, done.stdout
    assert "the leaf has not the fields" in done.stdout


def test_a_signature_that_is_repeated_is_reckoned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small zip can hold millions of them, at some milliseconds each."""
    note = made.story()[1].note(12)
    head, _, tail = note.partition(b"\n\n")
    notes = verify_notes.Notes()
    notes.policy(made.policy(made.story()).decode())
    reckoned = []
    point = verify_notes.point
    monkeypatch.setattr(verify_notes, "point", lambda data: reckoned.append(data) or point(data))
    verify_notes.ed25519.cache_clear()
    notes.checkpoint(head + b"\n\n" + tail * 50)
    assert len(reckoned) <= 2 * (1 + len(WITNESSES))


def test_a_time_stamp_that_anybody_can_write_hides_no_late_record(tmp_path: Path) -> None:
    """Written a day after its own time; a token without a good signature, laid beside afterwards, said that it was there in time."""

    class Later(made.Tree):
        def seen_at(self, size: int) -> datetime:
            return super().seen_at(size) + timedelta(days=1)

    tree = Later(2025, made.story()[0].entries)
    files = made.bundle([tree], lambda *_: True)
    late = run(made.write(files, tmp_path / "late"), "--strict")
    assert (late.returncode, "first outside anchor came later" in late.stdout) == (1, True)
    note, at = tree.note(3, cosigned=False), made.START[2025] + timedelta(seconds=30)
    forged = made.anchors(tree, [3])[2] | {"asserted": None, "body": made.b64(made.token(note, at))}
    items = [*json.loads(files["anchors.json"]), forged]
    done = run(made.write(listed(files | {"anchors.json": canonical(items)}), tmp_path / "b"), "--strict")
    assert (done.returncode, "first outside anchor came later" in done.stdout) == (1, True), done.stdout
