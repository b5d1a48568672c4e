"""Sessions of the auditors' pages, the way back after a login, ways through flows, and questions: without sockets."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.audit.index.models import Question
from tightrope.audit.models import Place
from tightrope.console.conversation import steps_of, ways
from tightrope.console.pictures import Recorded, Source
from tightrope.console.search import Asked, QuestionRefused
from tightrope.console.sessions import ATTEMPTS_KEPT, CUSTOMERS_KEPT, LONGEST, Sessions, local
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


SOURCE = Source("r-0123456789abcdef", "ab" * 32)


@pytest.fixture(scope="module")
def project():
    return load_project(REPOSITORY)


@pytest.fixture(scope="module")
def recorded(project):
    return Recorded(SOURCE, project)


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


def test_the_way_taken_comes_from_the_stack(recorded):
    frames = [[{"flow_id": "check_balance", "step_id": step}] for step in ("START", "begin", "tell_balance")]
    events = [{"event": "stack", "update": json.dumps([{"op": "replace", "path": "", "value": frame}])} for frame in frames]
    events += [
        {"event": "flow_completed", "flow_id": "check_balance", "step_id": "say_what_comes_next"},
        {"event": "flow_completed", "flow_id": "pattern_completed", "step_id": "silent"},
    ]
    (way,) = ways({"events": events}, "zh", recorded)
    assert way.steps == ("begin", "tell_balance", "say_what_comes_next", "END")
    assert way.missing == ""
    assert steps_of(recorded.project, way.flow, ",".join(way.steps)) == list(way.steps)


def test_steps_that_the_assistant_told_go_before_the_stack(recorded):
    told = [["check_balance", "begin"], ["pattern_completed", "silent"], ["check_balance", "tell_balance"], ["check_balance"], 7]
    payload = {
        "steps": told,
        "events": [{"event": "flow_completed", "flow_id": "check_balance", "step_id": "say_what_comes_next"}],
    }
    (way,) = ways(payload, "en", recorded)
    assert way.steps == ("begin", "tell_balance", "END")


@pytest.mark.parametrize("update", [None, 1, "[", "{}", "[1]", '[{"path":"","value":[1]}]', '[{"path":"/0","value":{}}]'])
def test_a_stack_of_another_shape_breaks_nothing(recorded, update):
    assert list(ways({"events": [{"event": "stack", "update": update}, 7]}, "en", recorded)) == []


@pytest.mark.parametrize("step", [["check_balance", "of_long_ago"], ["flow_of_long_ago", "begin"]])
def test_a_way_that_the_recorded_flow_does_not_have_is_told_and_not_drawn(recorded, step):
    (way,) = ways({"steps": [step]}, "zh", recorded)
    assert (way.missing, way.steps) == ("flow_differs", (step[1],))


def test_without_the_recorded_release_the_steps_are_told_and_nothing_is_drawn():
    gone = Recorded(SOURCE, None, "flow_missing", "not there")
    (way,) = ways({"steps": [["check_balance", "begin"], ["pattern_completed", "silent"]]}, "zh", gone)
    assert (way.name, way.missing, way.detail, way.steps) == ("check_balance", "flow_missing", "not there", ("begin",))


@pytest.mark.parametrize(
    ("release", "manifest", "named"),
    [
        ("r-0123456789abcdef", "ab" * 32, True),
        ("", "ab" * 32, False),
        ("r-0123456789abcdef", "", False),
        ("../x", "ab" * 32, False),
        ("r-0123456789abcdef\n", "ab" * 32, False),
    ],
)
def test_only_a_release_in_the_logs_own_form_is_looked_for(release, manifest, named):
    assert Source(release, manifest).named is named


def test_steps_that_are_not_there_are_refused(project):
    assert steps_of(project, "no_flow", "") is None
    assert steps_of(project, "check_balance", "begin,<script>") is None


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"event": "x:y"}, "event"),
        ({"event": "gateway"}, "event"),
        ({"from": "2026-13-01"}, "from"),
        ({"to": "9999-01-01"}, "to"),
        ({"from": "2026-02-02", "to": "2026-02-01"}, "to"),
        ({"before": "²"}, "before"),
        ({"conversation": "1\u202e2"}, "conversation"),
        ({"input": "level"}, "input"),
        ({"input": "level>C3"}, "input"),
        ({"customer": "C1001"}, "customer"),
        ({"journey": "x" * 121}, "journey"),
    ],
)
def test_a_field_that_cannot_be_understood_is_named(fields, name):
    with pytest.raises(QuestionRefused, match=f"^{name}$"):
        Asked.read(fields, {}.get)


def test_a_question_holds_every_field_of_the_form():
    fields = {
        "journey": "check_margin_eligibility",
        "rule": "margin_eligibility@2023.1",
        "verdict": "refused",
        "input": "risk_assessment_age>365d；level=C3",
        "cited": "fees@3",
        "customer": "~1",
        "conversation": "1-9",
        "agent": "7",
        "event": "gateway:",
        "from": "2026-01-01",
        "to": "2026-01-31",
    }
    asked = Asked.read(fields | {"before": "2026/7", "csrf": "x", "other": "y"}, {"~1": "C1001"}.get)
    question = asked.question
    assert asked.fields == fields
    assert asked.before == Place(2026, 7)
    assert question.customer == "C1001"
    assert [str(one) for one in question.inputs] == ["risk_assessment_age>365", "level=C3"]
    assert question.start == datetime(2025, 12, 31, 16, tzinfo=UTC)
    assert question.end == datetime(2026, 1, 31, 16, tzinfo=UTC)  # both days belong
    assert not question.quiet
    assert Asked.read({}, {}.get).question == Question(quiet=True)
    assert Asked.read({"from": "2026-01-01"}, {}.get).question.quiet
    # The verifier looks for missing turns where the selection is a conversation and nothing else.
    assert Asked.read({"conversation": "1-9"}, {}.get).question.to_json() == {"conversation": "1-9"}


def test_an_alias_stands_for_one_customer_in_one_session(sessions):
    one, other = (sessions.of(sessions.open(who, who)) for who in ("auditor-01", "auditor-02"))
    alias = one.alias_of("C1001")
    assert "C1001" not in alias
    assert one.alias_of("C1001") == one.alias_of(alias) == alias
    assert one.customers.get(alias) == "C1001"
    assert other.customers.get(alias) is None
    for number in range(CUSTOMERS_KEPT):
        one.alias_of(f"X{number}")
    assert alias not in one.customers


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
