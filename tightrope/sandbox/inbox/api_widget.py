"""What the widget in the customer's browser calls (app/controllers/api/v1/widget)."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, suppress

from fastapi import APIRouter, Request, Response

from tightrope.infra.database import Connection
from tightrope.sandbox.inbox import contacts, loading, repository, validation
from tightrope.sandbox.inbox.browser import accept_language, browser_of
from tightrope.sandbox.inbox.edge import answer, empty, number, params, parts, website
from tightrope.sandbox.inbox.errors import ApiError, not_found, unprocessable
from tightrope.sandbox.inbox.models import CONTENT_LIMIT, Broadcast, Draft, Json, MessageType, Upload, Visitor, WidgetInbox
from tightrope.sandbox.inbox.presenters import contact_push, epoch
from tightrope.sandbox.inbox.work import Work

router = APIRouter(prefix="/api/v1/widget")


class _NoConversationError(ApiError):
    """The session has not begun a conversation yet."""

    def __init__(self) -> None:
        super().__init__(404, {"error": "Resource could not be found"})


async def _session(request: Request, conn: Connection, fields: Json) -> tuple[WidgetInbox, Visitor | None]:
    app = parts(request)
    inbox = website(request, fields)
    named = app.tokens.read_widget(request.headers.get("x-auth-token", ""), app.clock.now())
    if named is None or named[1] != inbox.id:
        return inbox, None
    return inbox, await contacts.visitor_by_source(conn, inbox.id, named[0])


async def _visitor(request: Request, fields: Json) -> Visitor:
    async with loading.reading(parts(request).pool) as conn:
        return await _known(request, conn, fields)


async def _known(request: Request, conn: Connection, fields: Json) -> Visitor:
    _, visitor = await _session(request, conn, fields)
    if visitor is None:
        raise not_found()
    return visitor


def _contact(visitor: Visitor) -> Json:
    return {
        "id": visitor.id,
        "name": visitor.name,
        "email": visitor.email,
        "phone_number": visitor.phone_number,
        "identifier": visitor.identifier,
        "has_email": bool(visitor.email),
        "has_name": bool(visitor.name),
        "has_phone_number": bool(visitor.phone_number),
    }


@router.post("/config")
async def config(request: Request) -> Response:
    """Settings of the widget, and a session: the one of `X-Auth-Token`, else a new anonymous contact."""
    app = parts(request)
    fields = await params(request)
    async with app.pool.connection() as conn:
        inbox, visitor = await _session(request, conn, fields)
        if visitor is None:
            visitor = await contacts.new_session(conn, inbox, app.clock.now())
    token = app.tokens.widget(visitor.source_id, inbox.id, app.clock.now())
    channel = {
        "allow_messages_after_resolved": True,
        "api_host": app.presenter.public_url,
        "auth_token": token,
        "csat_survey_enabled": False,
        "enabled_features": ["attachments"],
        "locale": "zh_CN",
        "pre_chat_form_enabled": False,
        "website_name": inbox.name,
        "website_token": inbox.website_token,
        "welcome_title": "",
        "welcome_tagline": "",
        "working_hours_enabled": False,
    }
    return answer(
        {
            "website_channel_config": channel,
            "contact": {"pubsub_token": visitor.pubsub_token},
            "global_config": {"brand_name": inbox.name},
        }
    )


@router.get("/contact")
async def show_contact(request: Request) -> Response:
    """The session's contact."""
    return answer(_contact(await _visitor(request, await params(request))))


@router.patch("/contact")
async def update_contact(request: Request) -> Response:
    """Change the contact. With an email or phone of another contact the two are merged (reference 3.3, gap 1)."""
    fields = await params(request)
    return answer(_contact(await _identify(request, await _visitor(request, fields), fields, same_session=True)))


@router.patch("/contact/set_user")
async def set_user(request: Request) -> Response:
    """Give the contact an identifier; another person's session gets a new one and its token in `widget_auth_token`."""
    app = parts(request)
    fields = await params(request)
    visitor = await _visitor(request, fields)
    identifier = str(fields.get("identifier") or "")
    fields["identifier"] = identifier or None
    if visitor.identifier is None or not identifier or visitor.identifier == identifier:
        return answer(_contact(await _identify(request, visitor, fields, same_session=True)))
    async with app.pool.connection() as conn:
        fresh = await contacts.new_session(conn, app.directory.inboxes[visitor.inbox_id], app.clock.now())
    found = await _identify(request, fresh, fields, same_session=False)
    token = app.tokens.widget(found.source_id, found.inbox_id, app.clock.now())
    return answer(_contact(found) | {"widget_auth_token": token, "pubsub_token": found.pubsub_token})


