"""What a project is once it is loaded, and the commands and effects that the core speaks.

A project never changes after loading; a conversation's state and its events are plain data (state.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tightrope.engine.mappings import FROM_LLM, NLU_TYPES, Entity, FlowTrigger
from tightrope.engine.mappings import Mapping as SlotMapping
from tightrope.engine.templates import Condition, Template

END = "END"
START = "START"
ROUTING_SLOT = "route_session_to_calm"
"""Where Rasa's coexistence routers note that CALM has the conversation."""

Version = Literal["v1", "v2", "v3"]
"""Text forms of commands: of the older command generators, of the compact one, of the search-ready one."""
SlotType = Literal["text", "bool", "categorical", "float", "any", "list"]
StepKind = Literal["action", "collect", "link", "call", "set_slots", "noop"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in the project's files."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Options:
    """How an operator runs a project, apart from what its files say.

    Attributes:
        clarify_several_starts: several flows meant at once while nothing is under way become a question which one
            (Rasa: CLARIFY_ON_MULTIPLE_START_FLOWS).
        complete_responses: a response with a placeholder that nothing has filled is not said; without it `None` is printed, as Rasa does.
    """

    clarify_several_starts: bool = False
    complete_responses: bool = False


@dataclass(frozen=True, slots=True)
class Rejection:
    """When `condition` holds, the value is refused with the response `utter`."""

    condition: Condition
    utter: str


@dataclass(frozen=True, slots=True)
class Slot:
    """One piece of information of a conversation (reference/primitives/slots)."""

    name: str
    type: SlotType
    place: Place
    values: tuple[str, ...] = ()
    initial: Any = None
    mappings: tuple[SlotMapping, ...] = (FROM_LLM,)
    rejections: tuple[Rejection, ...] = ()
    refill_utter: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    shared: bool = False
    """Whether it outlives action_reset_routing (`shared_for_coexistence`)."""

    @property
    def every_turn(self) -> tuple[str, ...]:
        """Actions that run with every message to keep it up to date."""
        return tuple(mapping.every_turn for mapping in self.mappings if mapping.every_turn)

    @property
    def by_model(self) -> bool:
        """Whether understanding may fill it."""
        return any(mapping.type == "from_llm" for mapping in self.mappings)

    @property
    def by_intent(self) -> bool:
        """Whether an intent message or the customer's words as they are may fill it."""
        return any(mapping.type in NLU_TYPES for mapping in self.mappings)

    @property
    def by_payload(self) -> bool:
        """Whether a button may fill it."""
        return self.type != "list" and any(mapping.type != "custom" for mapping in self.mappings)

    @property
    def allowed_values(self) -> list[str] | None:
        """The closed list of values, if it has one, as understanding writes them."""
        if self.type == "bool":
            return ["True", "False"]
        return list(self.values) if self.type == "categorical" else None


@dataclass(frozen=True, slots=True)
class Button:
    """A choice under a message; `translated` maps a language to title and payload."""

    title: Template
    payload: Template
    translated: Mapping[str, tuple[Template, Template]]

    def in_language(self, language: str) -> tuple[Template, Template]:
        """Title and payload in this language, else in the project's own."""
        return self.translated.get(language, (self.title, self.payload))


@dataclass(frozen=True, slots=True)
class Variation:
    """One wording of a response."""

    text: Template | None
    translated: Mapping[str, Template]
    buttons: tuple[Button, ...]
    custom: Mapping[str, Any] | None
    image: Template | None
    attachment: Any
    elements: Any
    channel: str | None
    condition: Condition | None
    metadata: Mapping[str, Any]
    ident: str | None


@dataclass(frozen=True, slots=True)
class Response:
    """A named message with its variations."""

    name: str
    variations: tuple[Variation, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Branch:
    """One way on from a step: to `target` (a step id or END) when `condition` holds; None holds always. `line` is where it stands."""

    condition: Condition | None
    target: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a flow. `target` is the action, slot or flow it names; `end` the last line of it and of the steps inside it."""

    id: str
    kind: StepKind
    target: str
    branches: tuple[Branch, ...]
    order: int
    place: Place
    description: str = ""
    ask_before_filling: bool = False
    force_slot_filling: bool = False
    utter: str | None = None
    rejections: tuple[Rejection, ...] = ()
    assignments: tuple[tuple[str, Any], ...] = ()
    template: Template | None = None
    dangling: bool = False
    end: int = 0


@dataclass(frozen=True, slots=True)
class Flow:
    """A journey or a pattern (reference/primitives/flows)."""

    id: str
    name: str
    description: str
    first: str
    steps: Mapping[str, Step]
    place: Place
    hash: str
    guard: Condition | bool | None = None
    persisted: frozenset[str] = frozenset()
    run_pattern_completed: bool = True
    always_include: bool = False
    triggers: tuple[FlowTrigger, ...] = ()
    translated_names: Mapping[str, str] = field(default_factory=dict)
    builtin: bool = False

    @property
    def is_pattern(self) -> bool:
        """Patterns are conversation repair of the engine; they are never on offer."""
        return self.id.startswith("pattern_")

    def collects(self) -> list[Step]:
        """Its collect steps in the order of the file."""
        return [step for step in self.steps.values() if step.kind == "collect"]


@dataclass(frozen=True, slots=True)
class Project:
    """Everything that the engine knows of a bot."""

    root: str
    flows: Mapping[str, Flow]
    slots: Mapping[str, Slot]
    responses: Mapping[str, Response]
    actions: frozenset[str]
    initials: Mapping[str, Any]
    language: str
    languages: tuple[str, ...]
    session_minutes: float
    carry_over_slots: bool
    start_after_expiry: bool
    max_characters: int
    prompt_template: str | None
    prompt_timezone: str | None
    """Zone of the date and time that prompts are told; None when they are told none (`include_date_time: false`)."""
    understanding_base: str | None
    understanding_model: str | None
    actions_url: str | None
    actions_module: str | None
    without_domain: frozenset[str]
    """Actions that get an empty domain: with `enable_selective_domain` all that do not say `send_domain: true`."""
    domain: Mapping[str, Any]
    domain_digest: str
    model_id: str
    """Changes with everything that decides which events a turn makes."""
    owned: Mapping[str, frozenset[str]]
    """Slots that each flow and the flows it calls collect or set."""
    resets: Mapping[str, frozenset[str]]
    """Those of them that the flow's end resets."""
    every_turn: tuple[str, ...]
    command_syntax: Version = "v3"
    config: Mapping[str, Any] = field(default_factory=dict)
    assistant_id: str | None = None
    """Stamped in the metadata of every event."""
    intents: frozenset[str] = frozenset()
    """Intents that the domain lists, a flow is triggered by or a slot is filled by."""
    routed: bool = False
    """Whether a coexistence router leads the pipeline: every message then goes to CALM."""
    options: Options = Options()

    def flow_name(self, flow_id: str, language: str | None) -> str:
        """The flow's readable name in this language."""
        flow = self.flows.get(flow_id)
        if flow is None:
            return flow_id
        return flow.translated_names.get(language or "", flow.name)


@dataclass(frozen=True, slots=True)
class StartFlow:
    """`by_intent`: an intent says so outright, and the flow's guard is not asked."""

    flow: str
    by_intent: bool = False


@dataclass(frozen=True, slots=True)
class SetSlot:
    name: str
    value: Any
    extractor: Literal["LLM", "NLU", "SetSlots"] = "LLM"


@dataclass(frozen=True, slots=True)
class CancelFlow:
    pass


@dataclass(frozen=True, slots=True)
class Clarify:
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KnowledgeAnswer:
    pass


@dataclass(frozen=True, slots=True)
class ChitChat:
    pass


@dataclass(frozen=True, slots=True)
class SkipQuestion:
    pass


@dataclass(frozen=True, slots=True)
class RepeatBotMessages:
    pass


@dataclass(frozen=True, slots=True)
class CannotHandle:
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    """Something went wrong before flows could run; `error_type` as pattern_internal_error branches on it."""

    error_type: str
    info: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Intent:
    """An intent said outright: by `/name{entities}` or from outside. The core makes other commands of it."""

    name: str
    entities: tuple[Entity, ...] = ()
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class TriggerPattern:
    """Begin a pattern that an intent asks for: session_start, session_end, restart and those with an nlu_trigger."""

    pattern: str


Command = (
    StartFlow
    | SetSlot
    | CancelFlow
    | Clarify
    | KnowledgeAnswer
    | ChitChat
    | SkipQuestion
    | RepeatBotMessages
    | CannotHandle
    | Fail
    | Intent
    | TriggerPattern
)


@dataclass(frozen=True, slots=True)
class StartSession:
    """Begin a new session: the conversation is new, was idle for too long, or asked for it."""

    at: float
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UserMessage:
    """A customer's message with the commands that it means. `at` is a Unix time in seconds."""

    text: str
    commands: tuple[Command, ...]
    at: float
    metadata: Mapping[str, Any] = field(default_factory=dict)
    message_id: str = ""
    channel: str = "rest"
    payload: bool = False
    understanding: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What the action that was asked for gave back."""

    name: str
    at: float
    events: tuple[Mapping[str, Any], ...] = ()
    responses: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class ActionFailure:
    """The action that was asked for failed; `reason` is for the record, never for the customer."""

    name: str
    at: float
    reason: str


Input = StartSession | UserMessage | ActionResult | ActionFailure


@dataclass(frozen=True, slots=True)
class RunAction:
    """The action server has to run this action; answer with ActionResult or ActionFailure."""

    name: str


@dataclass(frozen=True, slots=True)
class Listen:
    """The turn is over; wait for the customer."""


Effect = RunAction | Listen
