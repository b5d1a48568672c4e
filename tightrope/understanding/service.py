"""Text to commands: rules first, then the classifier; never more than is on offer.

What a customer types is text whatever it looks like: command lines, button payloads, JSON and instructions to a model are matched, weighed and
classified like any other words, and nothing of them is copied into a command.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from tightrope.understanding import rules
from tightrope.understanding.classifier import Classifier
from tightrope.understanding.errors import BadRequestError
from tightrope.understanding.filling import Typed, anew, opening
from tightrope.understanding.models import MAX_MESSAGE, REPEAT, Command, Request, Result, StartFlow, allowed
from tightrope.understanding.normalise import folded
from tightrope.understanding.routing import Weighed, besides_a_person, borne_out, both, choose, doubts, kin, parts, sure
from tightrope.understanding.slots import EMPTY, SlotBook
from tightrope.understanding.training import Thresholds

_DANGERS = {"distress", "coercion", "fraud", "vulnerable"}
_LISTED = 3
"""Candidates that are reported."""


MARKET_ZONE = ZoneInfo("Asia/Shanghai")
"""Where "tomorrow" is meant: the exchanges' day, not that of the server."""


def market_day() -> date:
    """Today at the exchanges, by the machine's clock."""
    return datetime.now(UTC).astimezone(MARKET_ZONE).date()


@dataclass(frozen=True, slots=True)
class Understanding:
    """Understands one message at a time; keeps nothing between messages. `today` is asked for each message."""

    classifier: Classifier
    thresholds: Thresholds
    book: SlotBook = EMPTY
    today: Callable[[], date] = market_day

    def understand(self, request: Request) -> Result:
        """The commands for this message.

        Raises:
            BadRequestError: the message is longer than 8000 characters.
        """
        if len(request.message) > MAX_MESSAGE:
            raise BadRequestError(
                f"The message has {len(request.message)} characters; at most {MAX_MESSAGE} are understood",
                code="context_length_exceeded",
                param="messages",
            )
        text = folded(request.message)
        result = Result(threshold=self.thresholds.accept, classifier=self.classifier.fingerprint)
        if not any(c.isalnum() for c in text):
            return result
        typed = Typed(self.book, self.today())
        decision = self._ruled(request, text, typed)
        if decision is not None:
            return replace(result, source="rule", rule=decision.rule, commands=allowed(decision.commands, request, self.book))
        if not any(c.isalpha() for c in text):
            return result
        return self._classified(request, text, typed, result)

    def _weigh(self, text: str) -> Weighed:
        return Weighed.of(self.classifier.probabilities(text))

    def _ruled(self, request: Request, text: str, typed: Typed) -> rules.Decision | None:
        """What the rules decide, those that go by words inside a message only where the classifier is not sure of something else."""
        doubted: frozenset[str] = frozenset()
        while (decision := rules.decide(request, text, typed, doubted)) is not None and borne_out(decision.rule):
            weighed = self._weigh(text)
            if doubts(decision.rule, weighed) and not (
                decision.rule == "person" and besides_a_person(text, weighed, self._weigh)
            ):
                doubted |= {decision.rule}
                continue
            danger = kin(decision.rule, weighed, text) if decision.rule in _DANGERS else decision.rule
            return decision if danger == decision.rule else replace(decision, commands=rules.in_danger(request, danger))
        return decision

    def _classified(self, request: Request, text: str, typed: Typed, result: Result) -> Result:
        weighed = self._weigh(text)
        chosen = choose(request, text, weighed, self.thresholds)
        decided = sure(text, weighed, self.thresholds) is not None
        if len(said := parts(text)) > 1:
            each = [(part, self._weigh(part)) for part in said]
            if (two := both(request, each, weighed, self.thresholds)) is not None:
                chosen, decided = two, True
        if request.flow is not None and chosen == (REPEAT,) and weighed.flows[0][0] == request.flow.id:
            chosen = anew(request.flow, text, typed) or chosen
        commands = allowed((*chosen, *_told(request, chosen, text, typed)), request, self.book)
        return replace(
            result,
            source="classifier" if commands else "none",
            candidates=weighed.flows[:_LISTED],
            commands=commands,
            label=weighed.best,
            undecided=() if decided else weighed.flows,
        )

    def completed(self, request: Request, commands: tuple[Command, ...]) -> tuple[Command, ...]:
        """Commands that somebody else proposed, with the typed slots that the message tells of the flows they start; never more than is allowed."""
        typed = Typed(self.book, self.today())
        return allowed((*commands, *_told(request, commands, folded(request.message), typed)), request, self.book)


def _told(request: Request, chosen: tuple[Command, ...], text: str, typed: Typed) -> tuple[Command, ...]:
    """What the message already says of the flows that it starts."""
    offers = [
        offer for command in chosen if isinstance(command, StartFlow) and (offer := request.offer(command.flow)) is not None
    ]
    return tuple(command for offer in offers for command in opening(offer, text, typed))
