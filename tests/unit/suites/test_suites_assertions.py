"""Each assertion of the schema, met and not met, and what is told when it is not."""

from __future__ import annotations

import pytest
from suites_world import unmet

ORDER = "start flow order; set slot size small; set slot count 2"


async def judged(world, assertion: str, user: str = ORDER, ordered: bool = False):
    """The expectations of one turn with these assertions."""
    lines = "\n".join("    " + line for line in assertion.strip("\n").splitlines())
    order = "  assertion_order_enabled: true\n" if ordered else ""
    case = await world.steps(f"- user: {user}\n{order}  assertions:\n{lines}")
    return case.turns[0].expectations


MET = [
    "- flow_started: order",
    "- flow_started: [order]",
    "- flow_started: {operator: all, flow_ids: [order]}",
    "- flow_started: {operator: any, flow_ids: [hours, order]}",
    "- flow_started: {flow_ids: [order]}",
    "- flow_completed: {flow_id: order}",
    "- flow_completed: {flow_id: order, flow_step_id: done}",
    "- flow_started: pattern_completed",
    "- slot_was_set: [{name: size}]",
    "- slot_was_set: [{name: size, value: small}, {name: count, value: 2}]",
    "- slot_was_set: [{name: stock, value: true}]",
    "- slot_was_set: [{name: size, value: null}]",
    "- slot_was_not_set: [{name: note}]",
    "- slot_was_not_set: [{name: size, value: large}]",
    "- action_executed: action_stock",
    "- action_executed: utter_ordered",
    "- bot_uttered: {utter_name: utter_ordered}",
    "- bot_uttered: {text_matches: 'Ordered: \\w+ '}",
    "- bot_uttered: {text_matches: 'small (50$?)'}",
    "- bot_uttered: {utter_name: utter_ordered, text_matches: ^Ordered}",
    "- bot_did_not_utter: {utter_name: utter_sold_out}",
    "- bot_did_not_utter: {utter_name: utter_ordered, text_matches: large}",
    "- bot_did_not_utter: {buttons: [{title: Small}]}",
]
NOT_MET = [
    ("- flow_started: hours", "hours", "order, pattern_completed"),
    ("- flow_started: {operator: all, flow_ids: [order, hours]}", "all of order, hours", "order, pattern_completed"),
    ("- flow_started: {operator: any, flow_ids: [write, hours]}", "any of write, hours", "order, pattern_completed"),
    (
        "- flow_completed: {flow_id: order, flow_step_id: look}",
        "order at step look",
        "order at step done\npattern_completed at step 0_noop",
    ),
    ("- flow_completed: {flow_id: hours}", "hours", "order\npattern_completed"),
    ("- flow_cancelled: {flow_id: order}", "order", ""),
    ("- slot_was_set: [{name: note}]", "note", "note not set"),
    ("- slot_was_set: [{name: count, value: '2'}]", 'count = "2"', "count = 2.0\ncount = null"),
    ("- slot_was_set: [{name: stock, value: 1}]", "stock = 1", "stock = true"),
    (
        "- slot_was_set: [{name: size, value: small}, {name: note}]",
        'size = "small"\nnote',
        'size = "small"\nsize = null\nnote not set',
    ),
    ("- slot_was_not_set: [{name: size}]", "not size", 'size = "small"\nsize = null'),
    ("- slot_was_not_set: [{name: count, value: 2}]", "not count = 2", "count = 2.0\ncount = null"),
    ("- action_executed: action_price", "action_price", "action_stock\nutter_ordered"),
    ("- bot_uttered: {utter_name: utter_hours}", "utter_hours", "utter_ordered"),
    ("- bot_uttered: {text_matches: large}", "large", "Ordered: small (50$?)"),
    ("- bot_uttered: {text_matches: '(('}", "((", "Ordered: small (50$?)"),
    (
        "- bot_uttered: {utter_name: utter_ordered, text_matches: large}",
        "utter_ordered\nlarge",
        "utter_ordered\nOrdered: small (50$?)",
    ),
    ("- bot_did_not_utter: {utter_name: utter_ordered}", "not utter_ordered", "utter_ordered"),
]


