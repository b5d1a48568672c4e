"""A prompt's template in two: what depends on nothing but the flows on offer is rendered once for each set of them, the rest with every message.

With two hundred flows nearly all of a prompt is their list, and it changes only when a guard does. Which parts of a template that are is decided
from its syntax: an expression, an `if` or a `for` that names only the flows on offer, its own loop variables and macros of the same kind, and
that uses nothing which could give another text tomorrow. Whatever is not certain is rendered with every message, as ever: the text is the same to
the byte either way (tests/unit/engine/test_engine_prompt_parts.py).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
import orjson
from jinja2 import meta, nodes

FLOWS = "available_flows"
CONSTANT = frozenset({FLOWS, "command_syntax", "range", "dict"})
"""Names that mean the same as long as the same flows are on offer."""
MOST_SETS, MOST_CHARACTERS = 64, 16_000_000
"""Sets of flows whose texts are kept, and how long these may be together; what was not asked for longest goes first."""

_MARK = "tightrope_offer_part_"
_IMPURE = frozenset({"random"})
_BY_NAME = frozenset({"map", "select", "reject", "selectattr", "rejectattr"})
"""Filters that take the name of another one."""
_PLAIN = (
    nodes.Output, nodes.TemplateData, nodes.If, nodes.Const, nodes.Tuple, nodes.List, nodes.Dict, nodes.Pair, nodes.Keyword, nodes.CondExpr,
    nodes.Getitem, nodes.Getattr, nodes.Slice, nodes.Concat, nodes.Compare, nodes.Operand, nodes.BinExpr, nodes.UnaryExpr,
)  # fmt: skip
_WHOLE = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport, nodes.Block)
"""Statements through which names come or go unseen."""


class PromptTemplate:
    """A template for prompts, compiled once.

    Raises:
        jinja2.TemplateSyntaxError: it cannot be compiled.
    """

    def __init__(self, environment: jinja2.Environment, source: str) -> None:
        self._kept: OrderedDict[bytes, Offer] = OrderedDict()
        parsed = environment.parse(source)
        self.names = frozenset(meta.find_undeclared_variables(environment.parse(source)))
        found = _Splitter(environment, source, parsed).parts()
        self._parts = [environment.from_string(part) for part in found]
        self._main = environment.from_string(parsed)

    def offer(self, key: bytes, flows: Callable[[], list[dict[str, Any]]], constants: Mapping[str, Any]) -> Offer:
        """The flows on offer with the texts that depend on nothing else.

        Args:
            key: stands for this set of flows and no other.
            flows: makes the list for the template; called for a key that is not kept.
            constants: the other names of CONSTANT, always the same.
        """
        offer = self._kept.get(key)
        if offer is None:
            offer = self._kept[key] = Offer(flows(), self._parts, constants)
            self._forget()
        else:
            self._kept.move_to_end(key)
        return offer

    def render(self, offer: Offer, values: Mapping[str, Any]) -> str:
        """The text, as the whole template renders it with these values and the offer's flows.

        Raises:
            jinja2.TemplateError: it cannot be rendered with them.
        """
        return self._main.render({**values, FLOWS: offer.flows, **offer.parts})

    def render_json(self, offer: Offer, values: Mapping[str, Any]) -> bytes:
        """As `render`, the text as a JSON string in UTF-8; what is rendered once is also escaped once.

        Raises:
            jinja2.TemplateError: as `render`.
        """
        out, between = [b'"'], list[str]()
        for text in self._main.generate({**values, FLOWS: offer.flows, **offer.parts}):
            part = next((part for part in offer.parts.values() if part.text is text), None)
            if part is None:
                between.append(text)
            else:
                out += [_escaped("".join(between)), part.escaped()]
                between.clear()
        return b"".join([*out, _escaped("".join(between)), b'"'])

    def _forget(self) -> None:
        size = sum(offer.size for offer in self._kept.values())
        while len(self._kept) > 1 and (len(self._kept) > MOST_SETS or size > MOST_CHARACTERS):
            size -= self._kept.popitem(last=False)[1].size


class Offer:
    """One set of flows on offer."""

    def __init__(self, flows: list[dict[str, Any]], parts: Sequence[jinja2.Template], constants: Mapping[str, Any]) -> None:
        self.flows = flows
        self.parts = {f"{_MARK}{at}": _Late(part, {**constants, FLOWS: flows}) for at, part in enumerate(parts)}

    @property
    def size(self) -> int:
        """Characters of the texts that it keeps."""
        return sum(len(part.text or "") for part in self.parts.values())


@dataclass(slots=True)
class _Late:
    """A text that is rendered when it is first printed: a template may never come to it."""

    template: jinja2.Template
    values: Mapping[str, Any]
    text: str | None = None
    json: bytes | None = None

    def __str__(self) -> str:
        if self.text is None:
            self.text = self.template.render(self.values)
        return self.text

    def escaped(self) -> bytes:
        """The text as it stands within a JSON string."""
        if self.json is None:
            self.json = _escaped(str(self))
        return self.json


def _escaped(text: str) -> bytes:
    return orjson.dumps(text)[1:-1]


class _Splitter:
    """Finds the parts of one template and puts a name in the place of each."""

    def __init__(self, environment: jinja2.Environment, source: str, parsed: nodes.Template) -> None:
        self._environment = environment
        self._source = source
        self._parsed = parsed
        self._macros: dict[str, int] = {}
        self._found: list[nodes.Template] = []
        assigned = {name.name for name in parsed.find_all(nodes.Name) if name.ctx != "load"}
        self._assigned = assigned | {macro.name for macro in parsed.find_all(nodes.Macro)}
        self._known = CONSTANT - self._assigned

    def parts(self) -> list[nodes.Template]:
        """The parts as templates of their own; the parsed template names them from now on."""
        if FLOWS not in self._known or _MARK in self._source or next(self._parsed.find_all(_WHOLE), None) is not None:
            return []
        self._parsed.body = list(self._replaced(self._parsed.body, top=True))
        self._parsed.set_environment(self._environment)
        return self._found

    def _replaced(self, body: Sequence[nodes.Node], *, top: bool = False) -> Iterator[nodes.Node]:
        for at, node in enumerate(body):
            if isinstance(node, nodes.Output):
                node.nodes = [self._part(inner) if self._apart(inner) else inner for inner in node.nodes]
                yield node
            elif self._apart(node):
                yield nodes.Output([self._part(node)], lineno=node.lineno)
            else:
                if isinstance(node, nodes.If):
                    self._inside(node)
                if top and isinstance(node, nodes.Macro):
                    self._remember(node, at)
                yield node

    def _inside(self, node: nodes.If) -> None:
        """An `if` that asks of the message may hold parts all the same."""
        node.body = list(self._replaced(node.body))
        node.else_ = list(self._replaced(node.else_))
        for other in node.elif_:
            self._inside(other)

    def _apart(self, node: nodes.Node) -> bool:
        names = {name.name for name in node.find_all(nodes.Name)}
        if isinstance(node, nodes.Name):
            names.add(node.name)
        return FLOWS in names and self._certain(node, self._known | self._macros.keys())

    def _remember(self, macro: nodes.Macro, at: int) -> None:
        """A macro that stands above may be called by parts, if it is like them and its name means nothing else anywhere."""
        names = [other.name for other in self._parsed.find_all(nodes.Macro)]
        elsewhere = {name.name for name in self._parsed.find_all(nodes.Name) if name.ctx != "load"}
        if names.count(macro.name) == 1 and macro.name not in elsewhere:
            known = self._known | self._macros.keys() | {argument.name for argument in macro.args}
            if all(self._certain(node, known) for node in (*macro.defaults, *macro.body)):
                self._macros[macro.name] = at

    def _part(self, node: nodes.Node) -> nodes.Expr:
        # Parsed anew for each part: compiling may change the nodes that it is given.
        above = self._environment.parse(self._source).body
        macros = [above[at] for at in self._macros.values()]
        inner = node if isinstance(node, nodes.Stmt) else nodes.Output([node], lineno=node.lineno)
        part = nodes.Template([*macros, inner], lineno=1)
        part.set_environment(self._environment)
        self._found.append(part)
        return nodes.Name(f"{_MARK}{len(self._found) - 1}", "load", lineno=node.lineno)

    def _certain(self, node: nodes.Node, known: frozenset[str] | set[str]) -> bool:
        """Whether a node gives the same text whenever the known names mean the same."""
        match node:
            case nodes.Name():
                return node.ctx == "load" and node.name in known
            case nodes.For():
                return self._loop(node, known)
            case nodes.Filter():
                if node.name in _IMPURE or node.name not in self._environment.filters or not _named_plainly(node):
                    return False
            case nodes.Test():
                if node.name not in self._environment.tests:
                    return False
            case nodes.Call():
                called = node.node
                macro = isinstance(called, nodes.Name) and (called.name in self._macros or called.name in {"range", "dict"})
                if not (macro or isinstance(called, nodes.Getattr)):
                    return False
            case _ if not isinstance(node, _PLAIN):
                return False
        return all(self._certain(inner, known) for inner in node.iter_child_nodes())

    def _loop(self, node: nodes.For, known: frozenset[str] | set[str]) -> bool:
        targets = {name.name for name in [node.target, *node.target.find_all(nodes.Name)] if isinstance(name, nodes.Name)}
        plain = isinstance(node.target, nodes.Name | nodes.Tuple) and not node.recursive
        test = [] if node.test is None else [node.test]
        return (
            plain
            and self._certain(node.iter, known)
            and all(self._certain(inner, known | targets) for inner in test)
            and all(self._certain(inner, known | targets | {"loop"}) for inner in node.body)
            and all(self._certain(inner, known) for inner in node.else_)
        )


def _named_plainly(node: nodes.Filter) -> bool:
    """Filters that take another's name: it stands there, and is not one that gives another result each time."""
    if node.name not in _BY_NAME:
        return True
    return all(isinstance(argument, nodes.Const) and argument.value not in _IMPURE for argument in node.args)
