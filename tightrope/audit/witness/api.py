"""The witness's HTTP edge: `POST /add-checkpoint`, `GET /health`, and a page for the people who run it."""

from __future__ import annotations

import sqlite3
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.concurrency import run_in_threadpool

import tightrope
from tightrope.audit.witness.page import page
from tightrope.audit.witness.protocol import BODY_LIMIT, Refusal
from tightrope.audit.witness.state import Witness, WitnessUnready
from tightrope.infra.clock import Clock
from tightrope.infra.logging import get_logger

log = get_logger()


def create_app(witness: Witness, clock: Clock) -> FastAPI:
    """The application of one witness."""
    app = FastAPI(title="Witness", docs_url=None, redoc_url=None, openapi_url=None)

    @app.post("/add-checkpoint")
    async def add_checkpoint(request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_LIMIT:
                return PlainTextResponse(f"a request has at most {BODY_LIMIT} bytes\n", 413)
        try:
            line = await run_in_threadpool(witness.add_checkpoint, bytes(body))
        except Refusal as refusal:
            log.warning("not cosigned", action="witness_refused", status=refusal.status, reason=refusal.text.strip())
            # As a header: given as media type, it would grow a charset, which the specification does not have.
            return Response(refusal.text, refusal.status, headers={"content-type": refusal.media_type})
        except (WitnessUnready, sqlite3.Error) as error:
            log.error("the witness cannot work", action="witness_unready", reason=str(error))
            return PlainTextResponse("the witness cannot work; its own log says why\n", 503)
        return PlainTextResponse(line)

    @app.get("/health")
    async def health() -> JSONResponse:
        status, answer = await run_in_threadpool(_health, witness, clock)
        return JSONResponse(answer, status)

    @app.get("/")
    async def front() -> HTMLResponse:
        return HTMLResponse(await run_in_threadpool(page, witness, clock.now()))

    return app


def _health(witness: Witness, clock: Clock) -> tuple[int, dict[str, Any]]:
    """Failing when a fork was seen, the logs cannot be read, or the clock stands before a cosignature."""
    body: dict[str, Any] = {
        "status": "ok",
        "part": "witness",
        "version": tightrope.__version__,
        "name": witness.name,
        "vkey": witness.vkey,
    }
    problems: list[str] = []
    try:
        if not witness.logs():
            problems.append("no log is known yet; add its `log <vkey>` line to logs.txt")
        seen, forks = witness.seen(), witness.forks()
    except (WitnessUnready, sqlite3.Error) as error:
        return 503, body | {"status": "failing", "detail": str(error)}
    now = clock.now().timestamp()
    if forks:
        problems.append(f"{len(forks)} forks seen: the log {forks[0].origin} signed two trees of size {forks[0].size}")
    problems += [f"the clock stands before the last cosignature of {one.origin}" for one in seen if one.at > now + 1]
    body["logs"] = [{"origin": one.origin, "size": one.size, "at": one.at} for one in seen]
    if problems:
        return 503, body | {"status": "failing", "detail": "; ".join(problems)}
    return 200, body
