"""When a conversation leaves its course: repair, failures, and the steps of every turn. Sections of Rasa's docs: patterns."""

from __future__ import annotations

import pytest
from engine_shop import ACTIONS, boom

from tightrope.engine.testing import Conversation


class TestRepair:
    def test_cancelling_ends_the_task_and_forgets_what_it_collected(self, talk):
        talk.say("下单", "start flow order\nset slot count 3")
        assert talk.texts("算了", "cancel flow") == ["好的，已停止“下单”。"]
        assert (talk.state.stack, talk.slot("count")) == ([], None)

    def test_cancelling_inside_a_called_flow_cancels_its_caller(self, talk):
        talk.say("上色", "start flow paint")
        assert talk.texts("算了", "cancel flow") == ["好的，已停止“上色”。"]
        assert talk.state.stack == []

    def test_after_a_cancellation_what_waits_below_is_offered(self, talk):
        talk.say("下单", "start flow order")
        talk.say("上色", "start flow paint")
        assert talk.texts("算了", "cancel flow") == ["好的，已停止“上色”。", "要继续刚才的“下单”吗？"]

    def test_cancelling_nothing_is_not_understood(self, talk):
        assert talk.texts("算了", "cancel flow") == ["抱歉，我没有理解您的意思。请换一种说法再试一次。"]

    def test_cancel_and_start_ends_one_and_begins_the_other(self, talk):
        talk.say("下单", "start flow order")
        assert talk.texts("算了，几点开门", "cancel flow\nstart flow hours") == ["好的，已停止“下单”。", "九点开门。"]
        assert talk.state.stack == []

    def test_nothing_understood_is_said_and_the_question_stands(self, talk):
        talk.say("下单", "start flow order")
        assert talk.texts("嗯哼", "") == ["抱歉，我没有理解您的意思。请换一种说法再试一次。", "要多大的？"]

    @pytest.mark.parametrize(
        "commands",
        [
            "start flow nowhere",
            "start flow pattern_search",
            "start flow choose_colour",
            "set slot nothing 1",
            "set slot size large",
        ],
    )
    def test_commands_that_lead_nowhere_are_not_understood(self, talk, commands):
        assert talk.texts("x", commands) == ["抱歉，我没有理解您的意思。请换一种说法再试一次。"]
        user = next(e for e in talk.events if e["event"] == "user")
        assert user["parse_data"]["commands"] == [{"command": "cannot handle", "reason": None}]
        assert user["parse_data"]["dropped"]

    def test_a_clarification_offers_flows_by_name_with_buttons(self, talk):
        [reply] = talk.say("?", "disambiguate flows order hours order nowhere price private")
        assert [b["title"] for b in reply["buttons"]] == ["下单", "营业时间", "价格"]
        assert [r["text"] for r in talk.press("营业时间")] == ["九点开门。"]

    def test_a_clarification_without_options_asks_openly(self, talk):
        assert talk.texts("?", "disambiguate flows") == ["抱歉，我没有理解您的意思。请说得具体一些。"]

    def test_a_definite_start_wins_over_a_clarification(self, talk):
        assert talk.texts("?", "disambiguate flows order price\nstart flow hours") == ["九点开门。"]

    def test_repeat_says_the_last_messages_again(self, talk):
        talk.say("价格", "start flow price")
        assert talk.texts("什么？", "repeat message") == ["价格 12.50。"]

    def test_repeat_keeps_buttons_usable(self, talk):
        talk.say("下单", "start flow order")
        replies = talk.say("什么？", "repeat message")
        assert [r["text"] for r in replies] == ["要多大的？"]
        assert [r["text"] for r in talk.press("大")] == ["要几件？"]

    def test_repeat_says_what_stood_before_the_open_question_and_no_payloads_for_the_channel(self, shop):
        def ask(_tracker):
            return {"responses": [{"response": "utter_ask_login"}, {"text": None, "custom": {"envelope": {"kind": "login"}}}]}

        def told(_tracker):
            return {
                "events": [{"event": "slot", "name": "verdict", "value": "login"}],
                "responses": [{"text": "看一下", "custom": {"envelope": {"kind": "journey"}}}],
            }

        talk = Conversation(shop, {"action_private": told, "action_ask_login_state": ask})
        talk.say("账户", "start flow private")
        again = talk.say("什么？", "repeat message")
        assert [r.get("text") for r in again] == ["看一下", "请先登录。", None]
        assert again[-1]["custom"] == {"envelope": {"kind": "login"}}

    @pytest.mark.parametrize(
        ("command", "says"),
        [("skip question", "这一项不能跳过，我需要它才能继续。"), ("offtopic reply", "抱歉，这件事我办不了。")],
    )
    def test_skip_and_small_talk_have_their_patterns(self, talk, command, says):
        talk.say("下单", "start flow order")
        assert talk.texts("x", command) == [says, "要多大的？"]

    @pytest.mark.parametrize(
        ("text", "says"), [("", "我没有收到内容，请再发一次。"), ("长" * 201, "您的消息太长了，请控制在 200 个字符以内。")]
    )
    def test_texts_that_cannot_be_read_are_said_so(self, talk, text, says):
        assert talk.texts(text) == [says]

    def test_the_default_completion_asks_whether_there_is_more(self, project):
        talk = Conversation(
            project("flows: {f: {description: d, steps: [{action: utter_x}]}}", "responses: {utter_x: [{text: X}]}")
        )
        assert talk.texts("f", "start flow f") == ["X", "还有什么可以帮您？"]
        assert [r["text"] for r in talk.press("没有")] == ["感谢您的咨询，再见。", "这次服务您满意吗？"]
        assert [r["text"] for r in talk.press("满意")] == ["谢谢您的反馈。"]
        assert talk.state.stack == []

    def test_force_slot_filling_drops_everything_but_the_answer(self, project):
        made = project(
            "flows: {f: {description: d, steps: [{collect: pin, force_slot_filling: true}, {action: utter_x}]},"
            " g: {description: e, steps: [{action: utter_x}]}}",
            "slots: {pin: {type: text}}\nresponses: {utter_x: [{text: X}], utter_ask_pin: [{text: PIN?}]}",
        )
        talk = Conversation(made)
        talk.say("f", "start flow f")
        assert talk.texts("g", "start flow g\ncancel flow") == ["PIN?"]
        assert talk.texts("1", "set slot pin 1")[0] == "X"


