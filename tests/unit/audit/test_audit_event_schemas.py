"""The closed list of events: enum, index and schema files agree, what code writes is declared, and what was once written stays readable."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from event_schemas import FOLDER, faults, index, watch_recorder
from jsonschema import Draft202012Validator

from tightrope.audit.leaf import check_facts
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.recorder import Recorder

ROOT = FOLDER.parents[2]
GOLDEN = ROOT / "tests/golden/audit/events"


def test_enum_index_and_files_agree() -> None:
    assert [entry["event"] for entry in index() if entry["version"] == 1] == [str(event) for event in Event]
    assert {entry["schema"] for entry in index()} == {path.name for path in FOLDER.glob("*.schema.json")}
    for entry in index():
        assert entry["schema"] == f"{entry['event'].replace(':', '.')}.v{entry['version']}.schema.json"
        schema = json.loads((FOLDER / entry["schema"]).read_text(encoding="utf-8"))
        Draft202012Validator.check_schema(schema)
        assert schema["title"].startswith(f"{entry['event']}, version {entry['version']}: ")


def _named_by(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Event":
            yield node.attr


def test_every_event_that_a_module_names_says_so_in_the_index_and_none_claims_a_writer_it_has_not() -> None:
    """Readers (the console, and audit/ apart from those that write about the log itself) name events as well and are left out."""
    readers = {"trail.py", "wording.py", "render.py", "models.py", "completeness.py", "exchanges.py"}
    named: dict[str, set[str]] = {}
    for path in (ROOT / "tightrope").rglob("*.py"):
        if path.parent.name != "console" and (path.parent.name != "audit" or path.name not in readers):
            for name in _named_by(path):
                if name in Event.__members__:
                    named.setdefault(str(Event[name]), set()).add(path.name)
    for entry in index():
        if entry["writer"].startswith("not written"):
            assert entry["event"] not in named, f"{entry['event']} is written by {named[entry['event']]}: say so in the index"
            assert len(entry["writer"]) > len("not written: "), "and why not"
        elif not entry["writer"].startswith("tightrope/audit"):
            modules = re.findall(r"\w+\.py", entry["writer"])
            assert named.get(entry["event"], set()) >= set(modules), f"{entry['event']} is not written by {entry['writer']}"


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_what_was_written_once_stays_readable(path: Path) -> None:
    kept = json.loads(path.read_text(encoding="utf-8"))
    leaf = json.loads(kept["leaf"])
    assert faults(leaf["event"], leaf["facts"], kept["payload"]) == []
    check_facts(leaf["facts"])


def test_golden_records_exist_for_each_version_of_what_conversations_hold() -> None:
    kept = {json.loads(json.loads(path.read_text(encoding="utf-8"))["leaf"])["event"] for path in GOLDEN.glob("*.json")}
    wanted = {
        "customer:message:received", "gateway:turn:made", "gateway:turn:refused", "outbox:message:sent", "gateway:handoff:opened",
        "gateway:conversation:opened", "gateway:conversation:resolved", "gateway:disclosure:shown", "inbox:message:deleted",
        "outbox:message:blocked",
    }  # fmt: skip
    assert wanted <= kept


@pytest.mark.parametrize(
    ("event", "facts", "payload", "fault"),
    [
        ("gateway:handoff:opened", {"reason": "boredom", "priority": "high"}, {}, "reason"),
        ("gateway:handoff:opened", {"reason": "request"}, {}, "priority"),
        ("customer:message:received", {"message_id": 5, "name": "Ana"}, {"content": "x", "attachments": []}, "name"),
        ("operator:switch:engaged", {"scope": "everything"}, {"reason": "r", "who": "w"}, "scope"),
        ("gateway:turn:made", {}, {}, "decision"),
    ],
)
def test_what_is_missing_unknown_or_outside_a_closed_list_is_a_fault(event: str, facts: Any, payload: Any, fault: str) -> None:
    assert any(fault in found for found in faults(event, facts, payload))


def test_a_version_that_nobody_knows_is_a_fault() -> None:
    with pytest.raises(AssertionError, match="version 9"):
        faults("gateway:handoff:opened", {"v": 9}, {})


def test_the_watch_stops_our_own_code_and_not_what_tests_make_up(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []
    monkeypatch.setattr(Recorder, "record", lambda _self, _conn, draft: taken.append(draft))
    end = watch_recorder()
    try:
        draft = RecordDraft(Event.HANDOFF_OPENED, facts={"reason": "boredom"})
        Recorder.record(None, None, draft)
        assert taken == [draft]
        with pytest.raises(AssertionError, match="outside its schema"):
            eval(
                "Recorder.record(None, None, draft)",
                {"__name__": "tightrope.gateway.drain", "Recorder": Recorder, "draft": draft},
            )
    finally:
        end()
