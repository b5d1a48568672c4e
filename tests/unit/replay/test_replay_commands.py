"""What a message meant, found again by the project's own rules and classifier, and by what a model chose then."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tightrope.engine.commands import parse_text
from tightrope.engine.loader import load_project
from tightrope.engine.models import Project, StartFlow, UserMessage
from tightrope.engine.prompt import Prompt
from tightrope.engine.state import State
from tightrope.engine.turn import settle
from tightrope.generation import ledger, prompts
from tightrope.generation.client import Completion
from tightrope.generation.ledger import ModelCall
from tightrope.generation.prompts import Prompt as ModelPrompt
from tightrope.infra import encoder as encoders
from tightrope.infra.settings import REPOSITORY
from tightrope.replay.commands import Commands, near
from tightrope.replay.models import Check, Mark
from tightrope.understanding import slots, training
from tightrope.understanding.api import record
from tightrope.understanding.breaker import Breaker
from tightrope.understanding.models import Request, Result
from tightrope.understanding.privacy import public_journeys
from tightrope.understanding.proposing import PROMPT, Proposer
from tightrope.understanding.service import MARKET_ZONE, Understanding

AT = datetime(2026, 11, 20, 2, 31, tzinfo=UTC)
FOLDER = REPOSITORY / "data" / "understanding"
STATE = State("cw-1-1-e0", 1)


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(REPOSITORY)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Understanding:
    made = training.obtain(FOLDER, tmp_path_factory.mktemp("cache"), encoders.obtain())
    return Understanding(made, training.thresholds(FOLDER), slots.load(FOLDER), lambda: AT.astimezone(MARKET_ZONE).date())


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    return Commands(REPOSITORY, tmp_path_factory.mktemp("cache"), {})


class Model:
    """Chooses the last thing on its list that starts something, and writes its call down as the client does."""

    async def complete(self, prompt: ModelPrompt, schema: Mapping[str, Any], **_: Any) -> Completion:
        output = json.dumps({name: part["enum"][0] for name, part in schema["properties"].items()})
        call = ModelCall(
            "done",
            prompt.prompt_id,
            prompt.sha256,
            prompt.template_sha256,
            prompt.messages,
            {},
            "qwen@1",
            "f",
            "c" * 32,
            output,
            "stop",
            {},
            5,
        )
        ledger.enter(call)
        return Completion(json.loads(output), call)


def request_of(project: Project, text: str) -> Request:
    return Request.model_validate_json(Prompt.load(project).render(STATE, text, list, AT))


def said(project: Project, text: str, result: Result) -> UserMessage:
    found, _ = parse_text(result.text, Prompt.load(project).command_syntax)
    return UserMessage(text, found, AT.timestamp(), understanding=json.loads(json.dumps(record(result))))


def check(commands: Commands, project: Project, message: UserMessage) -> list[Check]:
    return commands.check(project, STATE, message, strict=True)


@pytest.mark.parametrize("text", ["我要转人工", "我能开通融资融券吗", "算一下10万5%存3年", "what is my balance"])
def test_rules_and_classifier_find_the_same_again(commands: Commands, project: Project, local: Understanding, text: str):
    message = said(project, text, local.understand(request_of(project, text)))
    [found] = check(commands, project, message)
    assert found.mark is Mark.SAME, found


@pytest.mark.parametrize("name", ["source", "candidates", "threshold", "rule"])
def test_another_account_of_it_differs(commands: Commands, project: Project, local: Understanding, name: str):
    message = said(project, "我能开通融资融券吗", local.understand(request_of(project, "我能开通融资融券吗")))
    [found] = check(commands, project, replace(message, understanding={**(message.understanding or {}), name: "x"}))
    assert found.mark is Mark.DIFFERS


def test_other_commands_differ(commands: Commands, project: Project, local: Understanding):
    message = said(project, "我要转人工", local.understand(request_of(project, "我要转人工")))
    [found] = check(commands, project, replace(message, commands=(StartFlow("check_balance"),)))
    assert found.mark is Mark.DIFFERS


def test_another_classifier_is_not_asked(tmp_path: Path, project: Project, local: Understanding):
    message = said(project, "我要转人工", local.understand(request_of(project, "我要转人工")))
    other = replace(message, understanding={**(message.understanding or {}), "classifier": "0" * 64})
    [found] = Commands(REPOSITORY, tmp_path, {}).check(project, STATE, other, strict=True)
    assert (found.mark, "the record names classifier 000000000000" in found.detail) == (Mark.FROM_RECORD, True)


def test_artefacts_that_nobody_holds_are_named(tmp_path: Path, project: Project, local: Understanding):
    message = said(project, "我要转人工", local.understand(request_of(project, "我要转人工")))
    lacking = {"understanding": "the log does not hold data/understanding/flows.zh.jsonl"}
    [found] = Commands(REPOSITORY, tmp_path, lacking).check(project, STATE, message, strict=True)
    assert (found.mark, "flows.zh.jsonl" in found.detail) == (Mark.FROM_RECORD, True)


def test_understanding_that_failed_is_taken_from_the_record(commands: Commands, project: Project):
    message = UserMessage("你好", (), AT.timestamp(), understanding={"source": "none", "error": "ReadTimeout"})
    [found] = check(commands, project, message)
    assert (found.mark, found.detail) == (Mark.FROM_RECORD, "taken from the record: ReadTimeout")


class TestWithAModel:
    @pytest.fixture(params=["agreeing", "free"])
    def proposed(self, request: pytest.FixtureRequest, project: Project, local: Understanding) -> UserMessage:
        """A message that left the classifier in doubt, and what a model chose for it."""
        client: Any = Model()
        agreement = local.thresholds.clarify if request.param == "agreeing" else 0
        public = public_journeys(REPOSITORY / "data" / "flows")
        proposer = Proposer(client, prompts.load(REPOSITORY / "prompts", PROMPT), Breaker(), public, agreement)
        for text in (
            "那个钱的事情弄一下吧",
            "我想弄一下那个东西",
            "帮我看看这个怎么回事",
            "something about my stuff",
            "融资的那个",
        ):
            asked = request_of(project, text)
            result = settle(proposer.choose(asked, local, local.understand(asked)))
            if result.calls:
                return said(project, text, result)
        raise AssertionError("none of the messages leaves the classifier in doubt")

    def test_the_prompt_and_what_follows_from_the_recorded_answer_are_the_same(self, commands, project, proposed):
        found = check(commands, project, proposed)
        assert [one.mark for one in found] == [Mark.SAME, Mark.SAME, Mark.FROM_RECORD], found
        assert "qwen@1" in found[-1].detail

    def test_another_prompt_is_found(self, commands, project, proposed):
        understanding = json.loads(json.dumps(proposed.understanding))
        understanding["models"][0]["messages"][-1]["content"] += " 余额 128,650.42"
        found = check(commands, project, replace(proposed, understanding=understanding))
        assert Mark.DIFFERS in [one.mark for one in found]

    def test_commands_that_do_not_follow_from_the_answer_are_found(self, commands, project, proposed):
        found = check(commands, project, replace(proposed, commands=(StartFlow("close_account"),)))
        assert found[0].mark is Mark.DIFFERS


@pytest.mark.parametrize(
    ("found", "same", "off"),
    [
        ([["a", 9223], ["b", 40]], True, 0),
        ([["a", 9222], ["b", 41]], True, 1),
        ([["b", 41], ["a", 9222]], True, 1),
        ([["a", 9123], ["b", 40]], True, 100),
        ([["a", 9122], ["b", 40]], False, 0),
        ([["a", 9223], ["c", 40]], False, 0),
        ([["a", 9223]], False, 0),
        (None, False, 0),
        ("x", False, 0),
    ],
)
def test_scores_of_another_process_are_near_and_no_more(found, same, off):
    recorded = [["a", 9223], ["b", 40]]
    assert near(recorded, found) == (recorded if same else found, off)
