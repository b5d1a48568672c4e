"""The record of model calls (red lines 1 and 9): every call stands in the ledger of its turn, whatever came of it.

    with opened() as calls:
        found = await knowledge.answer(question, language)
    turn.used_models(call.item() for call in calls)

The ledger belongs to the task that opened it and to the tasks that this one starts. Where none is open, the client refuses to call.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from tightrope.generation.errors import NotRecorded

MAX_OUTPUT: Final = 16_000
"""Characters of raw output that are kept; the client takes no longer answers."""


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call of a model. `outcome` is `done` or the code of a ModelError."""

    outcome: str
    prompt_id: str
    prompt_sha256: str
    template_sha256: str
    messages: tuple[tuple[str, str], ...]
    parameters: dict[str, Any]
    model: str
    fingerprint: str
    request_id: str
    output: str
    finish_reason: str
    usage: dict[str, int]
    milliseconds: int
    detail: str = ""

    def item(self) -> dict[str, Any]:
        """The `models` item of the evidence envelope (contracts/turn/envelope.schema.json)."""
        return {
            "outcome": self.outcome,
            "prompt_id": self.prompt_id,
            "prompt_sha256": self.prompt_sha256,
            "template_sha256": self.template_sha256,
            "messages": [{"role": role, "content": content} for role, content in self.messages],
            "parameters": self.parameters,
            "model": self.model,
            "fingerprint": self.fingerprint,
            "request_id": self.request_id,
            "output": self.output[:MAX_OUTPUT],
            "finish_reason": self.finish_reason,
            "usage": self.usage,
            "milliseconds": self.milliseconds,
            "detail": self.detail[:500],
        }


_NOT_OPEN: Final = "a model call outside a ledger: open tightrope.generation.ledger around it and hand its calls to the record"
_ledger: ContextVar[list[ModelCall] | None] = ContextVar("model_calls", default=None)


@contextmanager
def opened() -> Iterator[list[ModelCall]]:
    """Keep the calls made inside; the list grows as they are made. A ledger inside another is part of the outer one as well."""
    outer = _ledger.get()
    calls: list[ModelCall] = []
    token = _ledger.set(calls)
    try:
        yield calls
    finally:
        _ledger.reset(token)
        if outer is not None:
            outer.extend(calls)


def is_open() -> bool:
    """Whether somebody keeps a record here; who has a way without a model asks this first."""
    return _ledger.get() is not None


def demand() -> None:
    """Raises:
    NotRecorded: no ledger is open.
    """
    if _ledger.get() is None:
        raise NotRecorded(_NOT_OPEN)


def enter(call: ModelCall) -> None:
    """Write a call down.

    Raises:
        NotRecorded: no ledger is open.
    """
    calls = _ledger.get()
    if calls is None:
        raise NotRecorded(_NOT_OPEN)
    calls.append(call)
