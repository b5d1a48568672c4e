"""RAGFlow's `metadata_condition`, with its traps (common/metadata_utils.py of RAGFlow 0.27). Pure.

The traps are kept on purpose: our client's own guard is tested against them. `{}` is no filter at all.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

IMPOSSIBLE = "-999"
"""The document id RAGFlow filters by when a condition has no parts: nothing matches."""

LITERAL = 200
"""Longer texts are compared as texts: nothing that we store is longer, and nested brackets by the thousand exhaust a parser's stack."""
_ALIASES = {"is": "=", "==": "=", "!=": "≠", "not is": "≠", ">=": "≥", "<=": "≤"}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    "≥": lambda a, b: a >= b,
    "≤": lambda a, b: a <= b,
}


@lru_cache(maxsize=4096)
def _literal(text: str) -> Any:
    if len(text) > LITERAL:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _pair(one: Any, other: Any) -> tuple[Any, Any]:
    """Both sides as RAGFlow compares them: literals if both parse, else lower-case text."""
    left, right = str(one), str(other)
    left_literal, right_literal = _literal(left), _literal(right)
    if left_literal is not None and right_literal is not None:
        return left_literal, right_literal
    return left.lower(), right.lower()


def _matches(operator: str, stored: Any, wanted: Any) -> bool:
    if operator in {"empty", "not empty"}:
        return (str(stored) == "") == (operator == "empty")
    if operator in _ORDERED and (_DATE.fullmatch(str(stored)) or _DATE.fullmatch(str(wanted))):
        both = bool(_DATE.fullmatch(str(stored)) and _DATE.fullmatch(str(wanted)))
        return both and _ORDERED[operator](str(stored), str(wanted))
    if operator in {"in", "not in"}:
        members = [str(item).lower() for item in wanted] if isinstance(wanted, list) else str(wanted).lower()
        return (str(stored).lower() in members) == (operator == "in")
    left, right = _pair(stored, wanted)
    if operator in _ORDERED:
        try:
            return _ORDERED[operator](left, right)
        except TypeError:
            return False
    text, part = str(stored).lower(), str(wanted).lower()
    tests: dict[str, bool] = {
        "=": left == right,
        "≠": left != right,
        "contains": part in text,
        "not contains": part not in text,
        "start with": text.startswith(part),
        "end with": text.endswith(part),
    }
    return tests.get(operator, False)


def allowed_documents(condition: Mapping[str, Any] | None, metadata: Mapping[str, Mapping[str, Any]]) -> set[str] | None:
    """The documents that satisfy a condition, or None where RAGFlow applies no filter.

    Args:
        condition: `{"logic": "and"|"or", "conditions": [{"name", "comparison_operator", "value"}]}`.
        metadata: metadata of every document by id.

    Raises:
        KeyError: a condition has no `value`, also for `empty` (as in RAGFlow).
    """
    if not condition:
        return None
    parts = condition.get("conditions") or []
    if not parts:
        return {IMPOSSIBLE}
    found: list[set[str]] = []
    for part in parts:
        operator = str(part["comparison_operator"] if "comparison_operator" in part else part["operator"])
        operator, wanted, name = _ALIASES.get(operator, operator), part["value"], part["name"]
        matching = set()
        for document, fields in metadata.items():
            values = fields.get(name)
            if values is None:
                continue  # a document without the field matches nothing, a negative condition neither
            if any(_matches(operator, value, wanted) for value in (values if isinstance(values, list) else [values])):
                matching.add(document)
        found.append(matching)
    chosen = set.union(*found) if condition.get("logic") == "or" else set.intersection(*found)
    return chosen or {IMPOSSIBLE}
