"""Dialogue-understanding tests: each message is scored by itself, from the state that the annotated commands lead to."""

from __future__ import annotations

import pytest

from tightrope.engine.commands import parse_text
from tightrope.engine.errors import UnderstandingFailed
from tightrope.engine.turn import Understood
from tightrope.suites.scores import score


class Says:
    """Understands each text as the test says, and notes which question stood then."""

    def __init__(self, **meanings: str) -> None:
        self.meanings = meanings
        self.asked: list[tuple[str, str | None]] = []

    async def understand(self, state, text, history):
        asked = next((frame.get("collect") for frame in reversed(state.stack) if frame.get("collect")), None)
        self.asked.append((text, asked))
        meaning = self.meanings.get(text, "")
        if isinstance(meaning, Exception):
            raise meaning
        return Understood(parse_text(meaning)[0], {"source": "test"})


ORDER = """
test_cases:
  - test_case: orders
    steps:
      - user: order
        commands: [StartFlow(order)]
      - utter: utter_ask_size
      - user: big
        commands:
          - SetSlot(size, large)
      - utter: utter_ask_count
      - user: three
        commands:
          - SetSlot(count, 3)
"""


async def play(world, text: str, **meanings):
    world.understanding = Says(**meanings)
    report = await world.play(text, kind="du")
    return report, report.cases[0]


async def test_one_mistake_does_not_spoil_the_turns_after_it(world):
    report, case = await play(world, ORDER, order="start flow hours", big="set slot size large", three="set slot count 3")
    assert [turn.expectations[0].status for turn in case.turns] == ["failed", "passed", "passed"]
    assert case.status == "failed"
    assert world.understanding.asked == [("order", None), ("big", "size"), ("three", "count")]
    (found,) = case.turns[0].expectations
    assert (found.kind, found.expected, found.actual, found.line) == ("commands", "start flow order", "start flow hours", 5)
    assert case.turns[0].commands == ("start flow order",)
    scores = {one.command: (one.right, one.missing, one.unexpected) for one in score(report).commands}
    assert scores == {"StartFlow": (0, 1, 1), "SetSlot": (2, 0, 0)}


async def test_when_all_is_understood_the_case_passes_without_problems(world):
    _, case = await play(world, ORDER, order="start flow order", big="set slot size large", three="set slot count 3")
    assert case.status == "passed"
    assert [turn.problems for turn in case.turns] == [(), (), ()]
    assert ("order", "done") in case.turns[2].visited


def one(commands: str, top: str = "") -> str:
    return f"{top}\ntest_cases:\n  - test_case: c\n    steps:\n      - user: it\n        commands:\n" + "".join(
        f"          - {line}\n" for line in commands.split("; ")
    )


@pytest.mark.parametrize(
    ("expected", "understood", "status"),
    [
        ("StartFlow(order); SetSlot(size, small)", "set slot size small\nstart flow order", "passed"),
        ("StartFlow(order)", "start flow order\nset slot size small", "failed"),
        ("StartFlow(order); SetSlot(size, small)", "start flow order", "failed"),
        ("SetSlot(count, 3)", "set slot count 3.0", "passed"),
        ("SetSlot(size, Large)", "set slot size large", "passed"),
        ("SetSlot(sure, True)", "set slot sure true", "passed"),
        ("SetSlot(sure, True)", "set slot sure false", "failed"),
        ("SetSlot(note, a)", "set slot note A", "failed"),
        ("SetSlot(unknown, a)", "set slot unknown a", "passed"),
        ("SetSlot(count, many)", "set slot count many", "passed"),
        ("Clarify()", "disambiguate flows order hours", "passed"),
        ("Clarify()", "disambiguate flows", "passed"),
        ("Clarify(order, hours)", "disambiguate flows order hours", "passed"),
        ("Clarify(order, hours)", "disambiguate flows hours order", "failed"),
        ("Clarify(order)", "disambiguate flows order hours", "failed"),
        ("Clarify(); Clarify(order, hours)", "disambiguate flows order hours\ndisambiguate flows write hours", "passed"),
        ("SearchAndReply()", "search and reply", "passed"),
        ("ChitChat()", "search and reply", "failed"),
        ("StartFlow(order); StartFlow(order)", "start flow order", "failed"),
    ],
)
async def test_commands_match_by_type_and_arguments_in_any_order(world, expected, understood, status):
    _, case = await play(world, one(expected), it=understood)
    assert case.turns[0].expectations[0].status == status


