"""Pure rules of a conversation's life in Chatwoot v4.16.2.

Sources: app/models/conversation.rb, message.rb, concerns/activity_message_handler.rb.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tightrope.sandbox.inbox.models import Actor, Agent, AgentBot, Conversation, Json, MessageType, Status

EVENT_COLUMNS = (
    "assignee_id",
    "assignee_agent_bot_id",
    "status",
    "snoozed_until",
    "custom_attributes",
    "labels",
    "waiting_since",
    "first_reply_created_at",
    "priority",
)
"""Columns whose change sends `conversation_updated` (Conversation#list_of_keys)."""
_WEBHOOK_NAME = {"labels": "label_list"}

Changes = dict[str, tuple[Any, Any]]


def first_status(*, blocked: bool, bot_id: int | None) -> Status:
    """Status of a new conversation."""
    return "resolved" if blocked else "pending" if bot_id is not None else "open"


def on_message(
    row: Conversation, kind: MessageType, sender: Actor | None, *, private: bool, bot_inbox: bool, now: datetime
) -> None:
    """What a new message does to its conversation."""
    row.last_activity_at = now
    if kind is MessageType.INCOMING:
        row.unread_count += 1
        if row.status == "resolved":
            row.status = "pending" if bot_inbox else "open"
        elif row.status == "snoozed":
            row.status = "open"
            row.snoozed_until = None
        if row.waiting_since is None:
            row.waiting_since = now
    elif kind is MessageType.OUTGOING and not private:
        row.waiting_since = None
        if isinstance(sender, Agent) and row.first_reply_created_at is None:
            row.first_reply_created_at = now


def set_status(
    row: Conversation, status: Status, actor: Actor | None, *, snoozed_until: datetime | None, now: datetime
) -> bool | None:
    """Change the status as `toggle_status` does.

    Returns:
        None for a bot's handoff (Chatwoot answers `success: null` there), else True.
    """
    handoff = isinstance(actor, AgentBot) and row.status == "pending" and status == "open"
    row.status = status
    row.snoozed_until = snoozed_until if status == "snoozed" else None
    if status == "resolved":
        row.waiting_since = None
    if handoff:
        row.waiting_since = row.waiting_since or now
        row.assignee_agent_bot_id = None
    elif status == "open" and isinstance(actor, Agent):
        row.assignee_agent_bot_id = None
        if actor.role == "agent":
            row.assignee_id = actor.id
    return None if handoff else True


def toggled(status: Status) -> Status:
    """The status that `toggle_status` without a parameter gives."""
    return "resolved" if status == "open" else "open"


def assign(row: Conversation, assigned: Actor | None) -> None:
    """Give the conversation to a person or a bot, or to nobody; the status stays (v4.16.2)."""
    row.assignee_id = assigned.id if isinstance(assigned, Agent) else None
    row.assignee_agent_bot_id = assigned.id if isinstance(assigned, AgentBot) else None


def changes(before: Conversation, after: Conversation) -> Changes:
    """Changed columns that count as an event, old and new value."""
    return {
        name: (getattr(before, name), getattr(after, name))
        for name in EVENT_COLUMNS
        if getattr(before, name) != getattr(after, name)
    }


def _wire(value: Any) -> Any:
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z") if isinstance(value, datetime) else value


def changed_attributes(found: Changes) -> list[Json]:
    """The `changed_attributes` list of a webhook."""
    return [
        {_WEBHOOK_NAME.get(name, name): {"previous_value": _wire(old), "current_value": _wire(new)}}
        for name, (old, new) in found.items()
    ]


_STATUS_TEXT = {
    "resolved": "Conversation was marked resolved by {}",
    "open": "Conversation was reopened by {}",
    "pending": "Conversation was marked as pending by {}",
    "snoozed": "Conversation was snoozed by {}",
}


def activities(found: Changes, actor: Actor | None, assignee: Actor | None) -> list[str]:
    """Activity lines that these changes leave in the conversation; none where Chatwoot has nobody to name."""
    if actor is None:
        return []
    lines: list[str] = []
    if "status" in found:
        lines.append(_STATUS_TEXT[found["status"][1]].format(actor.name))
    if "priority" in found:
        old, new = found["priority"]
        if old and new:
            lines.append(f"{actor.name} changed the priority from {old} to {new}")
        else:
            lines.append(f"{actor.name} set the priority to {new}" if new else f"{actor.name} removed the priority")
    if "labels" in found:
        old, new = found["labels"]
        if added := [label for label in new if label not in old]:
            lines.append(f"{actor.name} added {', '.join(added)}")
        if removed := [label for label in old if label not in new]:
            lines.append(f"{actor.name} removed {', '.join(removed)}")
    if "assignee_id" in found or ("assignee_agent_bot_id" in found and "status" not in found):
        if assignee is None:
            lines.append(f"Conversation unassigned by {actor.name}")
        elif isinstance(actor, Agent) and assignee == actor:
            lines.append(f"{actor.name} self-assigned this conversation")
        else:
            lines.append(f"Assigned to {assignee.name} by {actor.name}")
    return lines
