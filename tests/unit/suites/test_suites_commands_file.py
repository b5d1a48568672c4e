"""`--commands FILE`: commands in place of understanding."""

from __future__ import annotations

from textwrap import dedent

import pytest
from suites_world import DOMAIN, FLOWS, unmet, write_bot

from tightrope.suites.commandsfile import read_commands
from tightrope.suites.discovery import choose
from tightrope.suites.errors import SuiteError
from tightrope.suites.sources import NoUnderstanding

CASES = """
test_cases:
  - test_case: orders
    steps:
      - user: I want something
      - utter: utter_ask_size
      - user: the big one
      - slot_was_set: [{size: large}]
      - user: three of them
      - utter: utter_ordered
  - test_case: asks
    steps:
      - user: when are you there?
      - utter: utter_hours
  - test_case: asks
    steps:
      - user: and on sundays?
      - utter: utter_ask_note
"""
ORDERS = """
- file: tests/e2e/a.yml
  test_case: orders
  turns:
    - {index: 0, commands: [start flow order]}
    - {index: 1, commands: [set slot size large], confidence: 0.7}
    - {index: 2, commands: [set slot count 3]}
"""
ASKS = """
- {file: a.yml, test_case: asks, turns: [{index: 0, commands: [start flow hours]}]}
- {file: e2e/a.yml, test_case: asks, occurrence: 1, turns: [{index: 0, commands: [start flow write]}], model: x}
"""


@pytest.fixture
def given(world):
    """Plays CASES with a commands file; nobody understands anything."""
    world.understanding = NoUnderstanding("nobody understands here")
    world.write(CASES)

    async def make(text: str, *paths: str):
        path = world.folder / "commands.yml"
        path.write_text(dedent(text), encoding="utf-8")
        chosen = choose([str(world.folder / name) for name in paths or ("tests/e2e",)], world.folder, "e2e")
        commands = read_commands(path, chosen, world.folder)
        return await world.suite(*(paths or ("tests/e2e",)), commands=commands)

    return make


async def test_given_commands_are_played_and_unknown_keys_are_ignored(given):
    report = await given(ORDERS + ASKS)
    assert [(case.name, case.occurrence, case.status) for case in report.cases] == [
        ("orders", 0, "passed"),
        ("asks", 0, "passed"),
        ("asks", 1, "passed"),
    ]
    assert report.cases[0].turns[1].commands == ("set slot size large",)
    assert report.notes == ()


async def test_a_turn_without_an_entry_says_so_and_names_who_would_have_understood(given):
    report = await given("- {file: a.yml, test_case: orders, turns: [{index: 0, commands: [start flow order]}]}")
    assert report.cases[0].status == "failed"
    assert report.cases[0].reason == "no commands are given for 'the big one', and nobody understands here"
    assert report.cases[1].reason == "no commands are given for 'when are you there?', and nobody understands here"


async def test_a_payload_goes_its_normal_way_without_an_entry(world, given):
    world.write(
        "test_cases: [{test_case: c, steps: [{user: go}, {user: /SetSlots(size=small)}, {slot_was_set: [{size: small}]}]}]",
        "tests/e2e/b.yml",
    )
    report = await given("- {file: b.yml, test_case: c, turns: [{index: 0, commands: [start flow order]}]}", "tests/e2e/b.yml")
    assert report.cases[0].status == "passed"
    assert report.cases[0].turns[1].pressed


class TestPressed:
    @pytest.mark.parametrize("payload", ["true", "false"])
    async def test_a_pressed_button_may_fill_what_understanding_may_not(self, world, given, payload):
        world.project = write_bot(
            world.folder, FLOWS.replace("collect: count", "collect: sure"), DOMAIN + "  utter_ask_sure: [{text: Sure?}]\n"
        )
        report = await given(
            f"""
            - file: a.yml
              test_case: orders
              turns:
                - {{index: 0, commands: [start flow order, set slot size large]}}
                - {{index: 1, commands: [set slot sure true], payload: {payload}}}
                - {{index: 2, commands: []}}
            """
        )
        turn = report.cases[0].turns[1]
        assert turn.pressed is (payload == "true")
        assert (("order", "look") in turn.visited) is (payload == "true")

    async def test_without_commands_it_means_what_its_text_says(self, world, given):
        world.write(
            "test_cases: [{test_case: c, steps: [{user: go}, {user: /SetSlots(size=small)}, {user: Yes}]}]", "tests/e2e/b.yml"
        )
        text = "- {file: b.yml, test_case: c, turns: [{index: 0, commands: [start flow order]}, {index: 1, payload: true}, {index: 2, payload: true}]}"
        (case,) = (await given(text, "tests/e2e/b.yml")).cases
        assert case.turns[1].commands == ("set slot size small",)
        assert case.reason.startswith("commands.yml:1: no commands are given, and the text is no payload: ")


