"""What can be decided without a classifier: a person, a complaint, distress, advice, answers to the open question, cancel, repeat, courtesies.

Distress stands over everything, a complaint and a person over advice, advice over search. A rule says what it found and which commands follow;
`models.allowed` later drops what is not on offer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tightrope.understanding import dangers, filling, patterns, phrases
from tightrope.understanding.filling import Typed
from tightrope.understanding.language import requested
from tightrope.understanding.models import (
    CANCEL,
    NO_FLOW,
    REPEAT,
    SEARCH,
    WHICH_FLOW_SLOT,
    ActiveFlow,
    Command,
    Request,
    SetSlot,
    StartFlow,
)

PERSON_FLOW = "talk_to_agent"
REASON_SLOT = "handoff_reason"
ADVICE_FLOW = "decline_investment_advice"
TRADE_FLOW = "decline_trade_instruction"
GREET_FLOW = "greet"
EXPLAIN_FLOW = "explain_verdict"
MENU_FLOW = "show_menu"
MENU_SLOT = "menu_group"
FRAUD_FLOW = "report_fraud"
COMPLAINT_FLOW = "file_complaint"

_NEXT = "_next"
"""A journey that has shown its result asks what else it may compute; the slot of that question ends so, and `done` closes it."""
_RESUME_SLOT = "continue_interrupted_flow_confirmation"
_SHORT = 40
"""Longest folded message that can be an answer to a yes/no or multiple-choice question: longer ones say more than that."""


_ABOUT_COMPLAINT = re.compile(r"投诉(?!(电话|热线|渠道|流程))|\bcomplain(t|ts|ing)?\b")
"""Who wants a person about a complaint comes before who merely wants one."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A rule that fired. No commands: the message is known not to be a request that can be served (typed command syntax, for one)."""

    rule: str
    commands: tuple[Command, ...]


def decide(request: Request, text: str, typed: Typed, doubted: frozenset[str] = frozenset()) -> Decision | None:
    """The first rule that applies to the folded `text`, or None; `doubted` rules are passed over."""
    for danger in (dangers.DISTRESS, dangers.COERCION, dangers.FRAUD, dangers.VULNERABLE):
        if danger.name not in doubted and danger.found(text):
            return Decision(danger.name, in_danger(request, danger.name))
    if patterns.SYNTAX.found(text):
        return Decision("syntax", ())
    if patterns.LOOK_UP.found(text):
        return Decision("look_up", (SEARCH,))
    if (answered := _in_flow(request, text, typed, doubted)) is not None:
        return answered
    if "person" not in doubted and patterns.PERSON.found(text):
        return Decision("person", to_person(request, "complaint" if _ABOUT_COMPLAINT.search(text) else "request"))
    if requested(text):
        return Decision("language", (REPEAT,))
    if (chosen := _menu(request, text, typed) or _named(request, text, typed)) is not None:
        return chosen
    if len(text) <= 2 * _SHORT and phrases.cancels(text):
        return Decision("cancel", _cancel(request))
    for topic, commands in _SMALL:
        if len(text) <= 2 * _SHORT and topic.found(text):
            return Decision(topic.name, commands(request))
    return None


def _in_flow(request: Request, text: str, typed: Typed, doubted: frozenset[str]) -> Decision | None:
    """What the message is to the flow that runs: free text that it asks for, a complaint that interrupts it, an answer, a correction."""
    asked = request.flow if request.flow is not None and request.flow.slot else None
    if asked is not None and (said := filling.text_answer(asked, request.message, text, typed.book)) is not None:
        return Decision("text", said)
    if "complaint" not in doubted and patterns.COMPLAINT.found(text):
        return Decision("complaint", complaint(request, text))
    if asked is not None and (answer := _answer(asked, text, typed)) is not None:
        return answer
    if request.flow is not None and (filled := filling.answer(request.flow, text, typed)) is not None:
        return Decision(*filled)
    if asked is not None and filling.unread(asked, text, typed):
        # No journey begins because somebody typed 三四万: the question comes again.
        return Decision("unread", ())
    return None


