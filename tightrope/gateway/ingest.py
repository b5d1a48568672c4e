"""From a webhook body to arrivals: pure, and tolerant of everything Chatwoot's payloads do (reference: agent-bot payload shapes).

Nothing in a payload is believed here: contact names, identifiers, attributes and `hmac_verified` are all writable by the browser or
by others, so they are not even taken over. `pubsub_token` and `source_id` are bearer secrets and never leave this module.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tightrope.gateway.errors import BodyInvalid
from tightrope.gateway.models import Arrival, ArrivalKind, ConversationHint

MAX_TOKEN = 4096
_MESSAGE_EVENTS = {"message_created", "message_updated"}
_STATUS_EVENTS = {"conversation_status_changed", "conversation_opened", "conversation_resolved", "conversation_updated"}


def digest(value: Any) -> str:
    """SHA-256 in hex of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()


def parse(body: bytes) -> dict[str, Any]:
    """The webhook's JSON object.

    Raises:
        BodyInvalid: not JSON, not an object, or without an event name.
    """
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BodyInvalid("the body is not JSON") from error
    if not isinstance(payload, dict) or not isinstance(payload.get("event"), str):
        raise BodyInvalid("the body is not an object with an `event`")
    return payload


def hint(payload: dict[str, Any]) -> ConversationHint | None:
    """The conversation of an event, or None for events without one (`webwidget_triggered`, unknown kinds).

    Raises:
        BodyInvalid: an event that must name its conversation and account does not.
    """
    event = payload["event"]
    if event in _MESSAGE_EVENTS:
        conversation = payload.get("conversation")
    elif event in _STATUS_EVENTS:
        conversation = payload
    else:
        return None
    if not isinstance(conversation, dict):
        raise BodyInvalid(f"{event} without a conversation")
    account = _dict(payload.get("account")) or _dict(conversation.get("account"))
    account_id, display_id = _int(account.get("id")), _int(conversation.get("id"))
    if account_id is None or display_id is None:
        raise BodyInvalid(f"{event} without account or conversation id")
    contact_inbox, meta = _dict(conversation.get("contact_inbox")), _dict(conversation.get("meta"))
    source = contact_inbox.get("source_id")
    status = conversation.get("status")
    return ConversationHint(
        account_id=account_id,
        display_id=display_id,
        inbox_id=_int(conversation.get("inbox_id")) or _int(_dict(payload.get("inbox")).get("id")),
        contact_id=_int(contact_inbox.get("contact_id")) or _int(_dict(meta.get("sender")).get("id")),
        source_hash=hashlib.sha256(source.encode()).hexdigest() if isinstance(source, str) and source else None,
        status=status if isinstance(status, str) else None,
        assignee_type=meta.get("assignee_type") if isinstance(meta.get("assignee_type"), str) else None,
    )


def arrivals(payload: dict[str, Any], where: ConversationHint) -> list[Arrival]:
    """What one webhook brings, in the order in which it has to be handled; often nothing."""
    event = payload["event"]
    conversation = payload["conversation"] if event in _MESSAGE_EVENTS else payload
    found = _session_token(conversation, where)
    if event == "message_created":
        found += _created(payload, where)
    elif event == "message_updated":
        found += _updated(payload, where)
    else:
        found += _status(payload, where)
    return found


def is_echo(payload: dict[str, Any]) -> bool:
    """Whether the event is the echo of a message that we sent: known by our `source_id`; the turn's record has it already."""
    source = payload.get("source_id")
    created = payload["event"] == "message_created" and payload.get("message_type") == "outgoing"
    return created and isinstance(source, str) and source.startswith("tr-")


def _session_token(conversation: dict[str, Any], where: ConversationHint) -> list[Arrival]:
    token = _dict(conversation.get("custom_attributes")).get("gw_session")
    if not isinstance(token, str) or not 0 < len(token) <= MAX_TOKEN:
        return []
    key = f"{where.conversation_id}/token/{hashlib.sha256(token.encode('utf-8', 'replace')).hexdigest()}"
    return [Arrival("session_token", key, {"token": token})]


