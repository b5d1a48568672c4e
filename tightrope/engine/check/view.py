"""What all checks look at: the project, its files with their lines, who says what, who calls whom, and what the actions' sources name."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from tightrope.engine.check.sources import Sources
from tightrope.engine.check.worlds import Worlds
from tightrope.engine.errors import ProjectError
from tightrope.engine.loader import Reading
from tightrope.engine.models import Flow, Place, Project, Response, Step
from tightrope.engine.problems import Problems
from tightrope.engine.yamlfile import Map, read

SHORT = 8
"""A letter more or less is much of a name shorter than this."""
Manner = Literal["step", "ask", "rejection"]


@dataclass(frozen=True, slots=True, eq=False)
class Saying:
    """A response that a flow says: as a step of its own, as the question of a collect step, or when that refuses an answer."""

    flow: Flow
    step: Step
    response: str
    manner: Manner

    @property
    def here(self) -> str:
        """Where, in words."""
        return f"flow {self.flow.id} step {self.step.id}"


class View:
    """One project being checked; problems go to `told`."""

    def __init__(self, reading: Reading, project: Project) -> None:
        self.reading = reading
        self.project = project
        self.told: Problems = reading.problems
        self.worlds = Worlds(project)
        self.flows: list[Flow] = [flow for flow in project.flows.values() if not flow.builtin]
        self.responses: list[Response] = [r for r in project.responses.values() if not is_builtin(r.place)]
        broken = set(self.told.unread_files)
        self.domain_whole = not any(name.startswith("domain") for name in broken)
        self.flows_whole = not any(name.startswith("data") for name in broken)

    @property
    def whole(self) -> bool:
        """Whether everything of the project could be read, but for the sub agents, which lie elsewhere."""
        return not self.told.unread_files and not self.told.unread - self.agents

    @cached_property
    def sources(self) -> Sources:
        """What the Python files of the project's actions name."""
        return Sources.of(Path(self.project.root), self.reading.endpoints)

    @cached_property
    def knows_actions(self) -> bool:
        """Whether one can see what actions may set: their sources are here, or there are none. Agents and tools set what they like."""
        tools = self.agents or self.reading.endpoints.get("mcp_servers")
        return not tools and (self.sources.there or not self.project.actions)

    @cached_property
    def agents(self) -> frozenset[str]:
        """Sub agents of the project: by their folders, and by the names that their configurations give."""
        root = Path(self.project.root)
        names: set[str] = set()
        for path in sorted((root / "sub_agents").glob("*/config.yml")):
            names.add(path.parent.name)
            try:
                agent = read(path, root).get("agent")
            except ProjectError:
                continue
            if isinstance(agent, Map):
                names.add(str(agent.get("name")))
        return frozenset(names)

    # places

    def raw_flow(self, flow: Flow) -> Map:
        """The flow as its file has it."""
        flows = self.reading.flow_files.get(flow.place.file, Map()).get("flows")
        found = flows.get(flow.id) if isinstance(flows, Map) else None
        return found if isinstance(found, Map) else Map(flow.place.line)

    def at(self, flow: Flow, key: str) -> Place:
        """Where a key of a flow stands."""
        return Place(flow.place.file, self.raw_flow(flow).at(key))

    # names

    def has_slot(self, name: str) -> bool:
        """Whether the slot exists, as far as one can know."""
        return name in self.project.slots or name in self.told.unread or not self.domain_whole

    def has_response(self, name: str) -> bool:
        """Whether the response exists, as far as one can know."""
        return name in self.project.responses or name in self.told.unread or not self.domain_whole

    def has_flow(self, name: str) -> bool:
        """Whether the flow exists, as far as one can know."""
        return name in self.project.flows or name in self.told.unread or not self.flows_whole

    def no_slot(self, place: Place, here: str, name: str) -> None:
        """Tell of a slot that does not exist."""
        self.told.error(
            place, f"{here}there is no slot {name!r}", meant(name, self.project.slots, "add it to the domain"), "unknown-slot"
        )

    def no_response(self, place: Place, here: str, name: str) -> None:
        """Tell of a response that does not exist."""
        mend = meant(name, self.project.responses, "add it to the domain")
        self.told.error(place, f"{here}there is no response {name!r}", mend, "unknown-response")

    # who does what

    def asked_by(self, step: Step) -> str | None:
        """The response with which a collect step asks; None when an action asks, or nothing does."""
        name = step.utter or f"utter_ask_{step.target}"
        return name if name in self.project.responses else None

    def asking_action(self, step: Step) -> str | None:
        """The action with which a collect step asks, if it may."""
        name = f"action_ask_{step.target}"
        return name if step.utter is None and name in self.project.actions else None

    def is_custom(self, name: str) -> bool:
        """Whether the action server runs this action."""
        return name in self.project.actions

    @cached_property
    def sayings(self) -> tuple[Saying, ...]:
        """Every response that a flow says, built-in ones too, with where."""
        return tuple(saying for flow in self.project.flows.values() for saying in self._sayings(flow))

    def sayings_of(self, flow: Flow, step: Step) -> tuple[Saying, ...]:
        """What one step says."""
        return self._by_step.get((flow.id, step.id), ())

    @cached_property
    def _by_step(self) -> Mapping[tuple[str, str], tuple[Saying, ...]]:
        found: dict[tuple[str, str], list[Saying]] = defaultdict(list)
        for saying in self.sayings:
            found[saying.flow.id, saying.step.id].append(saying)
        return {key: tuple(sayings) for key, sayings in found.items()}

    def _sayings(self, flow: Flow) -> Iterator[Saying]:
        for step in flow.steps.values():
            if step.kind == "action" and step.target.startswith("utter_") and not self.is_custom(step.target):
                yield Saying(flow, step, step.target, "step")
            elif step.kind == "collect":
                ask = self.asked_by(step)
                if ask is not None:
                    yield Saying(flow, step, ask, "ask")
                for rejection in step.rejections:
                    yield Saying(flow, step, rejection.utter, "rejection")

    @cached_property
    def said_by(self) -> Mapping[str, tuple[Saying, ...]]:
        """Response -> where flows say it."""
        found: dict[str, list[Saying]] = defaultdict(list)
        for saying in self.sayings:
            found[saying.response].append(saying)
        return {name: tuple(sayings) for name, sayings in found.items()}

    @cached_property
    def callers(self) -> Mapping[str, tuple[tuple[Flow, Step], ...]]:
        """Flow -> the steps that call it."""
        return self._named_by("call")

    @cached_property
    def linkers(self) -> Mapping[str, tuple[tuple[Flow, Step], ...]]:
        """Flow -> the steps that link to it."""
        return self._named_by("link")

    def _named_by(self, kind: str) -> Mapping[str, tuple[tuple[Flow, Step], ...]]:
        found: dict[str, list[tuple[Flow, Step]]] = defaultdict(list)
        for flow in self.project.flows.values():
            for step in flow.steps.values():
                if step.kind == kind:
                    found[step.target].append((flow, step))
        return {name: tuple(steps) for name, steps in found.items()}

    @cached_property
    def owners(self) -> Mapping[str, frozenset[str]]:
        """Slot -> the flows that, with what they call, collect or set it."""
        found: dict[str, set[str]] = defaultdict(set)
        for flow, names in self.project.owned.items():
            for name in names:
                found[name].add(flow)
        return {name: frozenset(flows) for name, flows in found.items()}

    @cached_property
    def persisted(self) -> frozenset[str]:
        """Slots that some flow persists."""
        return frozenset().union(*(flow.persisted for flow in self.project.flows.values()))

    def around(self, flow_id: str) -> frozenset[str]:
        """The flow and all that may wait below it because they called it."""
        reached: set[str] = set()
        todo = [flow_id]
        while todo:
            at = todo.pop()
            if at not in reached:
                reached.add(at)
                todo.extend(flow.id for flow, _ in self.callers.get(at, ()))
        return frozenset(reached)


def is_builtin(place: Place) -> bool:
    """Whether something comes from our defaults and not from the project's files."""
    return place.file.startswith("defaults/")


def meant(name: str, there: Iterable[str], otherwise: str) -> str:
    """What to do about a name that does not exist: the one it resembles, if there is one."""
    close = difflib.get_close_matches(name, list(there), 1, 0.66 if len(name) < SHORT else 0.8)
    return f"did you mean {close[0]!r}? Or {otherwise}" if close else otherwise
