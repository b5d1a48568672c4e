"""Texts to commands and back."""

from __future__ import annotations

import pytest

from tightrope.engine.commands import as_dict, as_line, parse_line, parse_payload, parse_text
from tightrope.engine.errors import CommandSyntaxError
from tightrope.engine.models import (
    CancelFlow,
    CannotHandle,
    ChitChat,
    Clarify,
    Fail,
    KnowledgeAnswer,
    RepeatBotMessages,
    SetSlot,
    SkipQuestion,
    StartFlow,
)


@pytest.mark.parametrize(
    ("version", "line", "command"),
    [
        ("v3", "start flow check_balance", StartFlow("check_balance")),
        ("v3", "start flow 2fa_reset", StartFlow("2fa_reset")),
        ("v3", "1. start flow 2fa_reset", StartFlow("2fa_reset")),
        ("v2", "Start flow '2fa'", StartFlow("2fa")),
        ("v1", "StartFlow(2fa)", StartFlow("2fa")),
        ("v3", "  set slot count 5 ", SetSlot("count", "5")),
        ("v3", 'set slot name "Li Lei"', SetSlot("name", "Li Lei")),
        ("v3", "set slot name 李 雷", SetSlot("name", "李 雷")),
        ("v3", "set slot name null", SetSlot("name", None)),
        ("v3", "set slot which none", SetSlot("which", "none")),
        ("v3", "cancel flow", CancelFlow()),
        ("v3", "disambiguate flows a b, c", Clarify(("a", "b", "c"))),
        ("v3", "disambiguate flows", Clarify(())),
        ("v3", "search and reply", KnowledgeAnswer()),
        ("v3", "repeat message", RepeatBotMessages()),
        ("v2", "provide info", KnowledgeAnswer()),
        ("v2", "offtopic reply", ChitChat()),
        ("v1", "StartFlow(a)", StartFlow("a")),
        ("v1", "SetSlot(a, 1, 2)", SetSlot("a", "1, 2")),
        ("v1", "CancelFlow()", CancelFlow()),
        ("v1", "Clarify(a, b)", Clarify(("a", "b"))),
        ("v1", "SearchAndReply()", KnowledgeAnswer()),
        ("v1", "ChitChat()", ChitChat()),
        ("v1", "SkipQuestion()", SkipQuestion()),
        ("v1", "RepeatLastBotMessages()", RepeatBotMessages()),
    ],
)
def test_each_text_form_is_read(version, line, command):
    assert parse_line(line, version) == command


@pytest.mark.parametrize(
    ("version", "line"),
    [
        ("v3", "start flow"),
        ("v3", "please start flow a"),
        ("v3", "start flow a since they asked"),
        ("v3", "I would not start flow a"),
        ("v3", "start flow 'a b'"),
        ("v3", "1234567890123 start flow a"),
        ("v3", "cancel flow a"),
        ("v3", "/SetSlots(a=1)"),
        ("v3", "/greet"),
        ("v1", "startflow(a)"),
        ("v1", "StartFlow(a), CancelFlow()"),
        ("v1", "StartFlow(a b)"),
        ("v3", "start flow a b"),
        ("v3", "hand over"),
        ("v3", "provide info"),
        ("v1", "start flow a"),
        ("v3", "set slot a"),
    ],
)
def test_what_is_no_command_is_refused(version, line):
    with pytest.raises(CommandSyntaxError):
        parse_line(line, version)


