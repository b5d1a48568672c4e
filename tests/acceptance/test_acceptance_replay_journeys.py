"""A conversation of each file of acceptance cases, played in the demo and run again from its record: every journey, every rule."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from demo_world import RunningDemo

from tightrope.audit.models import Event
from tightrope.audit.reading import show_conversation
from tightrope.cli.play import play_all
from tightrope.infra.database import Pool, Role, open_pool
from tightrope.infra.settings import REPOSITORY
from tightrope.replay.models import Mark, Part
from tightrope.replay.rules import RUNS
from tightrope.replay.service import replay_view
from tightrope.uat.models import Case, Press, Say
from tightrope.uat.reader import case_files, read_cases

pytestmark = [pytest.mark.acceptance, pytest.mark.long]

CASES = 2
"""Of each file, so many are played, those with most turns."""


REJECTED = {"id": "orders-of-any-day", "session": "C1001", "turns": ["帮我看下委托单状态", "第三笔"]}
"""This customer's third order is a rejected one, on whichever days the orders lie."""
_MOMENT = re.compile(r"\d+月|\d:\d\d")


def script(case: Case) -> dict[str, Any] | None:
    """What `tightrope play` can play of a case: words and buttons; None for cases of clocks, faults and switches, and where a button
    tells a day or time: cases have a day of their own, the demo has today."""
    acts = [step.act for step in case.steps]
    if case.faults or not all(isinstance(act, Say | Press) for act in acts):
        return None
    if any(isinstance(act, Press) and _MOMENT.search(act.title) for act in acts):
        return None
    turns = [act.text if isinstance(act, Say) else {"press": act.title} for act in acts if isinstance(act, Say | Press)]
    return {"id": case.id, "session": case.customer or "guest", "turns": turns}


def scripts() -> list[dict[str, Any]]:
    cases, problems = read_cases(case_files([REPOSITORY / "tests" / "uat"]), REPOSITORY)
    assert not problems
    kept: dict[str, list[dict[str, Any]]] = {}
    for case in sorted(cases, key=lambda case: (-len(case.steps), case.id)):
        if "/day/" in case.file:
            continue
        made = script(case)
        if made is not None and len(kept.setdefault(case.file, [])) < CASES:
            kept[case.file].append(made)
    return [REJECTED, *(one for found in kept.values() for one in found)]


@pytest.fixture
async def auditor(demo: RunningDemo) -> AsyncIterator[Pool]:
    async with open_pool(demo.settings, Role.AUDITOR, max_size=1) as pool:
        yield pool


async def test_conversations_of_every_journey_run_again_the_same(demo: RunningDemo, auditor: Pool):
    played = await play_all(demo.settings, scripts(), 2, lambda _: None)
    counts: Counter[Part] = Counter()
    rules: set[str] = set()
    wrong: list[str] = []
    for one in played:
        if one["conversation"] is None:
            continue
        view = await show_conversation(demo.settings, one["conversation"], reader="test")
        found = await replay_view(demo.settings, auditor, view)
        counts.update(check.part for turn in found.turns for check in turn.checks if check.mark is Mark.SAME)
        if found.exit_code:
            told = [
                check.to_json() for turn in found.turns for check in turn.checks if check.mark in {Mark.DIFFERS, Mark.MISSING}
            ]
            wrong.append(f"{one['id']} ({one['conversation']}): {json.dumps([told, found.problems], ensure_ascii=False)[:2000]}")
        for entry in view.entries:
            if entry.event == Event.TURN_MADE and entry.payload:
                used = [rule["rule"] for envelope in entry.payload["envelopes"] for rule in envelope.get("rules") or []]
                rules |= {str(name).partition(".")[0] for name in used}
    assert not wrong, "\n".join(wrong)
    assert len(played) >= 100
    assert set(counts) == set(Part)
    assert set(RUNS) <= rules, "every rule is run again somewhere"
