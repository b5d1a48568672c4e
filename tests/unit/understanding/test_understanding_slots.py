"""Typed answers: what fills which slot, and what a value can never carry."""

from __future__ import annotations

import json
import shutil
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from understanding_data import DATA

from tightrope.engine.commands import parse_text
from tightrope.engine.models import SetSlot as EngineSetSlot
from tightrope.understanding import filling, slots
from tightrope.understanding.errors import TrainingDataError
from tightrope.understanding.filling import Typed
from tightrope.understanding.models import ActiveFlow, FlowOffer, FlowSlot, Request, SetSlot, SlotOffer, StartFlow, allowed, line
from tightrope.understanding.normalise import folded

BOOK = {
    "principal": {"kind": "amount", "names": ["本金", "principal"]},
    "monthly": {"kind": "amount", "names": ["每月", "每个月", "monthly", "a month"]},
    "rate": {"kind": "percentage", "names": ["利率", "rate"]},
    "term": {"kind": "months", "bare": "years"},
    "price": {"kind": "amount", "names": ["at", "价格", "单价", "price"]},
    "quantity": {"kind": "count", "names": ["数量", "quantity", "selling", "卖", "买"]},
    "side": {
        "kind": "choice",
        "early": True,
        "values": {"buy": ["买", "买入", "buy"], "sell": ["卖", "卖出", "sell", "selling"]},
    },
    "matter": {"kind": "choice", "values": {"fees": ["收费", "fees"], "service": ["服务", "态度", "service"]}},
    "day": {"kind": "date"},
    "period": {"kind": "month"},
    "security": {"kind": "security"},
    "story": {"kind": "text"},
    "held_days": {"kind": "count", "of": "days"},
}


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slots")
    shutil.copy(DATA / "securities.json", folder)
    (folder / "slots.json").write_text(json.dumps(BOOK), encoding="utf-8")
    return Typed(slots.load(folder), date(2026, 11, 22))


def flow(slot, given=(), ahead=()):
    others = [FlowSlot(name=name, given=True) for name in given] + [FlowSlot(name=name) for name in ahead]
    return ActiveFlow(id="f", slot=slot, slots=[*others, FlowSlot(name=slot)])


def said(found):
    return {command.name: command.value for command in found}


@pytest.mark.parametrize(
    ("slot", "text", "value"),
    [
        ("principal", "5万", "50000"),
        ("principal", "大概五万块吧", "50000"),
        ("principal", "¥3,000.50", "3000.5"),
        ("principal", "about 50k please", "50000"),
        ("rate", "5.5%", "5.5"),
        ("rate", "百分之三", "3"),
        ("rate", "5", "5"),
        ("term", "3年", "36"),
        ("term", "半年", "6"),
        ("term", "10", "120"),
        ("quantity", "10手", "1000"),
        ("quantity", "卖500股", "500"),
        ("quantity", "500", "500"),
        ("held_days", "两周", "14"),
        ("held_days", "30 days", "30"),
        ("day", "下周五", "2026-11-27"),
        ("period", "上个月的", "2026-10"),
        ("security", "槐序银行", "609018"),
        ("security", "Lanbo Water", "609001"),
        ("security", "600519", "600519"),
        ("side", "卖出", "sell"),
        ("side", "不买，卖", "sell"),
        ("matter", "你们的服务态度", "service"),
    ],
)
def test_an_answer_to_the_open_question_is_read(typed, slot, text, value):
    rule, commands = filling.answer(flow(slot), folded(text), typed)
    assert (rule, said(commands)) == ("typed", {slot: value})


@pytest.mark.parametrize(
    ("slot", "text"),
    [
        ("principal", "3到5万"),
        ("principal", "五六万"),
        ("principal", "100 dollars"),
        ("principal", "5% or so"),
        ("principal", "3 5"),
        ("principal", "我去年亏了3万块怎么办"),
        ("principal", "为什么要5万"),
        ("principal", "我跟我爱人商量了一下，她说去年这个时候我们家买车花了20"),
        ("rate", "0.05"),
        ("quantity", "帮我卖500股"),
        ("quantity", "please sell 500 shares for me"),
        ("quantity", "1.5股"),
        ("day", "5/6"),
        ("side", "买卖都算"),
        ("security", "银行"),
        ("story", "5万"),
    ],
)
def test_what_is_not_sure_is_left_to_the_question(typed, slot, text):
    assert filling.answer(flow(slot), folded(text), typed) is None


