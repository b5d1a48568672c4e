"""Commands from a model: asked last, for a message about which rules are silent and the classifier is in doubt.

    rules -> classifier -> (in doubt, nothing private under way) a model chooses from a closed list -> allowed commands

A message never waits longer for it than MODEL_SECONDS; whatever goes wrong, the classifier's own decision stands. What the model sees is its prompt:
masked words and descriptions of flows and slots (tightrope/generation). Each call goes to the record of the turn, used or not.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import httpx

from tightrope.generation import ledger, prompts
from tightrope.generation.client import ModelClient
from tightrope.generation.errors import ModelError, ModelMismatch, PromptRefused
from tightrope.generation.ledger import ModelCall
from tightrope.generation.masking import Masked, mask
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings
from tightrope.understanding.breaker import Breaker
from tightrope.understanding.choices import Choice, choices, chosen, max_tokens, schema
from tightrope.understanding.models import Request, Result
from tightrope.understanding.privacy import model_may_look, public_journeys
from tightrope.understanding.service import Understanding

PROMPT: Final = "commands.v1"
MODEL_SECONDS: Final = 1.5
"""For all of a model's part in a message. With the classifier's time before it, a message is understood within two seconds."""

_MASK: Final = re.compile(r"\[[A-Z_]+\]")

log = get_logger()


@dataclass(frozen=True, slots=True)
class Proposer:
    """Lets a model choose.

    Attributes:
        public: journeys during which it may see a message (privacy.py).
        agreement: probability (1e-4) that the classifier must give a flow for it to be on the list; 0: any flow on offer is.
    """

    client: ModelClient
    template: prompts.Template
    breaker: Breaker
    public: frozenset[str]
    agreement: int
    seconds: float = MODEL_SECONDS

    @staticmethod
    def of(settings: Settings, local: Understanding, *, transport: httpx.AsyncBaseTransport | None = None) -> Proposer | None:
        """The one that the settings ask for, if they ask for one.

        Raises:
            TrainingDataError: a flow file is no YAML.
            FileNotFoundError, ValueError: the prompt is missing or not of its form.
        """
        if not settings.commands_from_model:
            return None
        return Proposer(
            ModelClient(settings, transport=transport),
            prompts.load(settings.project_dir / "prompts", PROMPT),
            Breaker(),
            public_journeys(settings.project_dir / "data" / "flows"),
            local.thresholds.clarify if settings.commands_need_agreement else 0,
            min(MODEL_SECONDS, settings.model_seconds),
        )

    async def choose(self, request: Request, local: Understanding, found: Result) -> Result:
        """The result with what the model chose, where it may be asked and chooses something; else the result as it was, and why."""
        if not found.undecided or not model_may_look(request.flow, self.public):
            return found
        words = mask(request.message)
        offered = choices(request, local.book, self._startable(found))
        if not offered or not any(map(str.isalpha, _MASK.sub("", words.text))):
            return found
        if not self.breaker.may_ask():
            return replace(found, proposal="resting")
        why, choice, calls = await self._ask(words, offered)
        if choice is None or not choice.commands:
            return replace(found, calls=calls, proposal=why)
        commands = local.completed(request, choice.commands)
        if not commands or not self._agreed(choice, found):
            return replace(found, calls=calls, proposal="refused")
        return replace(found, source="model", commands=commands, calls=calls, proposal="used")

    def _startable(self, found: Result) -> tuple[str, ...]:
        return tuple(flow for flow, probability in found.undecided if probability >= self.agreement)

    def _agreed(self, choice: Choice, found: Result) -> bool:
        """Once more what the list has seen to already: a flow starts only if the classifier thinks it possible."""
        return choice.starts is None or choice.starts in self._startable(found)

    async def _ask(self, words: Masked, offered: Sequence[Choice]) -> tuple[str, Choice | None, tuple[ModelCall, ...]]:
        """What became of it, the choice, and the calls for the record."""
        calls: list[ModelCall] = []
        settled = False
        try:
            prompt = prompts.build(self.template, question=words, flows=offered)
            with ledger.opened() as calls:
                asked = self.client.complete(prompt, schema(offered), max_tokens=max_tokens(offered), seconds=self.seconds)
                answer = await asked
            self.breaker.worked()
            settled = True
            choice = chosen(answer.data, offered)
            return ("nothing" if choice is None or not choice.commands else "used"), choice, tuple(calls)
        except ModelError as error:
            self.breaker.failed(for_sure=isinstance(error, ModelMismatch))
            settled = True
            log.warning("the model proposed nothing", action="commands_from_model", outcome=error.code, resting=self.breaker.open)
            return error.code, None, tuple(calls)
        except PromptRefused:
            return "too_long", None, ()
        finally:
            if not settled:
                self.breaker.unknown()


@dataclass(frozen=True, slots=True)
class Assisted:
    """Understanding with a model behind it, where the settings ask for one; without it the same as `Understanding`."""

    local: Understanding
    proposer: Proposer | None = None

    @staticmethod
    def of(settings: Settings, local: Understanding, *, transport: httpx.AsyncBaseTransport | None = None) -> Assisted:
        """As the settings say. Raises what `Proposer.of` raises."""
        return Assisted(local, Proposer.of(settings, local, transport=transport))

    @property
    def standing(self) -> str:
        """How it stands with the model: `off`, `asked` or `resting` (it failed; nobody waits for it)."""
        if self.proposer is None:
            return "off"
        return "resting" if self.proposer.breaker.open else "asked"

    async def understand(self, request: Request) -> Result:
        """The commands for this message.

        Raises:
            BadRequestError: the message is longer than 8000 characters.
        """
        found = await asyncio.to_thread(self.local.understand, request)
        return found if self.proposer is None else await self.proposer.choose(request, self.local, found)

    async def aclose(self) -> None:
        """Close connections."""
        if self.proposer is not None:
            await self.proposer.client.aclose()
