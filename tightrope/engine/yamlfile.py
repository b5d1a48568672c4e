"""YAML as Rasa reads it (1.2 core schema: an unquoted Yes or On is text), with the line of every key kept.

Mappings come back as `Map` and sequences as `Seq`; both are ordinary containers that also know their lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from tightrope.engine.errors import ProjectError
from tightrope.engine.models import Place
from tightrope.engine.problems import Problems

_Base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_DEPTH = 100
"""Mappings and sequences within each other. The reader behind PyYAML ends the process at some 30,000."""
MAX_REPEATED = 100_000
"""Nodes of a file that has aliases, with each alias counted as what it stands for: ten short lines can stand for billions."""


class Map(dict[str, Any]):
    """A mapping with the line of each key (from 1). `end` is the line of the last thing in it."""

    __slots__ = ("end", "key_lines", "line")

    line: int
    end: int
    key_lines: dict[str, int]

    def __init__(self, line: int = 1) -> None:
        super().__init__()
        self.line = self.end = line
        self.key_lines = {}

    def at(self, key: str) -> int:
        """Line of `key`, or of the mapping itself."""
        return self.key_lines.get(key, self.line)


class Seq(list[Any]):
    """A sequence with the line of each item (from 1). `end` is the line of the last thing in it."""

    __slots__ = ("end", "item_lines", "line")

    line: int
    end: int
    item_lines: list[int]

    def __init__(self, items: Iterable[Any] = (), line: int = 1) -> None:
        super().__init__(items)
        self.line = self.end = line
        self.item_lines = [line] * len(self)


class _Loader(_Base):  # type: ignore[misc, valid-type]
    """Safe loader with the implicit types of YAML 1.2 only; keeps the keys that stand twice in one mapping, with their lines."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self.twice: list[tuple[str, int]] = []
        self._depth = 0

    def descend_resolver(self, _parent: Any, _index: Any) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise yaml.YAMLError(f"more than {MAX_DEPTH} mappings and lists stand within each other")

    def ascend_resolver(self) -> None:
        self._depth -= 1

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own convention


def _resolver(tag: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


_resolver("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_resolver("null", r"^(?:~|null|Null|NULL|)$", "~nN\0")
_Loader.yaml_implicit_resolvers.setdefault("", []).append(("tag:yaml.org,2002:null", re.compile(r"^$")))
_resolver("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789")
_resolver("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789")
_resolver("merge", r"^(?:<<)$", "<")


def _int(loader: Any, node: Any) -> int:
    text = loader.construct_scalar(node)
    if text.startswith("0o"):
        return int(text[2:], 8)
    return int(text, 16) if text.startswith("0x") else int(text)


def _end(node: Any, value: Any) -> int:
    """Line on which a node ends; a block scalar's mark stands on the line after it."""
    if isinstance(value, Map | Seq):
        return value.end
    mark = node.end_mark
    return int(mark.line + (mark.column > 0))


def _mapping(loader: Any, node: Any) -> Map:
    loader.flatten_mapping(node)
    out = Map(node.start_mark.line + 1)
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            key = str(key_node.value)
        if key in out and "<<" not in str(key_node.value):
            loader.twice.append((key, key_node.start_mark.line + 1))
            continue
        out.key_lines[key] = key_node.start_mark.line + 1
        out[key] = loader.construct_object(value_node, deep=True)
        out.end = max(out.end, out.key_lines[key], _end(value_node, out[key]))
    return out


def _sequence(loader: Any, node: Any) -> Seq:
    out = Seq((loader.construct_object(item, deep=True) for item in node.value), node.start_mark.line + 1)
    out.item_lines = [item.start_mark.line + 1 for item in node.value]
    out.end = max([out.line, *(_end(item, value) for item, value in zip(node.value, out, strict=True))])
    return out


_Loader.add_constructor("tag:yaml.org,2002:int", _int)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:seq", _sequence)


def _measure(node: Any, seen: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """Number of nodes that a node stands for with its aliases written out, and how deep they lie.

    Raises:
        yaml.YAMLError: there are too many, or they lie too deep.
    """
    if id(node) in seen:
        return seen[id(node)]
    seen[id(node)] = (1, 1)  # an alias for what it stands in itself is refused where it is read
    parts: list[Any] = []
    if isinstance(node, yaml.MappingNode):
        parts = [part for pair in node.value for part in pair]
    elif isinstance(node, yaml.SequenceNode):
        parts = node.value
    measures = [_measure(part, seen) for part in parts]
    size, depth = 1 + sum(size for size, _ in measures), 1 + max((depth for _, depth in measures), default=0)
    if size > MAX_REPEATED or depth > MAX_DEPTH:
        raise yaml.YAMLError("the aliases (*name) of this file stand for too much: write out what is meant")
    seen[id(node)] = (size, depth)
    return size, depth


def parse(text: str, name: str, told: Problems | None = None) -> Map:
    """The mapping that a YAML text holds; an empty text is an empty mapping.

    Keys that stand twice go to `told` and the first counts; without `told` they are refused like all that is no YAML.

    Raises:
        ProjectError: not YAML, or its top is no mapping.
    """
    found = value(text, name, told)
    if found is None:
        found = Map()
    if not isinstance(found, Map):
        raise ProjectError("the top of the file must be a mapping", file=name, line=1)
    return found


def value(text: str, name: str, told: Problems | None = None) -> Any:
    """As `parse`, whatever the top of the text is: a `Map`, a `Seq` or a plain value.

    Raises:
        ProjectError: not YAML.
    """
    try:
        loader = _Loader(text)
    except UnicodeEncodeError:
        raise ProjectError("the text holds half a character", file=name, line=1) from None
    try:
        node = loader.get_single_node()
        if "&" in text and "*" in text and node is not None:
            _measure(node, {})
        found = None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise ProjectError(_plain(error, text.splitlines()[line - 1 : line]), file=name, line=line) from None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ProjectError(f"a value cannot be read: {error}", file=name, line=1) from None
    finally:
        loader.dispose()
    for key, line in loader.twice:
        message = f"the key {key!r} stands here twice"
        if told is None:
            raise ProjectError(message, file=name, line=line)
        told.error(Place(name, line), message, "delete one of them: the second is not read", "duplicate")
    return found


def _plain(error: yaml.YAMLError, lines: list[str]) -> str:
    """What the reader says, with the two slips that it words strangely told plainly."""
    says = str(getattr(error, "problem", None) or error)
    if any("\t" in text[: len(text) - len(text.lstrip())] for text in lines):
        return "a tab stands where YAML wants spaces: indent with spaces"
    if "mapping values are not allowed" in says:
        return f"{says}: put a text that holds ': ' into quotes, or mend the indentation"
    return says


def read(path: Path, root: Path, told: Problems | None = None) -> Map:
    """As `parse`, of a file; messages name it relative to `root`."""
    name = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ProjectError("the file is not UTF-8", file=name, line=1) from None
    except OSError as error:
        raise ProjectError(f"the file cannot be read: {error.strerror}", file=name, line=1) from None
    return parse(text, name, told)
