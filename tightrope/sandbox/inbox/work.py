"""One change to one conversation: the rows, the webhooks it owes and the pushes it causes, in one transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import datetime
from typing import Any

from tightrope.infra.clock import Clock
from tightrope.infra.database import Connection, Pool
from tightrope.sandbox.inbox import lifecycle, loading, repository
from tightrope.sandbox.inbox.directory import Directory, new_token
from tightrope.sandbox.inbox.loading import Found
from tightrope.sandbox.inbox.models import (
    DELETED_TEXT,
    Actor,
    AgentBot,
    Broadcast,
    Conversation,
    Delivery,
    Draft,
    Json,
    Message,
    MessageType,
    Upload,
    Visitor,
)
from tightrope.sandbox.inbox.presenters import Presenter, actor_push
from tightrope.sandbox.inbox.signing import encode

_FILE_KINDS = {"image": "image", "audio": "audio", "video": "video"}


class Work:
    """What a request does to a conversation. Change `conversation`, add or change messages, and leave the block."""

    def __init__(
        self,
        conn: Connection,
        presenter: Presenter,
        now: datetime,
        *,
        actor: Actor | None,
        conversation: Conversation,
        visitor: Visitor,
    ) -> None:
        self.conn = conn
        self.now = now
        self.actor = actor
        self.conversation = conversation
        self.visitor = visitor
        self.created = False
        self._before = deepcopy(conversation)
        self._directory = presenter.directory
        self._presenter = presenter
        self._new: list[Message] = []
        self._updated: list[tuple[Message, Json]] = []

    @property
    def bot_inbox(self) -> bool:
        """Whether a bot is connected to the conversation's inbox."""
        return self._directory.inboxes[self.conversation.inbox_id].agent_bot_id is not None

    async def add(self, draft: Draft, sender: Actor | None = None, *, from_contact: bool = False) -> Message:
        """Post a message. Incoming ones come `from_contact`; without either sender it is the system's."""
        key = ("Contact", self.visitor.id) if from_contact else None
        if sender is not None:
            key = ("AgentBot" if isinstance(sender, AgentBot) else "User", sender.id)
        row = await repository.insert_message(self.conn, self.conversation, draft, sender=key, attachments=[], now=self.now)
        if draft.files:
            row.attachments = [await self._keep(row, file) for file in draft.files]
            await repository.save_message(self.conn, row)
        lifecycle.on_message(
            self.conversation, draft.message_type, sender, private=draft.private, bot_inbox=self.bot_inbox, now=self.now
        )
        self._new.append(row)
        return row

    async def note_activity(self, text: str) -> None:
        """Leave an activity line; bots are not told of it."""
        await self.add(Draft(text, MessageType.ACTIVITY))

    async def change_message(self, row: Message, **values: Any) -> None:
        """Change columns of a message of this conversation."""
        before = {name: getattr(row, name) for name in values}
        for name, value in values.items():
            setattr(row, name, value)
        row.updated_at = self.now
        await repository.save_message(self.conn, row)
        self._updated.append((row, {name: [old, values[name]] for name, old in before.items() if old != values[name]}))

    async def delete_message(self, row: Message) -> None:
        """Overwrite a message as Chatwoot does when an agent deletes it; its files go."""
        await repository.drop_attachments(self.conn, row.id)
        await self.change_message(
            row, content=DELETED_TEXT, content_type="text", content_attributes={"deleted": True}, attachments=[]
        )

    async def customer_saw(self) -> None:
        """The customer read up to now: outgoing messages become `read`, each with its `message_updated`."""
        self.conversation.contact_last_seen_at = self.now
        for row in await repository.mark_read(self.conn, self.conversation.id, self.now):
            self._updated.append((row, {"status": ["sent", "read"]}))

    async def _keep(self, row: Message, file: Upload) -> Json:
        token = new_token()
        file_id = await repository.add_attachment(self.conn, row.id, token, file.name, file.content_type, file.body)
        kind = _FILE_KINDS.get(file.content_type.split("/")[0], "file")
        return {
            "id": file_id,
            "message_id": row.id,
            "file_type": kind,
            "account_id": row.account_id,
            "extension": file.name.rsplit(".", 1)[-1] if "." in file.name else None,
            "content_type": file.content_type,
            "data_url": f"{self._presenter.public_url}/rails/active_storage/blobs/redirect/{token}/{file.name}",
            "thumb_url": "",
            "file_size": len(file.body),
            "width": None,
            "height": None,
        }

    async def finish(self) -> tuple[list[Delivery], list[Broadcast]]:
        """Write the conversation, queue the webhooks and say which pushes are due after the commit."""
        row = self.conversation
        found = {} if self.created else lifecycle.changes(self._before, row)
        for text in lifecycle.activities(found, self.actor, self._presenter.assigned(row)):
            await self.note_activity(text)
        touched = bool(self._new or self._updated or row != self._before)
        if touched:
            previous = row.updated_at
            row.updated_at = self.now
            wrote = any(one.message_type == MessageType.INCOMING for one in self._new)
            await repository.save_conversation(self.conn, row, wrote=wrote)
            if found:
                found["updated_at"] = (previous, self.now)
        if not (found or self._new or self._updated or self.created):
            return [], self._seen_pushes()
        public = [one for one in self._new if not one.private and one.message_type != MessageType.ACTIVITY]
        latest = public[-1] if public else await repository.latest_message(self.conn, row.id, public=True)
        push = self._presenter.conversation_push(row, self.visitor, latest)
        events = self._webhooks(found, latest)
        bots = sorted({self._directory.inboxes[row.inbox_id].agent_bot_id, row.assignee_agent_bot_id} - {None}, key=int)  # type: ignore[arg-type]
        encoded = [(event, encode(body)) for event, body in events] if bots else []
        deliveries = await repository.add_deliveries(
            self.conn, [one for one in bots if one is not None], encoded, row.id, self.now
        )
        return deliveries, self._pushes(found, push)

    def _webhooks(self, found: lifecycle.Changes, latest: Message | None) -> list[tuple[str, Json]]:
        conversation = self._presenter.conversation_webhook(self.conversation, self.visitor, latest)
        events: list[tuple[str, Json]] = []
        if "status" in found:
            status = {"status": found["status"]}
            if found["status"][1] in {"open", "resolved"}:
                name = "conversation_opened" if found["status"][1] == "open" else "conversation_resolved"
                events.append((name, {**conversation, "event": name}))
            name = "conversation_status_changed"
            events.append((name, {**conversation, "event": name, "changed_attributes": lifecycle.changed_attributes(status)}))
        for name, rows in (("message_created", self._new), ("message_updated", [one for one, _ in self._updated])):
            events += [
                (name, self._presenter.message_webhook(name, one, self.visitor, conversation))
                for one in rows
                if one.message_type != MessageType.ACTIVITY
            ]
        if found:
            name = "conversation_updated"
            events.append((name, {**conversation, "event": name, "changed_attributes": lifecycle.changed_attributes(found)}))
        return events

    def _pushes(self, found: lifecycle.Changes, push: Json) -> list[Broadcast]:
        row = self.conversation
        desk = self._directory.agent_tokens(row.account_id)
        everybody = desk | {self.visitor.pubsub_token}
        performer = actor_push(self.actor) if self.actor else None
        extra = {"account_id": row.account_id, "performer": performer}
        due: list[Broadcast] = []
        if self.created:
            due.append(Broadcast(everybody, "conversation.created", push | extra))
        for one in self._new:
            hidden = one.private or one.message_type == MessageType.ACTIVITY
            data = self._presenter.message_push(one, row, self.visitor) | extra
            due.append(Broadcast(desk if hidden else everybody, "message.created", data))
        for one, previous in self._updated:
            data = self._presenter.message_push(one, row, self.visitor) | extra | {"previous_changes": previous}
            due.append(Broadcast(desk if one.private else everybody, "message.updated", data))
        if "status" in found:
            due.append(Broadcast(everybody, "conversation.status_changed", push | extra))
        if "assignee_id" in found or "assignee_agent_bot_id" in found:
            due.append(Broadcast(desk, "assignee.changed", push | extra))
        if found:
            due.append(Broadcast(everybody, "conversation.updated", push | extra))
        return due + self._seen_pushes(push)

    def _seen_pushes(self, push: Json | None = None) -> list[Broadcast]:
        row = self.conversation
        if row.contact_last_seen_at == self._before.contact_last_seen_at:
            return []
        data = push or self._presenter.conversation_push(row, self.visitor, None)
        return [
            Broadcast(self._directory.agent_tokens(row.account_id), "conversation.read", data | {"account_id": row.account_id})
        ]