@pytest.mark.parametrize("assertion", MET)
async def test_what_is_there_is_met(world, assertion):
    (found,) = await judged(world, assertion)
    assert (found.status, found.actual, found.reason) == ("passed", "", "")


@pytest.mark.parametrize(("assertion", "expected", "actual"), NOT_MET)
async def test_what_is_not_there_is_told_beside_what_was_there(world, assertion, expected, actual):
    (found,) = await judged(world, assertion)
    assert (found.status, found.expected, found.actual) == ("failed", expected, actual)
    assert found.line == 6
    assert found.kind == assertion[2:].partition(":")[0]


@pytest.mark.parametrize(
    ("buttons", "status"),
    [
        ("[{title: Small, payload: /SetSlots(size=small)}, {title: Large, payload: /SetSlots(size=large)}]", "passed"),
        ("[{title: Small}, {payload: /SetSlots(size=large)}]", "passed"),
        ("[{title: Large}, {title: Small}]", "failed"),
        ("[{title: Small}]", "failed"),
        ("[]", "failed"),
    ],
)
async def test_buttons_are_all_of_them_in_order_by_what_is_given_of_them(world, buttons, status):
    (found,) = await judged(world, f"- bot_uttered: {{utter_name: utter_ask_size, buttons: {buttons}}}", "start flow order")
    assert found.status == status
    if status == "failed":
        assert found.actual == "utter_ask_size\n[Small] /SetSlots(size=small)\n[Large] /SetSlots(size=large)"


@pytest.mark.parametrize(
    ("wanted", "met"),
    [
        ("[order something, opening hours]", True),
        ("[hours, order]", True),
        ("[Opening Hours, order]", True),
        ("{flow_ids: [hours, order]}", True),
        ("{flow_names: [order something, opening hours]}", True),
        ("[order something]", False),
        ("[order something, opening hours, leave a note]", False),
        ("[order something, leave a note]", False),
    ],
)
async def test_a_clarification_offers_exactly_these_flows_by_name_or_id(world, wanted, met):
    (found,) = await judged(world, f"- pattern_clarification_contains: {wanted}", "disambiguate flows order hours")
    assert (found.status == "passed") is met
    assert found.actual == ("" if met else "order something, opening hours")


async def test_without_a_clarification_none_was_offered(world):
    (found,) = await judged(world, "- pattern_clarification_contains: [hours]")
    assert (found.status, found.actual) == ("failed", "")


async def test_a_flow_is_cancelled_at_its_step(world):
    case = await world.steps(
        """
        - user: start flow order
        - user: cancel flow
          assertions:
            - flow_cancelled: {flow_id: order}
            - flow_cancelled: {flow_id: order, flow_step_id: which}
            - flow_cancelled: {flow_id: order, flow_step_id: many}
            - flow_started: pattern_cancel_flow
        """
    )
    assert [found.status for found in case.turns[1].expectations] == ["passed", "passed", "failed", "passed"]
    assert unmet(case) == [("flow_cancelled", "order at step many", "order at step which")]


async def test_a_slot_that_holds_its_value_from_before_was_not_set_in_this_turn(world):
    case = await world.steps(
        """
        - user: start flow order; set slot size large
        - user: set slot count 3
          assertions: [{slot_was_set: [{name: stock, value: false}, {name: note}]}]
        """,
    )
    assert unmet(case) == [("slot_was_set", "stock = false\nnote", "stock = true\nnote not set")]
    case = await world.steps(
        "- user: start flow hours\n  assertions: [{slot_was_set: [{name: note}]}]",
        "fixtures: [noted]",
        "fixtures: [{noted: [{note: x}]}]",
    )
    assert unmet(case) == [("slot_was_set", "note", 'note = "x" since before this turn')]


async def test_by_name_alone_a_slot_that_was_emptied_was_set_and_is_not_filled(world):
    case = await world.steps(
        """
        - user: start flow write
        - user: cancel flow
          assertions: [{slot_was_not_set: [{name: size}]}]
        - user: start flow order; set slot size large
        - user: cancel flow
          assertions:
            - slot_was_set: [{name: size}]
            - slot_was_set: [{name: size, value: null}]
            - slot_was_not_set: [{name: size}]
        """
    )
    assert unmet(case) == []


