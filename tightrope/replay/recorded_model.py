"""Stands for the model server: gives the outputs that the record holds, in order, and notes whether it was asked what the model was asked then."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tightrope.generation.client import Completion
from tightrope.generation.errors import ModelError, ModelMismatch, ModelRejected, ModelUnavailable, OutputInvalid
from tightrope.generation.ledger import ModelCall
from tightrope.generation.prompts import Prompt
from tightrope.replay.models import Check, Json, Mark, Part, compared, counted

_FAILURES: Mapping[str, type[ModelError]] = {
    error.code: error for error in (ModelUnavailable, ModelRejected, ModelMismatch, OutputInvalid)
}


class RecordedModel:
    """The part of `ModelClient` that composers and the proposer use.

    Args:
        calls: as an envelope's `models` has them.
    """

    def __init__(self, calls: Sequence[Json]) -> None:
        self._calls = list(calls)
        self._asked: list[list[Json]] = []

    async def complete(
        self, prompt: Prompt, schema: Mapping[str, Any], *, max_tokens: int, seconds: float | None = None
    ) -> Completion:
        """The recorded answer.

        Raises:
            ModelError: as it failed then; ModelUnavailable where the record holds no further call.
        """
        del schema, max_tokens, seconds
        at = len(self._asked)
        self._asked.append([{"role": role, "content": content} for role, content in prompt.messages])
        if at >= len(self._calls):
            raise ModelUnavailable("the record holds no such call")
        call = self._calls[at]
        if call["outcome"] != "done":
            raise _FAILURES.get(call["outcome"], ModelUnavailable)(str(call["detail"]))
        messages = tuple((message["role"], message["content"]) for message in call["messages"])
        return Completion(json.loads(call["output"]), ModelCall(**{**call, "messages": messages}))

    async def aclose(self) -> None:
        """Nothing is open."""

    @property
    def as_then(self) -> bool:
        """Whether every question was the recorded one, and none more or less was asked."""
        return self._asked == [call["messages"] for call in self._calls]

    def checks(self, part: Part) -> list[Check]:
        """What was asked, compared; and that the answers are the record's."""
        models = ", ".join(dict.fromkeys(str(call["model"]) for call in self._calls))
        asked = compared(
            part,
            [call["messages"] for call in self._calls],
            self._asked,
            f"{counted(len(self._calls), 'prompt')}, made again",
            "prompts",
        )
        outcomes = ", ".join(str(call["outcome"]) for call in self._calls)
        return [asked, Check(part, Mark.FROM_RECORD, f"the model's answer ({models}): {outcomes}")]
