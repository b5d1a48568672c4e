"""Types and constants of the stand-in inbox; field names are Chatwoot's column names."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Literal
from uuid import UUID

Json = dict[str, Any]
Status = Literal["open", "resolved", "pending", "snoozed"]

ACCOUNT_ID = 1
INBOX_ID = 1
ADMIN_ID = 1
WEBSITE_TOKEN = "tightrope-demo-widget"  # noqa: S105 - public by design: it stands in the host page
"""The widget's public token: the page that hosts the chat passes it to `chatwootSDK.run`."""

STATUSES: tuple[Status, ...] = ("open", "resolved", "pending", "snoozed")
PRIORITIES = ("low", "medium", "high", "urgent")
CONTENT_LIMIT = 150_000
"""Longest message, characters (Message validates content length)."""
MESSAGES_PER_MINUTE = 200
"""Flood guard per conversation (CONVERSATION_MESSAGE_PER_MINUTE_LIMIT)."""
CHANNEL = "Channel::WebWidget"
DELETED_TEXT = "This message was deleted"
BOT_ERROR_TEXT = "Conversation was marked open by system due to an error with the agent bot."


class MessageType(IntEnum):
    """Direction of a message; a string at the top of webhooks, a number everywhere else."""

    INCOMING = 0
    OUTGOING = 1
    ACTIVITY = 2
    TEMPLATE = 3

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Account:
    """A tenant of Chatwoot; the demo has one."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class WidgetInbox:
    """A website inbox and the bot connected to it."""

    id: int
    account_id: int
    name: str
    website_token: str
    agent_bot_id: int | None


@dataclass(frozen=True, slots=True)
class Agent:
    """A person at the desk (Chatwoot's User)."""

    id: int
    account_id: int
    name: str
    email: str
    role: str
    access_token: str
    pubsub_token: str


@dataclass(frozen=True, slots=True)
class AgentBot:
    """A bot that is reached by webhook; `secret` signs what it is sent."""

    id: int
    account_id: int
    name: str
    description: str
    outgoing_url: str
    bot_config: Json
    access_token: str
    secret: str | None


Actor = Agent | AgentBot


@dataclass(slots=True)
class Visitor:
    """A contact in one browser session: the contact and its contact_inbox."""

    id: int
    account_id: int
    name: str
    email: str | None
    phone_number: str | None
    identifier: str | None
    blocked: bool
    additional_attributes: Json
    custom_attributes: Json
    last_activity_at: datetime | None
    created_at: datetime
    contact_inbox_id: int
    inbox_id: int
    source_id: str
    hmac_verified: bool
    pubsub_token: str
    session_created_at: datetime
    session_updated_at: datetime


@dataclass(slots=True)
class Conversation:
    """One conversation; `display_id` is the number in every URL, `id` never leaves the database."""

    id: int
    account_id: int
    display_id: int
    uuid: UUID
    inbox_id: int
    contact_id: int
    contact_inbox_id: int
    status: Status
    assignee_id: int | None
    assignee_agent_bot_id: int | None
    priority: str | None
    labels: list[str]
    additional_attributes: Json
    custom_attributes: Json
    snoozed_until: datetime | None
    waiting_since: datetime | None
    first_reply_created_at: datetime | None
    agent_last_seen_at: datetime | None
    assignee_last_seen_at: datetime | None
    contact_last_seen_at: datetime | None
    last_activity_at: datetime
    unread_count: int
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class Message:
    """One message, note or activity line."""

    id: int
    conversation_id: int
    account_id: int
    inbox_id: int
    content: str | None
    message_type: int
    content_type: str
    content_attributes: Json
    private: bool
    status: str
    source_id: str | None
    sender_type: str | None
    sender_id: int | None
    additional_attributes: Json
    attachments: list[Json]
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class Draft:
    """What a caller asks to be posted."""

    content: str | None
    message_type: MessageType = MessageType.OUTGOING
    private: bool = False
    content_type: str = "text"
    content_attributes: Json = field(default_factory=dict)
    source_id: str | None = None
    echo_id: str | None = None
    files: list[Upload] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with a message."""

    name: str
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook on its way to a bot. `delivery_id` stays the same on every attempt."""

    id: int
    bot_id: int
    event: str
    conversation_id: int | None
    delivery_id: UUID
    body: bytes
    attempts: int


@dataclass(frozen=True, slots=True)
class Broadcast:
    """An event for websocket subscribers, named by their pubsub tokens."""

    tokens: frozenset[str]
    event: str
    data: Json
