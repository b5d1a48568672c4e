"""Cases as they are played: sessions, fixtures, metadata, clock, stubs, plain steps, and what stops a case."""

from __future__ import annotations

from suites_world import DOMAIN, unmet, write_bot

from tightrope.engine.errors import ActionFailed
from tightrope.suites.service import NOT_READ


async def test_a_case_is_played_turn_by_turn_and_told(world):
    case = await world.steps(
        """
        - user: start flow order
        - utter: utter_ask_size
        - user: /SetSlots(size=large)
        - slot_was_set: [{size: large}]
        - bot: How many?
        - user: set slot count 3
        - slot_was_set: [count]
        - slot_was_not_set: [note, {count: 4}]
        - utter: utter_ordered
        """
    )
    assert (case.status, case.reason, unmet(case)) == ("passed", "", [])
    first, second, third = case.turns
    assert (first.user, first.line, first.pressed, first.commands) == ("start flow order", 4, False, ("start flow order",))
    assert (second.pressed, second.commands) == (True, ("set slot size large",))
    assert second.replies == ({"recipient_id": world.actions.calls[0][1], "text": "How many?"},)
    assert [step for flow, step in third.visited if flow == "order"] == ["look", "done"]
    assert third.events[0]["event"] == "user"
    assert [found.line for found in third.expectations] == [10, 11, 12]


class TestPlainSteps:
    async def test_what_is_missing_is_told_beside_what_came(self, world):
        case = await world.steps(
            "- user: start flow hours\n- utter: utter_ordered\n- bot: Ten to six.\n- slot_was_set: [note, {size: large}]"
        )
        assert unmet(case) == [
            ("utter", "utter_ordered", "utter_hours"),
            ("bot", "Ten to six.", "Nine to five."),
            ("slot_was_set", 'note\nsize = "large"', "note not set\nsize not set"),
        ]

    async def test_more_than_expected_is_no_failure_and_order_does_not_matter(self, world):
        case = await world.steps(
            "- user: start flow order; set slot size small; set slot count 1\n- utter: utter_ordered\n- slot_was_set: [stock]"
        )
        assert case.status == "passed"

    async def test_the_same_message_twice_has_to_come_twice(self, world):
        case = await world.steps("- user: start flow hours\n- utter: utter_hours\n- utter: utter_hours")
        assert [found.status for found in case.turns[0].expectations] == ["passed", "failed"]

    async def test_only_the_last_of_two_messages_in_a_row_is_judged(self, world):
        case = await world.steps("- user: start flow hours\n- user: start flow write\n- utter: utter_hours")
        assert unmet(case) == [("utter", "utter_hours", "utter_ask_note")]

    async def test_a_message_of_an_earlier_turn_does_not_count(self, world):
        case = await world.steps(
            "- user: start flow hours\n- user: start flow write\n- utter: utter_ask_note\n- utter: utter_hours"
        )
        assert unmet(case) == [("utter", "utter_hours", "utter_ask_note")]

    async def test_surrounding_space_of_a_text_does_not_matter(self, world):
        assert (await world.steps("- user: start flow hours\n- bot: |\n    Nine to five.\n")).status == "passed"