async def test_an_empty_list_means_that_nothing_was_understood(given):
    report = await given("- {file: a.yml, test_case: asks, turns: [{index: 0, commands: []}]}")
    assert report.cases[1].turns[0].commands == ("cannot handle",)
    assert unmet(report.cases[1]) == [("utter", "utter_hours", "utter_ask_rephrase")]


async def test_an_excluded_case_is_not_run_with_its_reason(given):
    report = await given(
        "- {file: a.yml, test_case: orders, excluded: needs a shop}\n- {file: a.yml, test_case: asks, excluded: true}"
    )
    assert [case.status for case in report.cases] == ["not_run", "not_run", "failed"]
    assert report.cases[0].reason == "needs a shop (commands.yml:1)"
    assert report.cases[0].turns == ()


@pytest.mark.parametrize("command", ["start flow hours", "StartFlow(hours)"])
async def test_commands_of_the_other_texts_are_read_too(given, command):
    report = await given(f"- {{file: a.yml, test_case: asks, turns: [{{index: 0, commands: ['{command}']}}]}}")
    assert report.cases[1].status == "passed"


class TestFiles:
    @pytest.mark.parametrize(
        "file", ["a.yml", "e2e/a.yml", "./tests/e2e/a.yml", "the-bot/tests/e2e/a.yml", "/home/me/the-bot/tests/e2e/a.yml"]
    )
    async def test_a_file_is_matched_by_the_end_of_its_path(self, given, file):
        report = await given(f"- {{file: {file}, test_case: asks, turns: [{{index: 0, commands: [start flow hours]}}]}}")
        assert report.cases[1].status == "passed"
        assert report.notes[1:] == ()

    async def test_part_of_a_name_does_not_match(self, given):
        report = await given("- {file: e/a.yml, test_case: asks, turns: [{index: 0, commands: [start flow hours]}]}")
        assert report.notes == ("commands.yml:1: there is no test file e/a.yml",)

    async def test_of_several_files_the_one_with_the_case_is_meant_and_else_none(self, world, given):
        world.write("test_cases: [{test_case: other, steps: [{user: hi}]}]", "tests/e2e/deep/a.yml")
        report = await given("- {file: a.yml, test_case: other, turns: [{index: 0, commands: [start flow hours]}]}")
        assert report.cases[-1].status == "passed"
        world.write(CASES, "tests/e2e/deep/a.yml")
        world.write(CASES, "tests/e2e/wide/a.yml")
        report = await given(
            "- {file: deep/../a.yml, test_case: asks}\n- {file: ./a.yml, test_case: asks}", "tests/e2e/deep", "tests/e2e/wide"
        )
        assert report.notes[0] == "commands.yml:1: there is no test file deep/../a.yml"
        assert report.notes[1].startswith(
            "commands.yml:2: the entry is ignored: ./a.yml may be tests/e2e/deep/a.yml, tests/e2e/wide/a.yml"
        )
        report = await given("- {file: tests/e2e/a.yml, test_case: asks, turns: [{index: 0, commands: [start flow hours]}]}")
        assert [case.status for case in report.cases].count("passed") == 1


class TestWhatFitsNothing:
    @pytest.mark.parametrize(
        ("entry", "note"),
        [
            ("{file: a.yml, test_case: order}", "tests/e2e/a.yml has no test case 'order'; did you mean 'orders'?"),
            (
                "{file: a.yml, test_case: orders, occurrence: 1}",
                "has the test case 'orders' only 1 time(s); occurrence 1 counts from 0",
            ),
            ("{file: b.yml, test_case: orders}", "there is no test file b.yml"),
            ("{test_case: orders}", "the entry is ignored: it needs `file` and `test_case`"),
            ("just text", "the entry is ignored: it needs `file` and `test_case`"),
        ],
    )
    async def test_it_is_noted_with_its_line(self, given, entry, note):
        report = await given(ORDERS + f"- {entry}")
        assert len(report.notes) == 1
        assert report.notes[0].startswith("commands.yml:8: ")
        assert note in report.notes[0]
        assert report.cases[0].status == "passed"

    async def test_a_file_that_was_not_asked_for_is_not_noted(self, world, given):
        world.write(CASES, "tests/e2e/b.yml")
        report = await given(ORDERS + "- {file: e2e/b.yml, test_case: orders}", "tests/e2e/a.yml")
        assert report.notes == ()

    async def test_a_case_that_was_not_asked_for_is_not_noted(self, given):
        assert (await given(ORDERS + ASKS, "tests/e2e/a.yml::orders")).notes == ()

    async def test_of_two_entries_for_one_case_the_first_counts(self, given):
        report = await given(ORDERS + "- {file: a.yml, test_case: orders, excluded: yes}")
        assert report.notes == ("commands.yml:8: the entry is ignored: commands.yml:2 gives commands for the same test case",)
        assert report.cases[0].status == "passed"


