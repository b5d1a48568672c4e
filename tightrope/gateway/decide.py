"""What to do with an event, before any model, flow or call: pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any, Literal

from tightrope.understanding.language import requested
from tightrope.understanding.normalise import typed

MAX_MESSAGE = 4000
"""Characters of a message that the assistant is given; longer ones are kept, said to be too long, and not processed."""

SWITCH_ONLY = 32
"""A message of at most so many characters that asks for a language asks for nothing else."""

_PICTURES = frozenset({"So", "Sk", "Cn"})
"""Unicode categories of emoji, also of those newer than this interpreter's tables."""

_WORDS = re.compile(r"[^\W_]", re.UNICODE)


def _is_picture(sign: str) -> bool:
    return ord(sign) > 0x2190 and unicodedata.category(sign) in _PICTURES


@dataclass(frozen=True)
class Ask:
    """Give this text (or payload) to the assistant."""

    text: str


@dataclass(frozen=True)
class Canned:
    """Answer with an approved sentence of ours."""

    key: Literal[
        "unsupported_content",
        "empty_message",
        "too_long",
        "offer_expired",
        "login_unavailable",
        "login_confirmed",
        "language_switched",
    ]


@dataclass(frozen=True)
class Silent:
    """Say nothing; `why` goes on the record."""

    why: str


Decision = Ask | Canned | Silent


def on_message(body: dict[str, Any]) -> Decision:
    """What a customer's message asks for.

    Attachments, stickers and voice are never fetched or guessed at. Typed text can never become a payload: a leading slash is
    replaced by its full-width twin, which reads the same and means nothing to an assistant.
    """
    content = body.get("content")
    if not isinstance(content, str) or not content.strip():
        return (
            Canned("unsupported_content")
            if body.get("attachments") or body.get("content_type") == "sticker"
            else Canned("empty_message")
        )
    if len(content) > MAX_MESSAGE:
        return Canned("too_long")
    text = typed(content)
    if not text:
        return Canned("empty_message")
    if not _WORDS.search(content):
        # As typed, not as normalised: the emoji 🈶 would become the word 有.
        # Emoji and punctuation alone; "?", "。。。" or "好的👍" still carry words or are handled as a question.
        return Canned("unsupported_content") if any(_is_picture(c) for c in content) else Ask(text)
    return Canned("language_switched") if len(text) <= SWITCH_ONLY and requested(text) else Ask(text)


def may_answer(held_by: str | None, seen: dict[str, Any]) -> str | None:
    """Why the bot may not answer, or None. `seen` is the event's own snapshot of status and assignee."""
    if held_by is not None:
        return held_by
    if seen.get("assignee_type") == "User":
        return "assigned"
    if seen.get("status") in {"open", "snoozed"}:
        return "opened"
    return None


@dataclass(frozen=True)
class StatusChange:
    """What a status event means for us: who holds the conversation now, and whether the session is over."""

    held_by: str | None
    session_over: bool = False


def on_status(held_by: str | None, body: dict[str, Any]) -> StatusChange:
    """Read a status event.

    Returns:
        A conversation given back (`pending`) is the bot's again unless a person is assigned; `resolved` ends the session.
    """
    status, assignee = body.get("status"), body.get("assignee_type")
    if status == "resolved":
        return StatusChange(None, session_over=True)
    if assignee == "User":
        return StatusChange("assigned")
    if status in {"open", "snoozed"}:
        return StatusChange(held_by or "opened")
    if status == "pending" and "status" in (body.get("changed") or []):
        return StatusChange(None)
    if status == "pending" and (held_by == "assigned" or (held_by == "replied" and assignee == "AgentBot")):
        # Whoever was assigned is so no more: nobody at the desk sees a pending conversation, so the bot has to answer.
        return StatusChange(None)
    return StatusChange(held_by)
