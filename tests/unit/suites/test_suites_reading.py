"""Test files as they are read: every spelling, and every mistake with its line, all of them at once."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tightrope.engine.answers import EVENT_KINDS
from tightrope.engine.models import Clarify, SetSlot, StartFlow
from tightrope.suites.cases import Said, SlotsWanted, SlotWanted
from tightrope.suites.discovery import choose
from tightrope.suites.errors import SuiteError
from tightrope.suites.reader import read_test_file


@pytest.fixture
def read(tmp_path: Path):
    """Reads a text as a test file."""

    def make(text: str, kind="e2e", **conftests: str):
        folder = tmp_path / "tests" / "deep"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "a.yml").write_text(dedent(text), encoding="utf-8")
        places = {"root": tmp_path, "middle": tmp_path / "tests", "own": folder}
        for name, words in conftests.items():
            (places[name] / "conftest.yml").write_text(dedent(words), encoding="utf-8")
        (chosen,) = choose([str(folder / "a.yml")], tmp_path, kind).files
        return chosen

    return make


STEPS = "[{user: hi}]"


class TestSpellings:
    def test_yaml_is_read_as_rasa_reads_it(self, read):
        (case,) = read(
            """
            test_cases:
            - test_case: yes
              steps:
              - user: Yes
              - slot_was_set: [{agreed: on}, {really: true}]
              - user: no
              - user: "5"
            """
        ).cases
        assert (case.name, [turn.text for turn in case.turns]) == ("yes", ["Yes", "no", "5"])
        agreed = SlotsWanted((SlotWanted("agreed", True, "on"), SlotWanted("really", True, True)), wanted=True)
        assert case.turns[0].expected[0].wanted == agreed

    def test_plain_steps_in_all_their_forms(self, read):
        (case,) = read(
            """
            test_cases:
              - test_case: c
                steps:
                  - user: hi
                  - utter: utter_hi
                  - bot: |
                      Two
                      lines
                  - slot_was_set:
                      - one
                      - two: 2
                      - {three: null, four: x}
                  - slot_was_set: five
                  - slot_was_not_set: [six, {seven: 7}]
            """
        ).cases
        wanted = [found.wanted for found in case.turns[0].expected]
        slots = (SlotWanted("one"), SlotWanted("two", True, 2), SlotWanted("three", True, None), SlotWanted("four", True, "x"))
        assert wanted == [
            Said(utter="utter_hi"),
            Said(text="Two\nlines\n"),
            SlotsWanted(slots, wanted=True),
            SlotsWanted((SlotWanted("five"),), wanted=True),
            SlotsWanted((SlotWanted("six"), SlotWanted("seven", True, 7)), wanted=False),
        ]
        assert [found.line for found in case.turns[0].expected] == [6, 7, 10, 14, 15]

    def test_lines_are_those_of_the_file(self, read):
        (case,) = read(
            "test_cases:\n\n  - test_case: c\n    steps:\n\n      - user: hi\n        assertions:\n          - flow_started: f\n"
        ).cases
        assert (case.line, case.turns[0].line, case.turns[0].expected[0].line) == (3, 6, 8)

    def test_steps_before_the_first_message_belong_to_the_start_of_the_session(self, read):
        (case,) = read("test_cases: [{test_case: c, steps: [{utter: utter_welcome}, {user: hi}, {utter: utter_hi}]}]").cases
        assert [found.wanted for found in case.before] == [Said(utter="utter_welcome")]
        assert [found.wanted for found in case.turns[0].expected] == [Said(utter="utter_hi")]

    def test_plain_steps_of_a_turn_with_assertions_do_not_count(self, read):
        (case,) = read(
            """
            test_cases:
              - test_case: c
                steps:
                  - {user: hi, assertions: [{flow_started: f}]}
                  - utter: utter_ignored
                  - user: there
                  - utter: utter_counted
            """
        ).cases
        assert [[found.kind for found in turn.expected] for turn in case.turns] == [["flow_started"], ["utter"]]

    def test_of_two_messages_in_a_row_the_last_has_what_follows(self, read):
        (case,) = read("test_cases: [{test_case: c, steps: [{user: a}, {user: b}, {utter: utter_x}]}]").cases
        assert [len(turn.expected) for turn in case.turns] == [0, 1]

    def test_equal_names_are_counted(self, read):
        cases = read(
            f"test_cases: [{{test_case: c, steps: {STEPS}}}, {{test_case: d, steps: {STEPS}}}, {{test_case: c, steps: {STEPS}}}]"
        ).cases
        assert [(case.name, case.occurrence) for case in cases] == [("c", 0), ("d", 0), ("c", 1)]

    def test_metadata_of_a_step_goes_over_that_of_its_case(self, read):
        (case,) = read(
            """
            metadata:
              - app: {channel: ios, language: en}
              - web: {channel: web, extra: [1, {a: b}]}
            test_cases:
              - test_case: c
                metadata: app
                steps:
                  - user: one
                  - {user: two, metadata: web}
            """
        ).cases
        assert [turn.metadata for turn in case.turns] == [
            {"channel": "ios", "language": "en"},
            {"channel": "web", "language": "en", "extra": [1, {"a": "b"}]},
        ]

    def test_fixtures_add_up_and_the_later_one_counts(self, read):
        (case,) = read(
            """
            fixtures:
              - first: [{a: 1}, {b: x}]
              - second: {b: y, mocked_datetime: "2026-11-20T10:00:00+08:00"}
            test_cases: [{test_case: c, fixtures: [first, second], steps: [{user: hi}]}]
            """
        ).cases
        assert case.slots == {"a": 1, "b": "y", "mocked_datetime": "2026-11-20T10:00:00+08:00"}
        assert case.clock is not None
        assert case.clock.isoformat() == "2026-11-20T10:00:00+08:00"

    def test_stubs_of_a_case_go_before_those_of_the_file(self, read):
        one, two = read(
            """
            stub_custom_actions:
              action_a: {events: [], responses: [{text: all}]}
              one::action_a: {events: [{event: slot, name: s, value: 1}]}
              action_b: {responses: []}
            test_cases: [{test_case: one, steps: [{user: hi}]}, {test_case: two, steps: [{user: hi}]}]
            """
        ).cases
        assert one.stubs is not None
        assert two.stubs is not None
        assert dict(one.stubs["action_a"].events[0]) == {"event": "slot", "name": "s", "value": 1}
        assert two.stubs["action_a"].responses[0]["text"] == "all"
        assert set(one.stubs) == set(two.stubs) == {"action_a", "action_b"}

    def test_a_stub_may_return_every_event_that_an_action_server_may(self, read):
        listed = ", ".join(f"{{event: {kind}, name: n}}" for kind in sorted(EVENT_KINDS))
        file = read(f"stub_custom_actions: {{a: {{events: [{listed}]}}}}\ntest_cases: [{{test_case: c, steps: {STEPS}}}]")
        assert file.problems == ()
        assert len(file.cases[0].stubs["a"].events) == len(EVENT_KINDS)

    def test_without_stubs_there_are_none(self, read):
        assert read(f"test_cases: [{{test_case: c, steps: {STEPS}}}]").cases[0].stubs is None


class TestConftest:
    def test_the_nearer_definition_counts_and_the_file_before_all(self, read):
        text = """
        fixtures: [{own: [{from: file}]}]
        test_cases:
          - {test_case: c, fixtures: [own], steps: [{user: a}]}
          - {test_case: d, fixtures: [middle], metadata: m, steps: [{user: a}]}
          - {test_case: e, fixtures: [far], steps: [{user: a}]}
        """
        cases = read(
            text,
            root="fixtures: [{own: [{from: root}]}, {middle: [{from: root}]}, {far: [{from: root}]}]\nllm_judge: {llm: {model: x}}",
            middle="fixtures: [{middle: [{from: middle}]}]\nmetadata: [{m: {a: middle}}]",
            own="metadata: [{m: {a: own}}]\nstub_custom_actions: {action_x: {events: []}}",
        ).cases
        assert [case.slots["from"] for case in cases] == ["file", "middle", "root"]
        assert cases[1].turns[0].metadata == {"a": "own"}
        assert set(cases[0].stubs or ()) == {"action_x"}

    def test_what_is_wrong_in_it_is_told_with_its_own_name(self, read):
        found = read(f"test_cases: [{{test_case: c, steps: {STEPS}}}]", middle="fixtures: nonsense")
        assert found.problems == ("tests/conftest.yml:1: `fixtures` must be a list: begin each name with '- '",)
        assert found.cases == ()


WRONG = [
    ("test_cases: []", "1: there is no list `test_cases`"),
    ("testcases: []", "1: a test file has no key 'testcases': did you mean 'test_cases'?"),
    ("test_cases: [{steps: []}]", "1: a test case needs a name"),
    ("test_cases: [{test_case: c}]", "1: the test case 'c' has no steps"),
    ("test_cases: [{test_case: c, step: [], steps: [{user: a}]}]", "1: a test case has no key 'step': did you mean 'steps'?"),
    ("test_cases: [{test_case: c, steps: [x]}]", "1: a step is a mapping"),
    ("test_cases: [{test_case: c, steps: [{usr: a}]}]", "1: there is no step 'usr': did you mean 'user'?"),
    ("test_cases: [{test_case: c, steps: [{user: 5}]}]", "1: what the user says must be text, not 5: put it into quotes"),
    ("test_cases: [{test_case: c, steps: [{user: }]}]", "1: what the user says must be text, not None"),
    ("test_cases: [{test_case: c, steps: [{user: a, assertion: []}]}]", "1: a user step has no key 'assertion': did you mean 'assertions'?"),
    ("test_cases: [{test_case: c, steps: [{user: a, commands: []}]}]", "1: a user step has no key 'commands': this is a dialogue-"),
    ("test_cases: [{test_case: c, steps: [{user: a, assertions: {}}]}]", "1: `assertions` must be a list"),
    ("test_cases: [{test_case: c, steps: [{user: a, assertions: [{a: 1, b: 2}]}]}]", "1: an assertion is a mapping with one key"),
    ("test_cases: [{test_case: c, steps: [{user: a, assertions: [{flow_start: f}]}]}]", "1: there is no assertion 'flow_start': did you mean"),
    ("test_cases: [{test_case: c, steps: [{user: a, assertions: [{flow_started: {operator: some, flow_ids: [f]}}]}]}]", "1: the operator 'some'"),
    ("test_cases: [{test_case: c, steps: [{user: a, assertions: [{flow_started: {flow_id: f}}]}]}]", "1: flow_started has no key 'flow_id'"),
    ("test_cases: [{test_case: c, steps: [{user: a, assertions: [{flow_started: []}]}]}]", "1: `flow_started` must be a list of names"),
    ("test_cases: [{test_case: c, steps: [{user: a, assertions: [{flow_completed: f}]}]}]", "1: `flow_completed` needs a flow_id"),
    ("test_cases: [{test_case: c, steps: [{user: a, assertions: [{slot_was_set: {name: s}}]}]}]", "1: slots are given as a list"),
    ("test_cases: [{test_case: c, steps: [{user: a, assertions: [{slot_was_set: [{s: 1}]}]}]}]", "1: each slot of an assertion needs `name`"),
    ("test_cases: [{test_case: c, steps: [{user: a, assertions: [{bot_uttered: utter_x}]}]}]", "1: what the bot said is given by"),
    ("test_cases: [{test_case: c, steps: [{user: a, assertions: [{bot_uttered: {text: x}}]}]}]", "1: a message has no key 'text': known are"),
    ("test_cases: [{test_case: c, steps: [{user: a, assertions: [{bot_uttered: {text_matches: 5}}]}]}]", "1: `text_matches` must be text"),
    ("test_cases: [{test_case: c, steps: [{user: a, assertions: [{bot_uttered: {buttons: Yes}}]}]}]", "1: `buttons` is a list"),
    ("test_cases: [{test_case: c, steps: [{user: a, assertions: [{action_executed: [a]}]}]}]", "1: `action_executed` must name one action"),
    ("test_cases: [{test_case: c, steps: [{user: a, assertion_order_enabled: Yes}]}]", "1: `assertion_order_enabled` is true or false"),
    ("test_cases: [{test_case: c, steps: [{user: a}, {bot: 5}]}]", "1: `bot` must be text"),
    ("test_cases: [{test_case: c, steps: [{user: a}, {slot_was_set: [5]}]}]", "1: a slot is given by its name"),
    ("test_cases: [{test_case: c, fixtures: [nobody], steps: [{user: a}]}]", "1: the fixture 'nobody' is not defined: none is defined here"),
    (
        "fixtures: [{logged_in: []}]\ntest_cases: [{test_case: c, fixtures: [loged_in], steps: [{user: a}]}]",
        "2: the fixture 'loged_in' is not defined: did you mean 'logged_in'?",
    ),
    ("fixtures: [{9x: []}]\ntest_cases: [{test_case: c, steps: [{user: a}]}]", "1: the name '9x' does not fit"),
    ("fixtures: [{x: [{mocked_datetime: yesterday}]}]\ntest_cases: [{test_case: c, steps: [{user: a}]}]", "1: 'yesterday' is no time"),
    ("metadata: [{m: text}]\ntest_cases: [{test_case: c, steps: [{user: a}]}]", "1: the metadata 'm' must be a mapping"),
    ("stub_custom_actions: {a: }\ntest_cases: [{test_case: c, steps: [{user: a}]}]", "1: the stub 'a' needs `events` and `responses`"),
    ("stub_custom_actions: {a: {event: []}}\ntest_cases: [{test_case: c, steps: [{user: a}]}]", "1: a stub has no key 'event'"),
    ("stub_custom_actions: {a: {events: [{event: sloth}]}}\ntest_cases: [{test_case: c, steps: [{user: a}]}]", "1: the stub 'a' returns the event 'sloth'"),
    ("stub_custom_actions: {a: {events: [{event: slot}]}}\ntest_cases: [{test_case: c, steps: [{user: a}]}]", "1: a slot event needs the `name`"),
    ("stub_custom_actions: {d::a: {events: []}}\ntest_cases: [{test_case: c, steps: [{user: a}]}]", "1: the stub 'd::a' names a test case that is"),
    ("test_cases:\n  - test_case: c\n   steps: []", "3: "),
    ("- a list", "1: the top of the file must be a mapping"),
    ("test_cases: [{test_case: c, test_case: d, steps: [{user: a}]}]", "1: the key 'test_case' stands here twice"),
]  # fmt: skip


class TestMistakes:
    @pytest.mark.parametrize(("text", "told"), WRONG)
    def test_each_is_told_with_file_line_and_what_to_mend(self, read, text, told):
        found = read(text)
        assert any(problem.startswith(f"tests/deep/a.yml:{told}") for problem in found.problems), found.problems
        assert found.cases == ()

    def test_all_are_told_at_once_in_the_order_of_their_lines(self, read):
        found = read(
            """
            fixtures: [{f: nonsense}]
            test_cases:
              - test_case: c
                steps:
                  - user: 5
                    assertions: [{flow_start: f}]
              - steps: []
            """
        )
        assert [problem.split(": ")[0] for problem in found.problems] == [f"tests/deep/a.yml:{line}" for line in (2, 6, 7, 8)]
        assert found.first_problem == 2

    def test_a_file_that_is_not_utf_8_says_so(self, tmp_path):
        (tmp_path / "a.yml").write_bytes(b"test_cases: \xff")
        assert "not UTF-8" in read_test_file(tmp_path / "a.yml", tmp_path, [], "e2e").problems[0]


class TestDialogueUnderstanding:
    def test_commands_are_read_in_each_of_the_three_texts(self, read):
        (case,) = read(
            """
            test_cases:
              - test_case: c
                steps:
                  - user: hi
                    commands:
                      - StartFlow(order)
                      - SetSlot(note, a, b)
                      - set slot count 3
                      - Clarify(a, b)
                      - disambiguate flows a b
                      - provide info
                  - utter: placeholder_generated_answer
                  - user: mumble
                    commands: []
            """,
            kind="du",
        ).cases
        commands = case.turns[0].commands
        assert commands[:3] == (StartFlow("order"), SetSlot("note", "a, b"), SetSlot("count", "3"))
        assert commands[3] == commands[4] == Clarify(("a", "b"))
        assert case.turns[1].commands == ()

    @pytest.mark.parametrize(
        ("step", "told"),
        [
            ("{user: hi}", "needs `commands`"),
            ("{user: hi, commands: StartFlow(f)}", "needs `commands`"),
            ("{user: hi, commands: [StartFlw(f)]}", "'StartFlw(f)' is no command"),
            ("{user: hi, commands: [SetSlot(a, b)]}", "splits a command: write the list in lines"),
            ("{user: hi, commands: [], assertions: []}", "no key 'assertions': this is an end-to-end test"),
        ],
    )
    def test_mistakes(self, read, step, told):
        assert told in read(f"test_cases: [{{test_case: c, steps: [{step}]}}]", kind="du").problems[0]


class TestChoosing:
    @pytest.fixture
    def tree(self, tmp_path: Path) -> Path:
        for name in ("e2e_tests/a.yml", "e2e_tests/deep/b.yaml", "other/c.yml"):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(
                f"test_cases:\n- {{test_case: one, steps: {STEPS}}}\n- {{test_case: two, steps: {STEPS}}}\n", encoding="utf-8"
            )
        (tmp_path / "e2e_tests" / "conftest.yml").write_text("fixtures: []", encoding="utf-8")
        (tmp_path / "e2e_tests" / "config.yml").write_text("something: else", encoding="utf-8")
        (tmp_path / "e2e_tests" / "empty.yml").write_text("# test_cases: all commented out\n", encoding="utf-8")
        return tmp_path

    def names(self, tree: Path, *paths: str) -> list[str]:
        return [f"{case.file}::{case.name}" for case in choose([*paths], tree, "e2e").cases]

    def test_a_folder_is_searched_for_test_files(self, tree):
        assert self.names(tree, "e2e_tests") == [
            "e2e_tests/a.yml::one", "e2e_tests/a.yml::two", "e2e_tests/deep/b.yaml::one", "e2e_tests/deep/b.yaml::two",
        ]  # fmt: skip
        assert self.names(tree) == self.names(tree, "e2e_tests")

    def test_single_cases_and_several_paths(self, tree):
        assert self.names(tree, "other/c.yml::two", "e2e_tests/a.yml::one") == ["other/c.yml::two", "e2e_tests/a.yml::one"]
        assert self.names(tree, "other/c.yml::two", "other/c.yml::one") == ["other/c.yml::one", "other/c.yml::two"]
        assert self.names(tree, "other/c.yml::two", "other") == ["other/c.yml::one", "other/c.yml::two"]

    @pytest.mark.parametrize(
        ("path", "told"),
        [
            ("nowhere", "there is no such file or folder"),
            ("other/c.yml::tow", "has no test case 'tow'; did you mean 'two'?"),
            ("other::two", "before :: there must be a file"),
        ],
    )
    def test_what_is_not_there_is_told(self, tree, path, told):
        with pytest.raises(SuiteError, match=told):
            choose([path], tree, "e2e")

    def test_a_folder_without_tests_is_told(self, tree):
        (tree / "bare").mkdir()
        with pytest.raises(SuiteError, match="bare: there is no test file in this folder"):
            choose(["bare"], tree, "e2e")

    def test_without_a_path_and_without_the_usual_places_it_says_where_it_looked(self, tree):
        with pytest.raises(SuiteError, match="none of dialogue_understanding_tests"):
            choose([], tree, "du")

    def test_a_folder_outside_of_the_project_has_its_own_conftest(self, tree, tmp_path_factory):
        outside = tmp_path_factory.mktemp("suite")
        (outside / "conftest.yml").write_text("fixtures: [{f: [{a: 1}]}]", encoding="utf-8")
        (outside / "a.yml").write_text(f"test_cases: [{{test_case: c, fixtures: [f], steps: {STEPS}}}]", encoding="utf-8")
        (case,) = choose([str(outside)], tree, "e2e").cases
        assert case.slots == {"a": 1}
        assert case.file == str(outside / "a.yml")