async def _identify(request: Request, visitor: Visitor, fields: Json, *, same_session: bool) -> Visitor:
    app = parts(request)
    known = {name: fields.get(name) for name in ("name", "email", "phone_number", "identifier", "additional_attributes")}
    known = {
        name: value for name, value in known.items() if isinstance(value, dict if name == "additional_attributes" else str | int)
    }
    known = {name: value for name, value in known.items() if value != "" or not same_session}
    if known.get("email"):
        known["email"] = str(known["email"]).lower()
    known["custom_attributes"] = validation.custom_attributes(fields.get("custom_attributes"))
    now = app.clock.now()
    async with app.pool.connection() as conn:
        target = visitor.id
        for column in ("identifier",) if known.get("identifier") else ("email", "phone_number"):
            if known.get(column):
                other = await contacts.find_contact(conn, visitor.account_id, column, str(known[column]))
                if other is not None and other != target:
                    await contacts.move_sessions(conn, target, other, now)
                    target = other
        if known.get("identifier") and known.get("email"):
            holder = await contacts.find_contact(conn, visitor.account_id, "email", str(known["email"]))
            if holder is not None and holder != target:
                known["email"] = None
        await contacts.update_contact(conn, target, known, now)
        return await contacts.visitor_by_session(conn, visitor.contact_inbox_id)


@router.get("/conversations")
async def show_conversation(request: Request) -> Response:
    """The session's newest conversation, `{}` when there is none."""
    fields = await params(request)
    async with loading.reading(parts(request).pool) as conn:
        found = await loading.newest(conn, await _known(request, conn, fields))
    if found is None:
        return answer({})
    row, _ = found
    return answer(
        {
            "id": row.display_id,
            "inbox_id": row.inbox_id,
            "status": row.status,
            "contact_last_seen_at": epoch(row.contact_last_seen_at),
        }
    )


def _additional(request: Request, message: Json) -> Json:
    return {
        "browser_language": accept_language(request.headers.get("accept-language", "")),
        "browser": browser_of(request.headers.get("user-agent", "")),
        "initiated_at": {"timestamp": message.get("timestamp")},
        "referer": message.get("referer_url"),
    }


def _draft(message: Json) -> Draft:
    content = message.get("content")
    if content is not None and len(str(content)) > CONTENT_LIMIT:
        raise unprocessable(f"Validation failed: Content is too long (maximum is {CONTENT_LIMIT} characters)")
    files = message.get("attachments")
    return Draft(
        content=None if content is None else str(content),
        message_type=MessageType.INCOMING,
        content_attributes={"in_reply_to": message.get("reply_to")},
        echo_id=None if message.get("echo_id") is None else str(message["echo_id"]),
        files=[one for one in files if isinstance(one, Upload)] if isinstance(files, list) else [],
    )


def _message_of(fields: Json) -> Json:
    message = fields.get("message")
    if not isinstance(message, dict):
        raise ApiError(400, {"status": 400, "error": "param is missing or the value is empty: message"})
    return message


@router.post("/conversations")
async def create_conversation(request: Request) -> Response:
    """Begin a conversation with its first message; `custom_attributes` go along."""
    app = parts(request)
    fields = await params(request)
    message = _message_of(fields)
    draft = _draft(message)
    visitor = await _visitor(request, fields)
    given = fields.get("contact")
    if isinstance(given, dict) and any(given.get(name) for name in ("email", "name", "phone_number")):
        visitor = await _identify(request, visitor, given | {"identifier": None}, same_session=True)
    custom = validation.custom_attributes(fields.get("custom_attributes"))
    async with app.office.new_conversation(visitor, additional=_additional(request, message), custom=custom) as work:
        row = await work.add(draft, from_contact=True)
        conversation = work.conversation
    return answer(
        {
            "id": conversation.display_id,
            "inbox_id": conversation.inbox_id,
            "contact_last_seen_at": epoch(conversation.contact_last_seen_at),
            "status": conversation.status,
            "messages": [app.presenter.message_rest(row, conversation, visitor, draft.echo_id)],
            "contact": contact_push(visitor),
        }
    )


def _newest(request: Request, fields: Json) -> AbstractAsyncContextManager[Work]:
    """A transaction over the session's newest conversation."""

    async def load(conn: Connection) -> loading.Found:
        found = await loading.newest(conn, await _known(request, conn, fields), lock=True)
        if found is None:
            raise _NoConversationError
        return found

    return parts(request).office.work(load)


@router.post("/conversations/set_custom_attributes")
async def set_custom_attributes(request: Request) -> Response:
    """Replace the whole hash, including what bot or agents set (reference 3.4)."""
    fields = await params(request)
    wanted = validation.custom_attributes(fields.get("custom_attributes"))
    async with _newest(request, fields) as work:
        work.conversation.custom_attributes = wanted
    return empty(204)


@router.post("/conversations/destroy_custom_attributes")
async def destroy_custom_attributes(request: Request) -> Response:
    """Remove the named keys."""
    fields = await params(request)
    names = fields.get("custom_attribute")
    gone = {str(name) for name in (names if isinstance(names, list) else [names])}
    async with _newest(request, fields) as work:
        work.conversation.custom_attributes = {k: v for k, v in work.conversation.custom_attributes.items() if k not in gone}
    return answer({"custom_attributes": work.conversation.custom_attributes})


