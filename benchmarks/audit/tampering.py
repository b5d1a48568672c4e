"""Tamper classes detected, and false alarms: the verifier that every export carries, over the golden exports and logs.

    python -m benchmarks.audit tampering

Each golden attack is one class; `expected.json`, written with the golden files from the tests' own description of each attack, says how it must be named
and where. A class counts as detected only if the exit code and every one of these findings are there. A false alarm is any finding on a good export or log
but `destroyed`, with `--strict`.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tightrope.audit.verifier import verify, verify_log
from tightrope.infra.settings import REPOSITORY

GOLDEN = REPOSITORY / "tests" / "golden" / "audit" / "bundles"
UNREADABLE = "cannot be read"


@dataclass(frozen=True, slots=True)
class Judged:
    """One golden file. `kind` is the verdict that it must get; None for a good one."""

    name: str
    kind: str | None
    right: bool


def measure() -> list[Judged]:
    """Run the verifier over every golden file."""
    expected = json.loads((GOLDEN / "expected.json").read_text(encoding="utf-8"))
    files = {path.stem for path in GOLDEN.glob("*.zip")}
    if files != set(expected):
        raise SystemExit(f"golden files and expected.json differ: {sorted(files ^ set(expected))}; python -m tests.audit_bundles")
    return [_judged(name, wanted) for name, wanted in sorted(expected.items())]


def _judged(name: str, wanted: dict[str, Any]) -> Judged:
    code, found = _verdict(GOLDEN / f"{name}.zip", strict=wanted["good"])
    if wanted["good"]:
        return Judged(name, None, code == 0 and all(kind == "destroyed" for kind, *_ in found))
    places = {tuple(place) for place in wanted["found"]}
    return Judged(name, wanted["found"][0][0] if places else UNREADABLE, code == wanted["code"] and places <= found)


def _verdict(path: Path, *, strict: bool) -> tuple[int, set[tuple[Any, ...]]]:
    log = path.name.startswith(("log-", "good-log"))
    arguments = [str(path), "--policy", str(GOLDEN / "policy.txt"), "--json", *(["--strict"] if strict else [])]
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        code = verify.main(verify_log.LogCheck, [*arguments, "--leaves"]) if log else verify.main(argv=arguments)
    rows = json.loads(out.getvalue())["findings"] if out.getvalue() else []
    return code, {(row["kind"], row["shard"], row["first"], row["last"]) for row in rows}


def report(judged: list[Judged]) -> list[str]:
    """The section of the report."""
    attacks = [one for one in judged if one.kind is not None]
    good = [one for one in judged if one.kind is None]
    missed, alarms = [one.name for one in attacks if not one.right], [one.name for one in good if not one.right]
    all_of, found = Counter(one.kind for one in attacks), Counter(one.kind for one in attacks if one.right)
    lines = [
        "## Tampering",
        "",
        f"The verifier apart over the golden exports and logs (tests/golden/audit/bundles): **{len(attacks) - len(missed)} of {len(attacks)} tamper",
        f"classes detected** and named with their place, **{len(alarms)} false alarms** over {len(good)} good exports and logs (--strict).",
        "",
        "| must be named as | classes | detected | missed |",
        "| --- | --- | --- | --- |",
    ]
    for kind, count in sorted(all_of.items(), key=lambda item: str(item[0])):
        names = ", ".join(one.name for one in attacks if one.kind == kind and not one.right)
        lines.append(f"| {kind} | {count} | {found[kind]} | {names or 'none'} |")
    lines.append(f"| nothing: false alarms | {len(good)} | {len(alarms)} | {', '.join(alarms) or 'none'} |")
    return lines
