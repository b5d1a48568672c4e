"""The drain job: takes one conversation's events in order, one at a time. The only way to a turn (design: the way of a message)."""

from __future__ import annotations

import asyncio
import uuid
from datetime import datetime, timedelta

from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.gateway import decide, handoff, repository
from tightrope.gateway.login_events import record_identity
from tightrope.gateway.models import Language, OutboxDraft
from tightrope.gateway.repository import Row
from tightrope.gateway.turns import OpenTurn, Turns
from tightrope.gateway.wording import say
from tightrope.identity.models import Binding, IdentityEvent, Place
from tightrope.identity.portal import Checked, PortalDoor, Refused
from tightrope.infra.clock import Clock
from tightrope.infra.database import Connection, Pool
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings
from tightrope.understanding.language import detect, requested

log = get_logger()

LOGIN_DONE = "/SetSlots(login_state=done)"
SETTLE_SECONDS = 0.015
"""A moment for a delivery that overtook its predecessor: Chatwoot's events come unordered."""
FAIR_SECONDS = 0.5
"""How long one conversation may keep a place in the worker while others wait: a flood of messages must not starve them."""


class Drain:
    """Handles the events of one conversation after the other. One instance per worker process."""

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        clock: Clock,
        recorder: Recorder,
        turns: Turns,
        portal: PortalDoor,
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._clock = clock
        self._recorder = recorder
        self._turns = turns
        self._bindings = portal.bindings
        self._portal = portal

    async def conversation(self, conversation_id: str) -> None:
        """Handle what lies there for one conversation. When others wait, the rest of a flood goes behind them.

        Raises:
            TurnRepeats: a turn has to be tried again; the job does so.
        """
        await asyncio.sleep(SETTLE_SECONDS)
        began = asyncio.get_running_loop().time()
        while True:
            await self._one(conversation_id)
            async with self._pool.connection() as conn:
                if not await repository.anything_left(conn, conversation_id):
                    return
                spent = asyncio.get_running_loop().time() - began
                if spent > FAIR_SECONDS and await repository.others_wait(conn, conversation_id):
                    await repository.defer_drain(conn, conversation_id)
                    return

    async def _one(self, conversation_id: str, proven: tuple[int, Checked | Refused] | None = None) -> None:
        """Handle the oldest event, if there is one."""
        async with self._pool.connection() as conn:
            conversation = await repository.load(conn, conversation_id)
            inbound = await repository.next_inbound(conn, conversation_id)
            if conversation is None or inbound is None:
                return
            unproven = inbound["kind"] == "session_token" and (proven is None or proven[0] != inbound["id"])
            turn = None if unproven else await self._handle(conn, conversation, inbound, proven[1] if proven else None)
        if unproven:
            await self._one(conversation_id, (inbound["id"], await self._prove(inbound)))
        elif turn is not None:
            await self._turns.make(turn)

    async def _prove(self, inbound: Row) -> Checked | Refused:
        # Fetching keys and asking the provider may take a while: outside of any transaction.
        return await self._portal.check(inbound["body"].get("token"))

    async def _handle(
        self, conn: Connection, conversation: Row, inbound: Row, proof: Checked | Refused | None
    ) -> OpenTurn | None:
        kind = inbound["kind"]
        if kind == "session_token" and proof is not None:
            await self._session_token(conn, conversation, inbound, proof)
        elif kind == "message":
            return await self._message(conn, conversation, inbound)
        elif kind == "press":
            return await self._press(conn, conversation, inbound)
        elif kind == "login":
            if inbound["body"].get("raise_epoch"):
                await self._raise_epoch(conn, conversation)
            # The question that waits for the login is answered; when none waits any more, the login is only confirmed.
            waits = await repository.offer_waits(conn, conversation["conversation_id"], conversation["epoch"], LOGIN_DONE)
            decision: decide.Decision = decide.Ask(LOGIN_DONE) if waits else decide.Canned("login_confirmed")
            return await self._turn(conn, conversation, inbound, decision, conversation["language"])
        elif kind == "refused_login":
            return await self._turn(conn, conversation, inbound, decide.Canned("login_unavailable"), conversation["language"])
        elif kind == "logout":
            await self._raise_epoch(conn, conversation)
            await repository.finish_inbound(conn, inbound["id"], "logged out")
        elif kind == "agent_message":
            await self._agent_message(conn, conversation, inbound)
        elif kind == "status":
            await self._status(conn, conversation, inbound)
        else:
            await repository.finish_inbound(conn, inbound["id"], "recorded")
        return None

    async def _message(self, conn: Connection, conversation: Row, inbound: Row) -> OpenTurn | None:
        body, now = inbound["body"], self._clock.now()
        if _idle(conversation, now, self._settings.session_minutes):
            await self._raise_epoch(conn, conversation)
        await repository.update_conversation(conn, conversation["conversation_id"], last_inbound_at=now)
        conversation["last_inbound_at"] = now
        why = decide.may_answer(conversation["held_by"], body.get("seen") or {})
        if why is not None:
            if conversation["held_by"] is None:
                await repository.update_conversation(conn, conversation["conversation_id"], held_by=why)
            await self._refuse(conn, conversation, inbound, why)
            return None
        decision = decide.on_message(body)
        previous: Language = conversation["language"]
        first = conversation["turn_count"] == 0
        if isinstance(decision, decide.Canned) and decision.key == "language_switched":
            language = requested(str(body["content"])) or previous
        else:
            language = (
                detect(decision.text, None if first else previous) if isinstance(decision, decide.Ask) else None
            ) or previous
        return await self._turn(conn, conversation, inbound, decision, language)

    async def _press(self, conn: Connection, conversation: Row, inbound: Row) -> OpenTurn | None:
        if conversation["held_by"] is not None:
            await self._refuse(conn, conversation, inbound, conversation["held_by"])
            return None
        now = self._clock.now()
        # A button is part of its session: after a long silence, or once the customer is verified no more, its question is over.
        if _idle(conversation, now, self._settings.session_minutes):
            await self._raise_epoch(conn, conversation)
        await self._binding(conn, conversation)
        await repository.update_conversation(conn, conversation["conversation_id"], last_inbound_at=now)
        values = [str(v) for v in inbound["body"].get("values") or []]
        offer = await repository.take_offer(
            conn, conversation["conversation_id"], conversation["epoch"], inbound["message_id"], values, now
        )
        decision: decide.Decision = decide.Ask(offer.payload) if offer else decide.Canned("offer_expired")
        return await self._turn(conn, conversation, inbound, decision, conversation["language"])

    async def _turn(
        self, conn: Connection, conversation: Row, inbound: Row, decision: decide.Decision, language: Language
    ) -> OpenTurn | None:
        if conversation["held_by"] is not None:
            await self._refuse(conn, conversation, inbound, conversation["held_by"])
            return None
        off = await repository.off_scopes(conn)
        if "all" in off:
            await self._switched_off(conn, conversation, inbound, off["all"])
            return None
        binding = await self._binding(conn, conversation)
        text, wording, why = "", None, "ask"
        if isinstance(decision, decide.Ask):
            text = decision.text
        elif isinstance(decision, decide.Canned):
            why = decision.key
            wording = (
                say(decision.key, language, limit=str(decide.MAX_MESSAGE))
                if decision.key == "too_long"
                else say(decision.key, language)
            )
        return await self._turns.open(conn, conversation, inbound, binding, language, text, wording, why)

    async def _refuse(self, conn: Connection, conversation: Row, inbound: Row, why: str) -> None:
        """Say nothing, and put on the record why. A turn that was begun for the event and is not answered any more ends with it."""
        record_id = uuid.uuid4()
        number = await self._turns.give_up(conn, inbound, record_id)
        seen = inbound["body"].get("seen") or {}
        facts = {"why": why, "cause": inbound["kind"], "message_id": inbound["message_id"]}
        facts |= {"status": seen.get("status"), "assignee": seen.get("assignee_type")}
        draft = RecordDraft(Event.TURN_REFUSED, conversation["conversation_id"], turn=number, facts=facts)
        await self._recorder.record(conn, draft, record_id=record_id)
        await repository.finish_inbound(conn, inbound["id"], f"silent: {why}")

    async def _switched_off(self, conn: Connection, conversation: Row, inbound: Row, reason: str) -> None:
        await hand_over_silently(conn, self._recorder, conversation, "switch", reason)
        await self._refuse(conn, conversation, inbound, "switch")

    async def _agent_message(self, conn: Connection, conversation: Row, inbound: Row) -> None:
        """A person's public reply takes the conversation over; Chatwoot leaves it pending, so it is opened, which the desk then shows."""
        if conversation["held_by"] is None:
            await repository.update_conversation(conn, conversation["conversation_id"], held_by="replied")
            if (inbound["body"].get("seen") or {}).get("status") == "pending":
                await repository.fill_outbox(
                    conn, conversation, [OutboxDraft("open", {"status": "open"}, even_if_held=True)], inbound["record_id"],
                    epoch=conversation["epoch"], offers_until=self._clock.now(),
                )  # fmt: skip
        await repository.finish_inbound(conn, inbound["id"], "a person replied")

    async def _status(self, conn: Connection, conversation: Row, inbound: Row) -> None:
        body = inbound["body"]
        at = float(body["at"]) if isinstance(body.get("at"), int | float) else 0.0
        if at and at < conversation["status_at"]:
            await repository.finish_inbound(conn, inbound["id"], "older than what is known")
            return
        change = decide.on_status(conversation["held_by"], body)
        if change.session_over:
            await self._raise_epoch(conn, conversation)
            await self._resolved(conn, conversation)
        elif conversation["held_by"] is not None and change.held_by is None:
            await self._recorder.record(conn, RecordDraft(Event.HANDOFF_RETURNED, conversation["conversation_id"]))
        await repository.update_conversation(
            conn,
            conversation["conversation_id"],
            held_by=change.held_by,
            status=str(body.get("status") or "pending"),
            status_at=at,
        )
        await repository.finish_inbound(conn, inbound["id"], change.held_by or "the bot's")

    async def _resolved(self, conn: Connection, conversation: Row) -> None:
        """How many turns and records the conversation has now, this one included: later losses contradict it."""
        conversation_id = conversation["conversation_id"]
        records = await repository.records_of(conn, conversation_id) + 1
        facts = {"turns": conversation["turn_count"], "records": records, "epoch": conversation["epoch"]}
        await self._recorder.record(conn, RecordDraft(Event.CONVERSATION_RESOLVED, conversation_id, facts=facts))

    async def _session_token(self, conn: Connection, conversation: Row, inbound: Row, proof: Checked | Refused) -> None:
        outcome = await self._portal.consume(conn, _place(conversation), proof)
        await self._identity_events(conn, conversation, outcome.events)
        await repository.finish_inbound(conn, inbound["id"], type(outcome).__name__)

    async def _binding(self, conn: Connection, conversation: Row) -> Binding | None:
        standing = await self._bindings.current(conn, _place(conversation))
        await self._identity_events(conn, conversation, standing.events)
        return standing.binding

    async def _identity_events(self, conn: Connection, conversation: Row, events: tuple[IdentityEvent, ...]) -> None:
        await record_identity(conn, self._recorder, conversation["conversation_id"], events)
        if any(event.raise_epoch for event in events):
            await self._raise_epoch(conn, conversation)

    async def _raise_epoch(self, conn: Connection, conversation: Row) -> None:
        """Start a new session: a fresh tracker, a fresh disclosure, no stale question or offer."""
        conversation["epoch"] += 1
        await repository.update_conversation(conn, conversation["conversation_id"], epoch=conversation["epoch"], context="{}")
        await self._recorder.record(
            conn, RecordDraft(Event.SESSION_STARTED, conversation["conversation_id"], facts={"epoch": conversation["epoch"]})
        )


