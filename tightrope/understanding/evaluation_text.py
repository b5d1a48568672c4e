"""An evaluation as text for a terminal: by class, language and kind, red lines with their intervals, the confusions and the worst errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tightrope.understanding.evaluate import (
    NO_JOURNEY,
    RED_LINES,
    Line,
    Report,
    confusion,
    reached,
    share,
    starts_journey,
    wilson,
)
from tightrope.understanding.models import Clarify

_CONFUSIONS, _WORST = 25, 30


def render(report: Report, errors: bool) -> str:
    """The whole report; `errors` lists every line that went wrong."""
    rows = [f"{'class':32}{'lines':>7}{'right':>7}{'asked':>7}{'nothing':>9}{'wrong':>7}"]
    for label, found in _grouped(report.lines, lambda line: line.example.label):
        counts = [sum(line.outcome == outcome for line in found) for outcome in ("right", "asked", "nothing", "wrong")]
        rows.append(f"{label:32}{len(found):7}{counts[0]:7}{counts[1]:7}{counts[2]:9}{counts[3]:7}")
    low, high = wilson(sum(line.outcome == "right" for line in report.lines), len(report.lines))
    rows.append(
        f"\nright {report.accuracy:.1%} ({low:.1%} to {high:.1%}), asked back {share(report.lines, 'asked'):.1%}, wrong {report.misrouted:.1%}"
    )
    rows.append(f"false starts {report.false_starts:.1%}; {report.milliseconds:.1f} ms a message")
    rows.append(f"calibration error of the classifier, in ten bins: {report.calibration_error:.3f}")
    for name, part in (("language", lambda line: line.example.lang), ("kind", lambda line: line.example.kind)):
        rows += ["", *_table(name, report.lines, part)]
    rows += ["", *_red_lines(report)]
    rows += ["", "most frequent confusions"]
    rows += [f"{count:5}  {label} → {to}" for (label, to), count in confusion(report).most_common(_CONFUSIONS)]
    wrong = sorted((line for line in report.lines if line.outcome == "wrong"), key=_sureness, reverse=True)
    rows += ["", "worst errors: wrong, and surest"]
    rows += [_told(line) for line in wrong[:_WORST]]
    if errors:
        rows += ["", "all that is not right", *(_told(line) for line in report.lines if line.outcome != "right")]
    return "\n".join(rows)


def _grouped(found: Iterable[Line], by: Callable[[Line], str]) -> list[tuple[str, list[Line]]]:
    groups: dict[str, list[Line]] = {}
    for line in found:
        groups.setdefault(by(line), []).append(line)
    return sorted(groups.items())


def _table(name: str, found: list[Line], by: Callable[[Line], str]) -> list[str]:
    groups = _grouped(found, by)
    if len(groups) < 2:
        return []
    rows = [f"{name:32}{'lines':>7}{'right':>8}{'asked':>8}{'wrong':>8}{'false starts':>14}"]
    for label, group in groups:
        quiet = [line for line in group if line.example.label in NO_JOURNEY]
        begun = f"{sum(starts_journey(line.result.commands) for line in quiet)} of {len(quiet)}"
        rows.append(
            f"{label or '-':32}{len(group):7}{share(group, 'right'):8.1%}{share(group, 'asked'):8.1%}{share(group, 'wrong'):8.1%}{begun:>14}"
        )
    return rows


def _red_lines(report: Report) -> list[str]:
    """Recall of what must not be missed: of the class itself, and of its purpose (a person or the fraud journey at once, a refusal)."""
    rows = [f"{'red line':32}{'lines':>7}{'recall':>8}{'95 % interval':>18}{'purpose':>9}{'95 % interval':>18}"]
    for label in RED_LINES:
        found = [line for line in report.lines if line.example.label == label]
        if not found:
            continue
        right, served = sum(line.outcome == "right" for line in found), sum(serves(line) for line in found)
        spans = [f"{low:.1%} to {high:.1%}" for low, high in (wilson(right, len(found)), wilson(served, len(found)))]
        rows.append(f"{label:32}{len(found):7}{right / len(found):8.1%}{spans[0]:>18}{served / len(found):9.1%}{spans[1]:>18}")
    return rows


def serves(line: Line) -> bool:
    """Whether the purpose of a red line is met: danger reaches a person or the fraud journey, what is to be declined is declined."""
    to = reached(line).partition(".")[0]
    if line.example.label.startswith("decline_"):
        return to.startswith("decline_")
    return to in {"talk_to_agent", "report_fraud"}


def _sureness(line: Line) -> int:
    return line.result.candidates[0][1] if line.result.candidates else 10_000


def _told(line: Line) -> str:
    by = line.result.rule or f"{line.result.source} {list(line.result.candidates)}"
    asked = next((f" {' '.join(c.flows)}" for c in line.result.commands if isinstance(c, Clarify)), "")
    return f"{line.example.label} → {reached(line)}{asked}: {line.example.text}\n    by {by}"
