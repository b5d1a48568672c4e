"""A list of the firm's records, and the one that the customer points at: the frame of the journeys about orders and transfers.

The list is fetched anew for each step, since no record is kept in a slot. A journey's actions are made from three steps: `FindRecords` (none, one or
several), `AskRecord` (the question, a button for each) and `ShowRecord` (what became of the chosen one).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from actions.base import Declaration, DeclaredAction
from actions.errors import NotPermitted
from actions.failures import FAILURES, failure_of
from actions.listing import (
    MARK_SLOTS,
    MORE,
    NOTHING,
    PAGE_READS,
    PAGE_SLOTS,
    PAGES,
    PLACES,
    Page,
    distinct,
    leave_mark,
    mark_left,
    page_of,
)
from actions.turn import Turn
from actions.wording import moment
from tightrope.business.errors import BusinessError

TOLD: Final = "told"
AGAIN: Final = "again"
EMPTY: Final = "empty"
_FOUND: Final = frozenset({TOLD, EMPTY, "several"}) | FAILURES
_SHOWN: Final = frozenset({TOLD, EMPTY, AGAIN, "left"}) | FAILURES
_ASKED: Final = frozenset({"asked", "not_asked"})
_TITLE: Final = 80
"""Characters of a button's title that the chat shows."""


@dataclass(frozen=True, slots=True)
class Records:
    """What the firm has, newest first, at `as_of`."""

    items: Sequence[Any]
    as_of: datetime


@dataclass(frozen=True)
class Choice:
    """How one kind of record is asked for.

    Attributes:
        name: `order`: the slots are `order_choice` and `order_outcome`, the responses `utter_order_list` and so on.
        call, scope: of the business API.
        read: asks the firm for all of them.
        key: the id by which a record is known again.
        line: a record in one line, with its state.
        explanations: responses that `explain` may say.
        explain: says everything about one record.
        older, nothing: titles of the last buttons, zh and en.
    """

    name: str
    call: str
    scope: str
    read: Callable[[Turn], Awaitable[Records]]
    key: Callable[[Any], str]
    line: Callable[[Turn, Any], str]
    explanations: frozenset[str]
    explain: Callable[[Turn, Any, datetime], None]
    older: tuple[str, str]
    nothing: tuple[str, str]

    @property
    def slot(self) -> str:
        """The question's slot."""
        return f"{self.name}_choice"

    @property
    def verdict(self) -> str:
        """What `last_verdict` gets, so that "why?" is about the newest answer."""
        return f"{self.name}_status"

    @property
    def outcome(self) -> str:
        """The slot that the flow branches on."""
        return f"{self.name}_outcome"

    def response(self, part: str) -> str:
        """One of this kind's responses."""
        return f"utter_{self.name}_{part}"

    def page(self, turn: Turn, records: Records) -> Page[Any]:
        """The page that `list_page` names."""
        return page_of(records.items, turn.read("list_page"), self.key)

    def finding(self) -> Declaration:
        """Of `FindRecords`."""
        return self._declared(_FOUND, {}, frozenset(), self.explanations | {self.response("stale")})

    def asking(self) -> Declaration:
        """Of `AskRecord`: it sets no outcome, since nothing branches between a question and its answer."""
        return Declaration(
            outcomes=_ASKED,
            reads=frozenset({"list_page"}),
            sets={slot: PAGE_SLOTS[slot] | {None} for slot in MARK_SLOTS},
            responses=frozenset({self.response("list"), self.response("list_unavailable")}),
            calls=frozenset({self.call}),
            scope=self.scope,
        )

    def showing(self) -> Declaration:
        """Of `ShowRecord`."""
        more = {self.response(part) for part in ("stale", "changed", "no_such")}
        reads = PAGE_READS | {self.slot}
        return self._declared(_SHOWN, {"list_page": PAGE_SLOTS["list_page"]}, reads, self.explanations | more)

    def _declared(
        self, outcomes: frozenset[str], sets: dict[str, frozenset[str]], reads: frozenset[str], responses: frozenset[str]
    ) -> Declaration:
        return Declaration(
            outcomes=outcomes,
            reads=reads,
            sets={self.outcome: outcomes, "last_verdict": frozenset({self.verdict, None}), **sets},
            responses=responses,
            envelopes=frozenset({"journey"}),
            calls=frozenset({self.call}),
            scope=self.scope,
            on_error={self.outcome: "unavailable", "last_verdict": None},
        )


