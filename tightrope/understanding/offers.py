"""The flows on offer, read once: they are nearly all of a request, and they change only when a guard does.

A request ends as our client writes it: with the last message's text, which ends with its `"flows"`. So its body is cut before them, and an end that
was read before is known by its bytes. That the two belong together is seen by reading the front with a short end in place of the true one: if
the words of that end come out where the flows have to be, the cut was there. Everything else is read whole.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import TypeAdapter

from tightrope.understanding.models import FlowOffer

MOST_OFFERS, MOST_BYTES = 64, 16_000_000
"""Offers that are kept, and how long they may be together; what was not asked for longest goes first."""

_CUT = rb"\"flows\":"
_CLOSING = b'"}]}'
"""Ends the text, its message, the messages and the body."""
_FLOWS = TypeAdapter(list[FlowOffer])

Flows = tuple[FlowOffer, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """A body whose flows were read before: the chat completion (its last text shortened), and the request in that text."""

    asked: dict[str, Any]
    request: dict[str, Any]


class Offers:
    """Keeps the offers of earlier requests."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, Flows] = OrderedDict()
        self._size = 0
        # Nobody outside knows the words, so they stand nowhere else in a body.
        self._words = secrets.token_hex(16)
        self._end = _CUT + rf"\"{self._words}\"}}".encode() + _CLOSING

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)

    def cut(self, body: bytes) -> Cut | None:
        """The request of a chat completion's body, which is read anew only up to its flows; None if it must be read whole."""
        at = body.find(_CUT)
        if at < 0 or not body.endswith(_CLOSING):
            return None
        asked = _object(body[:at] + self._end)
        request = _object(_last_text(asked))
        if asked is None or request is None or request.get("flows") != self._words:
            return None
        flows = self._known(body, at)
        return None if flows is None else Cut(asked, {**request, "flows": flows})

    def _known(self, body: bytes, at: int) -> Flows | None:
        for end, flows in self._kept.items():
            if len(end) == len(body) - at and body.endswith(end):
                self._kept.move_to_end(end)
                return flows
        end = body[at:]
        found = _read(end)
        if found is not None and len(end) <= MOST_BYTES:
            self._kept[end] = found
            self._size += len(end)
            while len(self._kept) > MOST_OFFERS or self._size > MOST_BYTES:
                self._size -= len(self._kept.popitem(last=False)[0])
        return found


def _object(text: Any) -> dict[str, Any] | None:
    try:
        found = orjson.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _last_text(asked: dict[str, Any] | None) -> Any:
    """The text of the last message; anything that is no JSON if there is none."""
    try:
        return asked["messages"][-1]["content"]  # type: ignore[index]
    except (TypeError, LookupError):
        return ""


def _read(end: bytes) -> Flows | None:
    """The flows of an end; None if they are not as they should be, or if anything else stands beside them."""
    try:
        text = orjson.loads(b'"{' + end.removesuffix(_CLOSING) + b'"')
        found = orjson.loads(text)
        return tuple(_FLOWS.validate_python(found["flows"])) if found.keys() == {"flows"} else None
    except (ValueError, TypeError, LookupError, AttributeError):
        return None
