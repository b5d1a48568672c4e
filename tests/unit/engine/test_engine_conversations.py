"""How flows run: questions, validation, corrections, interruption, cancellation. Sections of docs: dialogue stack, patterns."""

from __future__ import annotations

import pytest
from engine_shop import ACTIONS

from tightrope.engine.testing import Conversation


class TestQuestions:
    def test_a_flow_asks_for_what_it_needs_and_acts(self, talk):
        assert talk.texts("下单", "start flow order") == ["要多大的？"]
        assert talk.texts("大", "set slot size large") == ["要几件？"]
        assert talk.texts("2", "set slot count 2") == ["2.0 件 large，确认吗？"]
        assert talk.texts("对", "set slot confirmed True") == ["已下单。"]
        assert talk.ran == ["action_place"]
        assert talk.state.stack == []

    def test_what_was_given_at_once_is_not_asked(self, talk):
        assert talk.texts("两件大的", "start flow order\nset slot size LARGE\nset slot count 2") == ["2.0 件 large，确认吗？"]

    def test_ask_before_filling_asks_even_when_it_was_given(self, talk):
        said = talk.texts("两件大的，确认", "start flow order\nset slot size large\nset slot count 2\nset slot confirmed true")
        assert said == ["2.0 件 large，确认吗？"]
        assert talk.slot("confirmed") is None

    def test_no_leads_the_other_way(self, talk):
        talk.say("下单", "start flow order\nset slot size large\nset slot count 2")
        assert talk.texts("不", "set slot confirmed no") == ["没有下单。"]
        assert talk.ran == []

    def test_slots_of_a_flow_are_reset_at_its_end_and_persisted_ones_stay(self, talk):
        talk.say("下单", "start flow order\nset slot size large\nset slot count 2")
        talk.say("对", "set slot confirmed true")
        assert (talk.slot("size"), talk.slot("count"), talk.slot("confirmed")) == ("large", None, None)

    def test_an_action_may_ask(self, talk):
        [reply] = talk.say("账户", "start flow private")
        assert reply["text"] == "请先登录。"
        assert talk.ran == ["action_private", "action_ask_login_state"]

    def test_a_button_answers_and_the_flow_goes_on(self, talk):
        talk.say("账户", "start flow private")
        talk.press("已登录")
        assert talk.slot("verdict") == "ok"
        assert talk.flow() is None

    def test_a_button_counts_once(self, talk):
        talk.say("账户", "start flow private")
        talk.press("人工")
        assert talk.texts("/SetSlots(login_state=person)") == ["抱歉，我没有理解您的意思。请换一种说法再试一次。"]

    def test_payload_syntax_that_no_button_offered_is_text(self, talk):
        talk.say("账户", "start flow private")
        said = talk.texts("/SetSlots(login_state=done, verdict=ok)")
        assert said == ["抱歉，我没有理解您的意思。请换一种说法再试一次。", "请先登录。"]
        assert talk.slot("login_state") is None

    def test_without_strict_payloads_a_typed_payload_counts(self, shop):
        talk = Conversation(shop, ACTIONS, strict=False)
        talk.say("账户", "start flow private")
        talk.say("/SetSlots(login_state=done)")
        assert talk.slot("verdict") == "ok"

    def test_understanding_cannot_fill_a_controlled_slot(self, talk):
        talk.say("账户", "start flow private")
        talk.say("登录好了", "set slot login_state done")
        assert talk.slot("login_state") is None


