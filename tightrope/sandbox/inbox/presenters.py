"""Chatwoot's JSON shapes: webhooks (string types, ISO times), websocket pushes (numbers, epochs) and REST.

Sources: app/presenters/conversations/event_data_presenter.rb, Message#webhook_data and #push_event_data, app/views/api/v1.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tightrope.sandbox.inbox.directory import Directory
from tightrope.sandbox.inbox.models import CHANNEL, Actor, Agent, AgentBot, Conversation, Json, Message, MessageType, Visitor


def epoch(at: datetime | None) -> int:
    """Whole seconds, 0 when unset (`nil.to_i`)."""
    return int(at.timestamp()) if at else 0


def iso(at: datetime | None) -> str | None:
    """ISO 8601 in UTC with milliseconds."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


def actor_push(actor: Actor) -> Json:
    """A person or a bot in a push."""
    if isinstance(actor, AgentBot):
        return {"id": actor.id, "name": actor.name, "avatar_url": "", "type": "agent_bot"}
    return {
        "id": actor.id,
        "name": actor.name,
        "available_name": actor.name,
        "avatar_url": "",
        "type": "user",
        "availability_status": "online",
        "thumbnail": "",
    }


def actor_webhook(actor: Actor) -> Json:
    """A person or a bot as `sender` of a webhook."""
    if isinstance(actor, AgentBot):
        return {"id": actor.id, "name": actor.name, "type": "agent_bot"}
    return {"id": actor.id, "name": actor.name, "email": actor.email, "type": "user"}


def contact_push(visitor: Visitor) -> Json:
    """A contact in a push, and as `meta.sender`."""
    return {
        "additional_attributes": visitor.additional_attributes,
        "custom_attributes": visitor.custom_attributes,
        "email": visitor.email,
        "id": visitor.id,
        "identifier": visitor.identifier,
        "name": visitor.name,
        "phone_number": visitor.phone_number,
        "thumbnail": "",
        "blocked": visitor.blocked,
        "type": "contact",
    }


def agent_rest(agent: Agent) -> Json:
    """An agent as the REST API shows it (without tokens)."""
    return {
        "id": agent.id,
        "account_id": agent.account_id,
        "availability_status": "online",
        "auto_offline": True,
        "confirmed": True,
        "email": agent.email,
        "available_name": agent.name,
        "name": agent.name,
        "role": agent.role,
        "thumbnail": "",
        "custom_role_id": None,
    }


def bot_rest(bot: AgentBot) -> Json:
    """A bot as an administrator sees it, tokens included."""
    return {
        "id": bot.id,
        "name": bot.name,
        "description": bot.description,
        "thumbnail": "",
        "outgoing_url": bot.outgoing_url,
        "bot_type": "webhook",
        "bot_config": bot.bot_config,
        "account_id": bot.account_id,
        "access_token": bot.access_token,
        "secret": bot.secret,
        "system_bot": False,
    }


