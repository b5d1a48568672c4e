"""Text to commands: rules first, then the classifier; never more than is on offer.

What a customer types is text whatever it looks like: command lines, button payloads, JSON and instructions to a model are matched, weighed and
classified like any other words, and nothing of them is copied into a command.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from tightrope.understanding import phrases, rules
from tightrope.understanding.classifier import Classifier
from tightrope.understanding.errors import BadRequestError
from tightrope.understanding.filling import Typed, opening
from tightrope.understanding.models import MAX_MESSAGE, SEARCH, Clarify, Command, Request, Result, StartFlow, allowed
from tightrope.understanding.normalise import folded
from tightrope.understanding.slots import EMPTY, SlotBook
from tightrope.understanding.training import OUT_OF_SCOPE, Thresholds
from tightrope.understanding.training import SEARCH as SEARCH_CLASS

_LISTED = 3
"""Candidates that are reported, and flows that are offered to choose from."""


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
        decision = rules.decide(request, text, typed)
        if decision is not None:
            return replace(result, source="rule", rule=decision.rule, commands=allowed(decision.commands, request, self.book))
        if not any(c.isalpha() for c in text):
            return result
        return self._classified(request, text, typed, result)

    def _classified(self, request: Request, text: str, typed: Typed, result: Result) -> Result:
        reasons = {label: round(p * 10_000) for label, p in self.classifier.probabilities(text).items()}
        scores: dict[str, int] = {}
        for label, score in reasons.items():
            flow = label.partition(".")[0]
            scores[flow] = scores.get(flow, 0) + score
        ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
        chosen = self._choose(request, text, ranked, reasons)
        commands = allowed((*chosen, *_told(request, chosen, text, typed)), request, self.book)
        return replace(result, source="classifier" if commands else "none", candidates=tuple(ranked[:_LISTED]), commands=commands)

    def _choose(self, request: Request, text: str, ranked: list[tuple[str, int]], reasons: dict[str, int]) -> tuple[Command, ...]:
        best, score = ranked[0]
        if reasons.get(f"{rules.PERSON_FLOW}.distress", 0) >= self.thresholds.distress:
            return rules.to_person(request, "distress")
        if best == rules.ADVICE_FLOW and score >= self.thresholds.advice:
            return rules.start(request, rules.ADVICE_FLOW)
        if score >= self.thresholds.accept:
            return self._accepted(request, best, reasons)
        options = [flow for flow, p in ranked if p >= self.thresholds.clarify and _can_be_offered(request, flow)]
        if best == SEARCH_CLASS:
            # Nothing is lost by looking: what the knowledge base does not hold is not answered.
            return (SEARCH,)
        if options == [rules.PERSON_FLOW] == [best]:
            return self._accepted(request, best, reasons)
        if best not in {OUT_OF_SCOPE, SEARCH_CLASS} and options:
            # One flow alone is no choice: a person is the other way out.
            others = [] if len(options) > 1 or not request.offer(rules.PERSON_FLOW) else [rules.PERSON_FLOW]
            return (Clarify(tuple(options[:_LISTED] + others)),)
        return (SEARCH,) if phrases.QUESTION.search(text) else ()

    @staticmethod
    def _accepted(request: Request, best: str, reasons: dict[str, int]) -> tuple[Command, ...]:
        if best == SEARCH_CLASS:
            return (SEARCH,)
        if best == OUT_OF_SCOPE:
            return ()
        if best == rules.TRADE_FLOW:
            return rules.trade(request)
        if best == rules.PERSON_FLOW:
            mine = {label.partition(".")[2]: p for label, p in reasons.items() if label.startswith(f"{best}.")}
            return rules.to_person(request, max(mine, key=lambda reason: (mine[reason], reason)))
        return rules.start(request, best)


def _told(request: Request, chosen: tuple[Command, ...], text: str, typed: Typed) -> tuple[Command, ...]:
    """What the message already says of the flows that it starts."""
    offers = [
        offer for command in chosen if isinstance(command, StartFlow) and (offer := request.offer(command.flow)) is not None
    ]
    return tuple(command for offer in offers for command in opening(offer, text, typed))


def _can_be_offered(request: Request, flow: str) -> bool:
    """Flows that make sense as a choice: on offer, not running already, and not there to decline something."""
    active = request.flow.id if request.flow else None
    return request.offer(flow) is not None and flow != active and not flow.startswith("decline_")
