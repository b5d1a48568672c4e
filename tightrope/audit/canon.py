"""Canonical JSON: the one byte form of a leaf.

The profile (docs/audit.md, Canonical form) is a subset of RFC 8785 on which Python's own encoder gives the same bytes: keys ASCII; values string, integer below
2^53 in size, boolean, null, array and object; no floats; UTF-8 without lone surrogates. Scores are written as integers in 1e-4, money as
decimal strings. A verifier hashes stored bytes and never encodes again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from tightrope.audit.errors import CanonError

_ALLOWED = "string, integer, boolean, null, array, object"

INTEGER_LIMIT = 2**53
"""Integers must be smaller than this in size, so that every reader of JSON has the same number."""

DEPTH_LIMIT = 32
"""How deep arrays and objects may nest."""


def canonical(value: object) -> bytes:
    """The canonical bytes of a JSON value.

    Raises:
        CanonError: the value lies outside the profile; the message names the place, as in `$.facts.score`.
    """
    _check(value, "$", 0)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8")


def _check(value: object, place: str, depth: int) -> None:
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        _check_text(value, place)
    elif isinstance(value, int):
        if not -INTEGER_LIMIT < value < INTEGER_LIMIT:
            raise CanonError(f"{place}: the integer does not stay below 2^53; write it as a string")
    elif isinstance(value, (dict, list, tuple)):
        if depth >= DEPTH_LIMIT:
            raise CanonError(f"{place}: nested deeper than {DEPTH_LIMIT}")
        if isinstance(value, dict):
            _check_object(value, place, depth)
        else:
            for index, item in enumerate(value):
                _check(item, f"{place}[{index}]", depth + 1)
    elif isinstance(value, float):
        raise CanonError(
            f"{place}: floats have no canonical form here; write a score as an integer in 1e-4, money as a decimal string"
        )
    else:
        raise CanonError(f"{place}: {type(value).__name__} is none of {_ALLOWED}")


def _check_object(value: Mapping[object, object], place: str, depth: int) -> None:
    for key, item in value.items():
        if not isinstance(key, str) or not key.isascii():
            raise CanonError(f"{place}: keys are ASCII strings, {key!a} is not")
        _check(item, f"{place}.{key}", depth + 1)


def _check_text(value: str, place: str) -> None:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise CanonError(f"{place}: the text holds a lone surrogate") from None
