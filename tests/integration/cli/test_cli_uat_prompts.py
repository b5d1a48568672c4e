"""Red line 3 over all acceptance cases: what a model is sent while they are played holds no account figure, no customer and no slot value."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from actions.journeys import any_private
from tightrope.cli.uat.known import securities
from tightrope.cli.uat.talk import UatStage, UatTalk
from tightrope.cli.uat.world import World, belongings, open_world
from tightrope.infra.clock import FixedClock
from tightrope.infra.settings import REPOSITORY, Settings
from tightrope.uat.models import Act, Case
from tightrope.uat.observed import Observed
from tightrope.uat.player import play
from tightrope.uat.reader import case_files, read_cases
from tightrope.uat.standing import read_standing

HEADING = "you choose exactly one command from the list"
"""In prompts of understanding, and in no other."""
SHORTEST = 4
"""A value of fewer characters says nothing where it is found: `zh`, `5`, `yes`."""


@dataclass
class Watched:
    """A conversation whose prompts are held against what must not stand in them."""

    talk: UatTalk
    world: World
    case: Case
    secrets: frozenset[str]
    public: str
    leaks: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    figures: set[str] = field(default_factory=set)

    async def do(self, act: Act) -> Observed:
        self.world.model.state.seen.clear()
        slots = _values(self.talk._state.slots.items())
        private = any_private(self.talk._state.stack)
        seen = await self.talk.do(act)
        self.figures |= {figure for figure in self.world.wires.figures if len(figure) >= SHORTEST}
        for body in self.world.model.state.seen:
            self.asked.add(json.dumps(body["messages"], ensure_ascii=False))
            self._hold(body, slots, private=private and any_private(self.talk._state.stack))
        return seen

    def _hold(self, body: dict[str, Any], slots: set[str], *, private: bool) -> None:
        words = json.dumps(body["messages"], ensure_ascii=False)
        found = {value for value in self.secrets | self.figures | slots if value in words and value not in self.public}
        if private:
            found.add("(a model was asked while a private journey was under way)")
        self.leaks += [f"{self.case.id}: {value!r} in {body['messages'][-1]['content'][-200:]}" for value in sorted(found)]

    async def close(self) -> None:
        await self.talk.close()


@dataclass
class WatchingStage:
    """Opens conversations and keeps them."""

    world: World
    secrets: frozenset[str]
    public: str
    talks: list[Watched] = field(default_factory=list)

    async def open(self, case: Case) -> Watched:
        talk = await UatStage(self.world).open(case)
        self.talks.append(Watched(talk, self.world, case, self.secrets, self.public))
        return self.talks[-1]


def _values(slots: Any) -> set[str]:
    texts = {str(value) for name, value in slots if name != "language" and not isinstance(value, bool) and value is not None}
    return {text for text in texts if len(text) >= SHORTEST}


def _seeded() -> Iterator[str]:
    for things in belongings().values():
        for thing in things:
            yield thing
            yield thing.replace(",", "")


@pytest.fixture(params=["generative", "paraphrase"])
async def world(request: pytest.FixtureRequest, tmp_path: Any) -> AsyncIterator[World]:
    settings = Settings(
        state_dir=tmp_path,
        answer_composer=request.param,
        commands_from_model=True,
        model_url="http://127.0.0.1:8000/v1",
        model_name="scripted@000000000000",
        model_fingerprint="000000000000",
        model_seconds=30.0,
    )
    cases, _ = read_cases(case_files([REPOSITORY / "tests" / "uat"]), REPOSITORY)
    async with open_world(settings, FixedClock(cases[0].at)) as world:
        yield world


@pytest.mark.long
@pytest.mark.integration
async def test_no_prompt_of_all_acceptance_cases_holds_an_account_a_customer_or_a_slot(world: World) -> None:
    cases, problems = read_cases(case_files([REPOSITORY / "tests" / "uat"]), REPOSITORY)
    assert not problems
    standing = read_standing(REPOSITORY / "tests" / "uat" / "standing.yml", belongings(), securities(world.settings))
    written = [*REPOSITORY.glob("prompts/*.v*.jinja2"), *REPOSITORY.glob("data/flows/*.yml"), *REPOSITORY.glob("domain/*.yml")]
    public = "\n".join([*world.passages.values(), *(path.read_text(encoding="utf-8") for path in written)])
    stage = WatchingStage(world, frozenset(_seeded()), public)
    for case in sorted(cases, key=lambda case: case.at):
        await play(case, stage, standing)
    assert [leak for talk in stage.talks for leak in talk.leaks] == []
    prompts = set().union(*(talk.asked for talk in stage.talks))
    commands = sum(HEADING in prompt for prompt in prompts)
    assert commands >= 25, "understanding asked the model"
    assert len(prompts) - commands >= 50, "answering asked the model"