class TestMistakes:
    @pytest.mark.parametrize(
        ("turn", "told"),
        [
            ("{index: 0, commands: [begin flow order]}", "'begin flow order' is no command"),
            ("{index: 0}", "a turn needs `commands`"),
            ("{index: first, commands: []}", "a turn needs `index`, a number"),
            ("{commands: []}", "a turn needs `index`, a number"),
            ("x", "a turn needs `index`, a number"),
            ("{index: 3, commands: []}", "there is no turn 3; the case has 3 user turns, counted from 0"),
            ("{index: -1, commands: []}", "there is no turn -1"),
        ],
    )
    async def test_a_mistake_in_an_entry_fails_its_case_and_no_other(self, given, turn, told):
        report = await given(ASKS + f"- file: a.yml\n  test_case: orders\n  turns:\n    - {turn}\n")
        assert report.cases[0].status == "failed"
        assert told in report.cases[0].reason
        assert report.cases[0].reason.startswith("commands.yml:7")
        assert report.cases[1].status == "passed"

    async def test_an_index_twice_is_a_mistake(self, given):
        report = await given("- {file: a.yml, test_case: orders, turns: [{index: 0, commands: []}, {index: 0, commands: []}]}")
        assert report.cases[0].reason == "commands.yml:1: the index 0 stands here twice"

    @pytest.mark.parametrize("text", ["", "just text", "file: a.yml", "[1", "entries: {a: b}"])
    async def test_a_file_that_is_no_list_is_refused_before_anything_is_played(self, world, given, text):
        with pytest.raises(SuiteError, match="commands file"):
            await given(text)

    async def test_a_file_that_is_not_there_is_refused(self, world):
        with pytest.raises(SuiteError, match=r"nowhere\.yml: the commands file cannot be read: No such file"):
            read_commands(world.folder / "nowhere.yml", choose([str(world.write(CASES))], world.folder, "e2e"), world.folder)

    async def test_a_list_under_a_key_is_read(self, given):
        indented = "\n".join("  " + line for line in ASKS.strip().splitlines())
        assert (await given("commands:\n" + indented)).cases[1].status == "passed"


FROM_ONE = """
- file: a.yml
  test_case: orders
  turns:
    - {index: 1, commands: [start flow order]}
    - {index: 2, commands: [set slot size large]}
    - {index: 3, commands: [set slot count 3]}
"""


class TestIndexes:
    async def test_a_file_that_can_only_count_from_one_is_read_so_and_that_is_said(self, given):
        report = await given(FROM_ONE)
        assert report.cases[0].status == "passed"
        assert report.notes == (
            "commands.yml counts turns from 1: none has index 0 and some would lie beyond their case. It is read that way",
        )

    async def test_a_zero_anywhere_means_that_all_count_from_zero(self, given):
        report = await given(FROM_ONE + "- {file: a.yml, test_case: asks, turns: [{index: 0, commands: [start flow hours]}]}")
        assert "there is no turn 3" in report.cases[0].reason
        assert report.cases[1].status == "passed"

    async def test_without_a_zero_and_without_need_they_count_from_zero_and_that_is_said(self, given):
        report = await given("- {file: a.yml, test_case: orders, turns: [{index: 1, commands: [set slot size large]}]}")
        assert report.notes == ("commands.yml gives no commands for any first turn: no turn has index 0. Indexes count from 0",)
        assert "'I want something'" in report.cases[0].reason

    async def test_what_fits_neither_way_is_not_shifted(self, given):
        report = await given("- {file: a.yml, test_case: asks, turns: [{index: 1, commands: []}, {index: 2, commands: []}]}")
        assert "there is no turn 1" in report.cases[1].reason
