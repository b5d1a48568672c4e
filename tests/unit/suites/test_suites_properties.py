"""Whatever stands in a test file or a commands file: it is read or told what is wrong, and never brings the runner down."""

from __future__ import annotations

import tempfile
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tightrope.suites.commandsfile import read_commands
from tightrope.suites.discovery import Chosen
from tightrope.suites.errors import SuiteError
from tightrope.suites.reader import read_test_file

KEYS = [
    "test_cases", "test_case", "steps", "user", "bot", "utter", "slot_was_set", "slot_was_not_set", "assertions", "fixtures", "metadata",
    "stub_custom_actions", "events", "responses", "event", "name", "value", "flow_started", "operator", "flow_ids", "flow_completed", "flow_id",
    "pattern_clarification_contains", "flow_names", "bot_uttered", "text_matches", "buttons", "title", "payload", "action_executed",
    "assertion_order_enabled", "mocked_datetime", "commands", "file", "turns", "index", "occurrence", "excluded", "a::b", "<<",
]  # fmt: skip
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-2, 5)
    | st.floats(allow_nan=True)
    | st.sampled_from([*KEYS, "slot", "f", "(", "", "yes"])
)
ANYTHING = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5), max_leaves=25
)
ASSERTIONS = st.lists(
    st.sampled_from([
        "flow_started", "flow_completed", "flow_cancelled", "pattern_clarification_contains", "slot_was_set", "slot_was_not_set",
        "action_executed", "bot_uttered", "bot_did_not_utter", "skill_activated", "nonsense",
    ]).flatmap(lambda kind: st.fixed_dictionaries({kind: ANYTHING})),
    max_size=4,
)  # fmt: skip
STEP = st.dictionaries(st.sampled_from(KEYS), ANYTHING, min_size=1, max_size=4) | st.fixed_dictionaries(
    {"user": st.just("hi"), "assertions": ASSERTIONS}
)
CASE = st.fixed_dictionaries(
    {"test_case": ANYTHING | st.just("c"), "steps": st.lists(STEP, max_size=4) | ANYTHING},
    optional={"fixtures": ANYTHING, "metadata": ANYTHING},
)
FILE = st.fixed_dictionaries(
    {"test_cases": st.lists(CASE, max_size=3) | ANYTHING},
    optional={"fixtures": ANYTHING, "metadata": ANYTHING, "stub_custom_actions": ANYTHING},
)
TURN = st.fixed_dictionaries(
    {}, optional={"index": st.integers(-1, 3) | PLAIN, "commands": ANYTHING, "payload": PLAIN, "odd": PLAIN}
)
ENTRY = st.fixed_dictionaries(
    {"file": st.just("a.yml") | PLAIN, "test_case": st.sampled_from(["c", "yes", "d"]) | PLAIN},
    optional={
        "turns": st.lists(TURN, max_size=4) | ANYTHING,
        "occurrence": st.integers(-1, 2) | ANYTHING,
        "excluded": ANYTHING,
        "odd": PLAIN,
    },
)


def written(folder: str, value: object, name: str = "a.yml") -> Path:
    path = Path(folder) / name
    path.write_text(yaml.safe_dump(value, allow_unicode=True), encoding="utf-8")
    return path


@given(found=FILE | ANYTHING, kind=st.sampled_from(["e2e", "du"]))
@settings(max_examples=400, deadline=None)
def test_a_test_file_is_read_or_refused_with_lines(found, kind):
    with tempfile.TemporaryDirectory() as folder:
        path = written(folder, found)
        read = read_test_file(path, Path(folder), [written(folder, found, "conftest.yml")], kind)
    assert bool(read.cases) != bool(read.problems)
    for problem in read.problems:
        name, line, _ = problem.split(":", 2)
        assert name in {"a.yml", "conftest.yml"}
        assert int(line) >= 1
    for case in read.cases:
        assert all(isinstance(turn.text, str) for turn in case.turns)


GOOD = {"test_cases": [{"test_case": name, "steps": [{"user": "a"}, {"user": "b"}]} for name in ("c", "yes", "c")]}


@given(entries=st.lists(ENTRY | ANYTHING, max_size=4) | ANYTHING)
@settings(max_examples=400, deadline=None)
def test_a_commands_file_is_read_or_refused(entries):
    with tempfile.TemporaryDirectory() as folder:
        chosen = Chosen((read_test_file(written(folder, GOOD), Path(folder), [], "e2e"),), (Path(folder),))
        try:
            found = read_commands(written(folder, entries, "commands.yml"), chosen, Path(folder))
        except SuiteError as error:
            assert "commands file" in str(error)  # noqa: PT017 - either outcome is right
            return
        for case in chosen.cases:
            given_case = found.of(case)
            assert given_case is None or given_case.name == case.name