def _created(payload: dict[str, Any], where: ConversationHint) -> list[Arrival]:
    message_id = _int(payload.get("id"))
    if message_id is None:
        raise BodyInvalid("message_created without a message id")
    body = {**_message_body(payload), "seen": {"status": where.status, "assignee_type": where.assignee_type}}
    return [Arrival(_message_kind(payload), f"{where.account_id}/message/{message_id}", body, message_id)]


def _message_kind(payload: dict[str, Any]) -> ArrivalKind:
    if payload.get("private") is True:
        return "note"
    if payload.get("message_type") == "incoming":
        return "message"
    sender = _dict(payload.get("sender"))
    if payload.get("message_type") == "outgoing" and sender.get("type") == "user":
        return "agent_message"
    return "system_message"


def _updated(payload: dict[str, Any], where: ConversationHint) -> list[Arrival]:
    message_id = _int(payload.get("id"))
    if message_id is None:
        raise BodyInvalid("message_updated without a message id")
    attributes = _dict(payload.get("content_attributes"))
    submitted = attributes.get("submitted_values")
    found = []
    if isinstance(submitted, list) and submitted:
        values = [str(v["value"]) for v in submitted if isinstance(v, dict) and isinstance(v.get("value"), str)]
        key = f"{where.account_id}/press/{message_id}/{digest(values)}"
        found.append(Arrival("press", key, {"values": [v[:200] for v in values[:10]]}, message_id))
    if payload.get("message_type") in ("incoming", "outgoing") and echo_free(payload):
        state = {"content": payload.get("content"), "deleted": attributes.get("deleted") is True}
        found.append(
            Arrival(
                "changed",
                f"{where.account_id}/changed/{message_id}/{digest(state)}",
                {**_message_body(payload), **state},
                message_id,
            )
        )
    return found


def echo_free(payload: dict[str, Any]) -> bool:
    """Whether a message update could be an edit or deletion worth a record: read receipts of our own messages are not."""
    attributes = _dict(payload.get("content_attributes"))
    ours = isinstance(payload.get("source_id"), str) and str(payload["source_id"]).startswith("tr-")
    return attributes.get("deleted") is True or not ours


def _status(payload: dict[str, Any], where: ConversationHint) -> list[Arrival]:
    changed = payload.get("changed_attributes")
    names = {name for item in changed if isinstance(item, dict) for name in item} if isinstance(changed, list) else set()
    if payload["event"] == "conversation_updated" and not names & {"assignee_id", "status"}:
        return []
    if payload["event"] in {"conversation_opened", "conversation_resolved"}:
        return []  # conversation_status_changed says the same with more
    body = {
        "status": where.status,
        "assignee_type": where.assignee_type,
        "changed": sorted(names),
        "at": payload.get("updated_at"),
    }
    return [Arrival("status", f"{where.conversation_id}/status/{digest(body)}", body)]


def _message_body(payload: dict[str, Any]) -> dict[str, Any]:
    content = payload.get("content")
    sender = _dict(payload.get("sender"))
    return {
        "content": content if isinstance(content, str) else None,
        "content_type": payload.get("content_type"),
        "message_type": payload.get("message_type"),
        "private": payload.get("private") is True,
        "created_at": payload.get("created_at"),
        "sender": {"id": _int(sender.get("id")), "type": sender.get("type"), "name": sender.get("name")},
        "attachments": [_attachment(a) for a in payload.get("attachments") or [] if isinstance(a, dict)],
    }


def _attachment(attachment: dict[str, Any]) -> dict[str, Any]:
    # The link is a bearer URL and is never fetched; its hash still tells later whether the same file was meant.
    url = attachment.get("data_url")
    return {
        "id": _int(attachment.get("id")),
        "file_type": attachment.get("file_type"),
        "content_type": attachment.get("content_type"),
        "file_size": _int(attachment.get("file_size")),
        "link_sha256": hashlib.sha256(url.encode()).hexdigest() if isinstance(url, str) else None,
    }


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _int(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
