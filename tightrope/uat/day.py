"""The realistic day: how many of a broker's customers get the right outcome without a person.

The mix says for each contact reason what share of a day's conversations it is, with its source; the cases of the day name their reason and
were written apart from the training lines. A reason counts with its share, however many cases it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tightrope.engine.errors import ProjectError
from tightrope.engine.yamlfile import Seq, read
from tightrope.uat.models import Case, Problem


@dataclass(frozen=True, slots=True)
class Reason:
    """Why customers write.

    Attributes:
        share: percent of a day's conversations.
        needs_person: whether only a person can do it; then being passed to one is right and still counts as with a person.
    """

    id: str
    title: str
    share: float
    needs_person: bool = False


@dataclass(frozen=True, slots=True)
class Mix:
    """A day. `source` says where the shares are from."""

    source: str
    reasons: tuple[Reason, ...]


def read_mix(path: Path, root: Path) -> tuple[Mix | None, tuple[Problem, ...]]:
    """The mix of a file (`source`, and `reasons` with `id`, `title`, `share` and perhaps `needs_person`), and what is wrong with it."""
    name = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    try:
        found = read(path, root)
    except ProjectError as error:
        return None, (Problem(name, error.line or 1, error.what),)
    items = found.get("reasons")
    problems: list[Problem] = []
    reasons: list[Reason] = []
    if not isinstance(found.get("source"), str):
        problems.append(Problem(name, 1, "`source` is missing: where the shares are from"))
    for index, item in enumerate(items if isinstance(items, Seq) else ()):
        line = items.item_lines[index] if isinstance(items, Seq) else 1
        try:
            reasons.append(
                Reason(str(item["id"]), str(item["title"]), float(item["share"]), bool(item.get("needs_person", False)))
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            problems.append(Problem(name, line, f"a reason has id, title and share ({error})"))
    total = sum(reason.share for reason in reasons)
    if not problems and abs(total - 100) > 0.01:
        problems.append(Problem(name, found.at("reasons"), f"the shares add up to {total:g} %, not to 100 %"))
    if len({reason.id for reason in reasons}) < len(reasons):
        problems.append(Problem(name, found.at("reasons"), "a reason stands here twice"))
    return (None if problems else Mix(str(found["source"]), tuple(reasons))), tuple(problems)


def gaps(mix: Mix, cases: Iterable[Case], path: str) -> list[Problem]:
    """Reasons without a case, and cases of the day without a reason of the mix."""
    known = {reason.id for reason in mix.reasons}
    used = set()
    out = []
    for case in cases:
        used.add(case.reason)
        if case.reason not in known:
            out.append(Problem(case.file, case.line, f"{case.id}: the mix has no reason {case.reason!r}"))
    out += [Problem(path, 1, f"no case of the day has the reason {name!r}") for name in sorted(known - used)]
    return out


def figure(mix: Mix, cases: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Percentages of a played day, as a run holds them (results.as_data); None if a reason was not played."""
    rows = []
    right = without = 0.0
    for reason in mix.reasons:
        mine = [case for case in cases if case["reason"] == reason.id]
        if not mine:
            return None
        good = [case for case in mine if case["passed"]]
        alone = [case for case in good if case["outcome"] != "person"]
        right += reason.share * len(good) / len(mine)
        without += reason.share * len(alone) / len(mine)
        rows.append(
            {
                "id": reason.id,
                "title": reason.title,
                "share": reason.share,
                "cases": len(mine),
                "right": len(good),
                "without_person": len(alone),
                "needs_person": reason.needs_person,
            }
        )
    return {"right": round(right, 1), "without_person": round(without, 1), "source": mix.source, "reasons": rows}
