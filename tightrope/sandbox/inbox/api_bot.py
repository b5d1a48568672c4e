"""Administration of agent bots and their connection to inboxes (agent_bots_controller.rb, inboxes_controller.rb)."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from tightrope.sandbox.inbox.directory import new_token
from tightrope.sandbox.inbox.edge import account_caller, administrator, answer, empty, number, params, parts
from tightrope.sandbox.inbox.models import CHANNEL, WidgetInbox
from tightrope.sandbox.inbox.presenters import agent_rest, bot_rest

router = APIRouter(prefix="/api/v1/accounts/{account_id}")


@router.get("/agent_bots")
async def list_bots(request: Request, account_id: int) -> Response:
    """All bots of the account."""
    administrator(request, account_id)
    return answer([bot_rest(bot) for bot in parts(request).directory.bots.values() if bot.account_id == account_id])


@router.post("/agent_bots")
async def create_bot(request: Request, account_id: int) -> Response:
    """A new bot; its access token and secret are made here and shown to administrators."""
    administrator(request, account_id)
    return answer(bot_rest(await parts(request).directory.create_bot(account_id, await params(request))))


@router.get("/agent_bots/{bot_id}")
async def show_bot(request: Request, account_id: int, bot_id: int) -> Response:
    """One bot."""
    administrator(request, account_id)
    return answer(bot_rest(parts(request).directory.bot_of(account_id, bot_id)))


@router.patch("/agent_bots/{bot_id}")
async def update_bot(request: Request, account_id: int, bot_id: int) -> Response:
    """Change name, description or outgoing_url."""
    administrator(request, account_id)
    directory = parts(request).directory
    fields = await params(request)
    known = {name: str(fields[name]) for name in ("name", "description", "outgoing_url") if fields.get(name) is not None}
    return answer(bot_rest(await directory.update_bot(directory.bot_of(account_id, bot_id), **known)))


@router.post("/agent_bots/{bot_id}/reset_access_token")
async def reset_access_token(request: Request, account_id: int, bot_id: int) -> Response:
    """A new token; the old one dies at once."""
    administrator(request, account_id)
    directory = parts(request).directory
    return answer(bot_rest(await directory.update_bot(directory.bot_of(account_id, bot_id), access_token=new_token())))


@router.post("/agent_bots/{bot_id}/reset_secret")
async def reset_secret(request: Request, account_id: int, bot_id: int) -> Response:
    """A new signing secret, without an overlap."""
    administrator(request, account_id)
    directory = parts(request).directory
    return answer(bot_rest(await directory.update_bot(directory.bot_of(account_id, bot_id), secret=new_token())))


@router.post("/inboxes/{inbox_id}/set_agent_bot")
async def set_agent_bot(request: Request, account_id: int, inbox_id: int) -> Response:
    """Connect a bot, or disconnect it when `agent_bot` is missing or null."""
    administrator(request, account_id)
    directory = parts(request).directory
    inbox = directory.inbox_of(account_id, inbox_id)
    wanted = (await params(request)).get("agent_bot")
    bot_id = directory.bot_of(account_id, number(wanted) or 0).id if wanted is not None else None
    await directory.connect_bot(inbox, bot_id)
    return empty()


@router.get("/inboxes/{inbox_id}/agent_bot")
async def inbox_bot(request: Request, account_id: int, inbox_id: int) -> Response:
    """The connected bot, `{}` when there is none."""
    administrator(request, account_id)
    directory = parts(request).directory
    bot_id = directory.inbox_of(account_id, inbox_id).agent_bot_id
    return answer({"agent_bot": bot_rest(directory.bots[bot_id]) if bot_id is not None else {}})


def _inbox(inbox: WidgetInbox) -> dict[str, object]:
    return {
        "id": inbox.id,
        "channel_id": inbox.id,
        "name": inbox.name,
        "channel_type": CHANNEL,
        "greeting_enabled": False,
        "enable_auto_assignment": False,
        "enable_email_collect": False,
        "csat_survey_enabled": False,
        "allow_messages_after_resolved": True,
        "website_token": inbox.website_token,
    }


@router.get("/inboxes")
async def list_inboxes(request: Request, account_id: int) -> Response:
    """All inboxes of the account."""
    account_caller(request, account_id)
    return answer({"payload": [_inbox(one) for one in parts(request).directory.inboxes.values() if one.account_id == account_id]})


@router.get("/inboxes/{inbox_id}")
async def show_inbox(request: Request, account_id: int, inbox_id: int) -> Response:
    """One inbox."""
    account_caller(request, account_id)
    return answer(_inbox(parts(request).directory.inbox_of(account_id, inbox_id)))


@router.get("/agents")
async def list_agents(request: Request, account_id: int) -> Response:
    """Everybody at the desk, without their tokens."""
    account_caller(request, account_id)
    return answer([agent_rest(one) for one in parts(request).directory.agents_of(account_id)])


@router.get("/teams")
async def list_teams(request: Request, account_id: int) -> Response:
    """The stand-in has no teams."""
    account_caller(request, account_id)
    return answer([])
