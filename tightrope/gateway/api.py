"""The gateway's HTTP edge: Chatwoot's webhook, the login routes, the passage pages, health and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import psycopg
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest
from psycopg_pool import PoolTimeout

from tightrope.audit.keyring import Keyring
from tightrope.audit.recorder import Recorder
from tightrope.gateway import ingest, signature
from tightrope.gateway.counting import WebhookCount
from tightrope.gateway.errors import BodyTooLarge, WebhookRefused
from tightrope.gateway.incidents import Incidents
from tightrope.gateway.intake import Intake
from tightrope.gateway.login_events import LoginEvents
from tightrope.identity.login import login_router
from tightrope.identity.portal import PortalDoor
from tightrope.infra.clock import Clock, clock_from
from tightrope.infra.database import Pool, Role, open_pool
from tightrope.infra.health import health_body
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings, get_settings
from tightrope.knowledge.page import router as knowledge_pages
from tightrope.release.manifest import release_id

log = get_logger()


def create_app(settings: Settings, *, clock: Clock | None = None) -> FastAPI:
    """The gateway as an ASGI application; it opens its pool at start-up."""
    clock = clock or clock_from(settings)
    release = release_id(settings)
    secret = settings.secret("bot_webhook_secret").get_secret_value()
    recorder = Recorder(settings, Keyring.from_settings(settings), clock, release)
    registry = CollectorRegistry()
    metric = Counter("tightrope_webhooks", "Chatwoot webhooks by outcome", ["outcome"], registry=registry)
    count = WebhookCount(recorder, clock)

    def counted(outcome: str) -> None:
        metric.labels(outcome).inc()
        count.note(outcome)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            pool = await stack.enter_async_context(open_pool(settings, Role.GATEWAY, max_size=8))
            app.state.intake = Intake(pool, recorder, clock)
            app.state.pool = pool
            app.state.webhooks = count
            await stack.enter_async_context(_noting(pool, recorder, count))
            door = PortalDoor.open(settings, clock)
            stack.push_async_callback(door.aclose)
            app.include_router(login_router(settings, pool, clock, LoginEvents(app.state.intake, recorder), door))
            yield

    app = FastAPI(title="Tightrope gateway", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.dependency_overrides[get_settings] = lambda: settings
    app.include_router(knowledge_pages)

    @app.post("/chatwoot/webhook")
    async def webhook(request: Request) -> Response:
        try:
            body = await _read(request, settings.webhook_max_bytes)
            signature.verify(secret, dict(request.headers), body, clock.now(), settings.webhook_tolerance_seconds)
            payload = ingest.parse(body)
            new = await request.app.state.intake.webhook(payload)
        except WebhookRefused as refused:
            counted(type(refused).__name__)
            log.warning("webhook refused", action="webhook_refused", why=type(refused).__name__, status=refused.status)
            return JSONResponse({"error": str(refused)}, status_code=refused.status)
        except (psycopg.Error, PoolTimeout) as error:
            # 500 and not 503: Chatwoot repeats 429 and 500 only, everything else opens the conversation at once.
            counted("unavailable")
            log.error(
                "webhook not stored",
                action="webhook_unavailable",
                error=str(error).splitlines()[0] if str(error) else type(error).__name__,
            )
            return JSONResponse({"error": "not stored; please repeat"}, status_code=500)
        counted("stored" if new else "nothing_new")
        return Response(status_code=200)

    @app.get("/health")
    async def health(request: Request) -> JSONResponse:
        async def check() -> None:
            async with request.app.state.pool.connection(timeout=2) as conn:
                await conn.execute("SELECT 1")

        status, answer = await health_body("gateway", release, check)
        return JSONResponse(answer, status_code=status)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return app


@asynccontextmanager
async def _noting(pool: Pool, recorder: Recorder, count: WebhookCount) -> AsyncIterator[None]:
    """Put on record, beside the answering of webhooks: this start, refused connections, and how many webhooks were refused."""
    stop, incidents = asyncio.Event(), Incidents(pool, recorder, "gateway")
    incidents.started()
    loops = [asyncio.create_task(count.run(pool, stop)), asyncio.create_task(incidents.run(stop))]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*loops, return_exceptions=True)


async def _read(request: Request, limit: int) -> bytes:
    """The raw body, refused as soon as it is known to be too large."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise BodyTooLarge(f"the webhook's body is larger than {limit} bytes")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BodyTooLarge(f"the webhook's body is larger than {limit} bytes")
    return bytes(body)
