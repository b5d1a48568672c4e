"""What is missing of one conversation, by holding the four sides against each other. Pure.

Only what happened inside the period is asked for; its counterpart on another side may lie outside, since clocks and ways differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from tightrope.audit.models import Event
from tightrope.reconcile.models import Arrived, Finding, Kind, Message, Period, Recorded, Side, Talk

ARRIVALS = {
    "message": Event.CUSTOMER_MESSAGE_RECEIVED,
    "agent_message": Event.AGENT_MESSAGE_RECEIVED,
    "note": Event.AGENT_NOTE_RECEIVED,
    "system_message": Event.SYSTEM_MESSAGE_RECEIVED,
}
"""Kinds of arrivals that are messages in Chatwoot, and how they are recorded."""
_RECEIVED = frozenset(ARRIVALS.values())
_TURNS = frozenset({Event.TURN_MADE, Event.TURN_FAILED})
_NUMBERED = _TURNS | {Event.TURN_REFUSED}
_GONE = "the gateway was told of it, Chatwoot does not have it"
_SETTLED = {
    "sent": Event.OUTBOX_SENT,
    "withheld": Event.OUTBOX_BLOCKED,
    "blocked": Event.OUTBOX_BLOCKED,
    "failed": Event.OUTBOX_FAILED,
}


def compare(talk: Talk, period: Period) -> list[Finding]:
    """Everything of this conversation that one side has and another lacks, each thing once for each side that lacks it."""
    return list(_Comparison(talk, period).findings())


class _Comparison:
    def __init__(self, talk: Talk, period: Period) -> None:
        self._talk = talk
        self._period = period
        self._here = {message.id: message for message in talk.messages or ()}
        self._ours = {message.outbox for message in talk.messages or () if message.outbox is not None}
        self._arrived = {one.message_id for one in talk.arrived if one.kind in ARRIVALS}
        self._posted = {str(one.id) for one in talk.posted}
        self._posted_as = {one.chatwoot_id for one in talk.posted if one.chatwoot_id is not None}
        self._records = {record.id: record for record in talk.recorded}
        self._received = {record.facts.get("message_id") for record in talk.recorded if record.event in _RECEIVED}
        self._deleted = {record.facts.get("message_id") for record in talk.recorded if record.event == Event.MESSAGE_DELETED}

    def findings(self) -> Iterator[Finding]:
        whole = list(self._whole())
        yield from whole
        lost = {finding.missing for finding in whole}
        seen: set[tuple[object, ...]] = set()
        for finding in self._parts():
            key = (finding.kind, finding.missing, finding.message_id, finding.turn, finding.detail)
            # A conversation that a side lacks whole is named once, not by each of its messages.
            if finding.missing not in lost and key not in seen:
                seen.add(key)
                yield finding

    def _whole(self) -> Iterator[Finding]:
        talk = self._talk
        said = [message for message in self._in_period() if not message.activity]
        # The gateway is only told of what happens after its bot was attached: what is ours, or recorded, shows that it was.
        if not talk.known and (said or talk.recorded or talk.tracked):
            at = min((*(one.at for one in said), *(one.at for one in talk.recorded), *(one.at for one in talk.tracked)))
            yield self._finding(
                "conversation",
                Side.GATEWAY,
                f"no row of it; Chatwoot has {len(said)} messages, the log {len(talk.recorded)} records",
                at,
            )
        if not talk.recorded and (said or any(one.record_id for one in talk.arrived)):
            at = min((*(one.at for one in said), *(one.at for one in talk.arrived)))
            yield self._finding(
                "conversation",
                Side.LOG,
                f"no record of it; Chatwoot has {len(said)} messages, the gateway {len(talk.arrived)} events",
                at,
            )
        gone = [one for one in talk.arrived if one.kind in ARRIVALS and self._period.holds(one.at)]
        told = [one for one in talk.recorded if one.event in _RECEIVED and self._period.holds(one.at)]
        if talk.messages is None and (gone or told):
            at = min([*(one.at for one in gone), *(one.at for one in told)])
            yield self._finding(
                "conversation", Side.CHATWOOT, f"Chatwoot does not know it; the log has {len(told)} messages of it", at
            )

    def _parts(self) -> Iterator[Finding]:
        yield from self._of_chatwoot()
        yield from self._of_gateway()
        yield from self._of_turns()
        yield from self._of_replies()
        yield from self._of_log()
        yield from self._of_assistant()

    def _of_chatwoot(self) -> Iterator[Finding]:
        for message in self._in_period():
            if message.activity:
                continue
            if message.outbox is not None:
                if message.outbox not in self._posted:
                    yield self._finding(
                        "reply", Side.GATEWAY, "Chatwoot has a message of ours that the gateway did not send", message.at, message
                    )
                continue
            if message.id not in self._arrived:
                yield self._finding(
                    "message", Side.GATEWAY, "Chatwoot has it, the gateway was not told or lost it", message.at, message
                )
            if message.id not in self._received:
                yield self._finding("message", Side.LOG, "Chatwoot has it, the log has no record of it", message.at, message)
            if message.deleted and message.id not in self._deleted:
                yield self._finding("deletion", Side.LOG, "deleted in Chatwoot, and the log does not say so", message.at, message)

    def _of_gateway(self) -> Iterator[Finding]:
        for one in self._talk.arrived:
            if not self._period.holds(one.at):
                continue
            yield from self._recorded(one.record_id, one.at, f"of an event ({one.kind})", one.message_id)
            if one.kind in ARRIVALS and self._gone(one.message_id):
                yield self._finding("message", Side.CHATWOOT, _GONE, one.at, one)
            if one.state == "pending":
                detail = f"an event ({one.kind}) has been waiting to be handled since then"
                yield self._finding("unfinished", Side.GATEWAY, detail, one.at, one)

    def _of_turns(self) -> Iterator[Finding]:
        numbers = {one.number for one in self._talk.turned}
        for number in sorted(set(range(1, max(numbers, default=0) + 1)) | set(range(1, self._talk.turn_count + 1))):
            after = next((one.at for one in self._talk.turned if one.number > number), None)
            if number not in numbers and (after is None or self._period.holds(after)):
                yield self._finding(
                    "turn_number", Side.GATEWAY, f"turn {number} was counted and is not there", after, turn=number
                )
        for one in self._talk.turned:
            if not self._period.holds(one.at):
                continue
            if one.state == "open":
                yield self._finding(
                    "unfinished", Side.GATEWAY, f"turn {one.number} was begun and never ended", one.at, turn=one.number
                )
            else:
                yield from self._recorded(one.record_id, one.at, f"of turn {one.number}", turn=one.number)

    def _of_replies(self) -> Iterator[Finding]:
        noted: dict[str, set[str]] = {}
        for record in self._talk.recorded:
            for outbox in record.facts.get("outbox") or ():
                noted.setdefault(outbox, set()).add(record.event)
        told = {
            number
            for record in self._talk.recorded
            if record.event == Event.OUTBOX_SENT
            for number in record.facts.get("message_ids") or ()
        }
        for one in self._talk.posted:
            if not self._period.holds(one.at):
                continue
            yield from self._recorded(one.record_id, one.at, f"that {one.kind} {one.id} waited for")
            if one.state in {"pending", "sending"}:
                yield self._finding("unfinished", Side.CHATWOOT, f"{one.kind} {one.id} has not been delivered", one.at)
            elif _SETTLED[one.state] not in noted.get(str(one.id), set()) and one.chatwoot_id not in told:
                yield self._finding("delivery", Side.LOG, f"that {one.kind} {one.id} was {one.state}", one.at, one.chatwoot_id)
            if one.state == "sent" and str(one.id) not in self._ours and not self._in_chatwoot(one.chatwoot_id):
                yield self._finding(
                    "reply", Side.CHATWOOT, f"{one.kind} {one.id} was sent and is not there", one.at, one.chatwoot_id
                )

    def _of_log(self) -> Iterator[Finding]:
        numbers = {one.number for one in self._talk.turned}
        for record in self._talk.recorded:
            message_id = record.facts.get("message_id")
            if record.event == Event.CONVERSATION_RESOLVED:
                yield from self._counted(record)
            if not self._period.holds(record.at):
                continue
            if not record.sealed:
                yield self._finding(
                    "seal", Side.LOG, f"record {record.id} ({record.event}) is not sealed", record.at, message_id, record.turn
                )
            if record.event in _RECEIVED:
                if message_id not in self._arrived:
                    yield self._finding(
                        "message", Side.GATEWAY, "the log has it, the gateway's tables do not", record.at, message_id
                    )
                if self._gone(message_id):
                    yield self._finding("message", Side.CHATWOOT, _GONE, record.at, message_id)
            if record.event in _TURNS and record.turn not in numbers:
                yield self._finding(
                    "turn",
                    Side.GATEWAY,
                    f"the log has turn {record.turn}, the gateway's tables do not",
                    record.at,
                    turn=record.turn,
                )
            if record.event == Event.OUTBOX_SENT:
                lost = set(record.facts.get("message_ids") or ()) - self._posted_as
                for number in sorted(lost):
                    yield self._finding(
                        "reply", Side.GATEWAY, "the log says that it was sent, the gateway's tables do not", record.at, number
                    )

    def _of_assistant(self) -> Iterator[Finding]:
        tracked = {one.turn_sha256 for one in self._talk.tracked}
        ours = {one.turn_sha256 for one in self._talk.turned}
        for turn in self._talk.turned:
            record = self._records.get(turn.record_id) if turn.record_id else None
            failed = record is not None and record.event == Event.TURN_FAILED
            # Of a failed turn the assistant may know or not.
            if (
                self._period.holds(turn.at)
                and turn.asked
                and turn.state == "committed"
                and not failed
                and turn.turn_sha256 not in tracked
            ):
                yield self._finding(
                    "turn",
                    Side.ASSISTANT,
                    f"turn {turn.number} is not in the tracker of {turn.sender_id}",
                    turn.at,
                    turn=turn.number,
                )
        for one in self._talk.tracked:
            if self._period.holds(one.at) and one.turn_sha256 not in ours:
                detail = f"the tracker of {one.sender_id} has a turn ({one.turn_sha256[:12]}) that the gateway does not know"
                yield self._finding("turn", Side.GATEWAY, detail, one.at)

    def _recorded(
        self, record_id: UUID | None, at: datetime, what: str, message_id: int | None = None, turn: int | None = None
    ) -> Iterator[Finding]:
        if record_id is not None and record_id not in self._records:
            yield self._finding("record", Side.LOG, f"record {record_id} {what} is not in the log", at, message_id, turn)

    def _counted(self, closing: Recorded) -> Iterator[Finding]:
        """A closing record names how much there was by then; less than that before it is a loss, more is what was written at the same time."""
        if not self._period.holds(closing.at):
            return
        before = self._talk.recorded[: self._talk.recorded.index(closing) + 1]
        turns = {one.turn for one in before if one.event in _NUMBERED and one.turn is not None}
        for name, have in (("records", len(before)), ("turns", len(turns))):
            said = closing.facts.get(name, 0)
            if have < said:
                yield self._finding("count", Side.LOG, f"its closing record names {said} {name}, the log has {have}", closing.at)

    def _in_chatwoot(self, message_id: object) -> bool:
        return self._talk.messages is not None and message_id in self._here

    def _gone(self, message_id: object) -> bool:
        """Whether Chatwoot lacks a message that nobody is on record to have deleted."""
        return not self._in_chatwoot(message_id) and message_id not in self._deleted

    def _in_period(self) -> list[Message]:
        return [message for message in self._talk.messages or () if self._period.holds(message.at)]

    def _finding(
        self,
        kind: Kind,
        missing: Side,
        detail: str,
        at: datetime | None = None,
        message: Message | Arrived | int | None = None,
        turn: int | None = None,
    ) -> Finding:
        number = message.id if isinstance(message, Message) else message.message_id if isinstance(message, Arrived) else message
        return Finding(kind, missing, self._talk.conversation_id, detail, at, number, turn)
