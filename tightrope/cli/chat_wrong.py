"""`/wrong` in the terminal chat: what went wrong in this conversation, and the right outcome, as an acceptance case."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tightrope.cli.recorder import Spoken
from tightrope.engine.models import Project
from tightrope.engine.responses import replies
from tightrope.uat.adding import ADDED, as_yaml
from tightrope.uat.models import OUTCOMES
from tightrope.uat.reader import read_cases

Ask = Callable[[str], str]


class NotWritten(Exception):
    """No case file came about; says why."""


def wrong(project: Project, spoken: Sequence[Spoken], language: str, ask: Ask) -> Path:
    """Ask what is right and write the conversation as a case; the newest turn is the one that went wrong.

    Raises:
        NotWritten: nothing was said yet, the author gave up, or the answers make no case.
    """
    if not spoken:
        raise NotWritten("Say something first; /wrong is about the newest reply.")
    root = Path(project.root)
    if not (root / "tests" / "uat").is_dir():
        raise NotWritten(f"{root} has no folder tests/uat for acceptance cases.")
    why = ask("What is wrong, and what would be right? (empty line: never mind) ").strip()
    if not why:
        raise NotWritten("Nothing was written.")
    expect: dict[str, Any] = {}
    flow = _one(ask, "Journey that should have begun (flow id; empty: leave open) ", set(project.flows))
    if flow:
        expect["starts"] = [flow]
    for key, question in (
        ("contains", "Words that should have been said (empty: none) "),
        ("forbids", "Words that must not be said (empty: none) "),
    ):
        if words := ask(question).strip():
            expect[key] = [re.escape(words).replace("\\ ", " ")]
    person = _one(ask, "Should a person take over? (yes, no; empty: leave open) ", {"yes", "no"})
    if person:
        expect["handoff"] = (
            "none" if person == "no" else {"reason": ask("Reason (request, complaint, distress, fraud …) ").strip() or "request"}
        )
    outcome = _one(ask, f"Where should it stand at the end? ({', '.join(OUTCOMES)}) ", set(OUTCOMES)) or "told"
    customer = ask("Whose conversation: a customer of the sandbox, such as C1001 (empty: anonymous) ").strip() or "anonymous"
    started = [str(event["flow_id"]) for event in spoken[-1].events if event["event"] == "flow_started"]
    own = [name for name in started if not name.startswith("pattern_")]
    journey = flow or (own[0] if own else "cross")
    name = f"{journey.replace('_', '-')}-{language}-{int(time.time()):x}"
    turns = list(_turns(spoken))
    if expect:
        turns[-1]["expect"] = expect
    source = {
        "id": name,
        "title": why,
        "journey": journey,
        "kind": "anonymous" if customer == "anonymous" else "refusal" if outcome == "declined" else "happy",
        "language": "en" if language == "en" else "zh",
        "customer": customer,
        "turns": turns,
        "outcome": outcome,
    }
    path = root / "tests" / "uat" / ADDED / f"{name}.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("cases:\n" + as_yaml(source), encoding="utf-8")
    _, problems = read_cases([path], root)
    if problems:
        path.unlink()
        raise NotWritten("Nothing was written: " + "; ".join(problem.message for problem in problems))
    return path


def _one(ask: Ask, question: str, known: set[str]) -> str:
    """An answer out of a closed list; asked again until it is one or empty."""
    while True:
        answer = ask(question).strip()
        if not answer or answer in known:
            return answer


def _turns(spoken: Sequence[Spoken]) -> Iterator[dict[str, Any]]:
    """What was said, with pressed buttons by their titles."""
    titles: dict[str, str] = {}
    for turn in spoken:
        pressed = any((event.get("parse_data") or {}).get("payload") for event in turn.events if event["event"] == "user")
        yield {"press": titles[turn.text]} if pressed and turn.text in titles else {"say": turn.text}
        for reply in replies("chat", list(turn.events)):
            titles |= {str(button.get("payload")): str(button.get("title")) for button in reply.get("buttons") or ()}
