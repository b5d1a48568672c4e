"""Rasa's HTTP API over an `Assistant`: what each address takes and gives. The REST channel itself is in api.py, since it has to be fast."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import orjson
import yaml
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import tightrope
from tightrope.engine.auth import Guard
from tightrope.engine.clients import PROTOCOL_VERSION
from tightrope.engine.edge import Refused, answer, check_sender, json_body
from tightrope.engine.errors import ProjectError
from tightrope.engine.mappings import MappingError
from tightrope.engine.service import Assistant
from tightrope.engine.serving import ProjectRefused, problems_view
from tightrope.engine.views import INCLUDES, Include, flows_view
from tightrope.infra.health import health_body

NOT_HERE = {
    (
        "POST",
        "/conversations/{sender:path}/execute",
    ): "running one action past the flows (deprecated by Rasa): send a message, or use trigger_intent",
    ("POST", "/conversations/{sender:path}/predict"): "prediction without running: flows decide, there is nothing to score",
    (
        "POST",
        "/conversations/{sender:path}/messages",
    ): "a message without an answer: append a user event at tracker/events, or use the REST channel",
    ("GET", "/conversations/{sender:path}/story"): "stories: they belong to NLU-based assistants; read the tracker",
    ("POST", "/model/train"): "training: flows run as they are; load them anew with PUT /model",
    ("DELETE", "/model"): "a server without a project: stop it",
    ("POST", "/model/predict"): "prediction without running: flows decide, there is nothing to score",
    ("POST", "/model/parse"): "understanding without a conversation: ask the understanding server",
    ("POST", "/model/test/stories"): "tests by HTTP: use `tightrope test e2e`",
    ("POST", "/model/test/intents"): "tests by HTTP: use `tightrope test du`",
    ("GET", "/license"): "a licence: none is needed",
}
"""Addresses of Rasa's HTTP API that this engine does not have, and what to do instead; answered with 501."""


