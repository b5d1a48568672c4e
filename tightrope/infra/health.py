"""`GET /health` of every HTTP part, and the little server that gives it to parts without HTTP (worker, sealer)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import tightrope

Check = Callable[[], Awaitable[str | None]]
"""Returns None when all is well, else what is wrong in a sentence."""


async def health_body(part: str, release: str | None, check: Check | None = None) -> tuple[int, dict[str, Any]]:
    """HTTP status and body of a health answer (docs/wire-contracts.md, Ports)."""
    detail: str | None = None
    if check is not None:
        try:
            detail = await check()
        except Exception as error:
            detail = f"{type(error).__name__}: {error}"[:300]
    body: dict[str, Any] = {
        "status": "failing" if detail else "ok",
        "part": part,
        "version": tightrope.__version__,
        "release": release,
    }
    if detail:
        body["detail"] = detail
    return (503 if detail else 200), body


def health_app(part: str, release: str | None, check: Check) -> Callable[..., Awaitable[None]]:
    """A minimal ASGI application that answers GET /health and nothing else."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        status, body = (
            await health_body(part, release, check) if scope["path"] == "/health" else (404, {"error": "only /health is here"})
        )
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    return app
