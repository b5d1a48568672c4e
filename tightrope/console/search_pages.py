"""The search page: the form, the answer of the auditor's index, page by page. Each question goes on the record before its answer is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from tightrope.audit.index.finding import Finder
from tightrope.audit.index.models import Found
from tightrope.audit.models import Event
from tightrope.audit.wording import event_title
from tightrope.console.login import auditor, posted
from tightrope.console.search import FIELDS, PAGE, TEXT_LIMIT, Asked, QuestionRefused, what
from tightrope.console.sessions import Session
from tightrope.console.web import PATIENCE_SECONDS, ask_purpose, language_of, page
from tightrope.engine.errors import ProjectError
from tightrope.engine.loader import load_project
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings

log = get_logger()

Reader = Annotated[Session, Depends(auditor)]


def search_router() -> APIRouter:
    """The search page's routes."""
    routes = APIRouter()

    @routes.get("/search")
    async def find(request: Request, session: Reader) -> Response:
        if not session.purpose:
            return ask_purpose(request)
        try:
            asked = Asked.read(request.query_params, session.customers.get)
        except QuestionRefused as refused:
            fields = {name: request.query_params.get(name, "") for name in FIELDS}
            return await _search_page(request, session, fields, invalid=str(refused))
        await request.app.state.indexer.catch_up(seconds=PATIENCE_SECONDS)
        finder: Finder = request.app.state.finder(session.person)
        found = await finder.find(asked.question, limit=PAGE + 1, reason=session.purpose, newest=True, before=asked.before)
        return await _search_page(request, session, asked.fields, found=found)

    @routes.post("/search")
    async def ask(request: Request) -> Response:
        """The form comes by POST, so that a customer's id stands in no address: the answer's address has an alias."""
        fields = {name: text for name, text in (await posted(request)).items() if name in FIELDS and text.strip()}
        if fields.get("customer"):
            session = await auditor(request)
            given = fields["customer"].strip()
            if len(given) > TEXT_LIMIT or not given.isprintable():
                return await _search_page(request, session, fields, invalid="customer")
            fields["customer"] = session.alias_of(given)
        return RedirectResponse(f"/search?{urlencode(fields)}", status_code=303)

    return routes


async def _search_page(
    request: Request, session: Session, fields: dict[str, str], *, found: Found | None = None, invalid: str = ""
) -> Response:
    language = language_of(request)
    names = {event.value: event_title(event.value, language) for event in Event}
    hits = found.hits[:PAGE] if found is not None else ()
    more = found is not None and len(found.hits) > PAGE
    return page(
        request,
        "search",
        status=400 if invalid else 200,
        found=found,
        hits=[(hit, what(hit)) for hit in hits],
        invalid=invalid,
        names=names,
        events=[(source, [(v, names[v]) for v in sorted(names) if v.startswith(f"{source}:")]) for source in _sources(names)],
        fields={name: fields.get(name, "") for name in FIELDS} | {"customer": _customer(session, fields)},
        next_query=urlencode(fields | {"before": str(hits[-1].row.place)}) if more else "",
        export_query=urlencode(fields),
        journeys=await asyncio.to_thread(request.app.state.journeys),
    )


def _sources(names: Iterable[str]) -> list[str]:
    return sorted({name.partition(":")[0] for name in names})


def _customer(session: Session, fields: dict[str, str]) -> str:
    """The id that was typed, for the form; an alias of another session says nothing to anybody and is left out."""
    given = fields.get("customer", "")
    return session.customers.get(given, "" if given.startswith("~") else given)


def journeys_of(settings: Settings) -> list[str]:
    """Names of today's journeys, as suggestions for the form; older ones can be typed."""
    try:
        project = load_project(settings.project_dir)
    except ProjectError as error:
        log.warning("no suggestions of journeys", action="console_no_journeys", reason=str(error))
        return []
    return sorted(name for name, flow in project.flows.items() if not flow.builtin and not name.startswith("pattern_"))
