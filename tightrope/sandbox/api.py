"""The sandbox's process on port 8100: identity provider, brokerage and portal. For demo and tests only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from tightrope.infra.clock import Clock, clock_from
from tightrope.infra.database import Pool, Role, open_pool
from tightrope.infra.health import health_body
from tightrope.infra.http import outbound_client
from tightrope.infra.settings import Settings
from tightrope.sandbox.brokerage.api import problem_response
from tightrope.sandbox.brokerage.api import router as brokerage_router
from tightrope.sandbox.brokerage.errors import Problem, bad_request
from tightrope.sandbox.brokerage.faults import FaultBook
from tightrope.sandbox.brokerage.repository import Brokerage
from tightrope.sandbox.brokerage.requests import RequestDesk
from tightrope.sandbox.brokerage.service import BrokerageService
from tightrope.sandbox.identity.api import IdentityEdge
from tightrope.sandbox.identity.errors import OAuthError
from tightrope.sandbox.identity.repository import Identities
from tightrope.sandbox.identity.service import Logins
from tightrope.sandbox.identity.tokens import Tokens
from tightrope.sandbox.portal.api import PortalEdge
from tightrope.sandbox.portal.repository import PortalSessions
from tightrope.sandbox.portal.service import Portal
from tightrope.sandbox.tokens import RemoteKeys, SigningKey
from tightrope.sandbox.web import HERE

POOL_SIZE = 8
TIMEOUT = httpx.Timeout(3.0)


def create_app(settings: Settings, *, clock: Clock | None = None, outbound: httpx.AsyncBaseTransport | None = None) -> FastAPI:
    """The application.

    Args:
        outbound: what carries the portal's and the brokerage's own calls; tests pass an ASGI transport.

    Raises:
        SystemExit: in production, or when a secret is missing.
    """
    if settings.mode != "demo":
        raise SystemExit("The sandbox is for demo and tests; in production the firm's own systems stand in its place.")
    clock = clock or clock_from(settings)
    idp_key, portal_key = (SigningKey.from_settings(settings, name) for name in ("idp_signing_key", "portal_signing_key"))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            open_pool(settings, Role.SANDBOX, max_size=POOL_SIZE) as pool,
            outbound_client(settings, purpose="sandbox", timeout=TIMEOUT, transport=outbound, max_connections=16) as http,
        ):
            _wire(app, settings, pool, http, clock, idp_key, portal_key)
            # Before the first customer asks: a client waits two seconds for an answer, and not for a day's data to be written.
            await app.state.brokerage.seed()
            yield

    app = FastAPI(title="Tightrope sandbox", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(IdentityEdge(settings, idp_key).router())
    app.include_router(brokerage_router(settings.secret("sandbox_admin_token").get_secret_value()))
    app.include_router(PortalEdge(settings).router())
    app.mount("/static", StaticFiles(directory=HERE / "static"))
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(OAuthError, _on_oauth)

    @app.get("/health")
    async def health(request: Request) -> JSONResponse:
        from tightrope.release.manifest import release_id

        async def check() -> str | None:
            async with request.app.state.pool.connection(timeout=2) as connection:
                await connection.execute("SELECT 1")
            return None

        status, body = await health_body("sandbox", release_id(settings), check)
        return JSONResponse(body, status)

    return app


def _wire(
    app: FastAPI,
    settings: Settings,
    pool: Pool,
    http: httpx.AsyncClient,
    clock: Clock,
    idp_key: SigningKey,
    portal_key: SigningKey,
) -> None:
    issuer = settings.identity_issuer
    identities = Identities(pool)
    app.state.pool = pool
    app.state.faults = FaultBook()
    app.state.logins = Logins(identities, clock)
    # The portal is registered with the provider by its key: no address is asked.
    app.state.tokens = Tokens(
        identities,
        idp_key,
        issuer,
        clock,
        portal_keys=portal_key.public(),
        portal_issuer=settings.portal_public_url.rstrip("/"),
    )
    keys = RemoteKeys(http, settings.identity_internal_url.rstrip("/") + "/jwks")
    app.state.brokerage = BrokerageService(Brokerage(pool), keys, issuer, clock)
    app.state.desk = RequestDesk(app.state.brokerage, clock)
    app.state.portal = Portal(settings, PortalSessions(pool), http, portal_key, clock)


async def _on_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - registered for it
    return problem_response(error)


async def _on_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    places = sorted({".".join(str(part) for part in item["loc"]) for item in error.errors()})
    return problem_response(bad_request(f"Not valid: {', '.join(places)}."))


async def _on_oauth(_: Request, error: Exception) -> Response:
    assert isinstance(error, OAuthError)  # noqa: S101 - registered for it
    return JSONResponse({"error": error.error, "error_description": error.description}, status_code=error.status)
