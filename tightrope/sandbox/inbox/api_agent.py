"""Profile and contacts, for people (profiles_controller.rb, contacts_controller.rb)."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from tightrope.sandbox.inbox import contacts, loading, repository
from tightrope.sandbox.inbox.edge import account_caller, answer, caller, number, params, parts
from tightrope.sandbox.inbox.errors import not_found, unprocessable
from tightrope.sandbox.inbox.models import Agent, Json
from tightrope.sandbox.inbox.presenters import contact_rest, iso

router = APIRouter(prefix="/api/v1")


def profile_of(agent: Agent, account_name: str, *, active_at: str | None) -> Json:
    """The caller's own record, with the token for the websocket."""
    account = {"id": agent.account_id, "name": account_name, "status": "active", "active_at": active_at, "role": agent.role}
    return {
        "access_token": agent.access_token,
        "account_id": agent.account_id,
        "available_name": agent.name,
        "avatar_url": "",
        "confirmed": True,
        "display_name": None,
        "message_signature": None,
        "email": agent.email,
        "id": agent.id,
        "inviter_id": None,
        "name": agent.name,
        "provider": "email",
        "pubsub_token": agent.pubsub_token,
        "role": agent.role,
        "ui_settings": {},
        "uid": agent.email,
        "type": None,
        "accounts": [
            account
            | {"permissions": [agent.role], "availability": "online", "availability_status": "online", "auto_offline": True}
        ],
    }


@router.get("/profile")
async def profile(request: Request) -> Response:
    """Who the token belongs to."""
    actor = caller(request)
    app = parts(request)
    assert isinstance(actor, Agent)  # noqa: S101 - bots were refused
    return answer(profile_of(actor, app.directory.accounts[actor.account_id].name, active_at=iso(app.clock.now())))


async def _search(request: Request, account_id: int, query: str) -> Response:
    app = parts(request)
    page = number((await params(request)).get("page")) or 1
    async with loading.reading(app.pool) as conn:
        rows, total = await contacts.search_contacts(conn, account_id, query, page)
        sessions = await contacts.contact_sessions(conn, [row["id"] for row in rows])
    names = {inbox.id: inbox.name for inbox in app.directory.inboxes.values()}
    payload = [contact_rest(row, sessions.get(row["id"], []), next(iter(names.values()), "")) for row in rows]
    meta = {"count": total, "current_page": page, "has_more": page * contacts.SEARCH_PAGE < total}
    return answer({"meta": meta, "payload": payload})


@router.get("/accounts/{account_id}/contacts")
async def list_contacts(request: Request, account_id: int) -> Response:
    """All contacts, 15 a page."""
    account_caller(request, account_id)
    return await _search(request, account_id, "")


@router.get("/accounts/{account_id}/contacts/search")
async def search_contacts(request: Request, account_id: int) -> Response:
    """Contacts whose name, email, phone or identifier holds `q`."""
    account_caller(request, account_id)
    query = str((await params(request)).get("q") or "")
    if not query:
        raise unprocessable("Specify search string with parameter q")
    return await _search(request, account_id, query)


@router.get("/accounts/{account_id}/contacts/{contact_id}")
async def show_contact(request: Request, account_id: int, contact_id: int) -> Response:
    """One contact."""
    account_caller(request, account_id)
    async with loading.reading(parts(request).pool) as conn:
        row = await contacts.contact(conn, account_id, contact_id)
        if row is None:
            raise not_found()
        sessions = await contacts.contact_sessions(conn, [contact_id])
    return answer({"payload": contact_rest(row, sessions.get(contact_id, []))})


@router.get("/accounts/{account_id}/contacts/{contact_id}/conversations")
async def contact_conversations(request: Request, account_id: int, contact_id: int) -> Response:
    """A contact's last twenty conversations."""
    account_caller(request, account_id)
    app = parts(request)
    found: list[Json] = []
    async with loading.reading(app.pool) as conn:
        for row, visitor in await loading.of_contact(conn, account_id, contact_id):
            latest = await repository.latest_message(conn, row.id, public=True)
            found.append(app.presenter.conversation_rest(row, visitor, latest))
    return answer({"payload": found})