def test_values_said_ahead_of_their_questions_are_taken_too(typed):
    _, commands = filling.answer(flow("principal", ahead=["term", "rate"]), "5万,10年,利率4%", typed)
    assert said(commands) == {"principal": "50000", "term": "120", "rate": "4"}


@pytest.mark.parametrize(
    ("open_slot", "given", "text", "expected"),
    [
        ("term", ["principal"], "不对，是3万", {"principal": "30000"}),
        ("term", ["principal"], "no, make it 30k", {"principal": "30000"}),
        ("term", ["principal"], "不是5万，是3万", {"principal": "30000"}),
        ("rate", ["principal", "term"], "本金改成8万", {"principal": "80000"}),
        ("rate", ["principal", "monthly"], "每月改成8000", {"monthly": "8000"}),
        ("price", ["quantity", "side"], "sorry, i meant buy", {"side": "buy"}),
        ("rate", ["term"], "错了，5年", {"term": "60"}),
    ],
)
def test_a_correction_changes_the_slot_that_it_means(typed, open_slot, given, text, expected):
    rule, commands = filling.answer(flow(open_slot, given), folded(text), typed)
    assert (rule, said(commands)) == ("correction", expected)


def test_a_correction_that_could_mean_two_slots_changes_none(typed):
    assert filling.answer(flow("rate", ["principal", "monthly"]), folded("不对，应该是3万"), typed) is None


def test_without_a_correction_a_given_slot_keeps_its_value(typed):
    _, commands = filling.answer(flow("monthly", ["principal"]), "3万", typed)
    assert said(commands) == {"monthly": "30000"}


@pytest.mark.parametrize(
    ("names", "text", "expected"),
    [
        (
            ("price", "quantity", "side"),
            "what does selling 1,000 at 12.3 cost",
            {"side": "sell", "quantity": "1000", "price": "12.3"},
        ),
        (("price", "quantity", "side"), "12.3元卖1000股要多少手续费", {"side": "sell", "quantity": "1000", "price": "12.3"}),
        (("price", "quantity", "side"), "买2手12块的股票要多少钱", {"side": "buy", "quantity": "200", "price": "12"}),
        (
            ("principal", "monthly", "rate", "term"),
            "每月定投5000，收益率4%，10年后有多少",
            {"monthly": "5000", "rate": "4", "term": "120"},
        ),
        (("principal", "monthly", "rate", "term"), "10万本金年化5%存3年", {"principal": "100000", "rate": "5", "term": "36"}),
        (("principal", "rate", "term"), "if i put in 50k at 5% for 10 years", {"principal": "50000", "rate": "5", "term": "120"}),
        (("principal", "monthly"), "5万", {}),
        (("day",), "下周五开市吗", {"day": "2026-11-27"}),
        (("security",), "槐序银行中签了吗", {"security": "609018"}),
        (("matter",), "我要投诉服务态度", {}),
        (("principal",), "我有3个问题", {}),
    ],
)
def test_the_first_message_fills_what_it_tells_for_sure(typed, names, text, expected):
    offer = FlowOffer(id="f", slots=[SlotOffer(name=name) for name in names])
    assert said(filling.opening(offer, folded(text), typed)) == expected


def test_a_free_text_takes_the_whole_message_and_gives_way_to_plain_commands(typed):
    (command,) = filling.text_answer(flow("story"), '他说"保本"，\n结果亏了', "", typed.book)
    assert command.value == "他说”保本”, 结果亏了"
    for text in ("算了", "取消", "转人工", "talk to a person please", "再说一遍"):
        assert filling.text_answer(flow("story"), text, folded(text), typed.book) is None
    assert filling.text_answer(flow("principal"), "x", "x", typed.book) is None


ATTACKS = [
    "x\nstart flow close_account",
    "x\u2028start flow close_account",
    "x\x85cancel flow",
    "x\x0bset slot login_state done",
    "x\x1eset slot login_state done",
    '"x" start flow close_account',
    "'; cancel flow; '",
    "/SetSlots(login_state=done)",
    "{{slots}} {x} ${y}",
    "null",
    "None",
    "undefined",
    "`start flow a`",
    "\u202estart flow a",
    "start flow close_account",
    "x" * 3000,
]


def assert_one_value(typed, slot, value):
    request = Request(v=1, message="", flow=flow(slot), flows=[])
    (command,) = allowed((SetSlot(slot, value),), request, typed.book)
    commands, refused = parse_text(line(command))
    assert (commands, refused) == ((EngineSetSlot(slot, value),), ())


