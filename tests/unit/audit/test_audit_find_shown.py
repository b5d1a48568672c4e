"""What `tightrope audit find` prints, and where its working papers may go."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from tightrope.audit.index.models import Position
from tightrope.audit.models import Place
from tightrope.cli import auditing


def hit(**row: Any) -> SimpleNamespace:
    """As much of a hit as the table reads."""
    nothing = {"journeys": [], "findings": [], "cited": [], "people": [], "reasons": [], "handoff": None, "turn": None}
    made = {"place": Place(2026, 1), "ts": datetime(2026, 5, 1, tzinfo=UTC), "event": "gateway:turn:made", "release": "r-1"}
    return SimpleNamespace(row=SimpleNamespace(**(nothing | made | row)), conversation_id="1-12")


def printed(monkeypatch, *hits: SimpleNamespace) -> str:
    out = StringIO()
    monkeypatch.setattr(auditing, "console", Console(file=out, width=80, color_system=None))
    position = Position(Place(2026, 9), 0, 1, None)
    found: Any = SimpleNamespace(hits=hits, records=len(hits), conversations=1, customers=1, position=position, unreadable=0)
    auditing.show(found)
    return "".join(out.getvalue().split())


def test_a_verdict_is_shown_whole_on_a_narrow_terminal(monkeypatch):
    text = printed(monkeypatch, hit(journeys=["check_margin_eligibility"], findings=["margin_eligibility=not_eligible"]))
    assert "…" not in text


def test_what_a_switch_covers_and_which_release_started_are_shown(monkeypatch):
    text = printed(
        monkeypatch,
        hit(event="operator:switch:engaged", people=["ops"], reasons=["all"]),
        hit(event="release:process:started", release="r-0123"),
        hit(release="r-4567"),
    )
    assert "opsall" in text
    assert "r-0123" in text
    assert "r-4567" not in text


def test_the_folder_of_working_papers_is_made_and_old_papers_are_kept(tmp_path: Path):
    out = tmp_path / "audit" / "papers"
    papers = {"csv": out / "sample-1.csv"}
    assert auditing._free(out, papers)
    assert out.is_dir()
    papers["csv"].write_text("old")
    assert not auditing._free(out, papers)
    assert not auditing._free(papers["csv"] / "below", papers)
