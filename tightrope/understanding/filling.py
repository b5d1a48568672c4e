"""Slots from typed words, as commands: answers to the open question, values said ahead of theirs, corrections, and what the first message already tells."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from tightrope.understanding import answers, patterns, phrases
from tightrope.understanding.models import ActiveFlow, FlowOffer, SetSlot
from tightrope.understanding.slots import SlotBook, SlotSpec, free_text

_CORRECTION = re.compile(
    r"不对|错了|(?:说|打|写|输|填)错|更正|(?:修?改|换|调)(?:成|为|到|一下)|应该是|应为|我是说|我说的是|重新填|改一下"
    r"|^no\b,?|\b(?:wrong|sorry|i mean|i meant|actually|correction|change (?:it|that|the \w+(?: \w+)?) to|make (?:it|that)|"
    r"(?:it )?should (?:be|have been)|typo|mistake|instead|rather(?! not))\b"
)
_DENIED = re.compile(r"不是[^,，。]{1,16}[,，]?(?:而)?是")
_COMMANDED = re.compile(
    r"帮我|替我|给我|代我|下单|挂单|马上|立刻|立即|赶紧|\b(?:for me|please|place|order|right now|immediately)\b"
)


@dataclass(frozen=True, slots=True)
class Typed:
    """What slots are read with: the book, and today where the market is."""

    book: SlotBook
    today: date


def unread(flow: ActiveFlow, text: str, typed: Typed) -> bool:
    """Whether the folded message gives a figure to a question that takes typed values, and none that could be read for sure."""
    spec = typed.book.get(flow.slot)
    return spec is not None and spec.kind != "text" and answers.only_figures(text)


def opening(offer: FlowOffer, text: str, typed: Typed) -> tuple[SetSlot, ...]:
    """Slots of a flow that starts now, as far as the folded message tells them for sure."""
    specs = [spec for slot in offer.slots if (spec := typed.book.get(slot.name)) is not None and spec.early]
    found = answers.read(text, specs, typed.book, typed.today)
    return tuple(SetSlot(name, value) for name, value in found.items())


def anew(flow: ActiveFlow, text: str, typed: Typed) -> tuple[SetSlot, ...]:
    """What a folded message that asks for the running flow again says otherwise: "那12月25日呢" after the result of another day."""
    specs = [spec for slot in flow.slots if (spec := typed.book.get(slot.name)) is not None and spec.early]
    found = answers.read(text, specs, typed.book, typed.today)
    return tuple(SetSlot(name, value) for name, value in found.items())


def answer(flow: ActiveFlow, text: str, typed: Typed) -> tuple[str, tuple[SetSlot, ...]] | None:
    """What the folded message fills of the running flow: the rule's name and the slots; None: nothing for sure."""
    if patterns.TRADE.found(text) and _COMMANDED.search(text):
        return None
    specs = {slot.name: spec for slot in flow.slots if (spec := typed.book.get(slot.name)) is not None and spec.kind != "text"}
    open_spec = typed.book.get(flow.slot)
    if open_spec is not None and open_spec.kind != "text":
        specs[open_spec.name] = open_spec
        if open_spec.options.get("whole") and (said := answers.read(text, [open_spec], typed.book, typed.today, flow.slot)):
            # "No, let me think" answers the question that is open; it takes back nothing that was said before.
            return ("typed", tuple(SetSlot(name, value) for name, value in said.items()))
    # What only a whole message answers (a consent) is never taken from a part of one: "no, confirm" confirms nothing.
    specs = {name: spec for name, spec in specs.items() if not spec.options.get("whole")}
    given = {slot.name for slot in flow.slots if slot.given} - {flow.slot}
    if _CORRECTION.search(text) or _DENIED.search(text):
        corrected = _corrected(text, {n: s for n, s in specs.items() if n in given}, typed)
        if corrected is not None:
            return ("correction", corrected) if corrected else None
    if phrases.QUESTION.search(text):
        return None
    ahead = [spec for name, spec in specs.items() if name not in given and (spec.early or name == flow.slot)]
    found = answers.read(_without_correction(text), ahead, typed.book, typed.today, flow.slot)
    return ("typed", tuple(SetSlot(name, value) for name, value in found.items())) if found else None


def _corrected(text: str, given: dict[str, SlotSpec], typed: Typed) -> tuple[SetSlot, ...] | None:
    """The one given slot that the message changes; empty: it could be more than one; None: none of them."""
    plain = _without_correction(text)
    named = answers.read(plain, given.values(), typed.book, typed.today)
    if named:
        return tuple(SetSlot(name, value) for name, value in named.items())
    fitting = {
        name: found[name]
        for name, spec in given.items()
        if name in (found := answers.read(plain, [spec], typed.book, typed.today, name))
    }
    if not fitting:
        return None
    return tuple(SetSlot(name, value) for name, value in fitting.items()) if len(fitting) == 1 else ()


def _without_correction(text: str) -> str:
    return _CORRECTION.sub(" ", text)


def text_answer(flow: ActiveFlow, message: str, text: str, book: SlotBook) -> tuple[SetSlot, ...] | None:
    """The message as the free text that is asked for: all of it, unless it plainly says something else (stop, again, a person)."""
    spec = book.get(flow.slot)
    if spec is None or spec.kind != "text" or flow.slot is None:
        return None
    if phrases.CANCEL.found(text) or phrases.REPEAT.found(text) or phrases.THANKS.found(text) or phrases.GREET.found(text):
        return None
    if patterns.PERSON.found(text) and len(text) <= 24:
        return None
    value = free_text(message)
    return (SetSlot(flow.slot, value),) if value else None
