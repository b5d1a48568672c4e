"""What is missing of a conversation: each loss is named with its side, and a whole conversation raises no alarm. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.audit.models import Event
from tightrope.reconcile.compare import compare
from tightrope.reconcile.models import (
    FINDINGS_KEPT,
    Arrived,
    Finding,
    Message,
    Outcome,
    Period,
    Posted,
    Recorded,
    Side,
    Talk,
    Tracked,
    Turned,
)
from tightrope.reconcile.repository import frontier

START = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
HOUR = Period(START, START + timedelta(hours=1))


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def record(event: Event, minute: float, turn: int | None = None, **facts: Any) -> Recorded:
    return Recorded(uuid4(), str(event), turn, at(minute), sealed=True, facts=facts)


def a_talk(turns: int = 2) -> Talk:
    """A conversation of so many turns, whole on all sides; an agent's message and a note at the end, one customer's message deleted."""
    messages: list[Message] = []
    arrived: list[Arrived] = []
    turned: list[Turned] = []
    posted: list[Posted] = []
    tracked: list[Tracked] = []
    recorded = [record(Event.CONVERSATION_OPENED, 0, inbox=1)]
    for number in range(1, turns + 1):
        asked, answered, when = 100 + number * 2, 101 + number * 2, number * 2.0
        said = record(Event.CUSTOMER_MESSAGE_RECEIVED, when, message_id=asked)
        made = record(Event.TURN_MADE, when, number, epoch=0)
        outbox = uuid4()
        recorded += [said, made, record(Event.OUTBOX_SENT, when, message_ids=[answered], outbox=[str(outbox)])]
        messages += [Message(asked, at(when)), Message(answered, at(when), source_id=f"tr-{outbox}")]
        arrived.append(Arrived("message", asked, said.id, at(when), "done"))
        turned.append(Turned(number, "cw-1-7-e0", f"{number:064x}", True, "committed", made.id, at(when)))
        posted.append(Posted(outbox, "message", "sent", made.id, answered, at(when)))
        tracked.append(Tracked(f"{number:064x}", "cw-1-7-e0", at(when)))
    for number, (kind, event) in enumerate(
        (("agent_message", Event.AGENT_MESSAGE_RECEIVED), ("note", Event.AGENT_NOTE_RECEIVED)), start=500
    ):
        said = record(event, 50, message_id=number)
        recorded.append(said)
        messages.append(Message(number, at(50)))
        arrived.append(Arrived(kind, number, said.id, at(50), "done"))
    gone = record(Event.MESSAGE_DELETED, 51, message_id=102)
    recorded.append(gone)
    arrived.append(Arrived("changed", 102, gone.id, at(51), "done"))
    messages = [replace(m, deleted=m.id == 102) for m in messages]
    messages.append(Message(900, at(52), activity=True))
    recorded.append(record(Event.CONVERSATION_RESOLVED, 55, turns=turns, records=len(recorded) + 1))
    return Talk(
        "1-7", True, turns, tuple(messages), tuple(arrived), tuple(turned), tuple(posted), tuple(recorded), tuple(tracked)
    )


def named(found: list[Finding]) -> set[tuple[str, str, int | None]]:
    return {(one.kind, str(one.missing), one.message_id or one.turn) for one in found}


@given(turns=st.integers(0, 12), minutes=st.integers(1, 90), start=st.integers(0, 60))
def test_a_whole_conversation_raises_no_alarm_whatever_the_period(turns: int, minutes: int, start: int) -> None:
    assert compare(a_talk(turns), Period(at(start), at(start + minutes))) == []


def without(rows: tuple[Any, ...], **matching: Any) -> tuple[Any, ...]:
    kept = tuple(row for row in rows if any(getattr(row, name) != value for name, value in matching.items()))
    assert len(kept) < len(rows)
    return kept


def test_a_message_that_chatwoot_lost() -> None:
    talk = a_talk()
    assert named(compare(replace(talk, messages=without(talk.messages or (), id=104)), HOUR)) == {("message", "chatwoot", 104)}


def test_a_reply_that_chatwoot_lost() -> None:
    talk = a_talk()
    assert named(compare(replace(talk, messages=without(talk.messages or (), id=105)), HOUR)) == {("reply", "chatwoot", 105)}


def test_a_message_row_that_the_gateway_lost() -> None:
    talk = a_talk()
    assert named(compare(replace(talk, arrived=without(talk.arrived, message_id=104)), HOUR)) == {("message", "gateway", 104)}


def test_a_message_that_was_never_told_to_the_gateway_is_missing_in_both() -> None:
    talk = a_talk()
    extra = replace(talk, messages=(*(talk.messages or ()), Message(777, at(30))))
    assert named(compare(extra, HOUR)) == {("message", "gateway", 777), ("message", "log", 777)}


def test_a_bot_message_that_we_did_not_send() -> None:
    talk = a_talk()
    forged = replace(talk, messages=(*(talk.messages or ()), Message(778, at(30), source_id=f"tr-{uuid4()}")))
    assert named(compare(forged, HOUR)) == {("reply", "gateway", 778)}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (Event.CUSTOMER_MESSAGE_RECEIVED, ("record", "log", 102)),
        (Event.TURN_MADE, ("record", "log", 1)),
        (Event.OUTBOX_SENT, ("delivery", "log", 103)),
        (Event.AGENT_NOTE_RECEIVED, ("record", "log", 501)),
        (Event.MESSAGE_DELETED, ("deletion", "log", 102)),
    ],
)
def test_a_record_that_the_log_lost(event: Event, expected: tuple[str, str, int]) -> None:
    talk = a_talk()
    lost = next(one for one in talk.recorded if one.event == event)
    found = named(compare(replace(talk, recorded=without(talk.recorded, id=lost.id)), HOUR))
    assert expected in found
    assert ("count", "log", None) in found, "the closing record contradicts it as well"
    assert {side for _, side, _ in found} == {"log"}


def test_a_record_that_is_not_sealed() -> None:
    talk = a_talk()
    loose = tuple(replace(one, sealed=False) if one.event == Event.TURN_MADE and one.turn == 2 else one for one in talk.recorded)
    assert named(compare(replace(talk, recorded=loose), HOUR)) == {("seal", "log", 2)}


def test_a_turn_that_the_tracker_lost() -> None:
    talk = a_talk()
    lost = without(talk.tracked, turn_sha256=f"{2:064x}")
    assert named(compare(replace(talk, tracked=lost), HOUR)) == {("turn", "assistant", 2)}


def test_a_turn_that_the_tracker_has_and_the_gateway_does_not() -> None:
    talk = a_talk()
    extra = replace(talk, tracked=(*talk.tracked, Tracked("f" * 64, "cw-1-7-e0", at(20))))
    assert [(one.kind, one.missing, "ffffffffffff" in one.detail) for one in compare(extra, HOUR)] == [
        ("turn", Side.GATEWAY, True)
    ]


def test_a_turn_row_that_the_gateway_lost() -> None:
    talk = a_talk(3)
    found = named(compare(replace(talk, turned=without(talk.turned, number=2)), HOUR))
    assert {("turn_number", "gateway", 2), ("turn", "gateway", 2), ("turn", "gateway", None)} == found
    last = named(compare(replace(talk, turned=without(talk.turned, number=3)), HOUR))
    assert ("turn_number", "gateway", 3) in last, "the conversation's own counter names the last one"


def test_an_outbox_row_that_the_gateway_lost() -> None:
    talk = a_talk()
    assert named(compare(replace(talk, posted=talk.posted[1:]), HOUR)) == {("reply", "gateway", 103)}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"messages": None}, {("conversation", "chatwoot", None)}),
        ({"recorded": ()}, {("conversation", "log", None)}),
        ({"known": False, "turn_count": 0, "arrived": (), "turned": (), "posted": ()}, {("conversation", "gateway", None)}),
    ],
)
def test_a_whole_conversation_that_one_side_lost_is_named_once(changes: dict[str, Any], expected: set[Any]) -> None:
    found = compare(replace(a_talk(), **changes), HOUR)
    assert named(found) == expected
    assert found[0].at is not None
    assert found[0].conversation == "1-7"


def test_a_message_deleted_on_the_record_may_be_gone_from_chatwoot() -> None:
    talk = a_talk()
    assert compare(replace(talk, messages=without(talk.messages or (), id=102)), HOUR) == []


def test_what_was_begun_and_never_ended_is_named() -> None:
    talk = a_talk()
    stuck = replace(
        talk,
        arrived=tuple(replace(one, state="pending") if one.message_id == 104 else one for one in talk.arrived),
        turned=tuple(replace(one, state="open", record_id=None) if one.number == 2 else one for one in talk.turned),
    )
    found = {(one.kind, one.message_id or one.turn) for one in compare(stuck, HOUR)}
    assert {("unfinished", 104), ("unfinished", 2)} <= found
    waiting = replace(talk, posted=tuple(replace(one, state="pending") for one in talk.posted))
    assert {one.kind for one in compare(waiting, HOUR)} == {"unfinished"}


def test_failed_turns_and_approved_sentences_need_no_tracker() -> None:
    talk = a_talk(1)
    made = next(one for one in talk.recorded if one.event == Event.TURN_MADE)
    failed = tuple(replace(one, event=str(Event.TURN_FAILED)) if one.id == made.id else one for one in talk.recorded)
    assert compare(replace(talk, recorded=failed, tracked=()), HOUR) == []
    said = tuple(replace(one, asked=False) for one in talk.turned)
    assert compare(replace(talk, turned=said, tracked=()), HOUR) == []


def test_a_turn_that_was_given_up_keeps_its_number() -> None:
    talk = a_talk(1)
    refused = record(Event.TURN_REFUSED, 10, 2, why="switch")
    given_up = Turned(2, "cw-1-7-e0", "e" * 64, True, "refused", refused.id, at(10))
    closing = [
        replace(one, facts={"turns": 2, "records": 8}) if one.event == Event.CONVERSATION_RESOLVED else one
        for one in talk.recorded
    ]
    whole = replace(talk, turn_count=2, turned=(*talk.turned, given_up), recorded=(*closing[:-1], refused, closing[-1]))
    assert compare(whole, HOUR) == []


@given(drop=st.integers(0, 60), side=st.sampled_from(["messages", "arrived", "turned", "posted", "recorded", "tracked"]))
def test_nothing_that_is_dropped_goes_unnoticed(drop: int, side: str) -> None:
    """One row of one side is lost, whichever: somebody names it, unless nobody else has a copy (an activity line, a first or closing record)."""
    talk = a_talk(4)
    rows = getattr(talk, side)
    lost = rows[drop % len(rows)]
    free = (isinstance(lost, Message) and (lost.activity or lost.id == 102)) or (
        isinstance(lost, Recorded) and lost.event == Event.CONVERSATION_RESOLVED
    )
    free = free or (isinstance(lost, Arrived) and lost.kind == "changed")
    found = compare(replace(talk, **{side: tuple(row for row in rows if row is not lost)}), HOUR)
    assert bool(found) is not free, (lost, found)


def test_a_report_is_bounded_and_counts_the_rest() -> None:
    outcome = Outcome(HOUR)
    finding = Finding("message", Side.LOG, "1-7", "x")
    outcome.add(a_talk(), [finding] * (FINDINGS_KEPT + 5))
    assert len(outcome.findings) == FINDINGS_KEPT
    assert outcome.not_listed == 5
    assert outcome.facts()["findings"] == FINDINGS_KEPT + 5
    assert outcome.facts()["kinds"] == {"message:log": FINDINGS_KEPT + 5}
    assert not outcome.ok


def test_the_frontier_stops_before_a_gap() -> None:
    assert frontier([]) is None
    assert frontier([(at(0), at(5)), (at(5), at(9)), (at(20), at(30))]) == at(9)
    assert frontier([(at(3), at(20)), (at(0), at(5)), (at(4), at(6))]) == at(20)


def test_ids_are_unique_in_the_sample() -> None:
    ids: list[UUID] = [one.id for one in a_talk(5).recorded]
    assert len(ids) == len(set(ids))
