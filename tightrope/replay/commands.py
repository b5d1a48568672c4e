"""What a message meant, found again: buttons, what may not be read, rules and classifier are run; a model's part is taken from the record."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tightrope.engine.commands import parse_text
from tightrope.engine.errors import EngineError
from tightrope.engine.models import Project, UserMessage
from tightrope.engine.prompt import Prompt
from tightrope.engine.record import to_plain
from tightrope.engine.state import Event, State
from tightrope.engine.turn import History, Turn, TurnRunner, Understood, settle
from tightrope.generation import prompts
from tightrope.infra import encoder as encoders
from tightrope.replay.models import Check, Mark, Part, compared
from tightrope.replay.recorded_model import RecordedModel
from tightrope.understanding import slots, training
from tightrope.understanding.api import record as told
from tightrope.understanding.breaker import Breaker
from tightrope.understanding.classifier import Classifier
from tightrope.understanding.models import Request, Result
from tightrope.understanding.privacy import public_journeys
from tightrope.understanding.proposing import PROMPT, Proposer
from tightrope.understanding.service import MARKET_ZONE, Understanding

_KEPT: dict[str, Classifier] = {}
"""The newest classifier by its fingerprint: reading it takes longer than a conversation."""


SCORE_TOLERANCE = 100
"""In 1e-4. The sentence encoder's numbers depend on how many texts it is given at once and on the processor's instructions, so a score is not the same to
the last digit in another process. What was decided from it is compared byte for byte."""


def near(recorded: Any, found: Any) -> tuple[Any, int]:
    """The candidates found, with the recorded scores where the same candidates score nearly the same; and by how much they were off."""
    try:
        one, other = dict(recorded), dict(found)
        off = max((abs(one[name] - other[name]) for name in one), default=0)
    except (TypeError, ValueError, KeyError):
        return found, 0
    return (recorded, off) if one.keys() == other.keys() and off <= SCORE_TOLERANCE else (found, 0)


class _NotAgain(Exception):
    """What was understood cannot be found again here; says why."""


class Commands:
    """Understands the messages of one release again.

    Args:
        root: its project folder.
        cache: where a classifier is kept that had to be trained.
        missing: kinds of files that the record does not hold.
    """

    def __init__(self, root: Path, cache: Path, missing: Mapping[str, str]) -> None:
        self._root = root
        self._folder = root / "data" / "understanding"
        self._cache = cache
        self._missing = missing
        self._made: Understanding | None = None
        self._prompts: dict[str, Prompt] = {}

    def check(self, project: Project, state: State, said: UserMessage, *, strict: bool) -> list[Check]:
        """Compare what a message meant with what is found now.

        Args:
            state: as it was when the message came.
            strict: whether a button's payload counted only while it was on offer.
        """
        again = _Again(self, project, said)
        runner = TurnRunner(project, again, again, lambda: said.at, strict_payloads=strict)
        try:
            understood = settle(runner.meaning(Turn(state), said.text))
        except _NotAgain as error:
            return [Check(Part.COMMANDS, Mark.FROM_RECORD, str(error))]
        except EngineError as error:
            return [Check(Part.COMMANDS, Mark.DIFFERS, f"what the message meant cannot be found: {error}")]
        recorded, found = dict(said.understanding or {}), dict(understood.record or {})
        found["candidates"], off = near(recorded.get("candidates"), found.get("candidates"))
        if found["candidates"] is None:
            del found["candidates"]
        expected = _plain(said, Understood(said.commands, _without_calls(recorded), said.payload))
        now = _plain(said, Understood(understood.commands, _without_calls(found), understood.pressed))
        asked = again.model.checks(Part.COMMANDS) if again.model is not None and recorded.get("models") else []
        by = _by(said, recorded) + (f"; the classifier's scores are off by up to {off} in 10,000" if off else "")
        return [compared(Part.COMMANDS, expected, now, by), *asked]

    def proposed(
        self, request: Request, local: Understanding, found: Result, recorded: Mapping[str, Any]
    ) -> tuple[Result, RecordedModel]:
        """The result with what the recorded model chose. Whether the classifier had to agree is not in the record: the prompt tells."""
        calls = recorded.get("models") or []
        template = prompts.load(self._root / "prompts", PROMPT)
        public = public_journeys(self._root / "data" / "flows")
        made: list[tuple[Result, RecordedModel]] = []
        for agreement in (local.thresholds.clarify, 0):
            client: Any = RecordedModel(calls)
            breaker = Breaker()
            if recorded["proposal"] == "resting":
                breaker.failed(for_sure=True)
            result = settle(Proposer(client, template, breaker, public, agreement).choose(request, local, found))
            made.append((result, client))
            if client.as_then:
                break
        return next((one for one in made if one[1].as_then), made[0])

    def prompt(self, project: Project) -> Prompt:
        """The release's prompt for understanding, compiled once."""
        if project.model_id not in self._prompts:
            self._prompts[project.model_id] = Prompt.load(project)
        return self._prompts[project.model_id]

    def local(self, classifier: str | None, at: float) -> Understanding:
        """Rules and classifier of the release, on the day of the message.

        Raises:
            _NotAgain: the record names another classifier than the one that can be made here.
        """
        if lacking := {"understanding", "prompts", "flows"} & self._missing.keys():
            raise _NotAgain(f"rules and classifier were not run: {'; '.join(self._missing[kind] for kind in sorted(lacking))}")
        if self._made is None:
            name = training.fingerprint(self._folder, encoders.obtain())
            if classifier != name:
                raise _NotAgain(
                    f"rules and classifier were not run: the record names classifier {str(classifier)[:12]}, here it is {name[:12]}"
                )
            made = _KEPT.get(name) or training.obtain(self._folder, self._cache, encoders.obtain())
            _KEPT.clear()
            _KEPT[name] = made
            self._made = Understanding(made, training.thresholds(self._folder), slots.load(self._folder))
        day = datetime.fromtimestamp(at, UTC).astimezone(MARKET_ZONE).date()
        return Understanding(self._made.classifier, self._made.thresholds, self._made.book, lambda: day)


