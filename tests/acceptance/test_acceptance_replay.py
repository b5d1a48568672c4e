"""Conversations that really took place in the demo, run again; and what is said when record, files or code are not what they were."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from demo_world import RunningDemo, until

from tightrope.audit.contents import contents
from tightrope.audit.models import ConversationView, Entry, Event
from tightrope.audit.reading import show_conversation
from tightrope.cli.demo import as_environment
from tightrope.cli.play import play_all
from tightrope.infra.database import Pool, Role, open_pool
from tightrope.infra.settings import REPOSITORY
from tightrope.replay import releases
from tightrope.replay.models import Mark, Part, Replay
from tightrope.replay.service import replay_conversation, replay_view
from tightrope.rules import margin

pytestmark = [pytest.mark.acceptance, pytest.mark.long]

Json = dict[str, Any]
MADE = {Event.TURN_MADE, Event.TURN_FAILED}


@pytest.fixture
async def auditor(demo: RunningDemo) -> AsyncIterator[Pool]:
    async with open_pool(demo.settings, Role.AUDITOR, max_size=1) as pool:
        yield pool


@pytest.fixture
def played(demo: RunningDemo, play: Callable[..., Any]) -> Callable[..., Any]:
    """Plays turns and gives the conversation's id."""

    async def one(session: str, *turns: Any) -> str:
        return str((await play(session, *turns))["conversation"])

    return one


@pytest.fixture(scope="module", autouse=True)
async def _warm(started: RunningDemo) -> None:
    """The first question to the knowledge base waits for what it is ranked by to be loaded; on a busy machine that is too long for a customer."""
    script = {"id": "warm", "session": "guest", "turns": ["什么是融资融券"]}

    async def answered_once() -> bool:
        [done] = await play_all(started.settings, [script], 1, lambda _: None)
        return any("answered" in str(turn["outcomes"]) for step in done["turns"] for turn in step["turns"])

    await until(answered_once, 120, "an answer from the knowledge base")


@pytest.fixture
def margin_record(demo: RunningDemo, played: Callable[..., Any]) -> Callable[..., Any]:
    """The record of a conversation with a rule, a knowledge answer and a button."""

    async def one() -> ConversationView:
        conversation = await played("C1001", "我能开通融资融券吗", "什么是融资融券")
        return await show_conversation(demo.settings, conversation, reader="test")

    return one


def parts(found: Replay, mark: Mark) -> list[tuple[int, Part, str]]:
    return [(turn.turn, check.part, check.detail) for turn in found.turns for check in turn.checks if check.mark is mark]


def named(found: Replay) -> set[tuple[int, Part]]:
    """Where a replay differs: turn and part."""
    return {(turn, part) for turn, part, _ in parts(found, Mark.DIFFERS)}


def altered(view: ConversationView, turn: int, change: Callable[[Json], None]) -> ConversationView:
    """The record with one turn's payload changed."""

    def changed(entry: Entry) -> Entry:
        if entry.turn != turn or entry.event not in MADE:
            return entry
        payload = copy.deepcopy(entry.payload)
        assert payload is not None
        change(payload)
        return replace(entry, payload=payload)

    return replace(view, entries=tuple(changed(entry) for entry in view.entries))


def inputs(payload: Json, kind: str) -> list[Json]:
    return [one for one in payload["engine"]["record"]["inputs"] if one["is"] == kind]