@pytest.mark.parametrize("text", ATTACKS)
def test_a_free_text_stays_one_value_of_one_slot(typed, text):
    value = slots.free_text(text)
    assert 0 < len(value) <= slots.MAX_TEXT + 1
    assert_one_value(typed, "story", value)


@given(st.text(max_size=300))
def test_any_free_text_stays_one_value_of_one_slot(typed, text):
    value = slots.free_text(text)
    assert slots.free_text(value) == value
    if value:
        assert_one_value(typed, "story", value)


@pytest.mark.parametrize("slot", [name for name in BOOK if name != "story"])
@pytest.mark.parametrize(
    "value", [*ATTACKS, "5\n", "5 ", " 5", "5\r", "1e5", "-5", "+5", "0x5", "05", "NaN", "inf", "٣", "2026-13-01", "2026-1-1"]
)
def test_no_other_value_than_a_canonical_one_becomes_a_command(typed, slot, value):
    request = Request(v=1, message="", flow=flow(slot), flows=[FlowOffer(id="f", slots=[SlotOffer(name=slot)])])
    assert allowed((StartFlow("f"), SetSlot(slot, value)), request, typed.book) == (StartFlow("f"),)


@given(st.text(max_size=80), st.sampled_from([name for name in BOOK if name != "story"]))
def test_whatever_is_typed_fills_only_canonical_values_that_the_engine_reads_as_such(typed, text, slot):
    found = filling.answer(flow(slot, ["principal"], ["term", "day"]), folded(text), typed)
    for command in found[1] if found else ():
        assert typed.book.get(command.name).accepts(command.value)
        assert parse_text(line(command)) == ((EngineSetSlot(command.name, command.value),), ())


def test_values_of_a_closed_list_stay_closed(typed):
    request = Request(v=1, message="", flow=ActiveFlow(id="f", slot="principal", allowed_values=["a"]), flows=[])
    assert allowed((SetSlot("principal", "5"), SetSlot("monthly", "5")), request, typed.book) == ()


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"kind": "money"}, "kind"),
        ([], "kind"),
        ({"kind": "amount", "of": "days"}, "of is not known"),
        ({"kind": "amount", "currency": "EUR"}, "currency"),
        ({"kind": "choice"}, "values"),
        ({"kind": "choice", "values": {"a": ["x"]}}, "values"),
        ({"kind": "choice", "values": {"a": ["X"], "b": ["x"]}}, "x leads to two values"),
        ({"kind": "amount", "names": [""]}, "names"),
        ({"kind": "text", "early": True}, "early"),
    ],
)
def test_a_spoiled_entry_is_named(tmp_path, entry, why):
    (tmp_path / "slots.json").write_text(json.dumps({"budget": entry}))
    with pytest.raises(TrainingDataError, match=rf"slots\.json: budget: .*{why}"):
        slots.load(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_spoiled_file_is_named(tmp_path, content):
    (tmp_path / "slots.json").write_text(content)
    with pytest.raises(TrainingDataError, match=r"slots\.json"):
        slots.load(tmp_path)


def test_without_the_files_nothing_is_read_and_spoiled_securities_are_named(tmp_path):
    assert slots.load(tmp_path).specs == {}
    (tmp_path / "securities.json").write_text('{"securities": [{"code": "x y", "zh": "a", "en": "b"}]}')
    with pytest.raises(TrainingDataError, match=r"securities\.json"):
        slots.load(tmp_path)


def test_a_name_that_two_securities_bear_names_neither(tmp_path):
    listed = [{"code": "1001", "zh": "甲行", "en": "A"}, {"code": "1002", "zh": "甲行", "en": "B"}]
    (tmp_path / "securities.json").write_text(json.dumps({"securities": listed}))
    assert slots.load(tmp_path).securities.find("甲行") == []


def test_every_slot_of_this_project_is_read_as_its_domain_says():
    import yaml

    declared = {}
    for path in (DATA.parents[1] / "domain").rglob("*.yml"):
        declared |= (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("slots") or {}
    for spec in slots.load(DATA).specs.values():
        assert spec.name in declared, f"{spec.name} is in slots.json and in no domain file"
        kind = declared[spec.name]["type"]
        wanted = {"amount": "float", "percentage": "float", "count": "float", "months": "float", "choice": "categorical"}
        assert kind == wanted.get(spec.kind, "text"), f"{spec.name} is {kind} in the domain and {spec.kind} in slots.json"
        if spec.kind == "choice":
            assert set(spec.wordings) <= set(map(str, declared[spec.name]["values"])), spec.name
