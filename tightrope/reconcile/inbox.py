"""Chatwoot's side, through its REST API: which conversations had something in a period, and their messages."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from tightrope.gateway.chatwoot import Chatwoot
from tightrope.gateway.errors import ChatwootRejected, ChatwootUnknown
from tightrope.reconcile.models import Message, Period

READINGS = 3
"""Of the list of conversations, at most."""
CLOCKS_APART = 60.0
"""Seconds by which Chatwoot's clock may differ from ours."""
_ACTIVITY = (2, "activity")


async def active(chatwoot: Chatwoot, period: Period, inbox: int | None) -> AsyncGenerator[int]:
    """Chatwoot's numbers of the conversations with activity since the period began; some may come twice.

    The list is ordered by newest activity and moves while it is read: what moves to its front meanwhile is found by reading the front
    again. Each reading is much shorter than the one before; what still slips through is known to the gateway or the log, or comes again.
    """
    started = datetime.now(UTC).timestamp()
    floor = period.since.timestamp()
    for _ in range(READINGS):
        newest, page = 0.0, 1
        while True:
            found = await chatwoot.conversations(page, inbox)
            times = [_activity(one) for one in found]
            for one, at in zip(found, times, strict=True):
                if at >= floor and isinstance(one.get("id"), int):
                    yield one["id"]
            newest = max([newest, *times])
            if not found or min(times) < floor:
                break
            page += 1
        if newest < started - CLOCKS_APART:
            return
        floor, started = max(floor, started - CLOCKS_APART), datetime.now(UTC).timestamp()


async def messages(chatwoot: Chatwoot, display_id: int, period: Period, oldest: int | None) -> tuple[Message, ...] | None:
    """The messages of a conversation back to the period's beginning, and further to message `oldest`; None: Chatwoot does not know it.

    Raises:
        ChatwootUnknown, ChatwootRejected: it did not answer, or refused.
    """
    kept: dict[int, Message] = {}
    before: int | None = None
    while True:
        try:
            page = [_message(one) for one in await chatwoot.messages(display_id, before)]
        except ChatwootRejected as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        kept |= {message.id: message for message in page}
        if not page:
            return tuple(kept[number] for number in sorted(kept))
        first = min(page, key=lambda message: message.id)
        if first.id == before or (first.at < period.since and (oldest is None or first.id <= oldest)):
            return tuple(kept[number] for number in sorted(kept))
        before = first.id


def _activity(found: dict[str, Any]) -> float:
    at = found.get("last_activity_at") or found.get("timestamp") or 0
    return float(at) if isinstance(at, int | float) else 0.0


def _message(found: dict[str, Any]) -> Message:
    """Raises:
    ChatwootUnknown: it has no id or time.
    """
    number, at, source = found.get("id"), found.get("created_at"), found.get("source_id")
    if not isinstance(number, int) or not isinstance(at, int | float):
        raise ChatwootUnknown("Chatwoot's list of messages has one without id or time")
    attributes = found.get("content_attributes")
    return Message(
        id=number,
        at=datetime.fromtimestamp(at, UTC),
        activity=found.get("message_type") in _ACTIVITY,
        deleted=isinstance(attributes, dict) and attributes.get("deleted") is True,
        source_id=source if isinstance(source, str) else None,
    )
