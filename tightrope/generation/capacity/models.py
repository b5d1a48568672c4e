"""Types of capacity planning. Memory in GB (10^9 bytes), time in seconds, money in whole or split units of one currency."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Literal

Standing = Literal["published", "lower bound", "assumed"]
"""How good a rate is: measured by somebody for this pairing; measured for something that does less; or our own guess."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """One request: its prompt, how much of that every request shares (prefix cache), and its output.

    Raises:
        ValueError: a count is negative, the prompt or the output is empty, or more is shared than there is.
    """

    prompt: int
    output: int
    shared: int = 0

    def __post_init__(self) -> None:
        if self.prompt < 1 or self.output < 1:
            raise ValueError("a request has at least one token in and one out")
        if not 0 <= self.shared < self.prompt:
            raise ValueError("the shared part of a prompt is between 0 and the prompt less one token")

    @property
    def total(self) -> int:
        """Tokens that a request holds in memory when it ends."""
        return self.prompt + self.output


@dataclass(frozen=True, slots=True)
class Load:
    """What the peak asks of the model.

    Attributes:
        inquiries: a minute.
        calls: of the model for one inquiry; buttons and typed values of a journey cause none.
        question_share: part of the calls that are answers from knowledge, 0 to 1; the rest are commands.
        answer, command: their lengths.
        commands_from_model: whether commands go to the model at all; else the local classifier takes them.

    Raises:
        ValueError: a share outside 0 to 1, or a number that is negative or no number.
    """

    inquiries: float
    question_share: float
    answer: Tokens
    command: Tokens
    calls: float = 1.0
    commands_from_model: bool = True

    def __post_init__(self) -> None:
        if not (isfinite(self.inquiries) and isfinite(self.calls) and self.inquiries >= 0 and self.calls >= 0):
            raise ValueError("inquiries a minute and calls for each are numbers of at least 0")
        if not 0 <= self.question_share <= 1:
            raise ValueError("the share of questions lies between 0 and 1")

    @property
    def answers_per_second(self) -> float:
        return self.inquiries * self.calls / 60 * self.question_share

    @property
    def commands_per_second(self) -> float:
        return self.inquiries * self.calls / 60 * (1 - self.question_share) if self.commands_from_model else 0.0


@dataclass(frozen=True, slots=True)
class Rate:
    """A figure of throughput at full load: so many requests of this shape a second, by one replica."""

    tokens_in: int
    tokens_out: int
    requests_per_second: float
    standing: Standing
    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Pairing:
    """A model on the GPUs of one replica, with what is known of it (reference C3, C4)."""

    id: str
    model: str
    precision: str
    gpu: str
    gpu_gb: float
    gpus: int
    weights_gb: float
    kv_kib_per_token: int
    licence: str
    rates: tuple[Rate, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """Where the memory of one replica goes, in GB, and what the rest holds."""

    total_gb: float
    weights_gb: float
    reserved_gb: float
    """Left to the driver (1 - gpu_memory_utilization), activations and graphs."""
    kv_gb: float
    kv_tokens: int
    """Tokens of all running requests together; 0: the model does not fit."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a load needs on one pairing."""

    pairing: Pairing
    memory: Memory
    busy: float
    """Replicas' worth of work at the peak, before headroom; 1.6 keeps one busy and another to six tenths."""
    by_throughput: int
    by_memory: int
    spare: int
    replicas: int
    gpus: int
    standing: Standing
    """Of the weakest rate that was used."""
    rates: tuple[Rate, ...]
    stretched: bool
    """A prompt is longer than those of the rate that was used, and the rate was reduced for it."""


@dataclass(frozen=True, slots=True)
class CostRow:
    """One row of a cost table: `price` is paid for each `per`, and spread over `months`."""

    name: str
    per: Literal["gpu", "host", "installation", "person"]
    price: Decimal
    months: int
    persons: int = 0


@dataclass(frozen=True, slots=True)
class Saved:
    """Work that the installation takes over."""

    agents: int
    each: Decimal

    @property
    def monthly(self) -> Decimal:
        return self.each * self.agents


@dataclass(frozen=True, slots=True)
class CostBook:
    """Prices of one firm."""

    id: str
    title: str
    currency: str
    source: str
    gpu: str
    gpus_in_use: int
    gpus_per_host: int
    rows: tuple[CostRow, ...]
    saved: Saved | None


@dataclass(frozen=True, slots=True)
class Cost:
    """Monthly cost, row by row."""

    rows: tuple[tuple[CostRow, Decimal], ...]
    total: Decimal
    saved: Decimal
    net: Decimal
    """Saved less total; negative where nothing is counted as saved."""
