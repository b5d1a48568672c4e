"""One call of `step` under way: the state being changed, the events it makes, and the small verbs that all parts of the core share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tightrope.engine import responses
from tightrope.engine.models import START, Flow, Project, Step
from tightrope.engine.state import Event, Frame, Slots, State, apply, stack_update

COLLECT = "pattern_collect_information"
VALIDATE = "pattern_validate_slot"
ASKING = frozenset({COLLECT, VALIDATE})
"""Patterns that ask on behalf of the frame below them."""


class Run:
    """Working memory of one `step`."""

    __slots__ = ("_stack_sent", "at", "cap", "events", "problems", "project", "slots", "state", "visited")

    def __init__(self, project: Project, state: State, at: float, cap: int) -> None:
        self.project = project
        self.state = state.copy()
        self.at = at
        self.cap = cap
        self.events: list[Event] = []
        self.problems: list[str] = []
        self.visited: list[tuple[str, str]] = []
        self.slots = Slots(self.state, project.initials)
        self._stack_sent = stack_update(state.stack)

    # events

    def emit(self, kind: str, **fields: Any) -> None:
        """Record an event and let it change the state."""
        event = self._record({"event": kind, "timestamp": self.at, **fields})
        apply(self.state, event, self.project.initials)

    def _record(self, event: Event) -> Event:
        """Add an event with the assistant's id in its metadata."""
        if self.project.assistant_id is not None:
            event["metadata"] = {**event.get("metadata", {}), "assistant_id": self.project.assistant_id}
        self.events.append(event)
        return event

    def sync_stack(self) -> None:
        """Record the stack if it changed since it was last recorded."""
        update = stack_update(self.state.stack)
        if update != self._stack_sent:
            self._stack_sent = update
            self._record({"event": "stack", "timestamp": self.at, "update": update})

    def set_slot(self, name: str, value: Any, *, by_intent: bool = False) -> None:
        """Set a slot unless it holds this value already."""
        held = self.slots.get(name)
        if held == value and isinstance(held, bool) == isinstance(value, bool):
            return
        if by_intent:
            self.emit("slot", name=name, value=value, filled_by="NLU")
        else:
            self.emit("slot", name=name, value=value)

    def reset_slots(self) -> None:
        """Every slot back to its initial value."""
        self.emit("reset_slots")

    def wipe(self, kind: str) -> None:
        """Record that slots and stack begin anew; the pattern that says so goes on, unless it asks for what is gone."""
        top = self.top
        self.emit(kind)
        self._stack_sent = stack_update([])
        if top is not None and is_pattern(top) and top["type"] not in ASKING:
            self.state.stack.append(top)

    def acted(self, name: str) -> None:
        """Record that an action ran."""
        self.emit("action", name=name, policy="FlowPolicy", confidence=1.0, action_text=None, hide_rule_turn=False)

    # words

    @property
    def language(self) -> str:
        """The language of replies."""
        language = self.slots.get("language")
        return language if isinstance(language, str) and language else self.project.language

    def utter(self, name: str, variables: Mapping[str, Any] | None = None) -> None:
        """Say a response."""
        found = responses.render(
            self.project,
            name,
            slots=self.slots,
            context=self.context(),
            variables=variables or {},
            language=self.language,
            channel=self.state.channel,
            seed=f"{self.state.seed}:{self.state.bots}",
        )
        self.problems.extend(found.problems)
        self.say(found.text, found.data, found.metadata)

    def say(self, text: str | None, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """Say a finished message."""
        self.emit("bot", text=text, data=dict(data), metadata=dict(metadata))

    # stack

    @property
    def stack(self) -> list[Frame]:
        """The frames, newest last."""
        return self.state.stack

    @property
    def top(self) -> Frame | None:
        """The newest frame."""
        return self.state.stack[-1] if self.state.stack else None

    def flow(self, frame: Frame) -> Flow | None:
        """The flow that a frame runs."""
        return self.project.flows.get(frame["flow_id"])

    def push(self, flow_id: str, frame_type: str = "regular", at: int | None = None, **context: Any) -> Frame:
        """Put a new frame on the stack, or at a place in it."""
        number = 1 + max((int(f["frame_id"][1:]) for f in self.state.stack), default=0)
        flow = self.project.flows.get(flow_id)
        frame: Frame = {
            "frame_id": f"f{number}",
            "flow_id": flow_id,
            "step_id": START,
            "type": flow_id if flow_id.startswith("pattern_") else "flow",
            "frame_type": frame_type,
            "flow_hash": flow.hash if flow else "",
            **context,
        }
        if flow is not None and not flow.builtin and (resets := self.project.resets[flow_id]):
            frame["resets"] = sorted(resets)
        if at is None:
            self.state.stack.append(frame)
        else:
            self.state.stack.insert(at, frame)
        if is_pattern(frame) and flow_id not in ASKING:
            self.emit("flow_started", flow_id=flow_id)
        return frame

    def context(self) -> Mapping[str, Any]:
        """What `context.` means now: the newest frame over the patterns that it runs for."""
        stack = self.state.stack
        if not stack:
            return {}
        top = stack[-1]
        if len(stack) == 1 or not is_pattern(top) or not is_pattern(stack[-2]):
            return top
        merged: dict[str, Any] = {}
        for frame in reversed(stack):
            if not is_pattern(frame):
                break
            merged = {**frame, **merged}
        return merged

    # what is under way

    def asking(self) -> tuple[Frame, str] | None:
        """The frame that asks for a slot now, and the slot."""
        for frame in reversed(self.state.stack):
            if frame["type"] in ASKING:
                return frame, frame.get("collect") or frame["validate"]
        return None

    def collect_step(self, frame: Frame) -> Step | None:
        """The collect step for which a collect frame asks."""
        flow_id, step_id = frame.get("of") or ("", "")
        flow = self.project.flows.get(flow_id)
        return flow.steps.get(step_id) if flow else None

    def chain(self) -> list[int]:
        """Places of the active journey's frames, the newest called flow first, its outermost caller last."""
        stack = self.state.stack
        places: list[int] = []
        for at in range(len(stack) - 1, -1, -1):
            frame = stack[at]
            if is_pattern(frame):
                continue
            places.append(at)
            if frame["frame_type"] != "call":
                break
        return places

    def roots(self) -> Iterator[int]:
        """Places of all journeys on the stack, newest first, called flows left out."""
        stack = self.state.stack
        for at in range(len(stack) - 1, -1, -1):
            if not is_pattern(stack[at]) and stack[at]["frame_type"] != "call":
                yield at

    def segment(self, at: int) -> int:
        """Where the frames that belong to the journey at `at` end: its called flows and what asks for them."""
        stack = self.state.stack
        end = at + 1
        while end < len(stack) and (
            stack[end]["type"] in ASKING or (not is_pattern(stack[end]) and stack[end]["frame_type"] == "call")
        ):
            end += 1
        return end

    def release_slots(self, frame: Frame) -> None:
        """Reset the slots of a frame's flow when it ends or is cancelled; slots that it persists stay.

        A journey tells each of them, also those that it never filled: public suites of CALM projects read the end of a journey from that.
        Among them are those of the flow as it was when the frame began, should a release have changed it since.
        """
        names = self.project.resets.get(frame["flow_id"], frozenset())
        for name in sorted(names.union(frame.get("resets", ()))):
            value = self.project.initials.get(name)
            if is_pattern(frame):
                self.set_slot(name, value)
            else:
                self.emit("slot", name=name, value=value)

    def dismiss(self, frames: Iterable[Frame]) -> None:
        """Take frames off the stack that did not come to their end, with all that they filled; a journey counts as cancelled."""
        ids = {frame["frame_id"] for frame in frames}
        gone = [frame for frame in reversed(self.state.stack) if frame["frame_id"] in ids]
        self.state.stack[:] = [frame for frame in self.state.stack if frame["frame_id"] not in ids]
        for frame in gone:
            if not is_pattern(frame) and frame["frame_type"] != "call":
                self.emit("flow_cancelled", flow_id=frame["flow_id"], step_id=frame["step_id"])
            if frame["frame_type"] != "call":
                self.release_slots(frame)

    def drop_journey(self, at: int) -> None:
        """Cancel the journey at `at` with all that belongs to it."""
        self.dismiss(self.state.stack[at : self.segment(at)])

    def name_of(self, flow_id: str) -> str:
        """A flow's readable name in the customer's language."""
        return self.project.flow_name(flow_id, self.language)


def is_pattern(frame: Frame) -> bool:
    """Whether a frame runs a pattern."""
    return bool(frame["type"] != "flow")