class TestTheSame:
    async def test_login_button_rule_knowledge_correction_and_handing_over(self, demo, played, auditor):
        conversation = await played(
            "guest", "你好", "我能开通融资融券吗", {"login": "C1001"}, "为什么", "什么是融资融券", "算一下复利", "10万", "不对，是20万",
            "算了", "/SetSlots(x=1)", "😀😀", "", "我要转人工", "还在吗",
        )  # fmt: skip
        found = await replay_conversation(demo.settings, conversation, reader="auditor-1", reason="sample 7")
        assert found.exit_code == 0, json.dumps(found.to_json(), ensure_ascii=False)
        run_again = {check.part for turn in found.turns for check in turn.checks if check.mark is Mark.SAME}
        assert run_again == set(Part)
        view = await show_conversation(demo.settings, conversation, reader="test")
        entry = next(entry for entry in view.entries if entry.event == Event.CONVERSATION_REPLAYED)
        assert (entry.leaf["facts"]["outcome"], entry.leaf["facts"]["turns"]) == ("same", len(found.turns))
        assert entry.payload is not None
        assert (entry.payload["reader"], entry.payload["reason"]) == ("auditor-1", "sample 7")
        read = next(entry for entry in view.entries if entry.event == Event.CONVERSATION_READ)
        assert read.payload == {"reader": "auditor-1", "reason": "sample 7"}, "running it again is a reading of the record"

    async def test_several_sessions_and_customers_in_one_chat(self, demo, played, auditor):
        conversation = await played(
            "C1001",
            "我的账户余额是多少？",
            {"logout": True},
            "查一下我的订单",
            {"login": "C1002"},
            {"wait": 4000},
            "Hello",
            "my holdings please",
        )
        view = await show_conversation(demo.settings, conversation, reader="test")
        senders = {entry.payload["sender_id"] for entry in view.entries if entry.event in MADE and entry.payload}
        assert len(senders) > 1, "every session begins with a fresh tracker"
        found = await replay_view(demo.settings, auditor, view)
        assert found.exit_code == 0, json.dumps(found.to_json(), ensure_ascii=False)

    async def test_the_firm_failing_is_answered_from_the_record(self, demo, played, auditor):
        conversation = await played(
            "C1001", {"fault": {"operation": "get_balance", "fault": "error_500"}}, "我的账户余额是多少？"
        )
        found = await replay_view(demo.settings, auditor, await show_conversation(demo.settings, conversation, reader="test"))
        assert found.exit_code == 0, json.dumps(found.to_json(), ensure_ascii=False)


class TestAltered:
    """Records as a forger with the keys would leave them: each is found, in the part that was altered."""

    async def checked(self, demo, auditor, view, change, turn=1) -> Replay:
        before = await replay_view(demo.settings, auditor, view)
        assert before.exit_code == 0, json.dumps(before.to_json(), ensure_ascii=False)
        found = await replay_view(demo.settings, auditor, altered(view, turn, change))
        assert found.exit_code == 1, json.dumps(found.to_json(), ensure_ascii=False)
        return found

    async def test_commands(self, demo, margin_record, auditor):
        def change(payload: Json) -> None:
            [said] = inputs(payload, "UserMessage")
            said["commands"] = [{"is": "StartFlow", "flow": "check_options_eligibility"}]

        found = await self.checked(demo, auditor, await margin_record(), change)
        assert {(1, Part.COMMANDS), (1, Part.FLOWS)} <= named(found)

    async def test_the_customers_words(self, demo, margin_record, auditor):
        def change(payload: Json) -> None:
            payload["said"] = "请给我开通融资融券"

        found = await self.checked(demo, auditor, await margin_record(), change)
        assert [part for _, part, _ in parts(found, Mark.DIFFERS)] == [Part.INPUT, Part.INPUT]

    async def test_the_words_everywhere_in_the_turn(self, demo, margin_record, auditor):
        def change(payload: Json) -> None:
            payload["said"] = "我想投诉"
            inputs(payload, "UserMessage")[0]["text"] = "我想投诉"
            next(event for event in payload["events"] if event["event"] == "user")["text"] = "我想投诉"

        found = await self.checked(demo, auditor, await margin_record(), change)
        assert {part for _, part, _ in parts(found, Mark.DIFFERS)} >= {Part.INPUT, Part.COMMANDS}

    async def test_a_rules_verdict(self, demo, margin_record, auditor):
        def change(payload: Json) -> None:
            text = json.dumps(payload)
            payload.clear()
            payload.update(json.loads(text.replace('"verdict": "eligible"', '"verdict": "not_eligible"')))

        found = await self.checked(demo, auditor, await margin_record(), change)
        assert named(found) == {(1, Part.RULES), (2, Part.FLOWS)}, (
            "the turn was forged to fit; not the rule, nor what the next turn began with"
        )
        [difference] = next(check for check in found.turns[0].checks if check.part is Part.RULES).differences
        assert (difference.recorded, difference.replayed) == ('"not_eligible"', '"eligible"')

    async def test_what_a_rule_was_given(self, demo, margin_record, auditor):
        def change(payload: Json) -> None:
            text = json.dumps(payload)
            payload.clear()
            payload.update(
                json.loads(
                    text.replace('"risk_level": "C4"', '"risk_level": "C1"').replace('"risk_level": "C5"', '"risk_level": "C1"')
                )
            )

        found = await self.checked(demo, auditor, await margin_record(), change)
        assert named(found) == {(1, Part.RULES), (2, Part.FLOWS)}

    async def test_an_actions_answer(self, demo, margin_record, auditor):
        def change(payload: Json) -> None:
            given = next(
                one
                for one in inputs(payload, "ActionResult")
                if any("margin" in str(e.get("name")) for e in one.get("events", ()))
            )
            next(event for event in given["events"] if event["name"] == "margin_outcome")["value"] = "not_eligible"

        found = await self.checked(demo, auditor, await margin_record(), change)
        assert (1, Part.FLOWS, "not as recorded") in parts(found, Mark.DIFFERS)
        assert any(turn == 2 for turn, _, _ in parts(found, Mark.DIFFERS)), "the next turn did not begin with this one's end"

    async def test_a_message_that_was_sent(self, demo, margin_record, auditor):
        def change(payload: Json) -> None:
            payload["sent"][-1]["body"]["content"] += " 建议您尽快开通。"

        found = await self.checked(demo, auditor, await margin_record(), change)
        assert {part for _, part, _ in parts(found, Mark.DIFFERS)} == {Part.MESSAGES}

    async def test_a_quoted_answer(self, demo, margin_record, auditor):
        def change(payload: Json) -> None:
            text = json.dumps(payload, ensure_ascii=False)
            [said] = [
                r["text"]
                for one in inputs(payload, "ActionResult")
                for r in one.get("responses", ())
                if "[1]" in str(r.get("text"))
            ]
            payload.clear()
            payload.update(json.loads(text.replace(json.dumps(said, ensure_ascii=False)[1:-1], "融资融券稳赚不赔。[1]")))

        found = await self.checked(demo, auditor, await margin_record(), change, turn=2)
        assert (2, Part.GUARDS, "not as recorded") in parts(found, Mark.DIFFERS)

    async def test_a_turn_left_out(self, demo, margin_record, auditor):
        view = await margin_record()
        gone = replace(view, entries=tuple(entry for entry in view.entries if not (entry.turn == 1 and entry.event in MADE)))
        found = await replay_view(demo.settings, auditor, gone)
        assert found.exit_code == 2
        assert "the record of turn 1 is missing" in found.problems
        assert any("turn 1 left" in detail for _, _, detail in parts(found, Mark.MISSING))

    async def test_the_customers_message_left_out(self, demo, margin_record, auditor):
        view = await margin_record()
        gone = replace(view, entries=tuple(entry for entry in view.entries if entry.event != Event.CUSTOMER_MESSAGE_RECEIVED))
        found = await replay_view(demo.settings, auditor, gone)
        assert found.exit_code == 2
        assert {part for _, part, _ in parts(found, Mark.MISSING)} == {Part.INPUT}


