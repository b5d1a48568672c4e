"""Silence of the log, and the gateway's own sums held against it. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.audit.completeness import BEAT_EVERY, SILENT_AFTER, CountFault, Silence, count_faults, read, silences
from tightrope.audit.leaf import timestamp
from tightrope.audit.models import Event

START = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def leaf(event: Event, when: datetime, **facts: Any) -> dict[str, Any]:
    return {
        "id": "00000000-0000-4000-8000-000000000001",
        "event": str(event),
        "ts": timestamp(when),
        "host": "h1",
        "facts": facts,
    }


def beats(*seconds: float) -> list[dict[str, Any]]:
    return [leaf(Event.SEQUENCER_BEAT, at(second)) for second in seconds]


def gap(since: float, until: float) -> dict[str, Any]:
    return leaf(
        Event.GAP_DECLARED, at(until), **{"from": timestamp(at(since)), "to": timestamp(at(until)), "reason": "database away"}
    )


def count(hour: int, total: int, *, messages: int, **more: Any) -> dict[str, Any]:
    since, until = START + hour * HOUR, START + (hour + 1) * HOUR
    facts = {"since": timestamp(since), "until": timestamp(until), "messages_in": messages, "totals": {"messages_in": total}}
    facts |= {"uptime_s": 1000 + hour * 3600} | more
    return leaf(Event.FRAMES_COUNTED, until + timedelta(seconds=60), **facts)


def test_regular_beats_are_no_silence() -> None:
    told = read(beats(*range(0, 600, 10)))
    assert silences(told, at(0), at(600)) == ()


def test_silence_between_beats_before_the_first_and_after_the_last_is_named() -> None:
    told = read(beats(100, 110, 200, 210))
    assert silences(told, at(0), at(400)) == (Silence(at(0), at(100)), Silence(at(110), at(200)), Silence(at(210), at(400)))


def test_a_log_without_any_beat_is_silent_all_the_time() -> None:
    assert silences(read([]), at(0), at(100)) == (Silence(at(0), at(100)),)


def test_a_declared_gap_is_no_silence_but_what_it_leaves_open_is() -> None:
    whole = read([*beats(0, 100), gap(5, 95)])
    assert silences(whole, at(0), at(100)) == ()
    half = read([*beats(0, 200), gap(5, 100)])
    assert silences(half, at(0), at(200)) == (Silence(at(100), at(200)),)
    two = read([*beats(0, 300), gap(5, 100), gap(150, 295)])
    assert silences(two, at(0), at(300)) == (Silence(at(100), at(150)),)


@given(st.lists(st.floats(0, 3600), max_size=40), st.lists(st.tuples(st.floats(0, 3600), st.floats(0, 900)), max_size=6))
def test_every_moment_is_near_a_beat_in_a_gap_or_in_a_silence(times: list[float], spans: list[tuple[float, float]]) -> None:
    told = read([*beats(*times), *(gap(since, since + length) for since, length in spans)])
    quiet = silences(told, at(0), at(3600))
    for second in range(0, 3600, 60):
        now = at(second)
        beaten = any(abs(now - beat) <= SILENT_AFTER for beat in (*told.beats, at(0), at(3600)))
        declared = any(g.since - SILENT_AFTER <= now <= g.until + SILENT_AFTER for g in told.gaps)
        assert beaten or declared or any(one.since <= now <= one.until for one in quiet)
    assert all(one.until - one.since > SILENT_AFTER for one in quiet)
    assert all(not (one.since < beat < one.until) for one in quiet for beat in told.beats)


def said(number: int, hour: int = 0) -> list[dict[str, Any]]:
    step = 3500 / max(number, 1)
    return [leaf(Event.CUSTOMER_MESSAGE_RECEIVED, START + hour * HOUR + timedelta(seconds=30 + step * n)) for n in range(number)]


def test_sums_that_agree_with_the_log_are_no_fault() -> None:
    assert count_faults(read([*said(7), *said(5, 1), count(0, 7, messages=7), count(1, 12, messages=5)])) == ()


def kinds(found: tuple[CountFault, ...]) -> list[str]:
    return [fault.kind for fault in found]


def test_a_log_that_has_fewer_or_more_than_was_counted_is_named() -> None:
    fewer = count_faults(read([*said(6), count(0, 7, messages=7)]))
    assert kinds(fewer) == ["log has fewer"]
    assert "counted 7, the log has 6" in fewer[0].detail
    assert kinds(count_faults(read([*said(8), count(0, 7, messages=7)]))) == ["log has more"]


def test_what_lies_at_the_edge_may_belong_to_either_period() -> None:
    edge = [leaf(Event.CUSTOMER_MESSAGE_RECEIVED, START + HOUR + timedelta(seconds=1))]
    assert count_faults(read([*said(6), *edge, count(0, 7, messages=7)])) == ()
    assert count_faults(read([*said(6), *edge, count(0, 6, messages=6)])) == ()


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        (count(2, 12, messages=0), "uncounted"),
        (count(0, 7, messages=0), "counted twice"),
        (count(1, 3, messages=0), "total falls"),
        (count(1, 9, messages=0), "total differs"),
        (count(1, 7, messages=0, uptime_s=1000 + 60), "clock jumped"),
    ],
)
def test_sums_that_do_not_follow_each_other_are_named(second: dict[str, Any], kind: str) -> None:
    assert kind in kinds(count_faults(read([*said(7), count(0, 7, messages=7), second])))


def test_a_host_that_was_started_again_is_no_jump_of_the_clock() -> None:
    assert count_faults(read([count(0, 0, messages=0), count(1, 0, messages=0, uptime_s=5)])) == ()


@pytest.mark.parametrize(
    "broken",
    [
        leaf(Event.GAP_DECLARED, START, reason="x"),
        leaf(Event.FRAMES_COUNTED, START, since="yesterday", until="today"),
        {"event": str(Event.SEQUENCER_BEAT), "facts": {}},
    ],
)
def test_a_leaf_that_cannot_be_read_is_named(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        read([broken])


def test_silence_begins_after_more_than_two_late_beats() -> None:
    assert SILENT_AFTER > 2 * BEAT_EVERY