def _place(conversation: Row) -> Place:
    return Place.of(conversation["conversation_id"], conversation["contact_id"], conversation["source_hash"])


def _idle(conversation: Row, now: datetime, minutes: int) -> bool:
    last = conversation["last_inbound_at"]
    return last is not None and now - last > timedelta(minutes=minutes)


async def hand_over_silently(conn: Connection, recorder: Recorder, conversation: Row, reason: str, detail: str) -> None:
    """Open a conversation for the agents without a word of the bot, as the switch demands."""
    record = await recorder.record(
        conn,
        RecordDraft(
            Event.HANDOFF_OPENED,
            conversation["conversation_id"],
            facts={"reason": reason, "priority": "normal"},
            payload={"detail": detail},
        ),
    )
    situation = handoff.Situation(
        reason=reason,
        priority="normal",
        language=conversation["language"],
        verified=False,
        journey=None,
        step=None,
        said=await repository.recent_words(conn, conversation["conversation_id"]),
        record=str(record),
    )
    before, after = handoff.drafts(situation)
    await repository.fill_outbox(
        conn, conversation, [*before, *after], record, epoch=conversation["epoch"], offers_until=conversation["created_at"]
    )
    await repository.update_conversation(conn, conversation["conversation_id"], held_by=reason)
    conversation["held_by"] = reason
