"""What an intent, or the customer's words as they are, means for flows and slots (reference/config/components/nlu-command-adapter).

The part of Rasa's NLUCommandAdapter that needs no classifier. An intent comes from a payload or from outside with its entities; a typed
message has none, so only `from_text` mappings without an `intent` filter read it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tightrope.engine.mappings import NLU_TYPES, Mapping, read_entities
from tightrope.engine.models import CannotHandle, Command, Intent, Project, SetSlot, Slot, StartFlow, TriggerPattern
from tightrope.engine.run import Run

SESSION_INTENTS = {
    "session_start": "pattern_session_start",
    "session_end": "pattern_session_end",
    "restart": "pattern_restart",
}
"""Intents that always mean a pattern, whatever triggers a project gives."""
NOT_RUN = {
    "silence_timeout": "it belongs to voice, which this engine does not run",
    "back": "going back a turn belongs to NLU-based assistants",
}
TRIGGERABLE = frozenset(
    {
        "pattern_chitchat", "pattern_search", "pattern_cannot_handle", "pattern_human_handoff", "pattern_skip_question",
        "pattern_repeat_bot_messages", *SESSION_INTENTS.values(),
    }
)  # fmt: skip
"""Patterns that an nlu_trigger may begin; the others need to know what they are about."""


EXTERNAL = "EXTERNAL: "
"""Begins the text of a user event that nobody typed, as Rasa writes it."""


def triggered(name: str, entities: Any = None) -> tuple[str, dict[str, Any], Intent]:
    """What POST /conversations/{id}/trigger_intent gives: text and metadata of the user event, and the intent.

    Raises:
        MappingError: the entities are neither an object nor a list of {entity, value}.
    """
    return EXTERNAL + name, {"is_external": True}, Intent(name, read_entities(entities))


def known_intents(project: Project) -> frozenset[str]:
    """Intents that mean something: of the domain, of triggers and mappings, and those of sessions."""
    return project.intents | frozenset(SESSION_INTENTS)


def expand(run: Run, commands: tuple[Command, ...], text: str, *, pressed: bool) -> list[Command]:
    """The commands with an intent replaced by what it means, and with slots that take the customer's words as they are."""
    out: list[Command] = []
    for command in commands:
        if isinstance(command, Intent):
            out.extend(_meant(run, command))
        else:
            out.append(command)
    said_outright = pressed or any(isinstance(command, Intent) for command in commands)
    return out if said_outright else _in_own_words(run, out, text)


def _meant(run: Run, intent: Intent) -> Iterator[Command]:
    pattern = SESSION_INTENTS.get(intent.name) or _pattern(run.project, intent)
    if pattern is not None and pattern in run.project.flows:
        yield TriggerPattern(pattern)
        return
    started = _triggered(run.project, intent)
    if started is not None:
        yield StartFlow(started, by_intent=True)
    flows = {run.stack[at]["flow_id"] for at in run.chain()} | ({started} if started else set())
    owned: frozenset[str] = run.project.owned.get(started, frozenset()) if started else frozenset()
    for slot in run.project.slots.values():
        if slot.by_intent:
            yield from _filled(run, slot, intent, flows, triggered=slot.name in owned)
    if intent.name in NOT_RUN:
        run.problems.append(f"the intent {intent.name} does nothing: {NOT_RUN[intent.name]}")
    elif intent.name not in known_intents(run.project):
        run.problems.append(f"the intent {intent.name!r} is not known to the project")


def _pattern(project: Project, intent: Intent) -> str | None:
    return next((name for name in sorted(TRIGGERABLE) if _fires(project, name, intent)), None)


def _triggered(project: Project, intent: Intent) -> str | None:
    """The flow that the intent starts; the first of the files if several name it."""
    return next((f.id for f in project.flows.values() if not f.is_pattern and _fires(project, f.id, intent)), None)


def _fires(project: Project, flow_id: str, intent: Intent) -> bool:
    flow = project.flows.get(flow_id)
    return flow is not None and any(t.intent == intent.name and intent.confidence >= t.threshold for t in flow.triggers)


def _filled(run: Run, slot: Slot, intent: Intent, flows: set[str], *, triggered: bool) -> Iterator[Command]:
    """The first mapping of the slot that applies says its value; of several entities the last one counts."""
    for mapping in slot.mappings:
        if mapping.type not in NLU_TYPES or not _lets(mapping, intent.name) or not holds(run, mapping, flows):
            continue
        if mapping.type == "from_entity":
            found = [e for e in intent.entities if (e.name, e.role, e.group) == (mapping.entity, mapping.role, mapping.group)]
            if found:
                yield SetSlot(slot.name, found[-1].value, "NLU")
                return
        elif mapping.type == "from_intent" or (mapping.type == "from_trigger_intent" and triggered):
            yield SetSlot(slot.name, mapping.value, "NLU")
            return


def _lets(mapping: Mapping, intent: str | None) -> bool:
    return (not mapping.intents or intent in mapping.intents) and intent not in mapping.not_intents


def holds(run: Run, mapping: Mapping, flows: set[str]) -> bool:
    """Whether one of the mapping's conditions is met; `flows` are the active journey's and those that start with this message."""
    if not mapping.conditions:
        return True
    asking = run.asking()
    asked = asking[1] if asking else None
    return any(
        (c.flow is None or c.flow in flows) and (c.asked is None or c.asked == asked) and c.loop is None
        for c in mapping.conditions
    )


def _in_own_words(run: Run, commands: list[Command], text: str) -> list[Command]:
    """`from_text`: the words themselves answer the question asked, unless understanding found something else in them."""
    asking = run.asking()
    slot = run.project.slots.get(asking[1]) if asking else None
    if slot is None or not any(m.type == "from_text" for m in slot.mappings) or not text.strip():
        return commands
    flows = {run.stack[at]["flow_id"] for at in run.chain()}
    if not any(m.type == "from_text" and _lets(m, None) and holds(run, m, flows) for m in slot.mappings):
        return commands
    if all(isinstance(c, CannotHandle) or (isinstance(c, SetSlot) and c.name == slot.name) for c in commands):
        return [SetSlot(slot.name, text, "NLU")]
    return commands
