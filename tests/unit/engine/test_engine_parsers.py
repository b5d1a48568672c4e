"""Whatever a text holds: the parsers give what they declare or raise what they declare, and take time in proportion to its length."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import jinja2
import pytest
from engine_projects import BASE, CONDITIONS, RESPONSES, Made, projects
from hypothesis import example, given
from hypothesis import strategies as st

from tightrope.engine.check import check
from tightrope.engine.commands import as_dict, as_line, parse_line, parse_payload, parse_text
from tightrope.engine.errors import CommandSyntaxError, PredicateError, ProjectError
from tightrope.engine.loader import load_project
from tightrope.engine.models import (
    CancelFlow,
    ChitChat,
    Clarify,
    KnowledgeAnswer,
    RepeatBotMessages,
    SetSlot,
    SkipQuestion,
    StartFlow,
)
from tightrope.engine.predicates import compile_predicate
from tightrope.engine.templates import condition, jinja_template, plain_template
from tightrope.engine.yamlfile import parse

VERSIONS = ("v1", "v2", "v3")
words = st.sampled_from(
    [
        "start flow ", "set slot ", "cancel flow", "disambiguate flows ", "StartFlow(", "SetSlot(", "Clarify(", "/SetSlots(", "/StartFlow(",
        "/f", "@0.5", "{", "}", '{"a": 1}', "(", ")", ",", "=", "a", "b1", " ", "\n", "'", '"', "`", "-", "1. ", ".", "```", "None", "查",
    ]
)  # fmt: skip
texts = st.one_of(st.text(max_size=60), st.lists(words, max_size=12).map("".join))
idents = st.from_regex(r"[A-Za-z_][A-Za-z0-9_\-]{0,8}", fullmatch=True)
said = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12).map(lambda v: f"{v} {v}")
commands = st.one_of(
    st.builds(StartFlow, idents),
    st.builds(SetSlot, idents, st.one_of(st.none(), said)),
    st.builds(Clarify, st.lists(idents, max_size=4).map(tuple)),
    st.sampled_from([CancelFlow(), KnowledgeAnswer(), ChitChat(), SkipQuestion(), RepeatBotMessages()]),
)


@given(texts)
def test_any_text_gives_commands_or_lines_that_are_none(text):
    for version in VERSIONS:
        found, refused = parse_text(text, version)
        assert len(found) + len(refused) <= len(text.splitlines())
        assert all(line and line in text for line in refused)
        json.dumps([as_dict(command) for command in found])


@given(texts)
def test_a_payload_is_read_or_refused(text):
    try:
        found = parse_payload(text)
    except CommandSyntaxError:
        return
    assert text.startswith("/")
    assert 0 < len(found) <= 10


@given(commands)
def test_a_command_written_as_a_line_is_read_as_it_was(command):
    assert parse_line(as_line(command), "v3") == command


@given(texts)
def test_what_was_read_is_written_so_that_it_is_read_again(text):
    for command in parse_text(text, "v3")[0]:
        assert parse_line(as_line(command), "v3") == command


@given(st.dictionaries(idents, st.from_regex(r"[A-Za-z0-9 .]{1,8}", fullmatch=True), min_size=1, max_size=10))
def test_a_payload_holds_the_pairs_that_were_put_in(pairs):
    text = "/SetSlots(" + ", ".join(f"{name}={value}" for name, value in pairs.items()) + ")"
    assert [(c.name, c.value or "") for c in parse_payload(text)] == [
        (name, "" if value.strip() in {"None", "null", "undefined"} else value.strip()) for name, value in pairs.items()
    ]


values = st.recursive(
    st.sampled_from([None, True, 1, 2.5, "x", "", [1], {"k": "v"}]), lambda inner: st.lists(inner, max_size=2), max_leaves=3
)
holes = st.sampled_from(
    ["{", "}", "{{", "}}", "{a}", "{{ slots.a }}", "{%", "%}", "{% if slots.a %}", "{% endif %}", "|", "upper", "x", " / 0"]
)
templates = st.one_of(st.text(max_size=30), st.lists(holes, max_size=8).map("".join))


@given(templates, values)
def test_a_text_with_holes_is_always_filled(text, value):
    assert isinstance(plain_template(text).fill({"a": value}, {"a": value}, {}), str)


@given(templates, values)
@example("{{ 1 / slots.a }}", None)
@example("{{ slots.a.b.c }}", None)
@example("{{ slots.a(3) }}", "x")
@example("{% for x in slots.a %}{% endfor %}", 3)
@example("{{ slots.a | int(base=99) }}", "x")
@example("{{ ''.__class__.__mro__ }}", None)
@example("{{ 'x' * 99999999999999999999 }}", None)
def test_a_jinja_text_is_refused_or_filled_or_says_that_it_cannot_be(text, value):
    try:
        template = jinja_template(text)
    except jinja2.TemplateError:
        return
    with suppress(jinja2.TemplateError):
        assert isinstance(template.fill({"a": value}, {"a": value}, {"a": value}), str)


@given(
    st.one_of(st.sampled_from(CONDITIONS), templates, st.lists(st.sampled_from([*CONDITIONS, " and ", "{{", "}}"])).map("".join)),
    values,
)
def test_a_condition_is_refused_or_decided_or_says_that_it_cannot_be(text, value):
    try:
        found = condition(text)
    except PredicateError:
        return
    with suppress(PredicateError):
        assert found.decide({"t0": value, "b0": value}, {"collect": value}) in {True, False}
    assert found.holds({"t0": value, "b0": value}, {"collect": value}) in {True, False}


yaml_words = st.sampled_from(
    ["a", "b: ", "- ", "? ", ": ", "\n", "  ", "    ", "[", "]", "{", "}", ",", "&a ", "*a", "<<: ", "|", ">", "'", '"', "#", "!!int ", "!x ",
     "---", "...", "%YAML 1.2", "0x", "1e5", "~", "\t", "@", "!!timestamp "]
)  # fmt: skip


@given(st.one_of(st.text(max_size=60), st.lists(yaml_words, max_size=14).map("".join)))
@example("a: !!timestamp x")
@example("a: \ud800")
@example("? [a]\n: b")
@example("a: &a [*a]")
def test_any_text_is_a_mapping_or_refused_as_none(text):
    try:
        found = parse(text, "file.yml")
    except ProjectError:
        return
    assert all(isinstance(key, str) for key in found)


@pytest.mark.parametrize(
    "text", ["a: " + "[" * 100_000, "a: " + "{a: " * 100_000, "- " * 100_000, "? " * 100_000, "a: " + "[" * 1500 + "]" * 1500]
)
def test_a_bottomless_text_is_refused(text):
    with pytest.raises(ProjectError):
        parse(text, "file.yml")


junk = st.recursive(
    st.sampled_from([None, True, 0, 2.5, "", "x", "utter_say", "END", "slots.", "{{ x", [], {}]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["id", "next", "collect", "if", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@st.composite
def spoiled(draw: st.DrawFn) -> dict[str, Any]:
    """The files of a project in which a few things are something else than they should be."""
    made: Made = draw(projects())
    files: dict[str, Any] = {
        "config.yml": {
            "recipe": "default.v1",
            "language": "zh",
            "additional_languages": ["en"],
            "pipeline": [
                {"name": "CompactLLMCommandGenerator", "llm": {"model_group": "m"}, "user_input": {"max_characters": 9}}
            ],
            "policies": [{"name": "FlowPolicy"}],
        },
        "endpoints.yml": {
            "action_endpoint": {"url": "http://x"},
            "model_groups": [{"id": "m", "models": [{"provider": "self-hosted", "model": "m", "api_base": "${BASE}"}]}],
        },
        "domain.yml": {
            "slots": json.loads(json.dumps(BASE)),
            "responses": json.loads(json.dumps(RESPONSES)),
            "actions": list(made.actions),
            "intents": ["hello", {"bye": {"use_entities": []}}],
            "entities": ["thing"],
            "session_config": {"session_expiration_time": 60, "carry_over_slots_to_new_session": True},
        },
        "data/flows.yml": {"flows": json.loads(json.dumps(made.flows))},
    }
    files["domain.yml"]["slots"]["v0"]["validation"] = {"rejections": [{"if": "slots.v0 = 'x'", "utter": "utter_say"}]}
    files["domain.yml"]["slots"]["e0"] = {"type": "text", "mappings": [{"type": "from_entity", "entity": "thing"}]}
    for _ in range(draw(st.integers(1, 3))):
        at: Any = files
        path = [draw(st.sampled_from(list(files)))]
        at = files[path[0]]
        for _ in range(draw(st.integers(0, 9))):
            keys = list(at) if isinstance(at, dict) else range(len(at)) if isinstance(at, list) else []
            if not keys:
                break
            key = draw(st.sampled_from(list(keys)))
            if not isinstance(at[key], dict | list) or draw(st.integers(0, 5)) == 0:
                at[key] = draw(junk)
                break
            at = at[key]
    return files


@given(spoiled())
def test_a_spoiled_project_is_refused_with_file_and_line_and_never_breaks_the_check(tmp_path_factory, files):
    folder: Path = tmp_path_factory.getbasetemp() / "spoiled"
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for name, found in files.items():
        (folder / name).write_text(json.dumps(found, indent=1), encoding="utf-8")
    problems = check(folder)
    assert all(problem.line >= 1 and problem.message for problem in problems)
    refused: ProjectError | None = None
    try:
        load_project(folder)
    except ProjectError as error:
        refused = error
    if refused is not None:
        told = any(problem.severity == "error" for problem in problems)
        assert told, f"the check says nothing of what keeps the project from loading: {refused}"
        assert refused.line >= 1


def spent(call: Callable[[], object]) -> float:
    """Seconds of this process, the least of three tries."""
    tries = []
    for _ in range(3):
        began = time.process_time()
        call()
        tries.append(time.process_time() - began)
    return min(tries)


def quietly(parser: Callable[[str], object]) -> Callable[[str], None]:
    def run(text: str) -> None:
        with suppress(CommandSyntaxError, PredicateError, ProjectError, jinja2.TemplateError):
            parser(text)

    return run


PARSERS: dict[str, Callable[[str], object]] = {
    "v1": lambda text: parse_text(text, "v1"),
    "v2": lambda text: parse_text(text, "v2"),
    "v3": lambda text: parse_text(text, "v3"),
    "payload": parse_payload,
    "predicate": compile_predicate.__wrapped__,
    "holes": plain_template,
}
PUMPED = [
    ("SetSlot(a,", " ", "x"), ("SetSlot(a, ", ")", "x"), ("Clarify(", ")'", "x"), ("SetSlot(", " ", "x"), ("StartFlow(a", "'", "x"),
    ("disambiguate flows", " a", "!"), ("disambiguate flows", ' "', "!"), ("disambiguate flows ", "a,'", "("), ("set slot a ", "\t", ""),
    ("start flow a", "'", "!"), ("", "- ", "cancel flow!"), ("", "```\n", ""), ("", "cancel flow\n", ""), ("cancel flow", '"', "x"),
    ("/SetSlots(", "a=1,", ")"), ("/SetSlots(a=", " ", "x"), ("/SetSlots(", "(", ""), ("/a", " ", "!"), ("/a", "{}", "!"), ("/a@0.", "1", "!"),
    ("", "#", "!"), ("", "# \n", "!"), ("", " \t", "!"), ("slots.a", " or slots.a", ""), ("", "not ", "slots.a"), ("{", "'a' ", "} contains slots.a"),
    ("'", "x", ""), ("", "1", "x"), ("", "a.", "("), ("", "{", ""), ("", "{a", ""), ("{", "a", ""), ("", "{a}", ""), ("", "}}", "{"),
]  # fmt: skip


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(("head", "pump", "tail"), PUMPED)
def test_time_grows_with_the_length_and_not_with_its_square(parser, head, pump, tail):
    """Eight times the text may take eight times the time, and some more for noise; the square would take sixty-four times."""
    call = quietly(PARSERS[parser])
    size = 500
    while (short := spent(lambda size=size: call(head + pump * size + tail))) < 0.0005 and size < 40_000:
        size *= 2
    long = spent(lambda: call(head + pump * (8 * size) + tail))
    assert long < 0.004 or long < 28 * short, f"{size} pumps take {short:.6f} s, {8 * size} take {long:.6f} s"
