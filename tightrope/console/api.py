"""The auditors' pages over HTTP: a process of its own with the database role `auditor`. Nothing here changes the log; reading is recorded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import lru_cache
from typing import Annotated, Final
from urllib.parse import quote

import psycopg
from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException

from tightrope.audit.errors import AuditError, ConversationUnknown
from tightrope.audit.export.models import Masker
from tightrope.audit.index.finding import Finder
from tightrope.audit.index.keeping import kept_current
from tightrope.audit.index.service import Indexer
from tightrope.audit.keyring import Keyring
from tightrope.audit.models import Place
from tightrope.audit.reading import show_conversation
from tightrope.audit.recorder import Recorder
from tightrope.audit.wording import labels
from tightrope.console import conversation, proofs
from tightrope.console.errors import NotLoggedIn, PostRefused, ProofUnavailable
from tightrope.console.export_pages import export_router, maker
from tightrope.console.exporting import Exports
from tightrope.console.login import CLIENT, auditor, login_router, session_router
from tightrope.console.pictures import RecordedFlows, Source
from tightrope.console.search import TEXT_LIMIT
from tightrope.console.search_pages import journeys_of, search_router
from tightrope.console.sessions import Session, Sessions
from tightrope.console.status import status
from tightrope.console.web import HEADERS, HERE, PATIENCE_SECONDS, PICTURE_CSP, ask_purpose, here, language_of, page
from tightrope.console.words import words
from tightrope.engine.picture import draw
from tightrope.identity.oidc import Provider
from tightrope.infra.clock import Clock, clock_from
from tightrope.infra.database import Pool, Role, open_pool
from tightrope.infra.health import health_body
from tightrope.infra.http import outbound_client
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings
from tightrope.release.manifest import release_id

log = get_logger()

Reader = Annotated[Session, Depends(auditor)]
LARGEST_PLACE: Final = 2**53


def create_app(settings: Settings, *, mask: Masker, clock: Clock | None = None) -> FastAPI:
    """The pages as an ASGI application; it opens its pool at start-up.

    Args:
        mask: the masker of exports.
    """
    clock = clock or clock_from(settings)
    release = release_id(settings)
    keyring = Keyring.from_settings(settings)
    recorder = Recorder(settings, keyring, clock, release)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            pool = await stack.enter_async_context(open_pool(settings, Role.AUDITOR, max_size=8))
            app.state.pool = pool
            app.state.flows = RecordedFlows(pool, settings.project_dir)
            app.state.indexer = Indexer(pool, keyring, clock)
            app.state.finder = lambda person: Finder(pool, keyring, recorder, clock, who=person)
            exports = Exports(
                maker(settings, pool, keyring, recorder, clock, mask),
                settings.console_exports or settings.state_dir / "console-exports",
                clock,
                most=settings.console_export_records,
            )
            exports.open()
            stack.push_async_callback(exports.close)
            sweeping = asyncio.create_task(exports.keep_clean())
            stack.callback(sweeping.cancel)
            app.state.exports = exports
            await stack.enter_async_context(kept_current(settings, clock))
            http = await stack.enter_async_context(outbound_client(settings, purpose="identity"))
            app.state.provider = Provider(
                http,
                settings,
                clock,
                client=CLIENT,
                secret="oidc_client_console",  # noqa: S106 - a name, no secret
                public_url=settings.console_public_url,
                scopes=("profile",),
            )
            yield

    app = FastAPI(title="Tightrope console", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.settings = settings
    app.state.sessions = Sessions(clock, timedelta(minutes=settings.console_idle_minutes))
    app.state.journeys = lru_cache(maxsize=1)(lambda: journeys_of(settings))
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    app.include_router(login_router(settings))
    app.include_router(session_router())
    app.include_router(search_router())
    app.include_router(export_router(settings))
    _pages(app)
    _answers(app)

    @app.get("/health")
    async def health() -> Response:
        async def check() -> None:
            async with app.state.pool.connection() as conn:
                await conn.execute("SELECT 1")

        code, body = await health_body("console", release, check)
        return JSONResponse(body, status_code=code)

    @app.middleware("http")
    async def headers(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return app


def _pages(app: FastAPI) -> None:
    settings: Settings = app.state.settings

    @app.get("/")
    async def first(request: Request, _: Reader) -> Response:
        try:
            await app.state.indexer.catch_up(seconds=PATIENCE_SECONDS)
        except AuditError as error:  # the status tells what is wrong with the log; the index is only where its gaps are listed
            log.warning("the index is behind", action="console_index_behind", reason=str(error))
        async with _pool(request).connection() as conn:
            found = await status(settings, conn)
        return page(request, "status", s=found)

    @app.get("/conversations/{conversation_id}")
    async def show(request: Request, session: Reader, conversation_id: str) -> Response:
        if not session.purpose:
            return ask_purpose(request)
        language = language_of(request)
        t = words(language)
        try:
            if len(conversation_id) > TEXT_LIMIT or not conversation_id.isprintable():
                raise ConversationUnknown
            view = await show_conversation(settings, conversation_id, reader=session.person, reason=session.purpose)
        except ConversationUnknown:
            lead = t["unknown_lead"].format(id=conversation_id[:TEXT_LIMIT])
            return page(request, "notice", status=404, title=t["unknown_title"], lead=lead)
        flows: RecordedFlows = app.state.flows
        recorded = {source: await flows.of(source) for source in conversation.sources(view)}
        return page(
            request,
            "conversation",
            view=view,
            head=conversation.head(view),
            exchanges=list(conversation.blocks(view, language, recorded)),
            labels=labels(language),
            proof_words=json.dumps({name: text for name, text in t.items() if name.startswith("js_")}, ensure_ascii=False),
        )

    @app.get("/proof/{shard}/{index}")
    async def proof(request: Request, _: Reader, shard: int, index: int) -> Response:
        try:
            if not (0 <= shard <= 9999 and 0 <= index < LARGEST_PLACE):
                raise ProofUnavailable("there is no such place", wrong=False)
            place = Place(shard, index)
            async with _pool(request).connection() as conn:
                row = await proofs.record_at(conn, place)
            return JSONResponse(await asyncio.to_thread(proofs.proof_of, settings, place, row))
        except ProofUnavailable as error:
            return JSONResponse({"error": str(error), "wrong": error.wrong}, status_code=409)

    @app.get("/flows/{release}/{manifest}/{flow_id}.svg")
    async def picture(request: Request, _: Reader, release: str, manifest: str, flow_id: str, path: str = "") -> Response:
        flows: RecordedFlows = app.state.flows
        project = (await flows.of(Source(release, manifest))).project
        steps = conversation.steps_of(project, flow_id, path) if project is not None else None
        if project is None or steps is None:
            raise HTTPException(404)
        drawn = await asyncio.to_thread(draw, project.flows[flow_id], path=steps, project=project, language=language_of(request))
        return Response(drawn, media_type="image/svg+xml", headers={"Content-Security-Policy": PICTURE_CSP})


def _answers(app: FastAPI) -> None:
    """What is said where a page cannot be shown."""

    @app.exception_handler(NotLoggedIn)
    async def not_logged_in(request: Request, _: Exception) -> Response:
        if request.url.path.startswith(("/proof/", "/flows/")) or request.url.path.endswith("/state"):
            return JSONResponse({"error": "log in again"}, status_code=401)
        if request.method != "GET":
            return RedirectResponse("/login", status_code=303)
        return RedirectResponse(f"/login?back={quote(here(request))}", status_code=303)

    @app.exception_handler(PostRefused)
    async def post_refused(request: Request, _: Exception) -> Response:
        t = words(language_of(request))
        return page(request, "notice", status=403, title=t["post_title"], lead=t["post_lead"])

    async def down(request: Request, error: Exception) -> Response:
        log.warning("the database does not answer", action="console_database_down", reason=type(error).__name__)
        t = words(language_of(request))
        return page(request, "notice", status=503, title=t["down_title"], lead=t["down_lead"])

    @app.exception_handler(AuditError)
    async def unreadable(request: Request, error: Exception) -> Response:
        log.warning("the log cannot be read", action="console_log_unreadable", reason=f"{type(error).__name__}: {error}")
        return page(request, "notice", status=503, title=words(language_of(request))["down_title"], lead=str(error))

    app.add_exception_handler(psycopg.Error, down)
    app.add_exception_handler(PoolTimeout, down)

    @app.exception_handler(404)
    async def gone(request: Request, _: Exception) -> Response:
        t = words(language_of(request))
        return page(request, "notice", status=404, title=t["gone_title"], lead=t["gone_lead"])


def _pool(request: Request) -> Pool:
    pool: Pool = request.app.state.pool
    return pool