def _menu(request: Request, text: str, typed: Typed) -> Decision | None:
    """A group of the menu, as its button in the greeting says it."""
    groups = typed.book.get(MENU_SLOT)
    if groups is None or request.offer(MENU_FLOW) is None:
        return None
    found = [value for value, words in groups.wordings.items() if text.strip(" .。!！?？") in words]
    return Decision("menu", (StartFlow(MENU_FLOW), SetSlot(MENU_SLOT, found[0]))) if found else None


def _named(request: Request, text: str, typed: Typed) -> Decision | None:
    """A journey by its name, as its button says it."""
    flow = typed.book.journeys.get(text.strip(" .。!！?？"))
    if flow is None or request.offer(flow) is None:
        return None
    return Decision("name", to_person(request, "request") if flow == PERSON_FLOW else start(request, flow))


def start(request: Request, flow: str) -> tuple[Command, ...]:
    """Start the flow; when it is the one that runs, ask its question again instead of starting it twice.

    As an answer to "which one shall we continue?" the flow is named, not started.
    """
    if request.flow is not None and request.flow.slot == WHICH_FLOW_SLOT and not flow.startswith("decline_"):
        return (SetSlot(WHICH_FLOW_SLOT, flow),)
    if request.flow is not None and request.flow.id == flow:
        return (REPEAT,)
    return (StartFlow(flow),)


def to_person(request: Request, reason: str) -> tuple[Command, ...]:
    """Hand over, with the reason where the flow takes one; as an answer when the open question is this very thing."""
    active = request.flow
    if active is not None and active.slot == REASON_SLOT and reason in active.allowed_values:
        return (SetSlot(REASON_SLOT, reason),)
    if reason == "request" and active is not None and active.slot and "person" in active.allowed_values:
        return (SetSlot(active.slot, "person"),)
    if active is not None and active.id == PERSON_FLOW:
        return (REPEAT,)
    return (StartFlow(PERSON_FLOW), SetSlot(REASON_SLOT, reason))


def in_danger(request: Request, danger: str) -> tuple[Command, ...]:
    """Somebody needs help at once: fraud has a journey of its own, everything else is a person's; where the reason is not on offer, the nearest one that is."""
    if danger == "fraud" and request.offer(FRAUD_FLOW):
        return start(request, FRAUD_FLOW)
    return to_person(request, next((reason for reason in (danger, *_NEAREST) if _takes(request, reason)), danger))


_NEAREST = ("distress", "request")


def _takes(request: Request, reason: str) -> bool:
    """Whether the hand-over knows this reason, as the open question or as a slot of its flow."""
    if request.flow is not None and request.flow.slot == REASON_SLOT:
        return reason in request.flow.allowed_values
    offer = request.offer(PERSON_FLOW)
    return offer is not None and any(slot.name == REASON_SLOT and reason in slot.allowed_values for slot in offer.slots)


def complaint(request: Request, text: str = "") -> tuple[Command, ...]:
    """A complaint is filed; who wants a person about it, or is asked why they want one, gets the person."""
    asked_why = request.flow is not None and request.flow.slot == REASON_SLOT
    if request.offer(COMPLAINT_FLOW) is None or asked_why or patterns.PERSON.found(text):
        return to_person(request, "complaint")
    return start(request, COMPLAINT_FLOW)


def trade(request: Request) -> tuple[Command, ...]:
    """An order to buy or sell: declined by its own flow; while that flow is not on offer, a person takes it. Nothing here can place it."""
    return start(request, TRADE_FLOW) if request.offer(TRADE_FLOW) else to_person(request, "request")


def courtesy(request: Request) -> tuple[Command, ...]:
    """A greeting or thanks: the greeting flow while idle, the open question again otherwise."""
    busy = request.flow is not None and not _only_asks_on(request.flow)
    return (REPEAT,) if busy or request.offer(GREET_FLOW) is None else (StartFlow(GREET_FLOW),)


