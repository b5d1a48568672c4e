"""Checks of a message before it is stored (app/models/message.rb, concerns/content_attribute_validator.rb)."""

from __future__ import annotations

import json
from typing import Any

from tightrope.sandbox.inbox.errors import ApiError, unprocessable
from tightrope.sandbox.inbox.models import CONTENT_LIMIT, Draft, Json, MessageType

CONTENT_TYPES = frozenset(
    [
        "text",
        "input_text",
        "input_textarea",
        "input_email",
        "input_select",
        "cards",
        "form",
        "article",
        "incoming_email",
        "input_csat",
        "integrations",
        "sticker",
        "voice_call",
    ]
)
_ITEM_KEYS = {
    "input_select": frozenset({"title", "value"}),
    "cards": frozenset({"title", "description", "media_url", "actions"}),
    "form": frozenset(
        {"type", "placeholder", "label", "name", "options", "default", "required", "pattern", "title", "pattern_error"}
    ),
    "article": frozenset({"title", "description", "link"}),
}
_ACTION_KEYS = frozenset({"text", "type", "payload", "uri"})
STRING_LIMIT = 1500
INTEGER_LIMIT = 9_999_999_999
"""Bounds of custom attribute values (jsonb_attributes_length validator)."""


def _invalid(text: str) -> ApiError:
    return unprocessable(f"Validation failed: {text}")


def content_attributes(value: Any) -> Json:
    """The attributes of a message: an object, or a JSON string holding one; keys beside `items` are kept as they come."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return dict(value) if isinstance(value, dict) else {}


def check_draft(draft: Draft) -> None:
    """Refuse what Chatwoot refuses.

    Raises:
        ApiError: 422 for content too long, items missing or with keys outside the list, an incoming message outside API inboxes;
            500 for a content type that the enum lacks.
    """
    if draft.content is not None and len(draft.content) > CONTENT_LIMIT:
        raise _invalid(f"Content is too long (maximum is {CONTENT_LIMIT} characters)")
    if draft.content_type not in CONTENT_TYPES:
        raise unprocessable(f"'{draft.content_type}' is not a valid content_type")
    allowed = _ITEM_KEYS.get(draft.content_type)
    if allowed is None:
        return
    items = draft.content_attributes.get("items")
    if not isinstance(items, list) or not items:
        raise _invalid("Content attributes At least one item is required.")
    if not all(isinstance(item, dict) for item in items):
        raise _invalid("Content attributes Items should be a hash.")
    extra = {key for item in items for key in item} - allowed
    if extra:
        raise _invalid(f"Content attributes contains invalid keys for items : {sorted(extra)}")
    if draft.content_type == "cards":
        _check_actions(items)


def _check_actions(items: list[Json]) -> None:
    for item in items:
        actions = item.get("actions")
        if not isinstance(actions, list) or not actions:
            raise _invalid("Content attributes contains items missing actions")
        extra = {key for action in actions for key in action} - _ACTION_KEYS
        if extra:
            raise _invalid(f"Content attributes contains invalid keys for actions:  {sorted(extra)}")


def check_direction(draft: Draft) -> None:
    """A web widget takes no incoming messages over the API.

    Raises:
        ApiError: 422.
    """
    if draft.message_type is MessageType.INCOMING:
        raise unprocessable("Incoming messages are only allowed in Api inboxes")


def custom_attributes(value: Any) -> Json:
    """Custom attributes within Chatwoot's bounds.

    Raises:
        ApiError: 422 for a string or integer over its bound.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise unprocessable("custom_attributes must be an object")
    for key, entry in value.items():
        if isinstance(entry, str) and len(entry) > STRING_LIMIT:
            raise _invalid(f"Custom attributes {key} length should be < {STRING_LIMIT}")
        if isinstance(entry, int) and not isinstance(entry, bool) and entry > INTEGER_LIMIT:
            raise _invalid(f"Custom attributes {key} value should be < {INTEGER_LIMIT}")
    return dict(value)
