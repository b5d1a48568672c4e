"""The action server: rasa-sdk with this project's actions. `python -m actions [--port 5055]`, on loopback."""

from __future__ import annotations

import argparse
from typing import Any

from rasa_sdk.endpoint import create_app
from rasa_sdk.executor import ActionExecutor
from sanic import Sanic
from sanic.request import Request
from sanic.response import HTTPResponse, json

import tightrope
from actions import context
from actions.journeys import journeys
from actions.registry import ACTIONS
from tightrope.infra.logging import configure_logging
from tightrope.infra.settings import Settings, get_settings
from tightrope.release.manifest import release_id

HOST = "127.0.0.1"
PORT = 5055


def make_app(settings: Settings) -> Any:
    """rasa-sdk's application, with our health answer and `GET /release`."""
    journeys()  # a flow that does not say what it needs is an error now, not in a conversation
    executor = ActionExecutor()
    for action in ACTIONS:
        executor.register_action(action)
    app: Sanic[Any, Any] = create_app(executor, cors_origins=None)
    release = release_id(settings)

    async def health(request: Request) -> HTTPResponse | None:
        # rasa-sdk answers /health itself; the wire contract asks for more.
        if request.path == "/health":
            return json({"status": "ok", "part": "actions", "version": tightrope.__version__, "release": release})
        return None

    async def release_answer(_: Request) -> HTTPResponse:
        return json({"release": release})

    async def start(_: Sanic[Any, Any]) -> None:
        await context.current()

    async def stop(_: Sanic[Any, Any]) -> None:
        await context.close()

    app.register_middleware(health, "request")
    app.add_route(release_answer, "/release", methods=["GET"], name="release")
    app.register_listener(start, "before_server_start")
    app.register_listener(stop, "after_server_stop")
    return app


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m actions", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--host", default=HOST)
    arguments = parser.parse_args()
    settings = get_settings()
    configure_logging("actions", settings)
    make_app(settings).run(
        host=arguments.host, port=arguments.port, single_process=True, access_log=False, motd=False, debug=False
    )


if __name__ == "__main__":
    main()
