"""What one step of a case showed: the seam between the cases and what plays them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from tightrope.uat.models import Act, Case, Shown


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the firm's business API as it went over the wire.

    Attributes:
        subject: the customer that the token stands for; empty if there was none.
        owner: the customer whose data was asked for; empty if it is nobody's.
    """

    method: str
    path: str
    subject: str
    owner: str
    status: int

    @property
    def done(self) -> bool:
        """Whether it was answered with success."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Source:
    """Where the figures of one message may come from, apart from the customer's own words.

    Attributes:
        structured: template of the response, and the variables that an action gave it.
        passages: texts of the passages that the turn found; only these may a free text quote.
    """

    structured: tuple[str, ...] = ()
    passages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """One message to the customer with its sources."""

    shown: Shown
    source: Source = field(default_factory=Source)


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that one step showed.

    Attributes:
        bound: the customer whom the turn's grant named; None: nobody.
        started, completed, cancelled: flows, in order.
        set_slots: (slot, value) in the order in which they were set in this step; `slots` are all after it.
        offered: flows of a clarification.
        cited: ids of the documents cited; `sections` are their titles and sections, as a button that offers one says it.
        which: the titles offered, if the assistant asked which section is meant.
        told: key of a sentence of the gateway's own that was said instead of asking the assistant.
        silent: why nothing was said; empty when something was, or might have been.
        standing: where the conversation stands now (models.OUTCOMES).
        prompts: what understanding was sent.
        calls: requests to the business API. `refused`: hosts that were not let out.
        switched_off: scopes that the kill switch had off before the step.
    """

    messages: tuple[Message, ...] = ()
    bound: str | None = None
    started: tuple[str, ...] = ()
    completed: tuple[str, ...] = ()
    cancelled: tuple[str, ...] = ()
    set_slots: tuple[tuple[str, Any], ...] = ()
    slots: Mapping[str, Any] = field(default_factory=dict)
    offered: tuple[str, ...] = ()
    cited: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    which: tuple[str, ...] = ()
    handoff: tuple[str, str] | None = None
    login: bool = False
    told: str = ""
    silent: str = ""
    standing: str = "told"
    prompts: tuple[str, ...] = ()
    account_figures: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    refused: tuple[str, ...] = ()
    switched_off: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()


class Talk(Protocol):
    """One conversation under way."""

    async def do(self, act: Act) -> Observed:
        """Let something happen.

        Raises:
            CannotPlay: it cannot happen here, such as a button that was never offered.
        """
        ...

    async def close(self) -> None:
        """Take back what the case ordered: switch, faults, logins."""
        ...


class Stage(Protocol):
    """What plays cases."""

    async def open(self, case: Case) -> Talk:
        """A new conversation, with the case's customer logged in."""
        ...


class CannotPlay(Exception):
    """A step cannot be played; says why."""
