"""What conditions can and cannot be: tried over values that stand for all that their slots may hold.

A bool, categorical or float slot, and a text that is only compared with texts, is tried exactly: each value that makes a difference, and
null. What cannot be tried so (`matches`, `contains`, `context.`, Jinja, an order of texts) counts as a coin that may fall either
way, the same for the same text. So "impossible" is always true, and "possible" may be too generous.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tightrope.engine.models import Project, Slot
from tightrope.engine.templates import Condition

MAX_WORLDS = 20_000
_STRINGS = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_NUMBERS = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])")
_BEYOND_TRYING = re.compile(r"\b(?:matches|contains)\b", re.IGNORECASE)
_ORDER = re.compile(r"[<>]")
_OTHER = "\ufffe another text"

Wanted = Sequence[tuple[Condition, bool]]


def constant(condition: Condition) -> bool | None:
    """What a condition always is when it names nothing: `true`, `1 = 2`; None when it depends on something."""
    if condition.template is not None:
        return None
    if condition.predicate is None:
        return {"True": True, "False": False}.get(condition.text)
    return None if condition.predicate.names else condition.holds({}, {})


class Worlds:
    """Tries conditions of one project."""

    def __init__(self, project: Project) -> None:
        self._slots = project.slots
        self._known: dict[Any, bool] = {}
        self._exact: dict[str, bool] = {}
        self._names: dict[str, frozenset[str]] = {}

    def slots_of(self, condition: Condition) -> frozenset[str]:
        """The slots that a condition names."""
        if condition.text not in self._names:
            names = condition.predicate.names if condition.predicate is not None else frozenset()
            self._names[condition.text] = frozenset(n[6:] for n in names if n.startswith("slots.") and "." not in n[6:])
        return self._names[condition.text]

    def exact(self, condition: Condition) -> bool:
        """Whether a condition can be tried."""
        if condition.text not in self._exact:
            self._exact[condition.text] = self._triable(condition)
        return self._exact[condition.text]

    def _triable(self, condition: Condition) -> bool:
        if constant(condition) is not None:
            return True
        if condition.predicate is None:
            return False
        text = _STRINGS.sub("''", condition.text)
        slots = [self._slots.get(name) for name in self.slots_of(condition)]
        if _BEYOND_TRYING.search(text) or None in slots or len(slots) != len(condition.predicate.names):
            return False
        return not _ORDER.search(text) or all(
            slot is not None and slot.type in {"float", "categorical", "bool"} for slot in slots
        )

    def possible(self, wanted: Wanted, nulls: frozenset[str] = frozenset(), filled: frozenset[str] = frozenset()) -> bool:
        """Whether all conditions can come out as wanted at once while the slots `nulls` are null and those in `filled` hold an answer."""
        wanted = tuple(dict.fromkeys(wanted))
        outcomes: dict[str, bool] = {}
        for condition, outcome in wanted:
            if outcomes.setdefault(condition.text, outcome) is not outcome:
                return False
        triable = [(condition, outcome) for condition, outcome in wanted if self.exact(condition)]
        return all(self._possible(part, nulls, filled) for part in self._parts(triable))

    def _parts(self, wanted: Wanted) -> list[Wanted]:
        """Conditions that share slots together, the others apart: each part is tried by itself."""
        parts: list[tuple[set[str], list[tuple[Condition, bool]]]] = []
        for condition, outcome in wanted:
            names = set(self.slots_of(condition))
            together = [(condition, outcome)]
            apart: list[tuple[set[str], list[tuple[Condition, bool]]]] = []
            for others, part in parts:
                if others & names:
                    names |= others
                    together = [*part, *together]
                else:
                    apart.append((others, part))
            parts = [*apart, (names, together)]
        return [part for _, part in parts]

    def _possible(self, wanted: Wanted, nulls: frozenset[str], filled: frozenset[str]) -> bool:
        names = frozenset().union(*(self.slots_of(condition) for condition, _ in wanted))
        key = (frozenset((c.text, o) for c, o in wanted), nulls & names, filled & names)
        if key not in self._known:
            self._known[key] = self._found(wanted, names, nulls, filled)
        return self._known[key]

    def _found(self, wanted: Wanted, names: frozenset[str], nulls: frozenset[str], filled: frozenset[str]) -> bool:
        texts = [condition.text for condition, _ in wanted]
        for tried, world in enumerate(self._each({f"slots.{name}" for name in names}, texts, nulls, filled)):
            if tried > MAX_WORLDS:
                return True
            slots = world["slots"]
            if all(condition.holds(slots, {}) is outcome for condition, outcome in wanted):
                return True
        return False

    def fills(self, condition: Condition, outcome: bool) -> frozenset[str]:
        """Slots that cannot be null when the condition comes out so: `slots.x`, `slots.x = 'a'`, the else of `slots.x is null`."""
        if condition.predicate is None:
            return frozenset()
        out: set[str] = set()
        for name in self.slots_of(condition):
            worlds = self._each(set(condition.predicate.names), [condition.text], frozenset({name}), frozenset())
            if all(condition.holds(w["slots"], w["context"]) is not outcome for w in itertools.islice(worlds, MAX_WORLDS)):
                out.add(name)
        return frozenset(out)

    def _each(
        self, names: set[str], texts: list[str], nulls: frozenset[str], filled: frozenset[str]
    ) -> Iterator[Mapping[str, dict[str, Any]]]:
        """Every combination of values that can make a difference to these conditions."""
        joined = " ".join(texts)
        strings = [a or b for a, b in _STRINGS.findall(joined)]
        numbers = sorted({float(n) for n in _NUMBERS.findall(_STRINGS.sub("''", joined))})
        order = sorted(names)
        columns: list[Sequence[Any]] = []
        for path in order:
            space, _, name = path.partition(".")
            if space == "slots" and name in nulls:
                columns.append([None])
                continue
            values = _values(self._slots.get(name) if space == "slots" else None, strings, numbers)
            columns.append([v for v in values if v is not None and v != ""] if space == "slots" and name in filled else values)
        for combination in itertools.product(*columns):
            world: dict[str, dict[str, Any]] = {"slots": {}, "context": {}}
            for path, value in zip(order, combination, strict=True):
                space, _, name = path.partition(".")
                if space in world:
                    world[space][name] = value
            yield world


def _values(slot: Slot | None, strings: list[str], numbers: list[float]) -> list[Any]:
    """Values that stand for all that a slot may hold, as far as conditions with these texts and numbers can tell them apart."""
    kind = slot.type if slot is not None else "any"
    if slot is not None and kind == "categorical":
        return [None, *slot.values]
    if kind == "bool":
        return [None, True, False]
    edges = numbers or [1.0]
    between = [(a + b) / 2 for a, b in itertools.pairwise(edges)]
    floats = sorted({0.0, edges[0] - 1, *edges, *between, edges[-1] + 1})
    if kind == "float":
        return [None, *floats]
    if kind == "list":
        return [None, [], ["x"]]
    texts = [*dict.fromkeys(["", *strings]), _OTHER]
    if kind == "text":
        return [None, *texts]
    return [None, True, False, *floats[:4], *texts, [], ["x"]]