class TestFailures:
    def test_a_failed_action_cancels_its_flow_and_says_so(self, shop):
        talk = Conversation(shop, {**ACTIONS, "action_place": boom})
        talk.say("下单", "start flow order\nset slot size large\nset slot count 2")
        assert talk.texts("对", "set slot confirmed true") == ["抱歉，系统出了点问题，刚才的操作没有完成。请稍后再试。"]
        assert (talk.state.stack, talk.slot("count")) == ([], None)
        assert any("action_place failed" in problem for problem in talk.problems)

    def test_a_failure_inside_a_pattern_leaves_the_waiting_flow(self, project):
        made = project(
            "flows: {f: {description: d, steps: [{collect: a}]}, pattern_search: {steps: [{action: action_search}]}}",
            "slots: {a: {type: text}}\nresponses: {utter_ask_a: [{text: A?}]}\nactions: [action_search]",
        )
        talk = Conversation(made, {"action_search": boom})
        talk.say("f", "start flow f")
        assert talk.texts("?", "search and reply") == ["抱歉，系统出了点问题，刚才的操作没有完成。请稍后再试。", "A?"]

    def test_failures_of_the_error_pattern_do_not_chase_each_other(self, project):
        made = project(
            "flows: {f: {description: d, steps: [{action: action_a}]}, pattern_internal_error: {steps: [{action: action_b}]}}",
            "actions: [action_a, action_b]",
        )
        talk = Conversation(made, {"action_a": boom, "action_b": boom})
        assert talk.texts("f", "start flow f") == ["抱歉，系统出了点问题，刚才的操作没有完成。请稍后再试。"]
        assert talk.ran == ["action_a", "action_b"]

    def test_a_failed_every_turn_action_leaves_the_flow_alone(self, project):
        made = project(
            "flows: {f: {description: d, steps: [{collect: a}]}}",
            "slots: {a: {type: text}, language: {type: text, mappings: [{type: controlled, run_action_every_turn: action_l}]}}\n"
            "responses: {utter_ask_a: [{text: A?}]}\nactions: [action_l]",
        )
        talk = Conversation(made, {"action_l": boom})
        assert talk.texts("f", "start flow f") == ["抱歉，系统出了点问题，刚才的操作没有完成。请稍后再试。", "A?"]

    def test_actions_in_a_circle_end_at_the_cap_with_a_loud_problem(self, project):
        made = project("flows: {f: {description: d, steps: [{id: a, action: action_a, next: a}]}}", "actions: [action_a]")
        talk = Conversation(made, cap=12)
        assert talk.texts("f", "start flow f") == ["抱歉，系统出了点问题，刚才的操作没有完成。请稍后再试。"]
        assert len(talk.ran) == 13
        assert any("prediction cap: more than 12 actions" in problem for problem in talk.problems)

    def test_the_cap_holds_in_the_error_pattern_too(self, project):
        made = project(
            "flows: {f: {description: d, steps: [{id: a, action: action_a, next: a}]}, pattern_internal_error: {steps: [{id: a, action: action_a, next: a}]}}",
            "actions: [action_a]",
        )
        talk = Conversation(made, cap=5)
        assert talk.texts("f", "start flow f") == []
        assert len(talk.ran) < 30
        assert talk.texts("again", "") != []

    def test_actions_that_ask_for_themselves_end_at_the_cap(self, project):
        made = project(
            "flows: {f: {description: d, steps: [{action: action_a}, {action: utter_x}]}}",
            "responses: {utter_x: [{text: X}]}\nactions: [action_a]",
        )
        talk = Conversation(made, {"action_a": lambda _t: [{"event": "followup", "name": "action_a"}]}, cap=6)
        assert talk.texts("f", "start flow f") == ["抱歉，系统出了点问题，刚才的操作没有完成。请稍后再试。"]
        assert len(talk.ran) < 12

    def test_flows_that_call_each_other_in_a_circle_end(self, project):
        made = project("flows: {f: {description: d, steps: [{call: g}]}, g: {description: d, steps: [{call: f}]}}")
        talk = Conversation(made)
        assert talk.texts("f", "start flow f") == ["抱歉，系统出了点问题，刚才的操作没有完成。请稍后再试。"]
        assert any("flows call each other in a circle" in problem for problem in talk.problems)
        assert (talk.state.stack, len(talk.events) < 300) == ([], True)

    def test_steps_in_a_circle_without_an_action_end(self, project):
        made = project("flows: {f: {description: d, steps: [{id: a, noop: true, next: b}, {id: b, noop: true, next: a}]}}")
        talk = Conversation(made)
        talk.say("f", "start flow f")
        assert any("steps lead in a circle" in problem for problem in talk.problems)
        assert talk.state.stack == []


