"""Texts with places to fill: `{slot}` interpolation, Jinja in a sandbox, and conditions that are rendered before they are read.

Everything is compiled when the project is loaded; a turn only fills in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
import jinja2.meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tightrope.engine.errors import PredicateError
from tightrope.engine.predicates import Predicate, compile_predicate

_HOLE = re.compile(r"\{\{|\}\}|\{([A-Za-z_][\w.\-]*)\}")
_LOOK = re.compile(r"\{\{ *(slots|context)\.([A-Za-z_]\w*) *\}\}")
ENVIRONMENT = ImmutableSandboxedEnvironment(autoescape=False, undefined=jinja2.Undefined, trim_blocks=True, lstrip_blocks=True)
"""Values are data, never code: no attribute of Python reaches a template."""


class _Values(Mapping[str, Any]):
    """Slots or context as templates see them: `slots.name`, null for what is not set."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, key: str) -> Any:
        return self._values.get(key)

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True, slots=True)
class Template:
    """A text that is filled per turn. `holes` are the names that a `{name}` text needs."""

    source: str
    holes: frozenset[str]
    parts: tuple[tuple[bool, str], ...]
    jinja: jinja2.Template | None = None
    looks: tuple[tuple[str, str], ...] | None = None
    """A Jinja text that only looks names up: (literal, ""), ("slots" or "context", name)."""
    names: frozenset[str] = frozenset()
    """What a Jinja text names beside `slots` and `context`."""

    def fill(self, values: Mapping[str, Any], slots: Mapping[str, Any], context: Mapping[str, Any]) -> str:
        """The text with its holes filled from `values`; a name nobody knows stays as written, null prints None as Rasa does.

        Raises:
            jinja2.TemplateError: Jinja cannot render it with these values; says nothing of them.
        """
        if self.looks is not None:
            return "".join(
                [space if not name else str((slots if space == "slots" else context).get(name)) for space, name in self.looks]
            )
        if self.jinja is not None:
            named = {name: values[name] for name in self.names if name in values}
            try:
                return self.jinja.render({**named, "slots": _Values(slots), "context": _Values(context)})
            except jinja2.TemplateError:
                raise
            except Exception as error:  # a filter raises whatever its value makes it raise
                raise jinja2.TemplateRuntimeError(type(error).__name__) from error
        if not self.holes:
            return self.parts[0][1] if self.parts else ""
        out: list[str] = []
        for hole, text in self.parts:
            if not hole:
                out.append(text)
            elif text in values:
                out.append(str(values[text]))
            else:
                out.append("{" + text + "}")
        return "".join(out)


def plain_template(text: str) -> Template:
    """A response text: `{name}` is a hole, doubled braces are braces."""
    parts: list[tuple[bool, str]] = []
    literal = ""
    at = 0
    for found in _HOLE.finditer(text):
        literal += text[at : found.start()]
        at = found.end()
        if found.group(1) is None:
            literal += found.group(0)[0]
            continue
        if literal:
            parts.append((False, literal))
            literal = ""
        parts.append((True, found.group(1)))
    literal += text[at:]
    if literal or not parts:
        parts.append((False, literal))
    return Template(text, frozenset(name for hole, name in parts if hole), tuple(parts))


def jinja_template(text: str) -> Template:
    """A Jinja text that sees `slots`, `context` and the action's variables.

    Raises:
        jinja2.TemplateSyntaxError: it cannot be compiled.
    """
    names = jinja2.meta.find_undeclared_variables(ENVIRONMENT.parse(text)) - {"slots", "context"}
    return Template(text, frozenset(), (), ENVIRONMENT.from_string(text), _looks(text), frozenset(names))


def _looks(text: str) -> tuple[tuple[str, str], ...] | None:
    """The parts of a text in which Jinja only looks names up; patterns ask so for every question, and a full render costs ten times as much."""
    out: list[tuple[str, str]] = []
    at = 0
    for found in _LOOK.finditer(text):
        out += [(text[at : found.start()], ""), (found[1], found[2])]
        at = found.end()
    out.append((text[at:], ""))
    odd = any("{" in part or "}" in part for part, name in out if not name) or any(
        hasattr(_Values, name) for _, name in out if name
    )
    return None if odd or text.endswith("\n") else tuple(out)


@dataclass(frozen=True, slots=True)
class Condition:
    """A predicate, or a Jinja text that becomes one (`slots.{{context.collect}} is not null`)."""

    text: str
    predicate: Predicate | None
    template: Template | None
    check: Callable[[Mapping[str, Any], Mapping[str, Any]], bool]

    def holds(self, slots: Mapping[str, Any], context: Mapping[str, Any]) -> bool:
        """Whether it is true now; one that cannot be read once rendered is false."""
        try:
            return self.check(slots, context)
        except PredicateError:
            return False

    def decide(self, slots: Mapping[str, Any], context: Mapping[str, Any]) -> bool:
        """Whether it is true now.

        Raises:
            PredicateError: it cannot be read once rendered; says what stands in the file, not what the values made of it.
        """
        return self.check(slots, context)


def condition(value: str | bool) -> Condition:
    """Compile a condition of a project file.

    Raises:
        PredicateError: it cannot be read.
    """
    if isinstance(value, bool):
        return Condition(str(value), None, None, lambda _slots, _context: value)
    if "{{" not in value and "{%" not in value:
        predicate = compile_predicate(value)
        return Condition(value, predicate, None, predicate.holds)
    try:
        template = jinja_template(value)
    except jinja2.TemplateError as error:
        raise PredicateError(f"{error} in the condition {value!r}") from None

    def check(slots: Mapping[str, Any], context: Mapping[str, Any]) -> bool:
        try:
            return compile_predicate(template.fill({}, slots, context)).holds(slots, context)
        except (PredicateError, jinja2.TemplateError):
            raise PredicateError(f"the condition {value!r} cannot be read once it is rendered") from None

    return Condition(value, None, template, check)
