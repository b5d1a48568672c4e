"""Messages for bots and agents (conversations/messages_controller.rb, Messages::MessageBuilder)."""

from __future__ import annotations

from collections import deque
from datetime import datetime

from fastapi import APIRouter, Request, Response

from tightrope.infra.database import Connection
from tightrope.sandbox.inbox import loading, repository, validation
from tightrope.sandbox.inbox.edge import account_caller, answer, flag, number, params, parts
from tightrope.sandbox.inbox.errors import not_found, unprocessable
from tightrope.sandbox.inbox.liquid import render, words
from tightrope.sandbox.inbox.models import (
    MESSAGES_PER_MINUTE,
    Actor,
    AgentBot,
    Conversation,
    Draft,
    Json,
    MessageType,
    Upload,
    Visitor,
)
from tightrope.sandbox.inbox.presenters import contact_push, epoch
from tightrope.sandbox.inbox.work import Work

router = APIRouter(prefix="/api/v1/accounts/{account_id}/conversations/{number_}/messages")

_WORDS = {kind.word: kind for kind in MessageType}


class FloodGuard:
    """Counts messages of a conversation within the last minute, in this process."""

    def __init__(self, limit: int = MESSAGES_PER_MINUTE) -> None:
        self._limit = limit
        self._seen: dict[int, deque[datetime]] = {}

    def check(self, conversation_id: int, now: datetime) -> None:
        """Count one message.

        Raises:
            ApiError: 422 beyond the limit.
        """
        times = self._seen.setdefault(conversation_id, deque())
        while times and (now - times[0]).total_seconds() >= 60:
            times.popleft()
        if len(times) >= self._limit:
            raise unprocessable("Too many messages")
        times.append(now)
        if len(self._seen) > 10_000:
            self._seen = {key: kept for key, kept in self._seen.items() if kept and (now - kept[-1]).total_seconds() < 60}


flood = FloodGuard()


def draft_from(fields: Json) -> Draft:
    """What a POST asks for.

    Raises:
        ApiError: 422 (see validation).
    """
    kind = _WORDS.get(str(fields.get("message_type") or "outgoing"))
    if kind is None:
        raise unprocessable(f"'{fields.get('message_type')}' is not a valid message_type")
    files = fields.get("attachments")
    draft = Draft(
        content=None if fields.get("content") is None else str(fields["content"]),
        message_type=kind,
        private=flag(fields.get("private", False)),
        content_type=str(fields.get("content_type") or "text"),
        content_attributes=validation.content_attributes(fields.get("content_attributes")),
        source_id=None if fields.get("source_id") is None else str(fields["source_id"]),
        echo_id=None if fields.get("echo_id") is None else str(fields["echo_id"]),
        files=[one for one in files if isinstance(one, Upload)] if isinstance(files, list) else [],
    )
    validation.check_direction(draft)
    validation.check_draft(draft)
    return draft


async def drops(conn: Connection, work: Work, sender: Actor | None, names: Json) -> Json:
    """The Liquid drops of a conversation (app/drops)."""
    visitor: Visitor = work.visitor
    row: Conversation = work.conversation
    name = words(visitor.name)
    lines = await repository.recent_lines(conn, row.id)
    agent = sender.name if sender is not None and not isinstance(sender, AgentBot) else ""
    return names | {
        "contact": {
            "id": visitor.id,
            "name": name,
            "first_name": name.split(" ")[0],
            "last_name": name.split(" ")[-1] if " " in name else "",
            "email": visitor.email,
            "phone_number": visitor.phone_number,
            "custom_attribute": visitor.custom_attributes,
        },
        "agent": {"name": agent, "available_name": agent, "first_name": agent.split(" ")[0]},
        "conversation": {
            "display_id": row.display_id,
            "contact_name": name,
            "custom_attribute": row.custom_attributes,
            "recent_messages": "".join(
                f"{'Bot' if one.sender_type != 'Contact' else name}: {one.content}" for one in reversed(lines)
            ),
        },
    }


@router.get("")
async def index(request: Request, account_id: int, number_: int) -> Response:
    """Messages in ascending order: the latest 20, or paged by `before` and `after`."""
    account_caller(request, account_id)
    app = parts(request)
    fields = await params(request)
    async with loading.reading(app.pool) as conn:
        row, visitor = await loading.by_number(conn, account_id, number_)
        rows = await repository.list_messages(
            conn,
            row.id,
            before=number(fields.get("before")),
            after=number(fields.get("after")),
            public=flag(fields.get("filter_internal_messages", False)),
        )
    assigned = app.presenter.assigned(row)
    meta = {
        "labels": row.labels,
        "additional_attributes": row.additional_attributes,
        "contact": contact_push(visitor),
        "assignee": {"id": assigned.id, "name": assigned.name} if assigned else None,
        "agent_last_seen_at": epoch(row.agent_last_seen_at),
        "assignee_last_seen_at": epoch(row.assignee_last_seen_at),
    }
    return answer({"meta": meta, "payload": [app.presenter.message_rest(one, row, visitor) for one in rows]})


@router.post("")
async def create(request: Request, account_id: int, number_: int) -> Response:
    """Post as the calling bot or person. There is no idempotency: the same request twice makes two messages."""
    actor = account_caller(request, account_id, bots=True)
    app = parts(request)
    fields = await params(request)
    draft = draft_from(fields)
    sender: Actor = actor
    if not isinstance(actor, AgentBot) and fields.get("sender_type") == "AgentBot":
        sender = app.directory.bot_of(account_id, number(fields.get("sender_id")) or 0)
    async with app.office.work(app.office.by_number(account_id, number_), actor) as work:
        flood.check(work.conversation.id, work.now)
        if draft.content and ("{{" in draft.content or "{%" in draft.content):
            names = {"inbox": app.presenter.inbox(work.conversation.inbox_id), "account": app.presenter.account(account_id)}
            draft.content = render(draft.content, await drops(work.conn, work, sender, names))
        # Any direction but incoming and outgoing is stored with the contact as sender (reference 2.1).
        from_contact = draft.message_type in {MessageType.ACTIVITY, MessageType.TEMPLATE}
        row = await work.add(draft, None if from_contact else sender, from_contact=from_contact)
        conversation, visitor = work.conversation, work.visitor
    return answer(app.presenter.message_rest(row, conversation, visitor, draft.echo_id))


@router.delete("/{message_id}")
async def destroy(request: Request, account_id: int, number_: int, message_id: int) -> Response:
    """Overwrite the content and mark the message deleted; the row stays."""
    actor = account_caller(request, account_id)
    app = parts(request)
    async with app.office.work(app.office.by_number(account_id, number_), actor) as work:
        row = await repository.message(work.conn, work.conversation.id, message_id)
        if row is None:
            raise not_found()
        await work.delete_message(row)
        conversation, visitor = work.conversation, work.visitor
    return answer(app.presenter.message_rest(row, conversation, visitor))