class TestEveryTurnAndOtherSteps:
    def test_every_turn_actions_run_before_flows_advance(self, project):
        made = project(
            "flows: {f: {description: d, steps: [{action: utter_x}]}}",
            "slots: {language: {type: text, mappings: [{type: controlled, run_action_every_turn: action_l}]}}\n"
            "responses: {utter_x: [{text: 你好, translation: {en: hello}}]}\nactions: [action_l]",
        )
        talk = Conversation(
            made,
            {"action_l": lambda t: [{"event": "slot", "name": "language", "value": t["latest_message"]["metadata"]["language"]}]},
        )
        assert talk.texts("f", "start flow f", {"language": "en"})[0] == "hello"

    def test_set_slots_noop_and_branches(self, project):
        made = project(
            """
            flows:
              f:
                description: d
                steps:
                  - set_slots: [{n: 3.0}, {t: word}]
                  - noop: true
                    next:
                      - if: slots.n > 5
                        then: high
                      - if: slots.t = 'word'
                        then:
                          - action: utter_word
                            next: high
                      - else: END
                  - id: high
                    set_slots: [{t: null}]
            """,
            "slots: {n: {type: float}, t: {type: text}}\nresponses: {utter_word: [{text: W}]}",
        )
        talk = Conversation(made)
        assert talk.texts("f", "start flow f")[0] == "W"
        assert (talk.slot("n"), talk.slot("t")) == (None, None)

    def test_link_ends_one_flow_and_begins_another(self, project):
        made = project(
            "flows: {f: {description: d, steps: [{set_slots: [{n: x}]}, {link: g}]}, g: {description: e, if: false, steps: [{action: utter_n}]}}",
            "slots: {n: {type: text}}\nresponses: {utter_n: [{text: 'n={n}'}]}",
        )
        talk = Conversation(made)
        assert talk.texts("f", "start flow f")[0] == "n=None"

    def test_a_guard_hides_a_flow_from_commands(self, project):
        made = project(
            "flows: {f: {description: d, if: slots.ok, steps: [{action: utter_x}]}}",
            "slots: {ok: {type: bool, initial_value: false}}\nresponses: {utter_x: [{text: X}]}",
        )
        talk = Conversation(made)
        assert talk.texts("f", "start flow f") == ["抱歉，我没有理解您的意思。请换一种说法再试一次。"]
        talk.state.slots["ok"] = True
        talk.events.append({"event": "slot", "timestamp": 1.0, "name": "ok", "value": True})
        assert talk.texts("f", "start flow f")[0] == "X"

    def test_clean_stack_ends_everything(self, project):
        made = project(
            "flows: {f: {description: d, steps: [{collect: a}]}, h: {description: e, steps: [{link: pattern_human_handoff}]},"
            " pattern_human_handoff: {steps: [{action: utter_h}, {action: action_clean_stack}]}}",
            "slots: {a: {type: text}}\nresponses: {utter_ask_a: [{text: A?}], utter_h: [{text: H}]}",
        )
        talk = Conversation(made)
        talk.say("f", "start flow f")
        assert talk.texts("h", "start flow h") == ["H"]
        assert talk.state.stack == []

    def test_events_of_actions(self, project):
        made = project(
            "flows: {f: {description: d, steps: [{action: action_a}, {action: utter_x}]}}",
            "slots: {s: {type: text}}\nresponses: {utter_x: [{text: 's={s}'}]}\nactions: [action_a, action_b]",
        )
        talk = Conversation(
            made,
            {
                "action_a": lambda _t: [
                    {"event": "slot", "name": "s", "value": "1"},
                    {"event": "slot", "name": "gone", "value": 1},
                    {"event": "followup", "name": "action_b"},
                    {"event": "bot", "text": "said", "data": {}},
                    {"event": "undo"},
                ]
            },
        )
        assert talk.texts("f", "start flow f")[:2] == ["said", "s=1"]
        assert talk.ran == ["action_a", "action_b"]
        assert len(talk.problems) == 2

    def test_restart_and_reset_and_pause(self, project):
        made = project(
            "flows: {f: {description: d, steps: [{action: action_a}]}}",
            "slots: {s: {type: text, initial_value: i}, t: {type: text}}\nactions: [action_a]",
        )
        talk = Conversation(made, {"action_a": lambda _t: [{"event": "slot", "name": "s", "value": "1"}, {"event": "restart"}]})
        talk.say("f", "start flow f")
        assert talk.slot("s") == "i"
        talk.actions["action_a"] = lambda _t: [
            {"event": "slot", "name": "t", "value": "1"},
            {"event": "reset_slots"},
            {"event": "pause"},
        ]
        talk.say("f", "start flow f")
        assert (talk.slot("t"), talk.state.paused) == (None, True)
        assert talk.texts("f", "start flow f") == []
