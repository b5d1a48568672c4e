"""Cursors: opaque, and good for the owner and the list that they were made for."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Final

from tightrope.sandbox.brokerage.access import IDENTIFIER
from tightrope.sandbox.brokerage.errors import bad_request

Place = str | int
_TAG: Final = 12


def encode(operation: str, owner: str, place: Place) -> str:
    """The cursor behind `place`."""
    text = json.dumps([_tag(operation, owner), place], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(operation: str, owner: str, cursor: str | None, start: Place) -> Place:
    """The place that a cursor names; `start` when there is none.

    Raises:
        Problem: 400, it is not one of ours for this owner and list.
    """
    if cursor is None:
        return start
    try:
        tag, found = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError):
        raise bad_request("The cursor is not one of ours.") from None
    place: Place = found if type(found) is type(start) else start
    possible = 0 < place < 2**31 if isinstance(place, int) else IDENTIFIER.fullmatch(place) is not None
    if tag != _tag(operation, owner) or not possible or encode(operation, owner, place) != cursor:
        raise bad_request("The cursor is not one of ours for this list.")
    return place


def _tag(operation: str, owner: str) -> str:
    return hashlib.sha256(f"{operation}\0{owner}".encode()).hexdigest()[:_TAG]