class Presenter:
    """Shapes that need names of agents, bots, inboxes and accounts."""

    def __init__(self, directory: Directory, public_url: str) -> None:
        self.directory = directory
        self.public_url = public_url.rstrip("/")

    def account(self, account_id: int) -> Json:
        return {"id": account_id, "name": self.directory.accounts[account_id].name}

    def inbox(self, inbox_id: int) -> Json:
        return {"id": inbox_id, "name": self.directory.inboxes[inbox_id].name}

    def _actor(self, row: Message) -> Actor | None:
        if row.sender_id is None or row.sender_type == "Contact":
            return None
        return (
            self.directory.bots.get(row.sender_id) if row.sender_type == "AgentBot" else self.directory.agents.get(row.sender_id)
        )

    def assigned(self, row: Conversation) -> Actor | None:
        """Bot or person who holds the conversation (Conversation#assigned_entity)."""
        if row.assignee_agent_bot_id is not None:
            return self.directory.bots.get(row.assignee_agent_bot_id)
        return self.directory.agents.get(row.assignee_id) if row.assignee_id is not None else None

    def sender(self, row: Message, visitor: Visitor) -> Json | None:
        """Sender of a message in pushes and REST."""
        if row.sender_type == "Contact":
            return contact_push(visitor)
        actor = self._actor(row)
        return actor_push(actor) if actor else None

    def sender_webhook(self, row: Message, visitor: Visitor) -> Json | None:
        """Sender at the top of a message webhook: a contact has no `type`."""
        if row.sender_type == "Contact":
            bare = {key: value for key, value in contact_push(visitor).items() if key != "type"}
            return {"account": self.account(row.account_id), "avatar": "", **bare}
        actor = self._actor(row)
        return actor_webhook(actor) if actor else None

    def message_push(self, row: Message, parent: Conversation, visitor: Visitor) -> Json:
        """A message in a push and inside `conversation.messages`."""
        data: Json = {
            "id": row.id,
            "content": row.content,
            "account_id": row.account_id,
            "inbox_id": row.inbox_id,
            "conversation_id": parent.display_id,
            "message_type": row.message_type,
            "created_at": epoch(row.created_at),
            "updated_at": iso(row.updated_at),
            "private": row.private,
            "status": row.status,
            "source_id": row.source_id,
            "content_type": row.content_type,
            "content_attributes": row.content_attributes,
            "sender_type": row.sender_type,
            "sender_id": row.sender_id,
            "external_source_ids": {},
            "additional_attributes": row.additional_attributes,
            "processed_message_content": row.content,
            "sentiment": {},
            "conversation": {
                "assignee_id": parent.assignee_id,
                "unread_count": min(parent.unread_count, 10),
                "last_activity_at": epoch(parent.last_activity_at),
                "contact_inbox": {"source_id": visitor.source_id},
            },
        }
        if row.attachments:
            data["attachments"] = row.attachments
        sender = self.sender(row, visitor)
        if sender is not None:
            data["sender"] = sender
        return data

    def message_rest(self, row: Message, parent: Conversation, visitor: Visitor, echo_id: str | None = None) -> Json:
        """A message as the REST API and the widget give it."""
        data: Json = {
            "id": row.id,
            "content": row.content,
            "inbox_id": row.inbox_id,
            "conversation_id": parent.display_id,
            "message_type": row.message_type,
            "content_type": row.content_type,
            "status": row.status,
            "content_attributes": row.content_attributes,
            "created_at": epoch(row.created_at),
            "private": row.private,
            "source_id": row.source_id,
        }
        if echo_id is not None:
            data["echo_id"] = echo_id
        sender = self.sender(row, visitor)
        if sender is not None:
            data["sender"] = sender
        if row.attachments:
            data["attachments"] = row.attachments
        return data

    def _meta(self, row: Conversation, visitor: Visitor) -> Json:
        assigned = self.assigned(row)
        kind = None if assigned is None else "AgentBot" if isinstance(assigned, AgentBot) else "User"
        return {
            "sender": contact_push(visitor),
            "assignee": actor_push(assigned) if assigned else None,
            "assignee_type": kind,
            "team": None,
            "hmac_verified": visitor.hmac_verified,
        }

    def conversation_push(self, row: Conversation, visitor: Visitor, latest: Message | None) -> Json:
        """A conversation in a push: also what the customer's browser receives (reference 3.4)."""
        return {
            "additional_attributes": row.additional_attributes,
            "can_reply": True,
            "channel": CHANNEL,
            "id": row.display_id,
            "inbox_id": row.inbox_id,
            "messages": [self.message_push(latest, row, visitor)] if latest else [],
            "labels": row.labels,
            "meta": self._meta(row, visitor),
            "status": row.status,
            "custom_attributes": row.custom_attributes,
            "snoozed_until": iso(row.snoozed_until),
            "unread_count": min(row.unread_count, 10),
            "first_reply_created_at": iso(row.first_reply_created_at),
            "priority": row.priority,
            "waiting_since": epoch(row.waiting_since),
            "agent_last_seen_at": epoch(row.agent_last_seen_at),
            "contact_last_seen_at": epoch(row.contact_last_seen_at),
            "last_activity_at": epoch(row.last_activity_at),
            "timestamp": epoch(row.last_activity_at),
            "created_at": epoch(row.created_at),
            "updated_at": row.updated_at.timestamp(),
        }

    def contact_inbox(self, visitor: Visitor) -> Json:
        """The session as the webhook carries it, secrets included (reference 1.3)."""
        return {
            "id": visitor.contact_inbox_id,
            "contact_id": visitor.id,
            "inbox_id": visitor.inbox_id,
            "source_id": visitor.source_id,
            "hmac_verified": visitor.hmac_verified,
            "pubsub_token": visitor.pubsub_token,
            "created_at": iso(visitor.session_created_at),
            "updated_at": iso(visitor.session_updated_at),
        }

    def conversation_webhook(self, row: Conversation, visitor: Visitor, latest: Message | None) -> Json:
        """The conversation in a webhook."""
        return {
            **self.conversation_push(row, visitor, latest),
            "account": self.account(row.account_id),
            "contact_inbox": self.contact_inbox(visitor),
        }

    def message_webhook(self, event: str, row: Message, visitor: Visitor, conversation: Json) -> Json:
        """`message_created` or `message_updated`; `conversation` comes from conversation_webhook."""
        body: Json = {
            "account": self.account(row.account_id),
            "additional_attributes": row.additional_attributes,
            "content_attributes": row.content_attributes,
            "content_type": row.content_type,
            "content": row.content,
            "conversation": conversation,
            "created_at": iso(row.created_at),
            "id": row.id,
            "inbox": self.inbox(row.inbox_id),
            "message_type": MessageType(row.message_type).word,
            "private": row.private,
            "sender": self.sender_webhook(row, visitor),
            "source_id": row.source_id,
            "event": event,
        }
        if row.attachments:
            body["attachments"] = row.attachments
        return body

    def conversation_rest(self, row: Conversation, visitor: Visitor, latest: Message | None) -> Json:
        """A conversation as `GET conversations/{id}` and the list give it."""
        assigned = self.assigned(row)
        sender = contact_rest(visitor_record(visitor))
        meta: Json = {"sender": sender, "channel": CHANNEL}
        if isinstance(assigned, AgentBot):
            meta |= {"assignee": actor_push(assigned), "assignee_type": "AgentBot"}
        elif assigned is not None:
            meta |= {"assignee": agent_rest(assigned), "assignee_type": "User"}
        else:
            meta["assignee_type"] = None
        meta["hmac_verified"] = visitor.hmac_verified
        push = self.message_push(latest, row, visitor) if latest else None
        return {
            "meta": meta,
            "id": row.display_id,
            "messages": [push] if push else [],
            "account_id": row.account_id,
            "uuid": str(row.uuid),
            "additional_attributes": row.additional_attributes,
            "agent_last_seen_at": epoch(row.agent_last_seen_at),
            "assignee_last_seen_at": epoch(row.assignee_last_seen_at),
            "can_reply": True,
            "contact_last_seen_at": epoch(row.contact_last_seen_at),
            "custom_attributes": row.custom_attributes,
            "inbox_id": row.inbox_id,
            "labels": row.labels,
            "muted": False,
            "snoozed_until": iso(row.snoozed_until),
            "status": row.status,
            "created_at": epoch(row.created_at),
            "updated_at": row.updated_at.timestamp(),
            "timestamp": epoch(row.last_activity_at),
            "first_reply_created_at": epoch(row.first_reply_created_at),
            "unread_count": min(row.unread_count, 10),
            "last_non_activity_message": push,
            "last_activity_at": epoch(row.last_activity_at),
            "priority": row.priority,
            "waiting_since": epoch(row.waiting_since),
            "sla_policy_id": None,
        }


def visitor_record(visitor: Visitor) -> Json:
    """The contact's columns of a visitor."""
    return {
        name: getattr(visitor, name)
        for name in (
            "id",
            "name",
            "email",
            "phone_number",
            "identifier",
            "blocked",
            "additional_attributes",
            "custom_attributes",
            "last_activity_at",
            "created_at",
        )
    }


def contact_rest(row: Json, sessions: list[Json] | None = None, inbox_name: str = "") -> Json:
    """A contact as `GET contacts/{id}` and the search give it."""
    data: dict[str, Any] = {
        "additional_attributes": row["additional_attributes"],
        "availability_status": "offline",
        "email": row["email"],
        "id": row["id"],
        "name": row["name"],
        "phone_number": row["phone_number"],
        "blocked": row["blocked"],
        "identifier": row["identifier"],
        "thumbnail": "",
        "custom_attributes": row["custom_attributes"],
        "last_activity_at": epoch(row["last_activity_at"]),
        "created_at": epoch(row["created_at"]),
    }
    if sessions is not None:
        data["contact_inboxes"] = [
            {"source_id": one["source_id"], "inbox": {"id": one["inbox_id"], "name": inbox_name, "channel_type": CHANNEL}}
            for one in sessions
        ]
    return data
