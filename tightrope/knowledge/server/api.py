"""The embedded knowledge server: the part of RAGFlow 0.27's HTTP API that answering and publishing use, over Postgres.

Errors are RAGFlow's: HTTP 200 with `code != 0`; 401 is real. What is left out (web pages, models, editing of chunks) is refused.
Contract: docs/knowledge.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.exceptions import HTTPException

from tightrope.infra.clock import Clock, clock_from
from tightrope.infra.database import Role, open_pool
from tightrope.infra.encoder import MISSING as NO_ENCODER
from tightrope.infra.health import health_body
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings
from tightrope.knowledge.server import chunks, datasets, documents, repository
from tightrope.knowledge.server.envelope import RagflowRoute, json_response, ok, read_body
from tightrope.knowledge.server.filters import Filters
from tightrope.knowledge.server.graph import Graph
from tightrope.knowledge.server.intake import Intake
from tightrope.knowledge.server.requests import pool_of
from tightrope.knowledge.server.retrieval import read_query, retrieve
from tightrope.knowledge.server.search import Search
from tightrope.knowledge.server.tokens import warm_up
from tightrope.knowledge.versions import Version
from tightrope.release.manifest import release_id

log = get_logger()
VERSION = Version(0, 27, 3)
"""The RAGFlow version whose rules hold here unless told otherwise; the server adds a suffix that says that it is not RAGFlow."""
router = APIRouter(route_class=RagflowRoute)


@router.post("/api/v1/retrieval")
async def retrieval(request: Request) -> Response:
    """Search passages (A4 of the RAGFlow notes)."""
    state = request.app.state
    query = read_query(await read_body(request), state.version)
    async with pool_of(request).connection() as connection:
        return ok(await retrieve(connection, query, state.search, state.filters))


@router.get("/api/v1/system/ping")
async def ping() -> Response:
    """Liveness."""
    return Response("pong", media_type="text/plain")


@router.get("/api/v1/system/version")
async def version(request: Request) -> Response:
    """The RAGFlow version whose rules hold."""
    return ok(f"{request.app.state.version}-tightrope")


async def _failing(request: Request) -> str | None:
    async with pool_of(request).connection(timeout=2) as connection:
        await connection.execute("SELECT 1 FROM knowledge.dataset LIMIT 1")
    return None


@router.get("/api/v1/system/healthz")
async def healthz(request: Request) -> Response:
    """RAGFlow's health form; the stores we do not have stand on Postgres."""
    try:
        await _failing(request)
    except Exception as error:
        log.warning("the database is not there", action="knowledge_unhealthy", error=type(error).__name__)
        return json_response({"db": "nok", "redis": "ok", "doc_engine": "nok", "storage": "nok", "status": "nok"}, 500)
    return json_response({"db": "ok", "redis": "ok", "doc_engine": "ok", "storage": "ok", "status": "ok"})


@router.get("/health")
async def health(request: Request) -> Response:
    """Our own form of health (docs/wire-contracts.md)."""

    async def check() -> str | None:
        return await _failing(request)

    status, body = await health_body("knowledge", release_id(request.app.state.settings), check)
    body["encoder"] = request.app.state.search.name or None
    if status == 200 and (doubt := await _words_alone(request)):
        body["detail"] = doubt
    return json_response(body, status)


async def _words_alone(request: Request) -> str | None:
    """What is searched by words alone, and why: fewer questions are answered then, none of them wrongly."""
    here = request.app.state.search.name
    if not here:
        return f"searches by words alone, and fewer questions are answered: {NO_ENCODER}"
    async with pool_of(request).connection() as connection:
        foreign = await repository.datasets_of_another_encoder(connection, here)
    if not foreign:
        return None
    return f"searches {', '.join(foreign[:3])} by words alone: the vectors are of another encoder; publish anew"


def create_app(
    settings: Settings,
    *,
    clock: Clock | None = None,
    search: Search | None = None,
    version: Version = VERSION,
    on_start: Callable[[FastAPI], Awaitable[None]] | None = None,
) -> FastAPI:
    """The knowledge server.

    Args:
        search: tests bring their own; else this process's encoder and the vectors that the project keeps.
        version: of RAGFlow, whose rules hold.
        on_start: called when the pool is open, before the first request; tests use it.

    Starting raises SystemExit where there is no sentence encoder in production.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_pool(settings, Role.KNOWLEDGE, max_size=4) as pool:
            app.state.pool = pool
            app.state.search = search or await asyncio.to_thread(Search.here, settings.project_dir)
            if not app.state.search.name and settings.mode == "production":
                raise SystemExit(f"mode=production refuses to search knowledge by words alone: {NO_ENCODER}")
            app.state.intake = Intake(pool)
            app.state.graph = Graph(pool)
            warm_up()
            if on_start is not None:
                await on_start(app)
            yield
            await app.state.intake.aclose()
            await app.state.graph.aclose()

    app = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.settings = settings
    app.state.clock = clock or clock_from(settings)
    app.state.key = settings.secret("knowledge_api_key").get_secret_value()
    app.state.version = version
    app.state.filters = Filters()
    for part in (router, datasets.router, documents.router, chunks.router):
        app.include_router(part)

    async def missing(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return json_response(
            {"code": status, "data": None, "error": "Not Found", "message": f"Not Found: {request.url.path}"}, status
        )

    app.add_exception_handler(HTTPException, missing)
    return app