class TestOrder:
    async def test_order_is_free_unless_it_is_asked_for(self, world):
        wrong_way_round = "- bot_uttered: {utter_name: utter_ordered}\n- slot_was_set: [{name: size, value: small}]"
        assert [found.status for found in await judged(world, wrong_way_round)] == ["passed", "passed"]
        first, second = await judged(world, wrong_way_round, ordered=True)
        assert (first.status, second.status) == ("passed", "failed")
        assert second.reason == "it is there, but not after what is expected before it (assertion_order_enabled)"

    async def test_what_comes_in_order_is_met(self, world):
        found = await judged(
            world,
            """
- slot_was_set: [{name: size}, {name: count}]
- slot_was_not_set: [{name: note}]
- action_executed: action_stock
- slot_was_set: [{name: stock}]
- bot_did_not_utter: {utter_name: utter_sold_out}
- bot_uttered: {utter_name: utter_ordered}
- flow_completed: {flow_id: order}
- slot_was_set: [{name: size, value: null}]
- flow_started: pattern_completed
""",
            ordered=True,
        )
        assert {one.status for one in found} == {"passed"}

    async def test_one_event_shows_only_one_thing_in_order(self, world):
        found = await judged(world, "- action_executed: action_stock\n- action_executed: action_stock", ordered=True)
        assert [one.status for one in found] == ["passed", "failed"]
        assert [
            one.status for one in await judged(world, "- action_executed: action_stock\n- action_executed: action_stock")
        ] == [
            "passed",
            "passed",
        ]

    async def test_one_slot_event_may_be_meant_by_name_and_by_value_in_a_row(self, world):
        found = await judged(world, "- slot_was_set: [{name: stock}]\n- slot_was_set: [{name: stock, value: true}]", ordered=True)
        assert [one.status for one in found] == ["passed", "passed"]

    async def test_a_failure_does_not_move_what_follows(self, world):
        found = await judged(world, "- flow_started: hours\n- flow_started: order", ordered=True)
        assert [one.status for one in found] == ["failed", "passed"]


NOT_JUDGED = [
    ("generative_response_is_relevant: {threshold: 0.8}", "language model"),
    ("generative_response_is_grounded: {threshold: 0.8, ground_truth: x}", "language model"),
    ("skill_activated: {skill_id: s}", "Mantle"),
    ("memory_was_set: [{name: m, value: 1}]", "Mantle"),
    ("ordered_block_cancelled: {skill_id: s, block_id: b}", "Mantle"),
    ("tool_executed: {tool_name: t, source: local}", "Mantle"),
    ("tools_within_one_turn: {allow_extra_calls: true, calls: []}", "Mantle"),
]


class TestNotRun:
    @pytest.mark.parametrize(("assertion", "reason"), NOT_JUDGED)
    async def test_what_needs_a_judge_or_mantle_is_told_as_not_run_with_the_reason(self, world, assertion, reason):
        found, other = await judged(world, f"- {assertion}\n- flow_started: order")
        assert (found.status, found.kind) == ("not_run", assertion.partition(":")[0])
        assert reason in found.reason
        assert other.status == "passed"

    async def test_a_case_with_something_else_to_judge_passes_or_fails_by_it(self, world):
        judge = "- {generative_response_is_relevant: {threshold: 0.8}}"
        good = await world.steps(f"- user: start flow hours\n  assertions:\n    {judge}\n    - flow_started: hours")
        bad = await world.steps(f"- user: start flow hours\n  assertions:\n    {judge}\n    - flow_started: order")
        assert (good.status, bad.status) == ("passed", "failed")

    async def test_a_case_of_nothing_but_those_is_not_run(self, world):
        case = await world.steps("- user: start flow hours\n  assertions: [{skill_activated: {skill_id: s}}]")
        assert case.status == "not_run"
        assert case.reason.startswith("skill_activated: it belongs to Mantle")
