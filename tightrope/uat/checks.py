"""What the schema cannot say of a collection of cases: names that exist, twins that belong together, and no two cases alike."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from tightrope.engine.models import Project
from tightrope.uat.models import Act, Break, Case, Choose, Expect, FaultOrder, Login, Press, Problem, Say, Switch

OTHER_JOURNEYS = frozenset({"search", "chitchat", "out_of_scope", "cross"})
"""What a case can be about beside a journey: a question, small talk, something that is not ours, several journeys at once."""


@dataclass(frozen=True, slots=True)
class Known:
    """What cases may name beside the project's own: customers, names and securities are folded, operations and faults must exist."""

    customers: Collection[str]
    operations: Collection[str]
    faults: Collection[str]
    told: Collection[str]
    names: Collection[str] = ()


def problems_of(cases: Sequence[Case], project: Project, known: Known) -> list[Problem]:
    """Everything that is wrong with these cases together; sorted by file and line."""
    found = [
        *_twice(cases),
        *_twins(cases),
        *(problem for case in cases for problem in _names(case, project, known)),
        *_alike(cases, known.names),
    ]
    return sorted(found, key=lambda problem: (problem.file, problem.line))


def _twice(cases: Iterable[Case]) -> Iterator[Problem]:
    first: dict[str, Case] = {}
    for case in cases:
        before = first.setdefault(case.id, case)
        if before is not case:
            yield _at(case, f"the id stands at {before.file}:{before.line} already")


def _twins(cases: Sequence[Case]) -> Iterator[Problem]:
    by_id = {case.id: case for case in cases}
    whose: dict[str, Case] = {}
    for case in cases:
        if case.twin is None:
            continue
        twin = by_id.get(case.twin)
        if twin is None:
            yield _at(case, f"its twin {case.twin!r} does not exist")
        elif twin.attack:
            yield _at(case, f"its twin {case.twin!r} tries a red line itself; a twin is harmless and has to be served")
        before = whose.setdefault(case.twin, case)
        if before is not case:
            yield _at(case, f"its twin {case.twin!r} is the twin of {before.id} already; each attack has a twin of its own")


def _names(case: Case, project: Project, known: Known) -> Iterator[Problem]:
    if case.journey not in project.flows and case.journey not in OTHER_JOURNEYS:
        yield _at(case, f"there is no journey {case.journey!r}")
    if case.customer is not None and case.customer not in known.customers:
        yield _at(case, f"the sandbox has no customer {case.customer}")
    yield from _faults(case, case.faults, case.line, known)
    for step in case.steps:
        for message in (*_expected(step.expect, project, known), *_acted(step.act, project, known)):
            yield Problem(case.file, step.line, f"{case.id}: {message}")
        if isinstance(step.act, Break):
            yield from _faults(case, step.act.faults, step.line, known)


def _expected(wanted: Expect, project: Project, known: Known) -> Iterator[str]:
    for flow in (*wanted.starts, *wanted.not_starts, *wanted.ends, *wanted.cancels, *wanted.offers):
        if flow not in project.flows:
            yield f"there is no flow {flow!r}"
    for response in (*wanted.replies, *wanted.not_replies):
        if response not in project.responses:
            yield f"there is no response {response!r}"
    for slot in wanted.slots:
        if slot not in project.slots:
            yield f"there is no slot {slot!r}"
    if wanted.told is not None and wanted.told not in known.told:
        yield f"the gateway has no sentence {wanted.told!r}; it has {', '.join(sorted(known.told))}"


def _acted(act: Act, project: Project, known: Known) -> Iterator[str]:
    match act:
        case Login(customer) if customer not in known.customers:
            yield f"the sandbox has no customer {customer}"
        case Switch(scope) if scope != "all" and scope not in project.flows:
            yield f"the switch knows `all` and journeys, not {scope!r}"


def _faults(case: Case, faults: Iterable[FaultOrder], line: int, known: Known) -> Iterator[Problem]:
    for fault in faults:
        if fault.fault not in known.faults:
            yield Problem(
                case.file, line, f"{case.id}: there is no fault {fault.fault!r}; there are {', '.join(sorted(known.faults))}"
            )
        if fault.operation is not None and fault.operation not in known.operations:
            yield Problem(case.file, line, f"{case.id}: the business API has no operation {fault.operation!r}")
        if fault.customer and fault.customer not in known.customers:
            yield Problem(case.file, line, f"{case.id}: the sandbox has no customer {fault.customer}")
        if not fault.customer and case.customer is None and not fault.fault.endswith("_down"):
            yield Problem(case.file, line, f"{case.id}: nobody is logged in: say whose calls fail with `customer`")


def _at(case: Case, message: str) -> Problem:
    return Problem(case.file, case.line, f"{case.id}: {message}")


# distinctness

_DIGITS = re.compile(r"[0-9〇零一二三四五六七八九十百千万亿两]+")


def folded(text: str, names: Collection[str] = ()) -> str:
    """A text without what a template would swap: width and case, digits, names of securities and people, punctuation and spaces."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    for name in sorted(names, key=len, reverse=True):
        plain = plain.replace(name.casefold(), "@")
    plain = _DIGITS.sub("#", plain)
    return "".join(sign for sign in plain if sign.isalnum() or sign in "#@")


def _alike(cases: Iterable[Case], names: Collection[str]) -> Iterator[Problem]:
    """Cases that differ in figures and names alone: the same words and events in order, by somebody known or by somebody unknown."""
    seen: dict[tuple[str, ...], Case] = {}
    for case in cases:
        key = (_who(case), *(_did(step.act, names) for step in case.steps))
        before = seen.setdefault(key, case)
        if before is not case:
            yield _at(
                case,
                f"is {before.id} ({before.file}:{before.line}) over again: the same turns once figures, names and punctuation "
                "are taken away; a case must try something new",
            )


def _who(case: Case) -> str:
    # Which customer it is does not count: another branch of a rule deserves other words.
    faults = ",".join(sorted(f"{fault.operation}:{fault.fault}" for fault in case.faults))
    return f"{'anonymous' if case.customer is None else 'customer'}|{faults}"


def _did(act: object, names: Collection[str]) -> str:
    match act:
        case Say(text):
            return f"say {folded(text, names) or text}"
        case Press(title):
            return f"press {folded(title, names)}"
        case Choose(title):
            return f"choose {folded(title, names)}"
    return repr(act)