class TestSession:
    async def test_the_start_of_a_session_can_be_judged(self, world):
        world.project = write_bot(world.folder, domain=DOMAIN.replace("[action_stock", "[action_session_start, action_stock"))
        said = {"event": "bot", "text": "Welcome!", "metadata": {"utter_action": "utter_welcome"}}
        world.actions.answers["action_session_start"] = [
            {"event": "session_started"},
            said,
            {"event": "action", "name": "action_listen"},
        ]
        case = await world.steps("- utter: utter_welcome\n- bot: Hello\n- user: start flow write\n- utter: utter_ask_note")
        opening, turn = case.turns
        assert (opening.opening, opening.user, opening.line) == (True, "", 4)
        assert [found.status for found in opening.expectations] == ["passed", "failed"]
        assert not turn.opening
        assert [reply["text"] for reply in turn.replies] == ["What shall we write?"]

    async def test_a_session_that_shows_nothing_is_no_turn(self, world):
        assert len((await world.steps("- user: start flow hours")).turns) == 1

    async def test_fixtures_are_set_after_the_session_began_and_before_the_first_message(self, world):
        top = "fixtures: [{f: [{size: large}, {count: 7}]}]"
        case = await world.steps(
            "- user: start flow order\n- utter: utter_ordered\n- slot_was_not_set: [size]", "fixtures: [f]", top
        )
        assert case.status == "passed"
        ((_, _, seen),) = world.actions.calls
        kinds = [event["event"] for event in seen["events"]]
        assert kinds.index("session_started") < kinds.index("slot") < kinds.index("user")
        assert seen["slots"] == {"size": "large", "count": 7}

    async def test_a_fixture_for_a_slot_that_does_not_exist_fails_the_case(self, world):
        case = await world.steps("- user: start flow hours", "fixtures: [f]", "fixtures: [{f: [{sise: large}]}]")
        assert (case.status, case.reason) == ("failed", "a fixture sets the slot 'sise', which the domain does not have")

    async def test_mocked_datetime_is_a_slot_and_the_time_of_the_conversation(self, world):
        top = 'fixtures: [{f: [{mocked_datetime: "2030-01-02T03:04:05+00:00"}]}]'
        case = await world.steps("- user: start flow order; set slot size small; set slot count 1", "fixtures: [f]", top)
        assert case.turns[0].events[0]["timestamp"] == 1893553445.0
        assert world.actions.calls[0][2]["slots"]["mocked_datetime"] == "2030-01-02T03:04:05+00:00"

    async def test_without_it_the_time_is_now(self, world):
        case = await world.steps("- user: start flow hours")
        assert case.turns[0].events[0]["timestamp"] == world.clock.now().timestamp()

    async def test_metadata_reaches_actions_and_the_session(self, world):
        await world.steps(
            "- user: start flow order; set slot size small; set slot count 1", "metadata: m", "metadata: [{m: {channel: ios}}]"
        )
        seen = world.actions.calls[0][2]
        assert seen["last"]["metadata"] == {"channel": "ios"}
        assert seen["slots"]["session_started_metadata"] == {"channel": "ios"}

    async def test_every_case_is_another_customer_also_in_another_run(self, world):
        text = """
        test_cases:
          - {test_case: one, steps: [{user: start flow order; set slot size small; set slot count 1}]}
          - {test_case: two, steps: [{user: start flow order; set slot size small; set slot count 1}]}
        """
        await world.play(text)
        await world.play(text)
        assert len({sender for _, sender, _ in world.actions.calls}) == 4


STUBS = """
stub_custom_actions:
  action_stock:
    events: [{event: slot, name: stock, value: false}]
    responses: [{text: None in store.}]
  two::action_stock:
    events: [{event: slot, name: stock, value: true}]
    responses: [{response: utter_hours}]
"""


class TestStubs:
    async def test_a_stub_stands_for_the_action_and_one_of_the_case_goes_before(self, world):
        report = await world.play(
            STUBS
            + """
test_cases:
  - test_case: one
    steps:
      - user: start flow order; set slot size small; set slot count 1
      - bot: None in store.
      - utter: utter_sold_out
      - slot_was_set: [{stock: false}]
  - test_case: two
    steps:
      - user: start flow order; set slot size small; set slot count 1
      - utter: utter_hours
      - utter: utter_ordered
"""
        )
        assert [case.status for case in report.cases] == ["passed", "passed"]
        assert world.actions.calls == []

    async def test_once_one_action_is_stubbed_every_other_that_is_called_must_be(self, world):
        top = "stub_custom_actions: {action_price: {events: []}}"
        case = await world.steps(
            """
            - user: start flow hours
            - utter: utter_hours
            - user: start flow order; set slot size small; set slot count 1
            - utter: utter_ordered
            - user: start flow hours
            """,
            top=top,
        )
        assert case.status == "failed"
        assert case.reason == (
            "action_stock is not stubbed. stub_custom_actions holds for this case, and then every custom action that is called must be "
            "stubbed: add action_stock, or it::action_stock for this case alone"
        )
        assert [turn.user[:16] for turn in case.turns] == ["start flow hours", "start flow order"]
        assert ("order", "look") in case.turns[1].visited
        assert case.turns[1].expectations == ()
        assert world.actions.calls == []

    async def test_what_a_stub_gives_is_not_changed_by_a_case_for_the_next(self, world):
        top = "stub_custom_actions: {action_stock: {events: [{event: slot, name: note, value: [1]}]}}"
        for _ in range(2):
            case = await world.steps(
                "- user: start flow order; set slot size small; set slot count 1\n- slot_was_set: [{note: [1]}]", top=top
            )
            assert case.status == "passed"

    async def test_what_an_action_sets_again_to_the_same_value_was_set(self, world):
        top = "stub_custom_actions: {action_stock: {events: [{event: slot, name: stock, value: true}]}}"
        turn = "- user: start flow order; set slot size small; set slot count 1\n- slot_was_set: [{stock: true}]\n"
        assert (await world.steps(turn * 2, top=top)).status == "passed"