def _only_asks_on(flow: ActiveFlow) -> bool:
    """Whether the flow is done but for the question what else it may compute."""
    return flow.slot is not None and flow.slot.endswith(_NEXT) and "done" in flow.allowed_values


def _cancel(request: Request) -> tuple[Command, ...]:
    return (CANCEL,) if request.flow is not None else courtesy(request)


def _repeat(_: Request) -> tuple[Command, ...]:
    return (REPEAT,)


def _explain(request: Request) -> tuple[Command, ...]:
    """ "Why?": about the last result while no question is open; before a question it asks about the question."""
    waiting = request.flow is not None and request.flow.slot and not _only_asks_on(request.flow)
    return (REPEAT,) if waiting else start(request, EXPLAIN_FLOW)


_SMALL: tuple[tuple[patterns.Topic, Callable[[Request], tuple[Command, ...]]], ...] = (
    (phrases.REPEAT, _repeat),
    (phrases.EXPLAIN, _explain),
    (phrases.GREET, courtesy),
    (phrases.THANKS, courtesy),
    (phrases.LOGIN_TOLD, courtesy),
)


def _answer(flow: ActiveFlow, text: str, typed: Typed) -> Decision | None:
    """The message as an answer to the open question, when it is clearly one."""
    if flow.slot is None or len(text) > _SHORT:
        return None
    if flow.slot == WHICH_FLOW_SLOT:
        none = phrases.NO.search(text) or phrases.CANCEL.found(text) or phrases.NONE_OF_THEM.search(text)
        return Decision("none_of_them", (SetSlot(flow.slot, NO_FLOW),)) if none else None
    if flow.slot_type == "bool" or {v.lower() for v in flow.allowed_values} == {"true", "false"}:
        return _yes_or_no(flow, flow.slot, text, typed)
    if _only_asks_on(flow) and any(found(text) for found in (phrases.NO.search, phrases.CANCEL.found, phrases.THANKS.found)):
        return Decision("no_more", (SetSlot(flow.slot, "done"),))
    value = _choice(flow.allowed_values, text)
    if value == _NO_SUCH:
        return Decision("no_such_choice", (REPEAT,))
    if value is not None:
        return Decision("choice", (SetSlot(flow.slot, value),))
    if "done" in flow.allowed_values and phrases.NOT_YET.search(text):
        return Decision("not_yet", (REPEAT,))
    return None


def _yes_or_no(flow: ActiveFlow, slot: str, text: str, typed: Typed) -> Decision | None:
    if phrases.CANCEL.found(text) and slot != _RESUME_SLOT:
        return Decision("cancel", (CANCEL,))
    yes, no = phrases.YES.search(text), phrases.NO.search(text) or phrases.CANCEL.found(text)
    if bool(yes) == bool(no):
        return None
    spec = typed.book.get(slot)
    if yes and spec is not None and spec.options.get("named"):
        # A yes that was sent twice would answer this question too, before it was read: only its own words do.
        named = filling.answer(flow, text, typed)
        return Decision(*named) if named else Decision("bare_yes", (REPEAT,))
    wanted = "true" if yes else "false"
    value = next((v for v in flow.allowed_values if v.lower() == wanted), wanted)
    return Decision("yes" if yes else "no", (SetSlot(slot, value),))


_NO_SUCH = ""
"""The message names the place of a choice that is not there."""


def _choice(values: list[str], text: str) -> str | None:
    """The allowed value that the message names: by itself, by its position, or by one of its usual wordings."""
    plain = text.strip(" .。!！?？,，\"'")
    for value in values:
        if plain in {value.lower(), value.lower().replace("_", " ")}:
            return value
    for position, pattern in enumerate(phrases.ORDINALS):
        if pattern.search(text):
            return values[position] if position < len(values) else _NO_SUCH
    if "done" in values and phrases.LOGGED_IN.search(text):
        return "done"
    if "request" in values and not patterns.PERSON.found(text) and phrases.REQUESTED.search(text):
        return "request"
    return None