@router.post("/conversations/toggle_typing")
async def toggle_typing(request: Request) -> Response:
    """Tell the desk that the customer types."""
    app = parts(request)
    fields = await params(request)
    async with loading.reading(app.pool) as conn:
        found = await loading.newest(conn, await _known(request, conn, fields))
    if found is None:
        raise _NoConversationError
    row, visitor = found
    if fields.get("typing_status") in ("on", "off"):
        data = {
            "conversation": app.presenter.conversation_push(row, visitor, None),
            "user": contact_push(visitor),
            "account_id": row.account_id,
            "is_private": False,
        }
        app.office.push(
            [Broadcast(app.directory.agent_tokens(row.account_id), f"conversation.typing_{fields['typing_status']}", data)]
        )
    return empty()


@router.post("/conversations/update_last_seen")
async def update_last_seen(request: Request) -> Response:
    """The customer has read up to now: outgoing messages become `read`, and bots get a message_updated for each."""
    with suppress(_NoConversationError):
        async with _newest(request, await params(request)) as work:
            await work.customer_saw()
    return empty()


@router.get("/messages")
async def list_messages(request: Request) -> Response:
    """The conversation without notes and activity lines, ascending."""
    app = parts(request)
    fields = await params(request)
    async with loading.reading(app.pool) as conn:
        found = await loading.newest(conn, await _known(request, conn, fields))
        if found is None:
            return answer({"payload": [], "meta": {"contact_last_seen_at": 0}})
        row, visitor = found
        rows = await repository.list_messages(
            conn, row.id, before=number(fields.get("before")), after=number(fields.get("after")), public=True
        )
    payload = [app.presenter.message_rest(one, row, visitor) for one in rows]
    return answer({"payload": payload, "meta": {"contact_last_seen_at": epoch(row.contact_last_seen_at)}})


@router.post("/messages")
async def create_message(request: Request) -> Response:
    """A message of the customer; begins a conversation when there is none."""
    app = parts(request)
    fields = await params(request)
    message = _message_of(fields)
    draft = _draft(message)
    try:
        async with _newest(request, fields) as work:
            row = await work.add(draft, from_contact=True)
    except _NoConversationError:
        visitor = await _visitor(request, fields)
        async with app.office.new_conversation(visitor, additional=_additional(request, message), custom={}) as work:
            row = await work.add(draft, from_contact=True)
    return answer(app.presenter.message_rest(row, work.conversation, work.visitor, draft.echo_id))


@router.patch("/messages/{message_id}")
async def update_message(request: Request, message_id: int) -> Response:
    """Store `submitted_values` on any message of the visitor, with any value, any number of times (reference 2.2)."""
    app = parts(request)
    fields = await params(request)
    inner = fields.get("message")
    values = (inner if isinstance(inner, dict) else fields).get("submitted_values")

    async def load(conn: Connection) -> loading.Found:
        return await loading.of_message(conn, message_id, await _known(request, conn, fields))

    async with app.office.work(load) as work:
        row = await repository.message(work.conn, work.conversation.id, message_id)
        if row is None:
            raise not_found()
        if isinstance(values, list):
            kept = [
                {key: one.get(key) for key in ("name", "title", "value") if key in one} for one in values if isinstance(one, dict)
            ]
            await work.change_message(row, content_attributes=row.content_attributes | {"submitted_values": kept})
    return answer(app.presenter.message_rest(row, work.conversation, work.visitor))


@router.post("/events")
async def event(request: Request) -> Response:
    """A browser event; `webwidget.triggered` goes to the inbox's bot with what the client said of itself."""
    app = parts(request)
    fields = await params(request)
    if fields.get("name") != "webwidget.triggered":
        return empty(204)
    async with loading.reading(app.pool) as conn:
        visitor = await _known(request, conn, fields)
        found = await loading.newest(conn, visitor)
        latest = await repository.latest_message(conn, found[0].id, public=True) if found else None
    info = fields.get("event_info") if isinstance(fields.get("event_info"), dict) else {}
    body = {
        "id": visitor.contact_inbox_id,
        "source_id": visitor.source_id,
        "contact": {key: value for key, value in contact_push(visitor).items() if key != "type"},
        "inbox": app.presenter.inbox(visitor.inbox_id),
        "account": app.presenter.account(visitor.account_id),
        "current_conversation": app.presenter.conversation_webhook(*found, latest) if found else None,
        "event": "webwidget_triggered",
        "event_info": {
            **(info or {}),
            "browser_language": accept_language(request.headers.get("accept-language", "")),
            "browser": browser_of(request.headers.get("user-agent", "")),
        },
    }
    await app.office.tell_bot(visitor.inbox_id, "webwidget_triggered", body)
    return empty(204)


@router.get("/inbox_members")
async def inbox_members(request: Request) -> Response:
    """Who may answer."""
    app = parts(request)
    inbox = website(request, await params(request))
    members = [
        {"id": one.id, "name": one.name, "avatar_url": "", "availability_status": "online"}
        for one in app.directory.agents_of(inbox.account_id)
    ]
    return answer({"payload": members})
