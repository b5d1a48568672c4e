"""How well messages are routed: `python -m tightrope.understanding.evaluate [--errors]`.

Reads `data/understanding/heldout/`, lines written apart from the training lines and never trained on; checks that none of them is among the training
lines. Counts what the customer would get: the right route, a question back, nothing, or a wrong route. Calibration is that of the classifier alone.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from tightrope.infra.settings import get_settings
from tightrope.understanding import rules
from tightrope.understanding.api import build
from tightrope.understanding.models import SEARCH, ActiveFlow, Clarify, Command, FlowOffer, Request, SetSlot, SlotOffer, StartFlow
from tightrope.understanding.normalise import folded
from tightrope.understanding.service import Understanding
from tightrope.understanding.training import OUT_OF_SCOPE, Example, lines
from tightrope.understanding.training import SEARCH as SEARCH_CLASS

_BINS = 10


@dataclass(slots=True)
class Report:
    """Counts by class: `right`, `asked` (the right flow is among those offered), `nothing`, `wrong`."""

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    errors: list[tuple[Example, str]] = field(default_factory=list)
    calibration_error: float = 0.0
    milliseconds: float = 0.0

    @property
    def accuracy(self) -> float:
        """Share of right routes over all lines."""
        return self._share("right")

    @property
    def misrouted(self) -> float:
        """Share of wrong routes over all lines."""
        return self._share("wrong")

    def _share(self, outcome: str) -> float:
        total = sum(sum(counts.values()) for counts in self.outcomes.values())
        return sum(counts[outcome] for counts in self.outcomes.values()) / total if total else 0.0


def full_offer(labels: set[str], flow: ActiveFlow | None = None, message: str = "") -> Request:
    """A request in which every flow of these classes is on offer, the hand-over with its reasons."""
    reasons: dict[str, list[str]] = {}
    for label in labels - {SEARCH_CLASS, OUT_OF_SCOPE}:
        flow_id, _, reason = label.partition(".")
        reasons.setdefault(flow_id, []).extend([reason] if reason else [])
    offers = [
        FlowOffer(id=flow_id, slots=[SlotOffer(name=rules.REASON_SLOT, allowed_values=sorted(values))] if values else [])
        for flow_id, values in sorted(reasons.items())
    ]
    return Request(v=1, message=message, flow=flow, flows=offers)


def wanted(label: str) -> tuple[Command, ...]:
    """The commands that a line of this class should lead to."""
    if label == SEARCH_CLASS:
        return (SEARCH,)
    if label == OUT_OF_SCOPE:
        return ()
    flow, _, reason = label.partition(".")
    return (StartFlow(flow), SetSlot(rules.REASON_SLOT, reason)) if reason else (StartFlow(flow),)


def evaluate(understanding: Understanding, examples: list[Example]) -> Report:
    """Route every example and count; a person for the wrong reason is a wrong route."""
    report = Report()
    offer = full_offer(set(understanding.classifier.classes))
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(_BINS)]
    started = time.perf_counter()
    results = [understanding.understand(offer.model_copy(update={"message": example.text})) for example in examples]
    report.milliseconds = (time.perf_counter() - started) * 1000 / max(1, len(examples))
    for example, result in zip(examples, results, strict=True):
        found = outcome(result.commands, example.label)
        report.outcomes.setdefault(example.label, Counter())[found] += 1
        if found != "right":
            report.errors.append(
                (example, f"{found}: {result.text!r} by {result.rule or result.source} {list(result.candidates)}")
            )
        best, probability = max(understanding.classifier.probabilities(folded(example.text)).items(), key=lambda item: item[1])
        bins[min(_BINS - 1, int(probability * _BINS))].append((probability, best == example.label))
    report.calibration_error = sum(abs(sum(p for p, _ in b) - sum(right for _, right in b)) for b in bins) / max(1, len(examples))
    return report


def outcome(commands: tuple[Command, ...], label: str) -> str:
    """What commands mean for a line of this class: `right`, `asked` (the right flow is among those offered), `nothing` or `wrong`."""
    right = wanted(label)
    if commands == right:
        return "right"
    if not commands:
        return "nothing"
    if len(commands) == 1 and isinstance(commands[0], Clarify):
        return "asked" if right and isinstance(right[0], StartFlow) and right[0].flow in commands[0].flows else "wrong"
    return "wrong"


def render(report: Report, errors: bool) -> str:
    """The report as a table for a terminal."""
    rows = [f"{'class':32}{'lines':>7}{'right':>7}{'asked':>7}{'nothing':>9}{'wrong':>7}"]
    for label, counts in sorted(report.outcomes.items()):
        rows.append(
            f"{label:32}{sum(counts.values()):7}{counts['right']:7}{counts['asked']:7}{counts['nothing'] if label != OUT_OF_SCOPE else 0:9}{counts['wrong']:7}"
        )
    rows.append(f"\nright {report.accuracy:.1%}, wrong {report.misrouted:.1%}, {report.milliseconds:.2f} ms a message")
    rows.append(f"calibration error of the classifier, in ten bins: {report.calibration_error:.3f}")
    if errors:
        rows += ["", *(f"{example.label}: {example.text}\n    {what}" for example, what in report.errors)]
    return "\n".join(rows)


def main(arguments: list[str]) -> int:
    """Print the report of the held-out lines; 1 when one of them is among the training lines."""
    settings = get_settings()
    folder = settings.project_dir / "data" / "understanding"
    heldout = lines(folder / "heldout")
    trained = {folded(example.text) for example in lines(folder)}
    leaked = [example.text for example in heldout if folded(example.text) in trained]
    if leaked:
        sys.stderr.write(f"Also among the training lines, so that nothing can be said: {leaked}\n")
        return 1
    sys.stdout.write(render(evaluate(build(settings), heldout), "--errors" in arguments) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