class TestAnOlderRelease:
    """The files at hand have changed since: what ran then comes out of the log, by hash."""

    @pytest.fixture
    def later(self, tmp_path: Path) -> Path:
        """A later project: the flow of margin eligibility is another."""
        project = tmp_path / "project"
        for name in ("data", "domain", "prompts", "knowledge_base"):
            shutil.copytree(REPOSITORY / name, project / name)
        shutil.copy(REPOSITORY / "config.yml", project / "config.yml")
        flow = project / "data" / "flows" / "check_margin_eligibility.yml"
        flow.write_text(
            flow.read_text(encoding="utf-8").replace("action_check_margin_eligibility", "action_check_options_eligibility")
        )
        return project

    async def test_changed_flows_replay_with_the_old_ones(self, demo, margin_record, auditor, later):
        settings = demo.settings.model_copy(update={"project_dir": later})
        found = await replay_view(settings, auditor, await margin_record())
        assert found.exit_code == 0, json.dumps(found.to_json(), ensure_ascii=False)
        assert "1 file from the log" in found.notes[0]

    async def test_flows_that_nobody_holds_any_more_are_named(self, demo, margin_record, auditor, later):
        view = await margin_record()
        path = REPOSITORY / "data" / "flows" / "check_margin_eligibility.yml"
        held = path.read_bytes()
        with demo.demo.postgres.superuser("tightrope") as insider:
            insider.execute("ALTER TABLE audit.content DISABLE TRIGGER append_only")
            insider.execute("DELETE FROM audit.content WHERE data = %s", (held,))
        try:
            found = await replay_view(demo.settings.model_copy(update={"project_dir": later}), auditor, view)
        finally:
            with demo.demo.postgres.superuser("tightrope") as insider:
                insider.execute("INSERT INTO audit.content (sha256, kind, data) VALUES (sha256(%s), 'flows', %s)", (held, held))
                insider.execute("ALTER TABLE audit.content ENABLE ALWAYS TRIGGER append_only")
        assert found.exit_code == 2
        assert any("data/flows/check_margin_eligibility.yml" in detail for _, _, detail in parts(found, Mark.MISSING))

    async def test_changed_code_replays_in_the_old_code(self, demo, margin_record, auditor, tmp_path, monkeypatch):
        """Here the rule has become another since, in this process and on disk; the record's own decides in a process of its own."""
        view = await margin_record()
        monkeypatch.setattr(
            margin.MarginRules, "assess", lambda *_: (_ for _ in ()).throw(AssertionError("the rule of today was run"))
        )
        today = await replay_view(demo.settings, auditor, view)
        assert {part for _, part, _ in parts(today, Mark.DIFFERS)} == {Part.RULES}, "the rule of today would decide otherwise"
        code = tmp_path / "repository"
        shutil.copytree(REPOSITORY / "tightrope", code / "tightrope", ignore=shutil.ignore_patterns("__pycache__"))
        rule = code / "tightrope" / "rules" / "margin.py"
        rule.write_text(rule.read_text(encoding="utf-8") + "\n# changed since\n", encoding="utf-8")
        monkeypatch.setattr(releases, "REPOSITORY", code)
        found = await replay_view(demo.settings, auditor, view)
        assert found.exit_code == 0, json.dumps(found.to_json(), ensure_ascii=False)
        assert "run in its own code (1 module of it changed since)" in found.notes[0]

    async def test_code_that_nobody_holds_any_more_is_named_and_nothing_else_runs_in_its_place(
        self, demo, margin_record, auditor, monkeypatch
    ):
        view = await margin_record()
        monkeypatch.setattr(releases, "REPOSITORY", Path("/nowhere"))

        async def without_a_rule(conn: Any, digests: Any) -> dict[str, bytes]:
            held = await contents(conn, digests)
            return {digest: data for digest, data in held.items() if b"class MarginRules" not in data}

        monkeypatch.setattr(releases, "contents", without_a_rule)
        found = await replay_view(demo.settings, auditor, view)
        assert found.exit_code == 2
        assert "tightrope/rules/margin.py" in parts(found, Mark.MISSING)[-1][2]
        assert not [
            check for turn in found.turns for check in turn.checks if check.part is Part.FLOWS and check.mark is not Mark.MISSING
        ]

    async def test_a_release_whose_manifest_is_gone_is_named(self, demo, margin_record, auditor):
        view = await margin_record()

        def nameless(entry: Entry) -> Entry:
            return replace(entry, leaf={**entry.leaf, "content": {}})

        found = await replay_view(demo.settings, auditor, replace(view, entries=tuple(map(nameless, view.entries))))
        assert found.exit_code == 2
        assert "does not hold the manifest" in parts(found, Mark.MISSING)[-1][2]

    async def test_a_manifest_of_another_release_is_not_taken(self, demo, margin_record, auditor):
        view = await margin_record()

        def other(entry: Entry) -> Entry:
            return replace(entry, leaf={**entry.leaf, "release": "r-0123456789abcdef"})

        found = await replay_view(demo.settings, auditor, replace(view, entries=tuple(map(other, view.entries))))
        assert found.exit_code == 2
        assert "is not that of release r-0123456789abcdef" in parts(found, Mark.MISSING)[-1][2]

    async def test_a_release_whose_code_cannot_run_is_told(self, demo, margin_record, auditor, tmp_path, monkeypatch):
        from tightrope.replay import worker

        monkeypatch.setattr(releases, "REPOSITORY", tmp_path)
        monkeypatch.setattr(worker, "SECONDS", 0.001)
        found = await replay_view(demo.settings, auditor, await margin_record())
        assert found.exit_code == 2
        assert "could not be run: no end within" in parts(found, Mark.MISSING)[-1][2]


class TestTheCommand:
    def run(self, demo: RunningDemo, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **as_environment(demo.settings), "PYTHONPATH": str(REPOSITORY)}
        return subprocess.run(
            [sys.executable, "-m", "tightrope.cli.main", "audit", "replay", *arguments],
            capture_output=True, text=True, check=False, env=environment, cwd=REPOSITORY, timeout=120,
        )  # fmt: skip

    async def test_exit_codes_and_json(self, demo, played):
        conversation = await played("guest", "你好")
        await until(
            lambda: demo.one("tightrope", "SELECT 1 FROM audit.conversations WHERE conversation_id = %(c)s", c=conversation),
            5,
            "a record",
        )
        done = self.run(demo, conversation, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["outcome"] == "same"
        unknown = self.run(demo, "1-999999")
        assert (unknown.returncode, "no record" in unknown.stdout) == (2, True)