class _Again:
    """Stands for the understanding server; actions are never asked."""

    def __init__(self, commands: Commands, project: Project, said: UserMessage) -> None:
        self._commands = commands
        self._project = project
        self._said = said
        self.model: RecordedModel | None = None

    async def understand(self, state: State, text: str, history: History) -> Understood:
        recorded = self._said.understanding or {}
        if "error" in recorded or "classifier" not in recorded:
            raise _NotAgain(
                f"taken from the record: {recorded.get('error') or recorded.get('source') or 'no account of how they came about'}"
            )
        local = self._commands.local(recorded.get("classifier"), self._said.at)
        prompt = self._commands.prompt(self._project)
        asked = prompt.render(state, text, history, datetime.fromtimestamp(self._said.at, UTC))
        request = Request.model_validate_json(asked)
        result = local.understand(request)
        if "proposal" in recorded:
            result, self.model = self._commands.proposed(request, local, result, recorded)
        found, refused = parse_text(result.text, prompt.command_syntax)
        return Understood(found, {**told(result), **({"refused": list(refused)} if refused else {})})

    async def run(self, name: str, _state: State, _events: list[Event]) -> tuple[list[Any], list[Any]]:
        raise EngineError(f"understanding asked for the action {name}")


def _plain(said: UserMessage, understood: Understood) -> dict[str, Any]:
    found = to_plain(UserMessage(said.text, understood.commands, said.at, payload=understood.pressed))
    return {"commands": found["commands"], "pressed": understood.pressed, "understanding": understood.record}


def _without_calls(record: dict[str, Any]) -> dict[str, Any] | None:
    """What understanding said of itself, without the calls of a model: these are compared by their prompts."""
    return {name: value for name, value in record.items() if name != "models"} or None


def _by(said: UserMessage, record: dict[str, Any]) -> str:
    if said.payload:
        return "a button"
    rule = record.get("rule")
    return f"by {record['source']}{f' ({rule})' if rule else ''}" if "source" in record else "not for understanding"