class Office:
    """Opens works: loads and locks the conversation, commits, then hands webhooks to the courier and pushes to the hub."""

    def __init__(
        self,
        pool: Pool,
        presenter: Presenter,
        clock: Clock,
        deliver: Callable[[list[Delivery]], None],
        broadcast: Callable[[list[Broadcast]], None],
    ) -> None:
        self.pool = pool
        self.directory: Directory = presenter.directory
        self.presenter = presenter
        self.clock = clock
        self._deliver = deliver
        self._broadcast = broadcast

    @asynccontextmanager
    async def work(self, load: Callable[[Connection], Awaitable[Found]], actor: Actor | None = None) -> AsyncIterator[Work]:
        """A transaction over the conversation that `load` finds.

        Raises:
            ApiError: what `load` raises: 404 when there is none.
        """
        async with self.pool.connection() as conn:
            row, visitor = await load(conn)
            opened = Work(conn, self.presenter, self.clock.now(), actor=actor, conversation=row, visitor=visitor)
            yield opened
            deliveries, broadcasts = await opened.finish()
        self._send(deliveries, broadcasts)

    @asynccontextmanager
    async def new_conversation(self, visitor: Visitor, *, additional: Json, custom: Json) -> AsyncIterator[Work]:
        """A transaction that begins a conversation of this session; in a bot's inbox it is pending and the bot's."""
        now = self.clock.now()
        bot_id = self.directory.inboxes[visitor.inbox_id].agent_bot_id
        status = lifecycle.first_status(blocked=visitor.blocked, bot_id=bot_id)
        async with self.pool.connection() as conn:
            row = await repository.insert_conversation(
                conn,
                visitor,
                status=status,
                bot_id=bot_id if status == "pending" else None,
                additional=additional,
                custom=custom,
                now=now,
            )
            opened = Work(conn, self.presenter, now, actor=None, conversation=row, visitor=visitor)
            opened.created = True
            yield opened
            deliveries, broadcasts = await opened.finish()
        self._send(deliveries, broadcasts)

    def by_number(self, account_id: int, display_id: int) -> Callable[[Connection], Awaitable[Found]]:
        """Loader for `work`: a conversation by its number, locked."""
        return lambda conn: loading.by_number(conn, account_id, display_id, lock=True)

    async def tell_bot(self, inbox_id: int, event: str, body: Json) -> None:
        """Queue an event without a conversation for the inbox's bot."""
        bot_id = self.directory.inboxes[inbox_id].agent_bot_id
        if bot_id is None:
            return
        async with self.pool.connection() as conn:
            deliveries = await repository.add_deliveries(conn, [bot_id], [(event, encode(body))], None, self.clock.now())
        self._send(deliveries, [])

    def push(self, due: list[Broadcast]) -> None:
        """Send pushes that change nothing in the database (typing)."""
        self._broadcast(due)

    def _send(self, deliveries: list[Delivery], broadcasts: list[Broadcast]) -> None:
        if deliveries:
            self._deliver(deliveries)
        if broadcasts:
            self._broadcast(broadcasts)
