"""How well messages are routed: `python -m tightrope.understanding.evaluate [--errors] [FOLDER]`.

Reads all of `data/understanding/heldout/`, lines written apart from the training lines and never trained on; checks that none of them is among the training
lines. Counts what the customer would get: the right route, a question back, nothing, or a wrong route.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tightrope.infra.settings import get_settings
from tightrope.understanding import rules
from tightrope.understanding.api import build
from tightrope.understanding.models import (
    SEARCH,
    ActiveFlow,
    Clarify,
    Command,
    FlowOffer,
    Plain,
    Request,
    Result,
    SetSlot,
    SlotOffer,
    StartFlow,
)
from tightrope.understanding.normalise import folded
from tightrope.understanding.service import Understanding
from tightrope.understanding.training import CHITCHAT, OUT_OF_SCOPE, Example, lines
from tightrope.understanding.training import SEARCH as SEARCH_CLASS

NO_JOURNEY = (SEARCH_CLASS, CHITCHAT, OUT_OF_SCOPE)
"""Classes that start nothing; a journey on one of their lines is a false start."""
RED_LINES = (
    "decline_investment_advice",
    "decline_trade_instruction",
    "report_fraud",
    "talk_to_agent.distress",
    "talk_to_agent.coercion",
    "talk_to_agent.vulnerable",
    "talk_to_agent.request",
)
PART = 300
"""Held-out lines that `tightrope flows quality` and the tests take, spread over all: none of them has a kept vector, and all take minutes."""
_BINS = 10


@dataclass(frozen=True, slots=True)
class Line:
    """An example and what came of it: outcome is `right`, `asked` (the right flow is among those offered), `nothing` or `wrong`."""

    example: Example
    result: Result
    outcome: str


@dataclass(slots=True)
class Report:
    """Every line with its outcome."""

    lines: list[Line] = field(default_factory=list)
    calibration_error: float = 0.0
    milliseconds: float = 0.0

    @property
    def accuracy(self) -> float:
        """Share of right routes over all lines."""
        return share(self.lines, "right")

    @property
    def misrouted(self) -> float:
        """Share of wrong routes over all lines."""
        return share(self.lines, "wrong")

    @property
    def false_starts(self) -> float:
        """Share of search, small talk and out-of-scope lines that start a journey."""
        quiet = [line for line in self.lines if line.example.label in NO_JOURNEY]
        return sum(starts_journey(line.result.commands) for line in quiet) / max(1, len(quiet))


def share(found: list[Line], outcome: str) -> float:
    """Share of the lines with this outcome."""
    return sum(line.outcome == outcome for line in found) / max(1, len(found))


def starts_journey(commands: tuple[Command, ...]) -> bool:
    """Whether a journey begins; the greeting is none."""
    return any(isinstance(command, StartFlow) and command.flow != rules.GREET_FLOW for command in commands)


def wilson(right: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    if not total:
        return 0.0, 1.0
    share = right / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * (share * (1 - share) / total + z * z / (4 * total * total)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def full_offer(labels: set[str], flow: ActiveFlow | None = None, message: str = "") -> Request:
    """A request in which every flow of these classes is on offer, the hand-over with its reasons."""
    reasons: dict[str, list[str]] = {}
    for label in labels - set(NO_JOURNEY):
        flow_id, _, reason = label.partition(".")
        reasons.setdefault(flow_id, []).extend([reason] if reason else [])
    offers = [
        FlowOffer(id=flow_id, slots=[SlotOffer(name=rules.REASON_SLOT, allowed_values=sorted(values))] if values else [])
        for flow_id, values in sorted(reasons.items())
    ]
    return Request(v=1, message=message, flow=flow, flows=[*offers, FlowOffer(id=rules.GREET_FLOW)])


def part(examples: list[Example], most: int = PART) -> list[Example]:
    """Every nth line, at most `most` of them, so that each class keeps its share."""
    return examples[:: max(1, -(-len(examples) // most))]


def evaluate(understanding: Understanding, examples: list[Example]) -> Report:
    """Route every example and count; a person for the wrong reason is a wrong route."""
    report = Report()
    offer = full_offer(set(understanding.classifier.classes))
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(_BINS)]
    started = time.perf_counter()
    results = [understanding.understand(offer.model_copy(update={"message": example.text})) for example in examples]
    report.milliseconds = (time.perf_counter() - started) * 1000 / max(1, len(examples))
    for example, result in zip(examples, results, strict=True):
        report.lines.append(Line(example, result, outcome(result.commands, example.label)))
        best, probability = max(understanding.classifier.probabilities(folded(example.text)).items(), key=lambda item: item[1])
        bins[min(_BINS - 1, int(probability * _BINS))].append((probability, best == example.label))
    report.calibration_error = sum(abs(sum(p for p, _ in b) - sum(right for _, right in b)) for b in bins) / max(1, len(examples))
    return report


def outcome(commands: tuple[Command, ...], label: str) -> str:
    """What commands mean for a line of this class: `right`, `asked` (the right flow is among those offered), `nothing` or `wrong`.

    What is no journey may be answered with small talk or with nothing, whichever of the two it is.
    """
    flow, _, reason = label.partition(".")
    clarified = [command for command in commands if isinstance(command, Clarify)]
    if clarified:
        return "asked" if flow in clarified[0].flows else "wrong"
    if label == SEARCH_CLASS:
        return "right" if SEARCH in commands and not starts_journey(commands) else "wrong" if commands else "nothing"
    if label in NO_JOURNEY:
        return "wrong" if starts_journey(commands) or SEARCH in commands else "right"
    if not commands or (all(isinstance(command, Plain) for command in commands) and SEARCH not in commands):
        return "nothing"
    told = {command.value for command in commands if isinstance(command, SetSlot) and command.name == rules.REASON_SLOT}
    return "right" if StartFlow(flow) in commands and (not reason or reason in told) else "wrong"


def route(result: Result) -> str:
    """Where a message goes: a flow id, `search`, `chitchat`, `out_of_scope` or `clarify`."""
    for command in result.commands:
        match command:
            case Clarify():
                return "clarify"
            case StartFlow(flow):
                return CHITCHAT if flow == rules.GREET_FLOW else flow
    if SEARCH in result.commands:
        return SEARCH_CLASS
    return CHITCHAT if result.commands else OUT_OF_SCOPE


def reached(line: Line) -> str:
    """The class that a line went to, as the confusion table names it."""
    reasons = [c.value for c in line.result.commands if isinstance(c, SetSlot) and c.name == rules.REASON_SLOT]
    found = route(line.result)
    return f"{found}.{reasons[0]}" if found == rules.PERSON_FLOW and reasons else found


def confusion(report: Report) -> Counter[tuple[str, str]]:
    """How many lines of a class went elsewhere, by class and where they went."""
    return Counter((line.example.label, reached(line)) for line in report.lines if line.outcome != "right")


def main(arguments: list[str]) -> int:
    """Print the report of the held-out lines; 1 when one of them is among the training lines, 2 when there are none."""
    from tightrope.understanding.evaluation_text import render

    settings = get_settings()
    folder = settings.project_dir / "data" / "understanding"
    names = [argument for argument in arguments if not argument.startswith("-")]
    place = Path(names[0]) if names else folder / "heldout"
    if not any(place.glob("*.jsonl")):
        sys.stderr.write(f"There are no lines in {place}\n")
        return 2
    heldout = lines(place)
    trained = {folded(example.text) for example in lines(folder)}
    leaked = [example.text for example in heldout if folded(example.text) in trained]
    if leaked:
        sys.stderr.write(f"Also among the training lines, so that nothing can be said: {leaked}\n")
        return 1
    sys.stdout.write(render(evaluate(build(settings), heldout), "--errors" in arguments) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