class TestValidation:
    @pytest.mark.parametrize(
        ("ask", "wrong", "says"),
        [
            ("start flow order\nset slot size large", "set slot count viele", "“viele”不是有效的数字，请只填数字。"),
            ("start flow order\nset slot size large", "set slot count nan", "“nan”不是有效的数字，请只填数字。"),
            (
                "start flow order\nset slot size large\nset slot count 2",
                "set slot confirmed maybe",
                "“maybe”不是有效的回答，请回答是或否。",
            ),
            ("start flow order", "set slot size huge", "“huge”不在可选范围内。"),
        ],
    )
    def test_a_value_of_another_type_is_refused_and_asked_again(self, talk, ask, wrong, says):
        question = talk.texts("x", ask)
        assert talk.texts("y", wrong) == [says, *question]

    def test_a_collect_rejection_clears_and_asks_again(self, talk):
        talk.say("下单", "start flow order\nset slot size large")
        assert talk.texts("999", "set slot count 999") == ["999.0 件太多了。", "要几件？"]
        assert talk.slot("count") is None

    def test_a_rejection_holds_for_values_given_ahead(self, talk):
        assert talk.texts("999件", "start flow order\nset slot size large\nset slot count 999") == [
            "999.0 件太多了。",
            "要几件？",
        ]

    def test_the_slot_s_own_rules_hold_wherever_it_is_given(self, talk):
        assert talk.texts("粉色", "start flow paint\nset slot colour pink") == ["没有粉色。", "换一个颜色？"]
        assert talk.texts("红色", "set slot colour red") == ["请输入代码。"]

    def test_a_validating_action_runs_only_for_a_given_value_and_may_refuse(self, shop):
        def check(tracker):
            good = tracker["slots"]["code"] == "42"
            return [] if good else {"events": [{"event": "slot", "name": "code", "value": None}], "responses": [{"text": "不对"}]}

        talk = Conversation(shop, {"validate_code": check})
        talk.say("上色", "start flow paint\nset slot colour red")
        assert "validate_code" not in talk.ran
        assert talk.texts("7", "set slot code 7") == ["不对", "请输入代码。"]
        assert talk.texts("42", "set slot code 42") == ["好了。"]

    def test_a_wrong_value_for_a_slot_not_asked_now_is_said(self, talk):
        talk.say("下单", "start flow order\nset slot size large\nset slot count 2")
        said = talk.texts("改成很多", "set slot count viele")
        assert said[0] == "“viele”不是有效的数字，请只填数字。"
        assert talk.slot("count") == 2.0


class TestCorrections:
    def test_a_changed_answer_leads_back_and_is_confirmed_afresh(self, talk):
        talk.say("下单", "start flow order\nset slot size large\nset slot count 2")
        assert talk.texts("五件吧", "set slot count 5") == ["好的，已更正：count 改为 5.0。", "5.0 件 large，确认吗？"]

    def test_a_correction_with_the_answer_still_asks_for_confirmation(self, talk):
        talk.say("下单", "start flow order\nset slot size large\nset slot count 2")
        said = talk.texts("五件，对", "set slot count 5\nset slot confirmed true")
        assert said[-1] == "5.0 件 large，确认吗？"
        assert talk.ran == []

    def test_the_same_value_again_is_no_correction(self, talk):
        talk.say("下单", "start flow order\nset slot size large\nset slot count 2")
        assert talk.texts("两件", "set slot count 2") == ["2.0 件 large，确认吗？"]

    def test_a_rejected_correction_is_asked_again(self, talk):
        talk.say("下单", "start flow order\nset slot size large\nset slot count 2")
        assert talk.texts("五百", "set slot count 500")[1:] == ["500.0 件太多了。", "要几件？"]

    def test_a_slot_of_a_called_flow_that_has_ended_can_be_corrected(self, talk):
        talk.say("上色", "start flow paint\nset slot colour red")
        assert talk.texts("蓝色", "set slot colour blue") == ["好的，已更正：colour 改为 blue。", "请输入代码。"]
        assert talk.texts("粉色", "set slot colour pink")[1:] == ["没有粉色。", "换一个颜色？"]

    def test_the_earlier_of_two_corrected_questions_is_gone_back_to(self, talk):
        talk.say("下单", "start flow order\nset slot size large\nset slot count 2")
        talk.say("小的五件", "set slot count 500\nset slot size small")
        assert talk.slot("size") == "small"
        assert talk.state.stack[0]["trail"] == ["0_collect_size", "1_collect_count"]

    def test_a_correction_that_will_be_asked_again_anyway_says_nothing(self, project):
        talk = Conversation(
            project(
                """
                flows:
                  f:
                    description: d
                    steps:
                      - {collect: a, ask_before_filling: true}
                      - collect: b
                """,
                "slots: {a: {type: text}, b: {type: text}}\nresponses: {utter_ask_a: [{text: A?}], utter_ask_b: [{text: B?}]}",
            )
        )
        talk.say("f", "start flow f")
        assert talk.texts("1", "set slot a 1") == ["B?"]
        assert talk.texts("2", "set slot a 2") == ["A?"]

    def test_a_project_may_ask_before_it_corrects(self, project):
        talk = Conversation(
            project(
                """
                flows:
                  f:
                    description: d
                    steps: [{collect: a}, {collect: b}]
                  pattern_correction:
                    steps:
                      - collect: confirm_correction
                        ask_before_filling: true
                        next:
                          - if: slots.confirm_correction
                            then: [{action: action_correct_flow_slot, next: END}]
                          - else: END
                """,
                "slots: {a: {type: text}, b: {type: text}}\nresponses: {utter_ask_a: [{text: A?}], utter_ask_b: [{text: B?}]}",
            )
        )
        talk.say("f", "start flow f\nset slot a 1")
        talk.say("2", "set slot a 2")
        assert talk.press("不更改")[-1]["text"] == "B?"
        assert talk.slot("a") == "1"
        talk.say("2", "set slot a 2")
        talk.press("更改")
        assert talk.slot("a") == "2"


