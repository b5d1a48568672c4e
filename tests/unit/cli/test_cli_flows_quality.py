"""What `tightrope flows quality` says of figures that were measured elsewhere (tests/unit/understanding)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tightrope.cli.flows import show_quality
from tightrope.understanding import quality
from tightrope.understanding.quality import HeldOut, Quality

FOUND: dict[str, Any] = {
    "label": "check_x",
    "lines": Counter(en=60, zh=60),
    "outcomes": Counter(right=120),
    "strays": (),
    "taken": (),
    "moved": (3, 4),
    "heldout": HeldOut(3269, 298, 0.9, 0.89),
    "names": {"check x": "start flow check_x"},
}


def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **changes: Any) -> str:
    monkeypatch.setattr(quality, "measure", lambda *_: Quality(**(FOUND | changes)))
    show_quality(Path(), "check_x", [])
    printed = capsys.readouterr()
    return " ".join((printed.out + printed.err).split())


def test_held_out_lines_are_told_with_how_many_of_them_were_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(monkeypatch, capsys)
    assert "Held-out lines right: 90.0% without it, 89.0% with it (298 of 3,269)." in said
    assert "leads to" not in said


def test_without_held_out_lines_it_says_so_and_tells_no_share(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(monkeypatch, capsys, heldout=None)
    assert "There are no held-out lines." in said
    assert "%" not in said


def test_a_name_that_a_rule_leads_elsewhere_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    said = told(monkeypatch, capsys, names={"switch to English": "repeat message", "check x": "start flow check_x"})
    assert "Its own name “switch to English” leads to: repeat message" in said
    assert "“check x”" not in said
