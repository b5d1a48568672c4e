"""The stand-in inbox as one HTTP application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
from fastapi import FastAPI, Request, Response, WebSocket
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send

from tightrope.infra.clock import Clock, clock_from
from tightrope.infra.database import Role, open_pool
from tightrope.infra.health import health_body
from tightrope.infra.http import outbound_client
from tightrope.infra.settings import Settings
from tightrope.release.manifest import release_id
from tightrope.sandbox.inbox import api_agent, api_bot, api_conversations, api_desk, api_messages, api_widget
from tightrope.sandbox.inbox.cable import Cable
from tightrope.sandbox.inbox.courier import RETRY_SECONDS, THREADS, Courier
from tightrope.sandbox.inbox.directory import Directory
from tightrope.sandbox.inbox.edge import Parts, answer
from tightrope.sandbox.inbox.errors import ApiError
from tightrope.sandbox.inbox.faults import Faults
from tightrope.sandbox.inbox.hub import Hub
from tightrope.sandbox.inbox.presenters import Presenter
from tightrope.sandbox.inbox.seed import seed_pool
from tightrope.sandbox.inbox.tokens import Tokens
from tightrope.sandbox.inbox.work import Office

_OPEN_PATHS = ("/api/v1/widget", "/packs/")


class _WidgetCors(CORSMiddleware):
    """Cross-origin calls are allowed to the widget's API, and to nothing of the desk."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(_OPEN_PATHS):
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def create_app(
    settings: Settings,
    *,
    clock: Clock | None = None,
    faults: Faults | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    retry_seconds: float = RETRY_SECONDS,
) -> FastAPI:
    """The application; opens its pool, seeds the database and begins to deliver when it starts.

    Args:
        faults: disturbs webhook delivery, for tests.
        transport: carries webhooks instead of the network, for tests.
        retry_seconds: wait between the attempts of one webhook.

    Raises:
        SystemExit: in production, where the real Chatwoot has its place.
    """
    if settings.mode == "production":
        raise SystemExit("The sandbox inbox does not run in production: point TIGHTROPE_INBOX_URL at Chatwoot.")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        ticking = clock or clock_from(settings)
        async with (
            open_pool(settings, Role.INBOX, max_size=8) as pool,
            outbound_client(settings, purpose="bot webhook", transport=transport, max_connections=THREADS) as client,
        ):
            await seed_pool(pool, settings.secret("inbox_admin_token").get_secret_value())
            directory = Directory(pool)
            await directory.load()
            hub = Hub()
            presenter = Presenter(directory, settings.inbox_public_url)
            courier = Courier(pool, directory, client, ticking, faults=faults, retry_seconds=retry_seconds)
            office = Office(pool, presenter, ticking, courier.accept, hub.send)
            courier.attach(office)
            tokens = Tokens(settings.secret("inbox_jwt").get_secret_value())
            app.state.parts = Parts(settings, ticking, pool, directory, presenter, office, courier, hub, tokens)
            app.state.cable = Cable(hub, pool, directory, ticking)
            running = asyncio.create_task(courier.run())
            try:
                yield
            finally:
                running.cancel()
                with suppress(asyncio.CancelledError):
                    await running
                await courier.close()

    app = FastAPI(title="Tightrope sandbox inbox", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.add_middleware(_WidgetCors, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"])

    @app.exception_handler(ApiError)
    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)  # noqa: S101 - registered for this type
        return answer(error.body, error.status)

    @app.get("/health")
    async def health() -> Response:
        async def check() -> str | None:
            async with app.state.parts.pool.connection(timeout=2) as conn:
                await conn.execute("SELECT 1")
            return None

        status, body = await health_body("inbox", release_id(settings), check)
        return answer(body, status)

    for module in (api_bot, api_messages, api_conversations, api_agent, api_widget, api_desk):
        app.include_router(module.router)
    app.add_api_websocket_route("/cable", _cable)
    return app


async def _cable(socket: WebSocket) -> None:
    cable: Cable = socket.app.state.cable
    await cable.serve(socket)