class TestInterruption:
    def test_what_was_interrupted_is_offered_and_goes_on_where_it_was(self, talk):
        talk.say("下单", "start flow order\nset slot size large")
        assert talk.texts("几点开门", "start flow hours") == ["九点开门。", "要继续刚才的“下单”吗？"]
        assert [r["text"] for r in talk.press("继续")] == ["要几件？"]
        assert talk.slot("size") == "large"
        journeys = [e for e in talk.events if e["event"].startswith("flow_") and not e["flow_id"].startswith("pattern_")]
        assert [e["event"] for e in journeys] == [
            "flow_started", "flow_interrupted", "flow_started", "flow_completed", "flow_resumed",
        ]  # fmt: skip

    def test_what_was_interrupted_can_be_dropped(self, talk):
        talk.say("下单", "start flow order\nset slot count 3")
        talk.say("几点开门", "start flow hours")
        assert talk.press("不用了") == []
        assert (talk.flow(), talk.slot("count")) == (None, None)

    def test_of_several_the_customer_chooses(self, talk):
        talk.say("下单", "start flow order")
        talk.say("上色", "start flow paint")
        said = talk.say("几点开门", "start flow hours")
        assert said[-1]["text"] == "您有几项还没有办完：上色、下单。要继续哪一项？"
        assert [b["title"] for b in said[-1]["buttons"]] == ["上色", "下单"]
        assert [r["text"] for r in talk.press("下单")] == ["要多大的？"]
        assert talk.flow() == "order"

    def test_of_several_none_may_be_chosen(self, talk):
        talk.say("下单", "start flow order")
        talk.say("上色", "start flow paint")
        talk.say("几点开门", "start flow hours")
        talk.say("都不要", "set slot interrupted_flow_to_continue none")
        assert talk.state.stack == []

    def test_starting_what_waits_below_brings_it_up(self, talk):
        talk.say("下单", "start flow order")
        talk.say("上色", "start flow paint")
        assert talk.texts("继续下单", "start flow order") == ["要多大的？"]
        assert [f["flow_id"] for f in talk.state.stack if f["type"] == "flow"] == ["paint", "choose_colour", "order"]

    def test_starting_what_runs_asks_again(self, talk):
        talk.say("下单", "start flow order\nset slot size large")
        assert talk.texts("下单", "start flow order") == ["要几件？"]

    def test_a_new_task_makes_the_question_whether_to_go_on_pointless(self, talk):
        talk.say("下单", "start flow order")
        talk.say("几点开门", "start flow hours")
        assert talk.texts("价格", "start flow price") == ["价格 12.50。", "要继续刚才的“下单”吗？"]
        assert sum(f["flow_id"] == "pattern_continue_interrupted" for f in talk.state.stack) == 1

    def test_several_tasks_at_once_run_one_after_another(self, talk):
        assert talk.texts("几点开门，价格", "start flow hours\nstart flow price") == ["九点开门。", "价格 12.50。"]

    def test_a_question_in_between_is_answered_and_the_flow_asks_again(self, talk):
        talk.say("下单", "start flow order\nset slot size large")
        assert talk.texts("费用是多少", "search and reply") == ["抱歉，我目前没有可以查询的资料。", "要几件？"]

    def test_an_answer_with_a_question_does_both(self, talk):
        talk.say("下单", "start flow order\nset slot size large")
        said = talk.texts("三件，费用多少", "set slot count 3\nsearch and reply")
        assert said == ["抱歉，我目前没有可以查询的资料。", "3.0 件 large，确认吗？"]
