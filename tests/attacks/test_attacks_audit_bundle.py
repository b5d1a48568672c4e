"""Attacks on exports of the audit log: each must be found, and named with its kind and its place, by the verifier that shares no code with the writer."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import audit_bundles as made
import pytest
from audit_bundle_attacks import ATTACKS

from tightrope.audit.verifier import verify

GOLDEN = made.GOLDEN


def checked(path: Path, *options: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, report, and what was said on stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = verify.main(argv=[str(path), "--json", *options])
    return code, json.loads(out.getvalue() or "{}"), err.getvalue()


def places(report: dict[str, Any]) -> set[tuple[Any, ...]]:
    return {(item["kind"], item["shard"], item["first"], item["last"]) for item in report.get("findings", [])}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_found_and_named(name: str) -> None:
    attack = ATTACKS[name]

    code, report, said = checked(GOLDEN / f"{name}.zip", "--policy", str(GOLDEN / "policy.txt"))

    words = said + " ".join(item["what"] for item in report.get("findings", []))
    assert code == attack.code, words
    assert set(attack.found) <= places(report), words
    assert attack.says in words


@pytest.mark.parametrize("name", ATTACKS)
def test_the_golden_bundle_is_what_its_script_makes(name: str) -> None:
    tampered = ATTACKS[name].make()
    assert (GOLDEN / f"{name}.zip").read_bytes() == (tampered if isinstance(tampered, bytes) else made.zipped(tampered))
