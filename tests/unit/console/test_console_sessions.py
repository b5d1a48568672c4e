"""Sessions of the auditors' pages, the way back after a login, ways through flows, and questions: without sockets."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.console.conversation import steps_of, ways
from tightrope.console.search import Question, QuestionRefused
from tightrope.console.sessions import ATTEMPTS_KEPT, LONGEST, Sessions, local
from tightrope.console.status import is_worm
from tightrope.console.words import words
from tightrope.engine.loader import load_project
from tightrope.infra.settings import REPOSITORY


class Now:
    def __init__(self) -> None:
        self.at = datetime(2026, 11, 22, 9, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Now:
    return Now()


@pytest.fixture
def sessions(clock: Now) -> Sessions:
    return Sessions(clock, timedelta(minutes=20))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def project():
    return load_project(REPOSITORY)


def test_a_login_is_answered_once_by_its_own_browser_with_its_own_state(sessions):
    cookie, attempt = sessions.begin("/search")
    assert sessions.answered("another", attempt.state) is None
    assert sessions.answered(cookie, "ü") is None  # and it is used up
    assert sessions.answered(cookie, attempt.state) is None
    cookie, attempt = sessions.begin("/search")
    assert sessions.answered(cookie, attempt.state) == attempt
    assert sessions.answered(cookie, attempt.state) is None


def test_a_login_left_lying_expires(sessions, clock):
    cookie, attempt = sessions.begin("/")
    clock.at += timedelta(minutes=10)
    assert sessions.answered(cookie, attempt.state) is None


def test_logins_begun_without_end_do_not_fill_the_memory(sessions):
    first, attempt = sessions.begin("/")
    for _ in range(ATTEMPTS_KEPT):
        sessions.begin("/")
    assert sessions.answered(first, attempt.state) is None


def test_reading_keeps_a_session_alive_and_silence_ends_it(sessions, clock):
    cookie = sessions.open("auditor-01", "林慎")
    for _ in range(3):
        clock.at += timedelta(minutes=19)
        assert sessions.of(cookie).person == "auditor-01"
    clock.at += timedelta(minutes=20)
    assert sessions.of(cookie) is None
    clock.at -= timedelta(minutes=20)
    assert sessions.of(cookie) is None  # ended for good


def test_no_session_outlives_a_working_day(sessions, clock):
    cookie, end = sessions.open("auditor-01", "林慎"), clock.at + LONGEST
    while clock.at + timedelta(minutes=15) < end:
        clock.at += timedelta(minutes=15)
        assert sessions.of(cookie) is not None
    clock.at = end
    assert sessions.of(cookie) is None


def test_no_cookie_is_nobody(sessions):
    sessions.open("auditor-01", "林慎")
    assert sessions.of(None) is None
    assert sessions.of("") is None


@given(st.text(max_size=60))
def test_a_login_never_leads_away(path):
    back = local(path)
    assert back.startswith("/")
    assert not back.startswith(("//", "/\\"))
    assert "\n" not in back


def test_the_way_taken_comes_from_the_stack(project):
    frames = [[{"flow_id": "check_balance", "step_id": step}] for step in ("START", "begin", "tell_balance")]
    events = [{"event": "stack", "update": json.dumps([{"op": "replace", "path": "", "value": frame}])} for frame in frames]
    events += [
        {"event": "flow_completed", "flow_id": "check_balance", "step_id": "say_what_comes_next"},
        {"event": "flow_completed", "flow_id": "pattern_completed", "step_id": "silent"},
    ]
    (way,) = ways({"events": events}, "zh", project)
    assert way.steps == ("begin", "tell_balance", "say_what_comes_next", "END")
    assert steps_of(project, way.flow, ",".join(way.steps)) == list(way.steps)


def test_steps_that_the_assistant_told_go_before_the_stack(project):
    told = [["check_balance", "begin"], ["pattern_completed", "silent"], ["check_balance", "tell_balance"], ["check_balance"], 7]
    payload = {
        "steps": told,
        "events": [{"event": "flow_completed", "flow_id": "check_balance", "step_id": "say_what_comes_next"}],
    }
    (way,) = ways(payload, "en", project)
    assert way.steps == ("begin", "tell_balance", "END")


@pytest.mark.parametrize("update", [None, 1, "[", "{}", "[1]", '[{"path":"","value":[1]}]', '[{"path":"/0","value":{}}]'])
def test_a_stack_of_another_shape_breaks_nothing(project, update):
    assert list(ways({"events": [{"event": "stack", "update": update}, 7]}, "en", project)) == []


def test_steps_that_are_not_there_are_refused(project):
    assert steps_of(project, "no_flow", "") is None
    assert steps_of(project, "check_balance", "begin,<script>") is None


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"event": "x:y"}, "event"),
        ({"from": "2026-13-01"}, "from"),
        ({"to": "9999-01-01"}, "to"),
        ({"before": "²"}, "before"),
        ({"conversation": "1\u202e2"}, "conversation"),
    ],
)
def test_a_field_that_cannot_be_understood_is_named(fields, name):
    with pytest.raises(QuestionRefused, match=f"^{name}$"):
        Question.read(fields)


def test_a_question_gives_its_fields_again():
    fields = {"conversation": "1-9", "event": "gateway:", "from": "2026-01-01", "to": "2026-02-01"}
    assert Question.read(fields | {"before": "7"}).fields() == fields


@pytest.mark.parametrize(
    ("store", "worm"),
    [
        ("local folder, not WORM", False),
        ("S3 bucket a, NOT WORM: no lock", False),
        ("S3 bucket a, WORM (Object Lock, compliance mode)", True),
        ("", False),
    ],
)
def test_a_store_is_worm_only_by_its_own_word(store, worm):
    assert is_worm(store) is worm


def test_both_languages_say_everything():
    chinese, english = words("zh"), words("en")
    assert chinese.keys() == english.keys()
    assert all(chinese.values())
    assert all(english.values())
