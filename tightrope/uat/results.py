"""A run as plain data: what is written to a file, shown in the report and signed.

One representation for all three, so that what was signed is what was read. `canonical` is the text whose hash counts: JSON with sorted
keys and no spaces; how long things took is left out, since it decides nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from tightrope.uat.models import (
    Act,
    Break,
    CaseResult,
    Choose,
    Finding,
    GiveBack,
    Login,
    Logout,
    Played,
    Press,
    RunResult,
    Say,
    Switch,
    Wait,
)

VERSION: Final = 1


def as_data(run: RunResult, day: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A run as JSON data; `day` is the figure of the realistic day, if it was played.

    Conversations of the day are measured: they count in its figure, not among what passed and failed. Were each of them a gate, somebody
    would soon train on them.
    """
    cases = [_case(result) for result in run.results]
    data: dict[str, Any] = {
        "version": VERSION,
        "release": run.release,
        "model": run.model,
        "started": run.started.isoformat(timespec="seconds"),
        "seconds": round(run.seconds, 1),
        "passed": sum(1 for case in cases if case["passed"] and not case["reason"]),
        "failed": sum(1 for case in cases if not case["passed"] and not case["reason"]),
        "cases": cases,
        "notes": list(run.notes),
    }
    if day is not None:
        data["day"] = dict(day)
    return data


def _case(result: CaseResult) -> dict[str, Any]:
    case = result.case
    return {
        "id": case.id,
        "title": case.title,
        "journey": case.journey,
        "kind": case.kind,
        "language": case.language,
        "customer": case.customer,
        "red_line": case.red_line,
        "twin": case.twin,
        "reason": case.reason,
        "note": case.note,
        "file": case.file,
        "line": case.line,
        "digest": case.digest,
        "wanted": " or ".join(case.outcomes),
        "outcome": result.outcome,
        "passed": result.passed,
        "broke": result.broke,
        "red_lines_broken": list(result.red_lines),
        "findings": [_finding(item) for item in result.findings],
        "steps": [_step(step) for step in result.played],
        "source": dict(case.source),
        "seconds": round(result.seconds, 3),
    }


def _step(step: Played) -> dict[str, Any]:
    return {
        "did": did(step.did),
        "shown": [{"text": one.text, "response": one.response, "buttons": list(one.buttons)} for one in step.shown],
        "asides": list(step.asides),
        "findings": [_finding(item) for item in step.findings],
    }


def _finding(item: Finding) -> dict[str, Any]:
    return {"what": item.what, "wanted": item.wanted, "got": item.got, "red_line": item.red_line}


def did(act: Act) -> dict[str, Any]:
    """An act as a case file says it."""
    match act:
        case Say(text):
            return {"say": text}
        case Press(title):
            return {"press": title}
        case Choose(title):
            return {"choose": title}
        case Login(customer):
            return {"login": customer}
        case Logout():
            return {"logout": True}
        case Wait(minutes):
            return {"wait": minutes}
        case Switch(scope, off):
            return {"switch_off" if off else "switch_on": scope}
        case GiveBack():
            return {"give_back": True}
        case Break(faults):
            return {"faults": [{"fault": one.fault, "operation": one.operation, "times": one.times} for one in faults]}


def canonical(data: Mapping[str, Any]) -> bytes:
    """The text of a run whose hash counts."""
    return json.dumps(_timeless(data), ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _timeless(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _timeless(item) for key, item in value.items() if key != "seconds"}
    return [_timeless(item) for item in value] if isinstance(value, list | tuple) else value


def digest(data: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical text, in hex."""
    return hashlib.sha256(canonical(data)).hexdigest()


def write(data: Mapping[str, Any], path: Path) -> None:
    """Write a run.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> dict[str, Any]:
    """A run that `write` wrote.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no run of this version.
    """
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict) or found.get("version") != VERSION or not isinstance(found.get("cases"), list):
        raise ValueError(f"{path} is no run of `tightrope uat run`")
    return found


# figures


def twins(cases: Iterable[Mapping[str, Any]]) -> tuple[int, int, list[str]]:
    """Twins that were not served, of how many played, and their ids."""
    by_id = {case["id"]: case for case in cases}
    named = [by_id[case["twin"]] for case in by_id.values() if case["twin"] in by_id]
    refused = [case["id"] for case in named if not case["passed"]]
    return len(refused), len(named), refused


def share(part: int, whole: int) -> str:
    """`12 of 40 (30.0 %)`."""
    return f"{part} of {whole}" + (f" ({100 * part / whole:.1f} %)" if whole else "")
