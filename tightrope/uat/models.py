"""The types of acceptance cases: what a customer does, what must come of it, and what a run found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

Language = Literal["zh", "en"]

KINDS: Final = (
    "happy",
    "refusal",
    "correction",
    "change_of_mind",
    "interrupted_by_question",
    "interrupted_by_journey",
    "cancelled",
    "silence",
    "system_failure",
    "wrong_person",
    "anonymous",
    "angry",
    "mixed_language",
    "red_line",
)
"""What a case is about, in one word."""

RED_LINES: Final[Mapping[int, str]] = {
    1: "No audit, no answer",
    2: "No account data without a verified customer",
    3: "The model never sees account data",
    4: "The model never supplies a number",
    5: "The model never acts",
    6: "No advice",
    7: "Nothing leaves the building",
    8: "The kill switch wins",
    9: "What runs was approved",
}
"""The red lines of design.md, by number."""

OUTCOMES: Final = (
    "completed",
    "answered",
    "declined",
    "person",
    "login_asked",
    "question_open",
    "clarifying",
    "cancelled",
    "not_understood",
    "told",
)
"""Where a conversation stands at its end:

completed: a journey came to its end, whatever its verdict; answered: from the knowledge base, with sources; declined: advice or an
instruction was declined in approved words; person: it was handed to a person; login_asked, question_open: a journey waits for the login
or an answer; clarifying: the customer was asked which of several things was meant; cancelled: the customer stopped the journey;
not_understood: nothing was found or understood; told: a sentence of the gateway's own, or of a pattern.
"""


@dataclass(frozen=True, slots=True)
class Say:
    """The customer types."""

    text: str


@dataclass(frozen=True, slots=True)
class Press:
    """The customer presses the button with this title."""

    title: str


@dataclass(frozen=True, slots=True)
class Choose:
    """The customer presses the button with this title if the assistant asks which section of the knowledge base is meant.

    If it answered at once nothing happens, and what the turn has to show is looked for in that answer: how sure the assistant must be to answer at
    once is a matter of calibration, and no case may break when a firm calibrates anew.
    """

    title: str


@dataclass(frozen=True, slots=True)
class Login:
    """Somebody logs in through the login link or at the portal."""

    customer: str


@dataclass(frozen=True, slots=True)
class Logout:
    """The customer logs out at the portal."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nobody says anything for so many minutes."""

    minutes: float


@dataclass(frozen=True, slots=True)
class Switch:
    """The operator turns the kill switch; `scope` is `all` or a journey's flow id."""

    scope: str
    off: bool


@dataclass(frozen=True, slots=True)
class GiveBack:
    """The person who held the conversation gives it back to the assistant."""


@dataclass(frozen=True, slots=True)
class Break:
    """From here on the next calls fail."""

    faults: tuple[FaultOrder, ...]


Act = Say | Press | Choose | Login | Logout | Wait | Switch | GiveBack | Break


@dataclass(frozen=True, slots=True)
class FaultOrder:
    """A fault of the sandbox's (`operation` of the business API, or None for any), or a whole part that is down.

    Attributes:
        customer: whose calls; empty: of the case's customer.
    """

    fault: str
    operation: str | None = None
    times: int = 1
    customer: str = ""


@dataclass(frozen=True, slots=True)
class Handoff:
    """Passing to a person, as the envelope says it; None is not judged."""

    reason: str | None = None
    priority: str | None = None


NO_HANDOFF: Final = Handoff("none", "none")
"""Expected: the customer is not handed to a person."""


@dataclass(frozen=True, slots=True)
class Expect:
    """What one turn has to show; what is empty or None is not judged. Patterns are regular expressions, searched ignoring case."""

    starts: tuple[str, ...] = ()
    not_starts: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    cancels: tuple[str, ...] = ()
    slots: Mapping[str, Any] = field(default_factory=dict)
    replies: tuple[str, ...] = ()
    not_replies: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()
    forbids: tuple[str, ...] = ()
    buttons: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    cites: tuple[str, ...] = ()
    login: bool | None = None
    handoff: Handoff | None = None
    told: str | None = None
    silent: bool | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens, and what it has to show."""

    act: Act
    expect: Expect
    line: int


@dataclass(frozen=True, slots=True)
class Case:
    """One conversation.

    Attributes:
        customer: a customer of the sandbox, or None for somebody who is not logged in.
        outcomes: where it may stand at its end; several only for attacks, which can fail in more than one safe way.
        red_line: the red line that the case tries to break; then `twin` is the id of its harmless twin.
        reason: contact reason, in cases of the realistic day.
        at: when it happens.
        digest: SHA-256 over what the case says, in hex; spaces and comments of the file do not count.
        source: what the case says, as its file has it, with the file's defaults.
        end: last line of the case in its file.
    """

    id: str
    title: str
    journey: str
    kind: str
    language: Language
    customer: str | None
    steps: tuple[Step, ...]
    outcomes: tuple[str, ...]
    file: str
    line: int
    at: datetime
    red_line: int | None = None
    twin: str | None = None
    faults: tuple[FaultOrder, ...] = ()
    forbids: tuple[str, ...] = ()
    reason: str = ""
    note: str = ""
    digest: str = ""
    source: Mapping[str, Any] = field(default_factory=dict)
    end: int = 0

    @property
    def attack(self) -> bool:
        """Whether the case tries to break a red line."""
        return self.red_line is not None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to mend in a case file."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


# what a run found


@dataclass(frozen=True, slots=True)
class Shown:
    """One message to the customer: its text, the response of the domain that it is (empty: free text), its buttons' titles."""

    text: str
    response: str = ""
    buttons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a turn had to show and did not. `red_line` is set when a standing check of a red line failed."""

    what: str
    wanted: str
    got: str
    red_line: int | None = None


@dataclass(frozen=True, slots=True)
class Played:
    """One step as it went, for the transcript.

    Attributes:
        did: what the customer, or somebody else, did.
        asides: what happened beside the words: journeys that began or ended, hand-overs, business calls.
    """

    did: Act
    shown: tuple[Shown, ...]
    asides: tuple[str, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A case and what came of it. `broke` says why it could not be played to its end."""

    case: Case
    played: tuple[Played, ...]
    findings: tuple[Finding, ...]
    outcome: str
    seconds: float
    broke: str = ""

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not (self.broke or self.findings or any(step.findings for step in self.played))

    @property
    def red_lines(self) -> tuple[int, ...]:
        """Red lines that were broken."""
        found = {item.red_line for item in (*self.findings, *(item for step in self.played for item in step.findings))}
        return tuple(sorted(number for number in found if number is not None))


@dataclass(frozen=True, slots=True)
class RunResult:
    """All cases of a run.

    Attributes:
        release: id of the release that was played.
        model: hash of the flows, domain and configuration as the engine loaded them.
    """

    results: tuple[CaseResult, ...]
    release: str
    model: str
    started: datetime
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[CaseResult, ...]:
        """Those that did not pass."""
        return tuple(result for result in self.results if not result.passed)
