"""Faults of a model server to order: `POST /_sandbox/faults` with `{"fault": "busy", "times": 1}`; DELETE forgets them. The next `times`
completions are faulty. Held in memory: the sandbox is one process.

    busy               503, as vLLM answers when its queue is full
    dead               500
    slow               the answer comes late, within the client's limit
    hang               no answer while the client waits
    html               200 with a page of some proxy
    no_choice          200 with an empty list of choices
    wrong_fingerprint  another configuration or other weights answered
    wrong_name         another model answered
    cut                the output ends in the middle, finish_reason `length`
    blanks             valid JSON to which white space was added until `max_tokens`, finish_reason `length`
    unconstrained      prose, as of a server that does not know the field of the constraint
    off_schema         JSON of another form than the one that was asked for
    twice              JSON that names its keys twice
    refusal            the model declines in prose, as aligned models do
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

SLOW_SECONDS: Final = 0.4
HANG_SECONDS: Final = 120.0


class Fault(StrEnum):
    """What goes wrong."""

    BUSY = "busy"
    DEAD = "dead"
    SLOW = "slow"
    HANG = "hang"
    HTML = "html"
    NO_CHOICE = "no_choice"
    WRONG_FINGERPRINT = "wrong_fingerprint"
    WRONG_NAME = "wrong_name"
    CUT = "cut"
    BLANKS = "blanks"
    UNCONSTRAINED = "unconstrained"
    OFF_SCHEMA = "off_schema"
    TWICE = "twice"
    REFUSAL = "refusal"


class FaultOrder(BaseModel):
    """An order of faults."""

    model_config = ConfigDict(extra="forbid")

    fault: Fault
    times: int = Field(1, ge=1, le=100_000)


@dataclass
class FaultBook:
    """The faults that are pending, one after another."""

    pending: list[FaultOrder]

    def order(self, fault: Fault, times: int = 1) -> None:
        """Let the next `times` completions be faulty."""
        self.pending.append(FaultOrder(fault=fault, times=times))

    def take(self) -> Fault | None:
        """The fault of this completion, used up once."""
        if not self.pending:
            return None
        first = self.pending[0]
        if first.times == 1:
            del self.pending[0]
        else:
            self.pending[0] = first.model_copy(update={"times": first.times - 1})
        return first.fault


def spoilt(fault: Fault | None, text: str) -> tuple[str, str]:
    """Output and finish_reason of a completion with this fault."""
    match fault:
        case Fault.CUT:
            return text[: max(1, len(text) // 2)], "length"
        case Fault.BLANKS:
            return text + " " * 500, "length"
        case Fault.UNCONSTRAINED:
            return "Sure! Based on the passages, the fee is 0.03% and you should definitely buy now.", "stop"
        case Fault.OFF_SCHEMA:
            return '{"decision":"answer","answer":"The fee is 0.03%.","confidence":0.99}', "stop"
        case Fault.TWICE:
            return f'{{"decision":"refuse",{text[1:]}', "stop"
        case Fault.REFUSAL:
            return "I'm sorry, but I can't help with that.", "stop"
        case _:
            return text, "stop"
