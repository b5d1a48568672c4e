"""Acceptance cases in Rasa's e2e format, as far as that format can say them (docs/test-suites.md).

What the customer types and presses, and what flows, slots and replies must show, goes over. Rasa's format knows no login, no time that
passes, no switch, no fault and no press that depends on whether something was asked (`choose`): a case is exported up to the first of
these, and a comment says what was left out. A login that a question waits for becomes the payload that the gateway sends for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from tightrope.engine.models import Project
from tightrope.uat.models import NO_HANDOFF, Break, Case, Choose, Expect, GiveBack, Login, Logout, Press, Say, Step, Switch, Wait

LOGGED_IN: Final = "/SetSlots(login_state=done)"


@dataclass(frozen=True, slots=True)
class Exported:
    """A test file, and what it could not hold: case id and what."""

    text: str
    lost: tuple[tuple[str, str], ...]


def export(cases: Sequence[Case], project: Project) -> Exported:
    """A test file of these cases."""
    lost: list[tuple[str, str]] = []
    titles = _payloads(project)
    made = []
    for case in cases:
        steps, missing = _steps(case, titles)
        lost += [(case.id, what) for what in missing]
        if steps:
            made.append({"test_case": _name(case.id), "metadata": case.language, "steps": steps})
    top = {
        "metadata": [{language: {"language": language}} for language in sorted({case.language for case in cases})],
        "test_cases": made,
    }
    plain = json.loads(json.dumps(top, ensure_ascii=False))
    head = [
        "# Exported by `tightrope uat export` from the acceptance cases (docs/acceptance-cases.md); change those, not this.",
        "# Custom actions are not stubbed: they need the action server, and private journeys a verified customer.",
        *(f"# {name}: {what}" for name, what in lost),
    ]
    text = yaml.safe_dump(plain, allow_unicode=True, sort_keys=False, width=120)
    return Exported("\n".join(head) + "\n" + text, tuple(lost))


def _name(case_id: str) -> str:
    return case_id.replace("-", "_")


def _payloads(project: Project) -> Mapping[str, str]:
    """What a button's title sends, where all buttons of that title send the same."""
    found: dict[str, set[str]] = {}
    for response in project.responses.values():
        for variation in response.variations:
            for button in variation.buttons:
                pairs = [(button.title.source, button.payload.source)]
                pairs += [
                    (title.source, payload.source)
                    for title, payload in (button.in_language(language) for language in project.languages)
                ]
                for title, payload in pairs:
                    found.setdefault(title, set()).add(payload)
    return {title: next(iter(payloads)) for title, payloads in found.items() if len(payloads) == 1}


def _steps(case: Case, titles: Mapping[str, str]) -> tuple[list[dict[str, Any]], list[str]]:
    out: list[dict[str, Any]] = []
    missing = [f"the customer {case.customer} is logged in"] if case.customer else []
    missing += ["faults are ordered"] if case.faults else []
    for number, step in enumerate(case.steps, start=1):
        user = _user(step, titles)
        if user is None:
            missing.append(f"left out from turn {number} on: {_untellable(step)}")
            break
        made: dict[str, Any] = {"user": user}
        if assertions := list(_assertions(step.expect)):
            made["assertions"] = assertions
        missing += [f"turn {number}: {what}" for what in _lost(step.expect)]
        out.append(made)
    return out, missing


def _user(step: Step, titles: Mapping[str, str]) -> str | None:
    match step.act:
        case Say(text):
            return text
        case Press(title):
            return titles.get(title, title)
        case Login():
            return LOGGED_IN
    return None


def _untellable(step: Step) -> str:
    match step.act:
        case Logout():
            return "the customer logs out"
        case Choose():
            return "the customer chooses a section, if asked which"
        case Wait(minutes):
            return f"{minutes:g} minutes pass"
        case Switch(scope, off):
            return f"the switch of {scope} is turned {'off' if off else 'on'}"
        case GiveBack():
            return "the person gives the chat back"
        case Break():
            return "faults are ordered"
    return "nothing that the format knows"


def _assertions(expect: Expect) -> Iterator[dict[str, Any]]:
    if expect.starts:
        yield {"flow_started": {"operator": "all", "flow_ids": list(expect.starts)}}
    for flow in expect.ends:
        yield {"flow_completed": {"flow_id": flow}}
    for flow in expect.cancels:
        yield {"flow_cancelled": {"flow_id": flow}}
    if set_slots := [{"name": name, "value": value} for name, value in expect.slots.items() if value is not None]:
        yield {"slot_was_set": set_slots}
    for name in expect.replies:
        yield {"bot_uttered": {"utter_name": name}}
    for name in expect.not_replies:
        yield {"bot_did_not_utter": {"utter_name": name}}
    for pattern in expect.contains:
        yield {"bot_uttered": {"text_matches": pattern}}
    for pattern in expect.forbids:
        yield {"bot_did_not_utter": {"text_matches": pattern}}
    if expect.offers:
        yield {"pattern_clarification_contains": list(expect.offers)}


def _lost(expect: Expect) -> Iterable[str]:
    if expect.not_starts:
        yield f"not_starts {', '.join(expect.not_starts)}"
    if empty := [name for name, value in expect.slots.items() if value is None]:
        yield f"empty slots {', '.join(empty)}"
    for name in ("buttons", "cites", "login", "told", "silent"):
        if getattr(expect, name) not in {None, ()}:
            yield name
    if expect.handoff is not None:
        yield "no handoff" if expect.handoff == NO_HANDOFF else f"handoff {expect.handoff.reason or ''}".strip()


def split(cases: Iterable[Case]) -> dict[str, list[Case]]:
    """Cases by the name of the file that they are exported to: one for each case file."""
    out: dict[str, list[Case]] = {}
    for case in cases:
        stem = re.sub(r"[^a-z0-9]+", "_", case.file.removeprefix("tests/uat/").removesuffix(".yml").lower()).strip("_")
        out.setdefault(f"{stem}.yml", []).append(case)
    return out