class _WithRecords(DeclaredAction):
    choice: ClassVar[Choice]

    async def _sound(self, turn: Turn) -> Records | None:
        """The records; None when the list cannot be relied on, since one stands twice."""
        found = await self.choice.read(turn)
        return found if distinct(found.items, self.choice.key) else None


class _Stepping(_WithRecords):
    """A step whose outcome the flow branches on."""

    async def perform(self, turn: Turn) -> str:
        try:
            found = await self._sound(turn)
            outcome = "unavailable" if found is None else self.step(turn, found)
        except (NotPermitted, BusinessError) as error:
            outcome = failure_of(error, turn, stale=self.choice.response("stale"))
        turn.set(self.choice.outcome, outcome)
        turn.set("last_verdict", self.choice.verdict if outcome == TOLD else None)
        if outcome in {TOLD, EMPTY}:
            turn.tell("journey", journey=turn.journey.id, event="completed")
        return outcome

    @abstractmethod
    def step(self, turn: Turn, records: Records) -> str:
        """What to make of the records: one of the outcomes."""


class FindRecords(_Stepping):
    """None, several, or the only one, explained at once."""

    def step(self, turn: Turn, records: Records) -> str:
        if not records.items:
            return EMPTY
        if len(records.items) > 1:
            return "several"
        self.choice.explain(turn, records.items[0], records.as_of)
        return TOLD


class AskRecord(_WithRecords):
    """The question with a button for each record of the page; leaves the page's mark behind."""

    async def perform(self, turn: Turn) -> str:
        try:
            found = await self._sound(turn)
        except (NotPermitted, BusinessError):
            found = None
        if found is None or not found.items:
            turn.say(self.choice.response("list_unavailable"))
            # The question stays open, so that the next answer brings the list; a place means nothing until one was shown.
            leave_mark(turn, None)
            return "not_asked"
        page = self.choice.page(turn, found)
        turn.say(
            self.choice.response("list"),
            buttons=list(self._buttons(turn, page)),
            as_of=moment(found.as_of, turn.context.clock.now(), turn.language),
            places=page.places(turn.language),
            total=str(page.total),
        )
        leave_mark(turn, page.mark)
        return "asked"

    def _buttons(self, turn: Turn, page: Page[Any]) -> Iterator[dict[str, str]]:
        slot, index = self.choice.slot, 1 if turn.language == "en" else 0
        for number, (place, record) in enumerate(zip(PLACES, page.items, strict=False), 1):
            yield {"title": f"{number}. {self.choice.line(turn, record)}"[:_TITLE], "payload": f"/SetSlots({slot}={place})"}
        if page.more:
            yield {"title": self.choice.older[index], "payload": f"/SetSlots({slot}={MORE})"}
        yield {"title": self.choice.nothing[index], "payload": f"/SetSlots({slot}={NOTHING})"}


class ShowRecord(_Stepping):
    """What the answer asks for: an explanation (`told`), the list again (`again`), or nothing (`left`)."""

    def step(self, turn: Turn, records: Records) -> str:
        answer = str(turn.read(self.choice.slot))
        if answer == NOTHING:
            return "left"
        if not records.items:
            return EMPTY
        page = self.choice.page(turn, records)
        if None in mark_left(turn):
            return AGAIN
        if page.mark != mark_left(turn):
            turn.say(self.choice.response("changed"))
            turn.set("list_page", PAGES[0])
            return AGAIN
        record = page.at(answer) if answer in PLACES else None
        if record is not None:
            self.choice.explain(turn, record, records.as_of)
            return TOLD
        if answer == MORE and page.more:
            turn.set("list_page", PAGES[page.number])
        else:
            turn.say(self.choice.response("no_such"))
        return AGAIN