class TestWhatStopsACase:
    async def test_an_action_that_fails_is_the_bots_to_handle(self, world):
        world.actions.answers["action_stock"] = ActionFailed("action_stock", "status 500")
        case = await world.steps(
            "- user: start flow order; set slot size small; set slot count 1\n  assertions: [{flow_started: pattern_internal_error}]"
        )
        assert case.status == "passed"
        assert case.turns[0].problems == ("action action_stock failed: status 500",)

    async def test_a_fault_of_the_engine_fails_its_case_and_the_others_are_played(self, world):
        world.actions.answers["action_stock"] = ZeroDivisionError("oh")
        report = await world.play(
            """
            test_cases:
              - {test_case: one, steps: [{user: start flow order; set slot size small; set slot count 1}]}
              - {test_case: two, steps: [{user: start flow hours}, {utter: utter_hours}]}
            """
        )
        one, two = report.cases
        assert (one.status, two.status) == ("failed", "passed")
        assert one.reason.startswith("the engine failed: ZeroDivisionError: oh (suites_world.py:")
        assert one.turns[0].user.startswith("start flow order")

    async def test_later_turns_are_played_after_a_failure(self, world):
        case = await world.steps(
            "- user: start flow hours\n- utter: utter_ordered\n- user: start flow write\n- utter: utter_ask_note"
        )
        assert [found.status for turn in case.turns for found in turn.expectations] == ["failed", "passed"]
        assert case.status == "failed"


class TestSuite:
    async def test_a_malformed_file_fails_by_itself_and_the_others_are_played(self, world):
        world.write("test_cases: [{test_case: c, steps: [{usr: a}]}, {}]", "tests/e2e/bad.yml")
        world.write("test_cases: [{test_case: c, steps: [{user: start flow hours}, {utter: utter_hours}]}]", "tests/e2e/good.yml")
        report = await world.suite("tests/e2e")
        bad, good = report.cases
        assert (bad.file, bad.name, bad.status, bad.line) == ("tests/e2e/bad.yml", NOT_READ, "failed", 1)
        assert len(bad.reason.splitlines()) == 3
        assert good.status == "passed"

    async def test_fail_fast_plays_nothing_after_the_first_failure_and_says_so(self, world):
        seen = []
        world.write(
            """
            test_cases:
              - {test_case: one, steps: [{user: start flow hours}]}
              - {test_case: two, steps: [{user: start flow hours}, {utter: utter_ordered}]}
              - {test_case: three, steps: [{user: start flow hours}]}
            """
        )
        report = await world.suite("tests/e2e/a.yml", fail_fast=True, watch=seen.append)
        assert [case.status for case in report.cases] == ["passed", "failed", "not_run"]
        assert "--fail-fast" in report.cases[2].reason
        assert seen == list(report.cases)
        assert world.understanding.asked == ["start flow hours"] * 2

    async def test_the_report_names_project_kind_and_time(self, world):
        report = await world.play("test_cases: [{test_case: c, steps: [{user: start flow hours}]}]")
        assert (report.kind, report.project, report.started) == ("e2e", str(world.folder), "2026-11-20T02:31:00+00:00")
        assert report.seconds >= report.cases[0].seconds > 0

    async def test_equal_seeds_choose_equal_wordings_in_every_run(self, world):
        domain = DOMAIN.replace("[{text: Nine to five.}]", "[{text: a}, {text: b}, {text: c}, {text: d}, {text: e}, {text: f}]")
        world.project = write_bot(world.folder, domain=domain)
        said = {(await world.steps("- user: start flow hours")).turns[0].replies[0]["text"] for _ in range(5)}
        assert len(said) == 1