async def test_values_that_mean_the_same_count_as_right(world):
    report, _ = await play(world, one("SetSlot(sure, True); SetSlot(count, 3)"), it="set slot count 3.0\nset slot sure true")
    assert [(found.command, found.right, found.missing, found.unexpected) for found in score(report).commands] == [
        ("SetSlot", 2, 0, 0)
    ]


async def test_nothing_expected_and_nothing_understood_is_right(world):
    text = "test_cases: [{test_case: c, steps: [{user: it, commands: []}]}]"
    _, good = await play(world, text)
    _, bad = await play(world, text, it="start flow hours")
    assert (good.status, bad.status) == ("passed", "failed")
    assert (good.turns[0].expectations[0].expected, good.turns[0].commands) == ("", ("cannot handle",))


async def test_annotated_replies_that_the_bot_does_not_give_are_told_and_decide_nothing(world):
    text = (
        one("StartFlow(hours)")
        + "      - utter: utter_ordered\n      - bot: Nine to five.\n      - utter: placeholder_generated_answer\n"
    )
    _, case = await play(world, text, it="start flow hours")
    assert case.status == "passed"
    assert case.turns[0].problems[0].startswith("line 8 expects utter utter_ordered")
    assert [problem.split(",")[0] for problem in case.turns[0].problems[1:]] == [
        "line 10 expects utter placeholder_generated_answer"
    ]


async def test_a_generated_answer_stands_for_any_message(world):
    text = one("StartFlow(hours)") + "      - utter: placeholder_generated_answer\n"
    _, case = await play(world, text, it="start flow hours")
    assert case.turns[0].problems == ()


async def test_a_pressed_button_needs_no_understanding(world):
    text = """
    test_cases:
      - test_case: c
        steps:
          - {user: order, commands: [StartFlow(order)]}
          - user: /SetSlots(size=large)
            commands:
              - SetSlot(size, large)
          - user: three
            commands:
              - SetSlot(count, 3)
    """
    _, case = await play(world, text, order="start flow order", three="set slot count 3")
    assert case.status == "passed"
    assert world.understanding.asked == [("order", None), ("three", "count")]
    assert case.turns[1].pressed


async def test_fixtures_and_stubs_hold_as_in_end_to_end_tests(world):
    top = (
        "fixtures: [{f: [{size: large}, {count: 1}]}]\n"
        "stub_custom_actions: {action_stock: {events: [{event: slot, name: stock, value: false}]}}"
    )
    text = one("StartFlow(order)", top).replace("    steps:", "    fixtures: [f]\n    steps:")
    _, case = await play(world, text, it="start flow order")
    assert case.turns[0].replies[0]["text"] == "Sold out."


async def test_understanding_that_fails_fails_its_turn_and_the_next_is_scored(world):
    meanings = {"order": UnderstandingFailed("status 500"), "big": "set slot size large", "three": "set slot count 3"}
    _, case = await play(world, ORDER, **meanings)
    assert [turn.expectations[0].status for turn in case.turns] == ["failed", "passed", "passed"]
    assert case.turns[0].expectations[0].reason == "understanding failed: status 500"


async def test_an_action_that_nobody_runs_stops_the_case(world):
    text = one("StartFlow(order); SetSlot(size, small); SetSlot(count, 1)", "stub_custom_actions: {action_price: {events: []}}")
    _, case = await play(world, text, it="start flow order")
    assert case.status == "failed"
    assert case.reason.startswith("action_stock is not stubbed")