@pytest.mark.parametrize(
    ("version", "line", "command"),
    [
        ("v3", "Start Flow a", StartFlow("a")),
        ("v3", "START FLOW Check_It", StartFlow("Check_It")),
        ("v3", "1. start flow a", StartFlow("a")),
        ("v3", "2) * start flow a.", StartFlow("a")),
        ("v3", "- `start flow a`", StartFlow("a")),
        ("v3", '"start flow a"', StartFlow("a")),
        ("v3", "start flow `a`;", StartFlow("a")),
        ("v3", "→ cancel flow.", CancelFlow()),
        ("v3", "* set slot count 5", SetSlot("count", "5")),
        ("v3", '`set slot name "Li Lei"`', SetSlot("name", "Li Lei")),
        ("v3", "'set slot name O'Neill'", SetSlot("name", "O'Neill")),
        ("v3", "- set slot note It hurts. Badly.", SetSlot("note", "It hurts. Badly.")),
        ("v3", "set slot `note` x", SetSlot("note", "x")),
        ("v3", "disambiguate flows 'a', 'b'.", Clarify(("a", "b"))),
        ("v2", "- Provide info.", KnowledgeAnswer()),
        ("v1", '- StartFlow("a").', StartFlow("a")),
        ("v1", "1. SetSlot('a', 'b c')", SetSlot("a", "b c")),
        ("v1", "`Clarify('a', b)`", Clarify(("a", "b"))),
    ],
)
def test_what_models_put_around_a_command_is_overlooked(version, line, command):
    assert parse_line(line, version) == command


def test_code_fences_are_no_lines():
    assert parse_text("```text\nstart flow a\n```") == ((StartFlow("a"),), ())


def test_a_text_gives_its_commands_and_the_lines_that_are_none():
    assert parse_text("start flow a\n\nbecause I think so\ncancel flow") == (
        (StartFlow("a"), CancelFlow()),
        ("because I think so",),
    )


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("/SetSlots(a=1)", (SetSlot("a", "1", "SetSlots"),)),
        ("/SetSlots(a=1, b=x y)", (SetSlot("a", "1", "SetSlots"), SetSlot("b", "x y", "SetSlots"))),
        ("/StartFlow(f)", (StartFlow("f"),)),
    ],
)
def test_button_payloads_are_read(text, commands):
    assert parse_payload(text) == commands


@pytest.mark.parametrize(
    "text",
    [
        "/SetSlots()",
        "/SetSlots(a)",
        "/setslots(a=1)",
        "/SetSlots(a=(1))",
        "/gr eet",
        '/greet{"a": 1',
        '/greet{"a": NaN}',
        "/greet[1]",
        "/greet@2",
        "/{}",
        "/1st",
        "/greet" + '{"a":' * 2000 + "1" + "}" * 2000,
        "/SetSlots(a=1",
        "/SetSlots(" + ", ".join(f"s{n}=1" for n in range(11)) + ")",
    ],
)
def test_other_payloads_are_refused(text):
    with pytest.raises(CommandSyntaxError):
        parse_payload(text)


def test_ten_pairs_are_allowed():
    assert len(parse_payload("/SetSlots(" + ", ".join(f"s{n}=1" for n in range(10)) + ")")) == 10


@pytest.mark.parametrize(
    ("command", "found", "line"),
    [
        (StartFlow("f"), {"command": "start flow", "flow": "f"}, "start flow f"),
        (SetSlot("a", "1"), {"command": "set slot", "name": "a", "value": "1", "extractor": "LLM"}, "set slot a 1"),
        (CancelFlow(), {"command": "cancel flow"}, "cancel flow"),
        (Clarify(("a", "b")), {"command": "clarify", "options": ["a", "b"]}, "disambiguate flows a b"),
        (KnowledgeAnswer(), {"command": "knowledge"}, "search and reply"),
        (ChitChat(), {"command": "chitchat"}, "offtopic reply"),
        (RepeatBotMessages(), {"command": "repeat bot messages"}, "repeat message"),
        (SkipQuestion(), {"command": "skip question"}, "skip question"),
        (CannotHandle("x"), {"command": "cannot handle", "reason": "x"}, "cannot handle"),
        (Fail("t", {"a": 1}), {"command": "error", "error_type": "t", "info": {"a": 1}}, "error"),
    ],
)
def test_commands_are_written_for_the_record(command, found, line):
    assert as_dict(command) == found
    assert as_line(command) == line
