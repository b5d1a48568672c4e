"""`tightrope audit reconcile`: what a person sees, and the exit codes that a scheduler goes by."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from tightrope.cli import reconcile as command
from tightrope.infra.settings import Settings
from tightrope.reconcile.errors import ReconcileError
from tightrope.reconcile.models import Finding, Outcome, Period, Side, Talk

START = datetime(2026, 11, 20, 2, tzinfo=UTC)
HOUR = Period(START, START + timedelta(hours=1))


def shown(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, result: Outcome | ReconcileError | None, *, as_json: bool = False
) -> tuple[int, str]:
    async def run(*_: object) -> Outcome | None:
        if isinstance(result, ReconcileError):
            raise result
        return result

    monkeypatch.setattr(command, "_run", run)
    out = StringIO()
    code = command.reconcile(settings, Console(file=out, width=100), since=None, until=None, as_json=as_json)
    return code, out.getvalue()


def found(count: int = 1) -> Outcome:
    outcome = Outcome(HOUR)
    outcome.add(Talk("1-7"), [Finding("message", Side.LOG, "1-7", f"lost {n}", START, 100 + n) for n in range(count)])
    return outcome


def test_nothing_missing_is_said_and_ends_with_0(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    code, text = shown(monkeypatch, settings, Outcome(HOUR, conversations=3))
    assert code == 0
    assert "Nothing is missing" in text
    assert "2026-11-20 10:00:00 to 2026-11-20 11:00:00 (UTC+8)" in text


def test_a_finding_names_conversation_side_and_message_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    code, text = shown(monkeypatch, settings, found())
    assert code == 1
    for part in ("1-7", "log", "message 100", "11-20 10:00:00", "lost 0"):
        assert part in text


def test_more_than_fits_the_screen_is_counted(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    _, text = shown(monkeypatch, settings, found(command.SHOWN + 7))
    assert "7 more: see --json" in text


def test_json_has_all_of_it(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    code, text = shown(monkeypatch, settings, found(2), as_json=True)
    told = json.loads(text)
    assert code == 1
    assert told["ok"] is False
    assert [one["message_id"] for one in told["findings"]] == [100, 101]


def test_a_side_that_cannot_be_asked_is_named_and_ends_with_2(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    code, text = shown(monkeypatch, settings, ReconcileError("Chatwoot (http://x) could not be asked: 503"))
    assert code == 2
    assert "Nothing was compared" in text
    assert "503" in text


def test_nothing_due_says_how_to_look_again(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    code, text = shown(monkeypatch, settings, None)
    assert code == 0
    assert "--from" in text


def test_days_are_days_in_shanghai_as_everywhere_in_the_audit(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    asked: list[object] = []

    async def run(_: Settings, *period: object) -> None:
        asked.extend(period)

    monkeypatch.setattr(command, "_run", run)
    command.reconcile(settings, Console(file=StringIO()), since="2026-11-20", until="2026-11-20T09:30:00Z", as_json=False)
    assert asked == [datetime(2026, 11, 19, 16, tzinfo=UTC), datetime(2026, 11, 20, 9, 30, tzinfo=UTC)]


def test_what_is_no_day_or_time_is_refused_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    async def run(*_: object) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(command, "_run", run)
    out = StringIO()
    code = command.reconcile(settings, Console(file=out, width=120), since="[May]", until=None, as_json=False)
    assert code == 2
    assert "'[May]' is no day or time: write 2026-05-01" in out.getvalue()