class Api:
    """The handlers."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self.assistant: Assistant | None = None

    @property
    def _assistant(self) -> Assistant:
        if self.assistant is None:
            raise Refused(503, "Unavailable", "the server is starting")
        return self.assistant

    def routes(self) -> list[Route]:
        """All addresses."""
        tracker = "/conversations/{sender:path}/tracker"
        told = [Route(path, self._not_here(what), methods=[method]) for (method, path), what in NOT_HERE.items()]
        return [
            Route("/", self.hello),
            Route("/version", self.version),
            Route("/health", self.health),
            Route("/status", self.status),
            Route("/flows", self.flows),
            Route("/domain", self.domain),
            Route("/model", self.reload, methods=["PUT"]),
            Route("/webhooks/rest", self.channel),
            Route("/webhooks/rest/", self.channel),
            Route(f"{tracker}/events", self.append, methods=["POST"]),
            Route(f"{tracker}/events", self.replace, methods=["PUT"]),
            Route(tracker, self.tracker),
            Route("/conversations/{sender:path}/trigger_intent", self.trigger_intent, methods=["POST"]),
            Route("/conversations/{sender:path}/replay", self.replay),
            *told,
        ]

    # the server

    async def hello(self, _request: Request) -> Response:
        """That somebody is there."""
        return Response(f"Hello from Tightrope: {tightrope.__version__}", media_type="text/plain")

    async def version(self, _request: Request) -> Response:
        """The version of Rasa whose protocols are spoken, and our own."""
        return answer(
            {"version": PROTOCOL_VERSION, "minimum_compatible_version": PROTOCOL_VERSION, "tightrope": tightrope.__version__}
        )

    async def health(self, _request: Request) -> Response:
        """200 when the database answers, 503 else."""
        status, body = await health_body("assistant", self._assistant.serving.release, self._assistant.healthy)
        return answer(body, status)

    async def status(self, request: Request) -> Response:
        """What is loaded."""
        self._guard.permit(request.scope)
        serving = self._assistant.serving
        return answer({"model_file": serving.project.root, "model_id": serving.stamp, "num_active_training_jobs": 0})

    async def flows(self, request: Request) -> Response:
        """Every flow with its steps."""
        self._guard.permit(request.scope)
        return answer(flows_view(self._assistant.serving.project))

    async def domain(self, request: Request) -> Response:
        """The domain, as JSON or as YAML."""
        self._guard.permit(request.scope)
        domain = {"config": {"store_entities_as_slots": True}, **self._assistant.serving.project.domain}
        accepted = {part.partition(";")[0].strip() for part in request.headers.get("accept", "*/*").split(",")}
        if accepted & {"application/json", "*/*", "application/*"}:
            return answer(domain)
        if accepted & {"application/yaml", "application/x-yaml", "text/yaml"}:
            plain = orjson.loads(orjson.dumps(domain))
            return Response(yaml.safe_dump(plain, allow_unicode=True, sort_keys=False), media_type="application/yaml")
        raise Refused(
            406,
            "InvalidHeader",
            "Invalid Accept header. Domain can be provided as json (application/json) or yaml (application/yaml).",
        )

    async def reload(self, request: Request) -> Response:
        """Read the project anew; the folder is always the one that the server was started with."""
        self._guard.permit(request.scope)
        found = await json_body(request)
        wanted = found.get("model_file") if isinstance(found, dict) else None
        root = self._assistant.serving.project.root
        if not isinstance(found, dict | None) or (found and set(found) - {"model_file"}) or wanted not in {None, root}:
            raise Refused(400, "BadRequest", f"the project in {root} is loaded anew; nothing else can be loaded: send no body")
        try:
            await self._assistant.reload()
        except ProjectError as error:
            problems = (
                problems_view(error.problems)
                if isinstance(error, ProjectRefused)
                else [{"file": error.file, "line": error.line, "message": error.what}]
            )
            raise Refused(
                400, "BadRequest", f"the project was not loaded, the one before goes on: {error}", {"problems": problems}
            ) from None
        return Response(status_code=204)

    async def channel(self, _request: Request) -> Response:
        """That the REST channel is open."""
        return answer({"status": "ok"})

    # conversations

    def _sender(self, request: Request) -> str:
        sender = check_sender(request.path_params["sender"])
        self._guard.permit(request.scope, sender)
        return sender

    async def tracker(self, request: Request) -> Response:
        """A conversation; with `turn_id` (ours) only the events of that turn."""
        sender = self._sender(request)
        turn_id = request.query_params.get("turn_id")
        if turn_id is not None:
            return answer(await self._assistant.turn_tracker(sender, turn_id))
        return answer(await self._assistant.tracker(sender, _include(request), _until(request)))

    async def append(self, request: Request) -> Response:
        """Add one event or a list of them."""
        sender = self._sender(request)
        found = await json_body(request)
        return await self._take_events(request, sender, found if isinstance(found, list) else [found], replacing=False)

    async def replace(self, request: Request) -> Response:
        """Let the tracker begin anew with these events. What was before stays in the history."""
        sender = self._sender(request)
        found = await json_body(request)
        if not isinstance(found, list):
            raise Refused(400, "BadRequest", "the body must be a list of events")
        return await self._take_events(request, sender, found, replacing=True)

    async def _take_events(self, request: Request, sender: str, events: list[Any], *, replacing: bool) -> Response:
        include = _include(request)
        try:
            await self._assistant.append(sender, events, replacing=replacing)
        except ValueError as error:
            raise Refused(400, "BadRequest", str(error)) from None
        return answer(await self._assistant.tracker(sender, include))

    async def trigger_intent(self, request: Request) -> Response:
        """Put an intent in place of a customer's message; gives the tracker and the replies, whatever `output_channel` says."""
        sender = self._sender(request)
        include = _include(request)
        found = await json_body(request)
        if not isinstance(found, dict) or not isinstance(found.get("name"), str) or not found["name"]:
            raise Refused(400, "BadRequest", "the body must be an object with the name of an intent")
        try:
            messages = await self._assistant.trigger(sender, found["name"], found.get("entities"))
        except LookupError:
            raise Refused(404, "NotFound", f"The intent {found['name'][:100]} does not exist in the domain.") from None
        except MappingError as error:
            raise Refused(400, "BadRequest", str(error)) from None
        return answer({"tracker": await self._assistant.tracker(sender, include), "messages": messages})

    async def replay(self, request: Request) -> Response:
        """Play the conversation again from its recorded inputs and compare (ours)."""
        sender = self._sender(request)
        found = await self._assistant.replay(sender)
        return answer({"sender_id": sender, "whole": found.whole, "result": found})

    def _not_here(self, what: str) -> Callable[[Request], Awaitable[Response]]:
        async def refuse(request: Request) -> Response:
            self._guard.permit(request.scope, request.path_params.get("sender"))
            raise Refused(501, "NotImplemented", f"this engine has no {what}")

        return refuse


def _include(request: Request) -> Include:
    found = request.query_params.get("include_events", "AFTER_RESTART")
    if found not in INCLUDES:
        raise Refused(400, "BadRequest", f"include_events must be one of {', '.join(sorted(INCLUDES))}")
    return cast("Include", found)


def _until(request: Request) -> float | None:
    found = request.query_params.get("until")
    if found is None:
        return None
    try:
        until = float(found)
    except ValueError:
        until = float("nan")
    if until != until:  # noqa: PLR0124 - not a number is unequal to itself
        raise Refused(400, "BadRequest", "until must be a Unix time in seconds")
    return until
