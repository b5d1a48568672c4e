"""Conversations for bots and agents (conversations_controller.rb and the controllers below conversations/)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

from fastapi import APIRouter, Request, Response

from tightrope.sandbox.inbox import contacts, lifecycle, loading, repository, validation
from tightrope.sandbox.inbox.edge import account_caller, answer, empty, flag, number, params, parts
from tightrope.sandbox.inbox.errors import server_error, unprocessable
from tightrope.sandbox.inbox.models import PRIORITIES, STATUSES, Actor, AgentBot, Broadcast, Json, Status
from tightrope.sandbox.inbox.presenters import actor_push, agent_rest, iso

router = APIRouter(prefix="/api/v1/accounts/{account_id}/conversations")


async def _page(request: Request, account_id: int, filters: Json) -> tuple[list[Json], Json]:
    app = parts(request)
    async with loading.reading(app.pool) as conn:
        rows, counts = await repository.list_conversations(conn, account_id, filters)
        visitors = await contacts.visitors_by_sessions(conn, [row.contact_inbox_id for row in rows])
        latest = await repository.latest_messages(conn, [row.id for row in rows])
    return [app.presenter.conversation_rest(row, visitors[row.contact_inbox_id], latest.get(row.id)) for row in rows], counts


async def _filters(request: Request, actor: Actor) -> Json:
    fields = await params(request)
    if fields.get("status") not in {None, "all", *STATUSES}:
        raise server_error(f"'{fields['status']}' is not a valid status")
    return fields | {"agent_id": actor.id, "page": number(fields.get("page")) or 1, "inbox_id": number(fields.get("inbox_id"))}


@router.get("")
async def index(request: Request, account_id: int) -> Response:
    """One page of 25, newest activity first; open ones unless `status` says otherwise."""
    actor = account_caller(request, account_id)
    payload, counts = await _page(request, account_id, await _filters(request, actor))
    return answer({"data": {"meta": counts, "payload": payload}})


@router.get("/meta")
async def meta(request: Request, account_id: int) -> Response:
    """The counts of the list alone."""
    actor = account_caller(request, account_id)
    _, counts = await _page(request, account_id, await _filters(request, actor))
    return answer({"meta": counts})


@router.get("/search")
async def search(request: Request, account_id: int) -> Response:
    """Conversations of any status whose messages or customer match `q`."""
    actor = account_caller(request, account_id)
    filters = await _filters(request, actor)
    payload, counts = await _page(request, account_id, filters)
    return answer({"meta": counts, "payload": payload})


@router.get("/{number_}")
async def show(request: Request, account_id: int, number_: int) -> Response:
    """One conversation."""
    account_caller(request, account_id, bots=True)
    app = parts(request)
    async with loading.reading(app.pool) as conn:
        row, visitor = await loading.by_number(conn, account_id, number_)
        latest = await repository.latest_message(conn, row.id, public=False)
    return answer(app.presenter.conversation_rest(row, visitor, latest))


@router.patch("/{number_}")
async def update(request: Request, account_id: int, number_: int) -> Response:
    """Only `priority` is taken; everything else is ignored without a word."""
    actor = account_caller(request, account_id, bots=True)
    app = parts(request)
    fields = await params(request)
    async with app.office.work(app.office.by_number(account_id, number_), actor) as work:
        if "priority" in fields:
            work.conversation.priority = _priority(fields["priority"])
        row, visitor = work.conversation, work.visitor
        latest = await repository.latest_message(work.conn, row.id, public=False)
    return answer(app.presenter.conversation_rest(row, visitor, latest))


def _priority(value: object) -> str | None:
    if value in {None, ""}:
        return None
    if value not in PRIORITIES:
        raise server_error(f"'{value}' is not a valid priority")
    return str(value)


@router.post("/{number_}/toggle_status")
async def toggle_status(request: Request, account_id: int, number_: int) -> Response:
    """Set or toggle the status; a bot that opens a pending conversation hands it over."""
    actor = account_caller(request, account_id, bots=True)
    app = parts(request)
    fields = await params(request)
    wanted = fields.get("status")
    if wanted and wanted not in STATUSES:
        raise server_error(f"'{wanted}' is not a valid status")
    until = number(fields.get("snoozed_until"))
    async with app.office.work(app.office.by_number(account_id, number_), actor) as work:
        row = work.conversation
        status = cast(Status, wanted) if wanted else lifecycle.toggled(row.status)
        snoozed_until = datetime.fromtimestamp(until, UTC) if until else None
        success = lifecycle.set_status(row, status, actor, snoozed_until=snoozed_until, now=work.now)
    payload = {
        "success": success,
        "conversation_id": row.display_id,
        "current_status": row.status,
        "snoozed_until": iso(row.snoozed_until),
    }
    return answer({"meta": {}, "payload": payload})


@router.post("/{number_}/toggle_priority")
async def toggle_priority(request: Request, account_id: int, number_: int) -> Response:
    """Set the priority, or remove it with null."""
    actor = account_caller(request, account_id, bots=True)
    app = parts(request)
    priority = _priority((await params(request)).get("priority"))
    async with app.office.work(app.office.by_number(account_id, number_), actor) as work:
        work.conversation.priority = priority
    return empty()


@router.post("/{number_}/toggle_typing_status")
async def toggle_typing_status(request: Request, account_id: int, number_: int) -> Response:
    """Show or hide the typing sign; any other value of `typing_status` is ignored."""
    actor = account_caller(request, account_id, bots=True)
    app = parts(request)
    fields = await params(request)
    async with loading.reading(app.pool) as conn:
        row, visitor = await loading.by_number(conn, account_id, number_)
    if fields.get("typing_status") in {"on", "off"}:
        private = flag(fields.get("is_private"))
        tokens = app.directory.agent_tokens(account_id) | (frozenset() if private else {visitor.pubsub_token})
        data = {
            "conversation": app.presenter.conversation_push(row, visitor, None),
            "user": actor_push(actor),
            "is_private": private,
            "account_id": account_id,
        }
        app.office.push([Broadcast(frozenset(tokens), f"conversation.typing_{fields['typing_status']}", data)])
    return empty()


@router.get("/{number_}/labels")
async def labels(request: Request, account_id: int, number_: int) -> Response:
    """The labels of a conversation."""
    account_caller(request, account_id, bots=True)
    async with loading.reading(parts(request).pool) as conn:
        row, _ = await loading.by_number(conn, account_id, number_)
    return answer({"payload": row.labels})


@router.post("/{number_}/labels")
async def set_labels(request: Request, account_id: int, number_: int) -> Response:
    """Replace the whole set; labels need not exist in the account."""
    actor = account_caller(request, account_id, bots=True)
    app = parts(request)
    wanted = (await params(request)).get("labels") or []
    if not isinstance(wanted, list):
        wanted = [wanted]
    async with app.office.work(app.office.by_number(account_id, number_), actor) as work:
        work.conversation.labels = list(dict.fromkeys(str(label).strip() for label in wanted if str(label).strip()))
    return answer({"payload": work.conversation.labels})


@router.post("/{number_}/custom_attributes")
async def set_custom_attributes(request: Request, account_id: int, number_: int) -> Response:
    """Replace the whole hash."""
    actor = account_caller(request, account_id, bots=True)
    app = parts(request)
    wanted = validation.custom_attributes((await params(request)).get("custom_attributes"))
    async with app.office.work(app.office.by_number(account_id, number_), actor) as work:
        work.conversation.custom_attributes = wanted
    return answer({"custom_attributes": wanted})


@router.post("/{number_}/assignments")
async def assign(request: Request, account_id: int, number_: int) -> Response:
    """Assign a person or a bot. An unknown id is no error: it unassigns and answers null (reference 2.5)."""
    actor = account_caller(request, account_id, bots=True)
    app = parts(request)
    fields = await params(request)
    if "assignee_id" not in fields and "team_id" not in fields:
        raise unprocessable("assignee_id or team_id is required")
    async with app.office.work(app.office.by_number(account_id, number_), actor) as work:
        if "assignee_id" not in fields:
            return answer(None)
        wanted = number(fields["assignee_id"]) or 0
        found: Actor | None
        found = app.directory.bots.get(wanted) if fields.get("assignee_type") == "AgentBot" else app.directory.agents.get(wanted)
        if found is not None and found.account_id != account_id:
            found = None
        lifecycle.assign(work.conversation, found)
    if found is None:
        return answer(None)
    return answer(actor_push(found) if isinstance(found, AgentBot) else agent_rest(found))


@router.post("/{number_}/update_last_seen")
async def update_last_seen(request: Request, account_id: int, number_: int) -> Response:
    """The agent has read the conversation."""
    actor = account_caller(request, account_id)
    app = parts(request)
    async with app.office.work(app.office.by_number(account_id, number_), actor) as work:
        row = work.conversation
        row.agent_last_seen_at = work.now
        row.unread_count = 0
        if row.assignee_id == actor.id:
            row.assignee_last_seen_at = work.now
        visitor = work.visitor
        latest = await repository.latest_message(work.conn, row.id, public=False)
    return answer(app.presenter.conversation_rest(row, visitor, latest))
