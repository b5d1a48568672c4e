"""Client of the model server: OpenAI chat completions (vLLM, Ollama), one choice, temperature 0, bounded output, bounded time.

    completion = await client.complete(prompt, schema, max_tokens=120)

It takes a `Prompt` and nothing else, and there is no other caller of the model in this code base. Every call, also one that failed, goes to the
ledger of its turn (tightrope/generation/ledger.py). A constraint that was sent is not believed: the output is parsed and held to the schema again,
since a server may ignore a field that it does not know and answer 200 (reference C5).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
import orjson
from jsonschema import Draft202012Validator

from tightrope.generation import ledger
from tightrope.generation.errors import ModelError, ModelMismatch, ModelRejected, ModelUnavailable, OutputInvalid
from tightrope.generation.ledger import MAX_OUTPUT, ModelCall
from tightrope.generation.prompts import Prompt
from tightrope.infra.http import OutboundRefused, Poster, outbound_poster
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings

SEED: Final = 20261122
"""Sent with every request. It makes a repeat likely, not certain: the stored output is the record (reference C7)."""
MAX_ANSWER: Final = 1_048_576
"""Bytes of an answer that are taken."""
SECRET: Final = "model_key"  # noqa: S105 - the name of a secret
_CONNECT_SECONDS: Final = 1.0

log = get_logger()


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer that holds to its schema. `call` is what the record keeps of it."""

    data: Any
    call: ModelCall


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer of the server as it came, checked for its form alone."""

    text: str
    model: str
    fingerprint: str
    finish_reason: str
    usage: dict[str, int]


class ModelClient:
    """Asks one model server; make one per process and close it.

    Args:
        settings: `model_url`, `model_name`, `model_fingerprint`, `model_constraint`, and the key.
        transport: what carries requests instead of sockets (tests).

    Raises:
        ValueError: the settings name no model.
    """

    def __init__(self, settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        if not settings.model_url or not settings.model_name:
            raise ValueError("there is no model: set TIGHTROPE_MODEL_URL and TIGHTROPE_MODEL_NAME")
        self._name = settings.model_name
        self._fingerprint = settings.model_fingerprint
        self._constraint = settings.model_constraint
        self._key = settings.optional_secret(SECRET, settings.model_key)
        self._poster: Poster = outbound_poster(
            settings,
            purpose="language model",
            url=f"{settings.model_url.rstrip('/')}/chat/completions",
            timeout=httpx.Timeout(connect=_CONNECT_SECONDS, read=settings.model_seconds, write=2.0, pool=1.0),
            max_bytes=MAX_ANSWER,
            transport=transport,
        )
        self._seconds = settings.model_seconds

    async def complete(
        self, prompt: Prompt, schema: Mapping[str, Any], *, max_tokens: int, seconds: float | None = None
    ) -> Completion:
        """One answer, as data of the schema.

        Args:
            schema: JSON Schema of an object; every array and text in it is bounded.
            max_tokens: sized to the schema; an answer that reaches it is refused.
            seconds: for all of it; else `model_seconds` of the settings.

        Raises:
            ModelUnavailable, ModelRejected, ModelMismatch, OutputInvalid: no usable answer; the call stands in the ledger.
            NotRecorded: no ledger is open.
        """
        ledger.demand()
        request_id = uuid.uuid4().hex
        parameters = self._parameters(schema, max_tokens)
        started = time.perf_counter_ns()
        answer: _Answer | None = None
        data: Any = None
        failure: ModelError | None = None
        try:
            async with asyncio.timeout(seconds or self._seconds):
                answer = read(await self._post(prompt, parameters, request_id))
            data = self._checked(answer, schema)
        except TimeoutError:
            failure = ModelUnavailable(f"no answer within {seconds or self._seconds} s")
        except ModelError as error:
            failure = error
        except asyncio.CancelledError:
            self._enter(prompt, parameters, request_id, started, answer, ModelUnavailable("the caller gave up"))
            raise
        call = self._enter(prompt, parameters, request_id, started, answer, failure)
        if failure is not None:
            raise failure
        return Completion(data, call)

    async def aclose(self) -> None:
        """Close connections."""
        await self._poster.aclose()

    def _parameters(self, schema: Mapping[str, Any], max_tokens: int) -> dict[str, Any]:
        """Everything of the request but the messages."""
        constraint: dict[str, Any]
        if self._constraint == "structured_outputs":
            constraint = {"structured_outputs": {"json": schema, "disable_any_whitespace": True}}
        else:
            named = {"name": "answer", "strict": True, "schema": schema}
            constraint = {"response_format": {"type": "json_schema", "json_schema": named}}
        return {
            "model": self._name,
            "temperature": 0,
            "seed": SEED,
            "n": 1,
            "max_tokens": max_tokens,
            "stream": False,
            **constraint,
        }

    async def _post(self, prompt: Prompt, parameters: Mapping[str, Any], request_id: str) -> httpx.Response:
        messages = [{"role": role, "content": content} for role, content in prompt.messages]
        headers = {"x-request-id": request_id}
        if self._key is not None:
            headers["authorization"] = f"Bearer {self._key.get_secret_value()}"
        body = orjson.dumps({**parameters, "messages": messages})
        for last in (False, True):
            try:
                return await self._poster.post(body, headers)
            except OutboundRefused as error:
                raise ModelUnavailable(str(error)) from error
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                # Nothing was sent, so nothing is charged twice.
                if last:
                    raise ModelUnavailable(f"no connection: {type(error).__name__}") from error
            except (httpx.TransportError, httpx.DecodingError) as error:
                raise ModelUnavailable(f"the answer broke off: {type(error).__name__}") from error
        raise AssertionError

    def _checked(self, answer: _Answer, schema: Mapping[str, Any]) -> Any:
        if answer.model != self._name:
            raise ModelMismatch(f"{answer.model!r} answered, not {self._name!r}")
        if self._fingerprint and answer.fingerprint != self._fingerprint:
            raise ModelMismatch(f"the fingerprint is {answer.fingerprint!r}, not {self._fingerprint!r}")
        if answer.finish_reason != "stop":
            raise OutputInvalid(f"the answer ended by {answer.finish_reason!r}")
        if len(answer.text) > MAX_OUTPUT:
            raise OutputInvalid(f"the answer has {len(answer.text)} characters")
        try:
            data = json.loads(answer.text, parse_constant=_no_constant, object_pairs_hook=_once)
        except (ValueError, RecursionError):
            raise OutputInvalid("the answer is not JSON") from None
        error = next(Draft202012Validator(dict(schema)).iter_errors(data), None)
        if error is not None:
            raise OutputInvalid(f"the answer is not of its schema: {error.json_path}")
        return data

    def _enter(
        self,
        prompt: Prompt,
        parameters: dict[str, Any],
        request_id: str,
        started: int,
        answer: _Answer | None,
        failure: ModelError | None,
    ) -> ModelCall:
        call = ModelCall(
            outcome=failure.code if failure else "done",
            prompt_id=prompt.prompt_id,
            prompt_sha256=prompt.sha256,
            template_sha256=prompt.template_sha256,
            messages=prompt.messages,
            parameters=parameters,
            model=answer.model if answer else self._name,
            fingerprint=answer.fingerprint if answer else "",
            request_id=request_id,
            output=answer.text if answer else "",
            finish_reason=answer.finish_reason if answer else "",
            usage=answer.usage if answer else {},
            milliseconds=(time.perf_counter_ns() - started) // 1_000_000,
            detail=str(failure) if failure else "",
        )
        ledger.enter(call)
        log.info(
            "model asked",
            action="model_call",
            outcome=call.outcome,
            prompt=call.prompt_id,
            request=request_id,
            milliseconds=call.milliseconds,
            detail=call.detail,
        )
        return call


def schema_sha256(schema: Mapping[str, Any]) -> str:
    """Hash of a constraint, as reports name it."""
    return hashlib.sha256(json.dumps(schema, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def read(response: httpx.Response) -> _Answer:
    """The first choice of a chat completion.

    Raises:
        ModelUnavailable: 429 or 5xx.
        ModelRejected: any other status than 200.
        OutputInvalid: 200, and no chat completion.
    """
    if response.status_code == 429 or response.status_code >= 500:
        raise ModelUnavailable(f"HTTP {response.status_code}: {_reason(response)}")
    if response.status_code != 200:
        raise ModelRejected(f"HTTP {response.status_code}: {_reason(response)}")
    try:
        body = orjson.loads(response.content)
        choice = body["choices"][0]
        text, finish = choice["message"]["content"], choice["finish_reason"]
        usage = body.get("usage") or {}
        counted = {name: count for name in ("prompt_tokens", "completion_tokens") if isinstance(count := usage.get(name), int)}
        model, fingerprint = body["model"], body.get("system_fingerprint") or ""
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError):
        raise OutputInvalid("the answer is no chat completion") from None
    if not all(isinstance(one, str) for one in (text, finish, model, fingerprint)):
        raise OutputInvalid("the answer is no chat completion")
    return _Answer(text, model[:200], fingerprint[:200], finish[:40], counted)


def _reason(response: httpx.Response) -> str:
    """What the server says, in either of its forms: OpenAI's object, or a string (vLLM's 401)."""
    try:
        error = orjson.loads(response.content)["error"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "no reason given"
    said = error.get("message") if isinstance(error, dict) else error
    return str(said)[:200]


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys stand there once: which of two counts is nobody's to choose."""
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("a key twice")
    return out
