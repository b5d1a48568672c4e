"""One turn: grant, assistant, and one transaction that holds record, outbox and state (docs/wire-contracts.md).

The order is what makes a turn repeatable. The turn's id is committed before the assistant is asked; on any repetition the tracker is read
first, and if the assistant has made this turn its events are taken instead of asking again. Only the newest attempt may commit.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.gateway import handoff, repository
from tightrope.gateway.assistant import Assistant, MadeTurn, replies_of
from tightrope.gateway.errors import AssistantFailed, EnvelopeInvalid, ReleaseDiffers
from tightrope.gateway.models import Language, OutboxDraft, Reply, TurnResult, sender_id
from tightrope.gateway.release_watch import ReleaseWatch
from tightrope.gateway.replies import message_drafts, read_answer
from tightrope.gateway.repository import Row
from tightrope.gateway.summary import disclosure, turn_facts, turn_payload
from tightrope.gateway.wording import say
from tightrope.identity.flow import create_link
from tightrope.identity.grants import Grants
from tightrope.identity.models import Binding
from tightrope.identity.repository import browser
from tightrope.infra.clock import Clock
from tightrope.infra.database import Connection, Pool
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings
from tightrope.understanding.normalise import typed

log = get_logger()

MAX_ATTEMPTS = 5
"""Tries of one turn, 1, 2, 3 and 4 s apart: a part that was started again has time to come up; then a person gets it."""
OFFER_LIFE = timedelta(hours=24)
TYPING_AFTER_SECONDS = 0.8
LAST_LOOK_SECONDS = 1.0
"""How long a turn that failed waits to learn what the assistant made of it: the customer is waiting for the apology."""


class TurnRepeats(Exception):
    """The turn did not come to its end and shall be tried again.

    Attributes:
        after: seconds to wait first.
    """

    def __init__(self, reason: str, after: float) -> None:
        super().__init__(reason)
        self.after = after


@dataclass(frozen=True)
class OpenTurn:
    """A turn that is under way.

    Attributes:
        attempt: fencing token: 1 at first, higher when repeated.
        wording: an approved sentence of ours instead of the assistant's answer.
        decision: `ask`, or the key of that sentence; None for turns that were begun before it was kept.
    """

    turn_id: str
    number: int
    attempt: int
    sender_id: str
    language: Language
    conversation: Row
    inbound: Row
    binding: Binding | None
    text: str
    wording: str | None
    decision: str | None


def _nothing() -> None:
    return


def _answer(items: Any, made: MadeTurn | None) -> TurnResult:
    result = read_answer(items, made.events, made.steps) if made else read_answer(items, [])
    result.making = made.making if made else None
    return result


def _metadata(turn: OpenTurn) -> dict[str, str]:
    """What goes with the message. A text that was typed in another spelling than the assistant's goes along as it was typed."""
    metadata = {"turn_id": turn.turn_id, "language": turn.language}
    written = turn.inbound["body"].get("content")
    if isinstance(written, str) and written != turn.text and typed(written) == turn.text:
        metadata["as_written"] = written
    return metadata


@dataclass(frozen=True)
class Made:
    """What one attempt came to, ready to be committed.

    Attributes:
        context: what a handing-over tells of this session, this turn included.
        latency: seconds since the event arrived; `seconds` of them with the assistant.
        disclosed: whether this turn carries the notice that the assistant is automated.
    """

    record_id: uuid.UUID
    result: TurnResult
    drafts: list[OutboxDraft]
    context: dict[str, Any]
    failure: str | None
    latency: float
    seconds: float
    disclosed: bool
    at: datetime


class Turns:
    """Makes turns. One instance per worker process.

    Attributes:
        on_filled: called after each commit that put something into the outbox.
    """

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        clock: Clock,
        recorder: Recorder,
        assistant: Assistant,
        grants: Grants,
        watch: ReleaseWatch,
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._clock = clock
        self._recorder = recorder
        self._assistant = assistant
        self._grants = grants
        self._watch = watch
        self._content: dict[str, str] = {}
        self.on_filled: Callable[[], None] = _nothing

    def names_content(self, content: dict[str, str]) -> None:
        """Hashes of the content (manifest, prompts, flows) that every record of this process names."""
        self._content = content

    async def open(
        self,
        conn: Connection,
        conversation: Row,
        inbound: Row,
        binding: Binding | None,
        language: Language,
        text: str,
        wording: str | None,
        decision: str,
    ) -> OpenTurn:
        """Begin or take up the turn of an event, in the caller's transaction: the id is durable before anybody is asked."""
        now = self._clock.now()
        row = await repository.open_turn(conn, inbound["id"])
        if row is None:
            number = conversation["turn_count"] + 1
            sender = sender_id(conversation["conversation_id"], conversation["epoch"])
            row = await repository.begin_turn(
                conn,
                secrets.token_urlsafe(32),
                conversation["conversation_id"],
                inbound["id"],
                number,
                sender,
                language,
                text,
                wording,
                decision,
                now,
            )
            await repository.update_conversation(conn, conversation["conversation_id"], turn_count=number)
            attempt = 1
        else:
            # What the first attempt decided holds: its button is used up by now, and the assistant may have its words.
            attempt = await repository.repeat_turn(conn, row["turn_id"])
        await self._grants.open(conn, row["turn_id"], conversation["conversation_id"], binding)
        return OpenTurn(
            row["turn_id"],
            row["number"],
            attempt,
            row["sender_id"],
            row["language"],
            conversation,
            inbound,
            binding,
            row["text"],
            row["wording"],
            row["decision"],
        )

    async def give_up(self, conn: Connection, inbound: Row, record_id: uuid.UUID) -> int | None:
        """End the turn that was begun for an event which will not be answered after all; its number, or None where none was begun.

        Numbers of a conversation's turns have no gap on the record: what was begun and given up is one of them.
        """
        row = await repository.open_turn(conn, inbound["id"])
        if row is None or row["state"] != "open":
            return None
        await repository.refuse_turn(conn, row["turn_id"], record_id, self._clock.now())
        await self._grants.close(conn, row["turn_id"])
        return int(row["number"])

    async def make(self, turn: OpenTurn) -> None:
        """Ask and commit.

        Raises:
            TurnRepeats: not made; nothing was sent; the job tries again.
        """
        started = asyncio.get_running_loop().time()
        try:
            self._watch.require()
            result = TurnResult(replies=[Reply(turn.wording)]) if turn.wording is not None else await self._ask(turn)
        except (AssistantFailed, EnvelopeInvalid, ReleaseDiffers) as error:
            log.warning(
                "turn not made",
                action="turn_attempt_failed",
                attempt=turn.attempt,
                error=str(error),
                conversation=turn.conversation["conversation_id"],
            )
            if turn.attempt < MAX_ATTEMPTS and not isinstance(error, EnvelopeInvalid):
                raise TurnRepeats(str(error), after=float(turn.attempt)) from error
            await self._commit(
                turn, await self._failed(turn), failure=type(error).__name__, seconds=asyncio.get_running_loop().time() - started
            )
            return
        await self._commit(turn, result, failure=None, seconds=asyncio.get_running_loop().time() - started)

    async def _ask(self, turn: OpenTurn) -> TurnResult:
        made = await self._assistant.made(turn.sender_id, turn.turn_id) if turn.attempt > 1 else None
        if made is not None:
            return _answer(replies_of(made.events), made)
        typing = asyncio.create_task(self._type_if_slow(turn))
        try:
            items = await self._assistant.say(turn.sender_id, turn.text, _metadata(turn))
            made = await self._assistant.made(turn.sender_id, turn.turn_id)
        finally:
            typing.cancel()
        return _answer(items, made)

    async def _failed(self, turn: OpenTurn) -> TurnResult:
        """Our apology. What the assistant made all the same is no answer, but it belongs on the record: its next turn goes on from there."""
        made: MadeTurn | None = None
        with suppress(AssistantFailed, TimeoutError):
            async with asyncio.timeout(LAST_LOOK_SECONDS):
                made = await self._assistant.made(turn.sender_id, turn.turn_id)
        envelope = {"v": 1, "kind": "handoff", "reason": "error", "priority": "high"}
        result = TurnResult(replies=[Reply(say("error", turn.language))], envelopes=[envelope], handoff=envelope)
        if made is not None:
            result.events, result.steps, result.making = made.events, made.steps, made.making
        return result

    async def _type_if_slow(self, turn: OpenTurn) -> None:
        await asyncio.sleep(TYPING_AFTER_SECONDS)
        async with self._pool.connection() as conn:
            draft = OutboxDraft("typing", {"on": True}, bot=True)
            await repository.fill_outbox(
                conn, turn.conversation, [draft], None, epoch=turn.conversation["epoch"], offers_until=self._clock.now()
            )

    async def _commit(self, turn: OpenTurn, result: TurnResult, *, failure: str | None, seconds: float) -> None:
        now = self._clock.now()
        record_id = uuid.uuid4()
        async with self._pool.connection() as conn:
            conversation = await repository.load(conn, turn.conversation["conversation_id"])
            if conversation is None or not await repository.commit_turn(conn, turn.turn_id, turn.attempt, record_id, now):
                log.warning(
                    "a newer attempt has taken over", action="turn_fenced", conversation=turn.conversation["conversation_id"]
                )
                return
            await self._grants.close(conn, turn.turn_id)
            shown = list(result.replies)
            if result.login is not None:
                shown.append(await self._login_message(conn, turn, result))
            if not shown and result.handoff is None:
                # Silence would leave the customer waiting, and without the button that brings a person.
                shown.append(Reply(say("nothing_said", turn.language)))
            disclose = conversation["disclosed_epoch"] != conversation["epoch"] and bool(shown)
            if disclose:
                shown.insert(0, Reply(say("disclosure", turn.language)))
            sources = [citation["title"] for reply in shown for citation in reply.citations]
            context = handoff.remembered(conversation["context"], journey=result.about, events=result.events, sources=sources)
            drafts = await self._drafts(conn, turn, result, shown, str(record_id), context)
            latency = (now - turn.inbound["received_at"]).total_seconds()
            made = Made(record_id, result, drafts, context, failure, latency, seconds, disclose, now)
            # One round trip for all writes: nothing here is read back.
            async with conn.pipeline():
                await self._record(conn, turn, made)
                await self._settle(conn, turn, conversation, made)
        self.on_filled()
        log.info(
            "turn made",
            action="turn_committed",
            conversation=turn.conversation["conversation_id"],
            turn=turn.number,
            ms=round(seconds * 1000),
            failure=failure,
        )

    async def _login_message(self, conn: Connection, turn: OpenTurn, result: TurnResult) -> Reply:
        login = result.login or {}
        conversation_id = turn.conversation["conversation_id"]
        able = await browser(conn, conversation_id) is not None
        facts = {"journey": login["journey"], "scopes": list(login["scopes"]), "link": able, "lang": turn.language}
        await self._recorder.record(conn, RecordDraft(Event.LOGIN_REQUESTED, conversation_id, turn=turn.number, facts=facts))
        if not able:
            # No page of ours has said which browser holds this chat: a link could be opened by anybody.
            return Reply(say("login_unavailable", turn.language))
        url = await create_link(conn, self._settings, self._clock, conversation_id, tuple(login["scopes"]), login["journey"])
        last = result.replies[-1] if result.replies else Reply("")
        return Reply(say("login_link", turn.language, url=url), last.offers)

    async def _drafts(
        self, conn: Connection, turn: OpenTurn, result: TurnResult, shown: list[Reply], record: str, context: dict[str, Any]
    ) -> list[OutboxDraft]:
        if result.login is not None and len(shown) > 1:
            # The buttons ("I have logged in", "a person") belong under the link, which is the last message.
            shown[-2] = Reply(shown[-2].text, (), shown[-2].citations)
        before: list[OutboxDraft] = []
        after: list[OutboxDraft] = []
        if result.handoff is not None:
            situation = handoff.Situation(
                reason=result.handoff["reason"],
                priority=result.handoff["priority"],
                language=turn.language,
                verified=turn.binding is not None,
                journey=context.get("journey"),
                step=context.get("step"),
                said=await repository.recent_words(conn, turn.conversation["conversation_id"]),
                data=context["data"],
                sources=context["sources"],
                record=record,
            )
            before, after = handoff.drafts(situation)
        messages = message_drafts(
            shown,
            language=turn.language,
            base_url=self._settings.gateway_public_url,
            record=record,
            journey=result.journey,
            offer_person=result.handoff is None,
            even_if_held=result.handoff is not None,
        )
        return [*before, *messages, *after]

    async def _record(self, conn: Connection, turn: OpenTurn, made: Made) -> None:
        draft = RecordDraft(
            Event.TURN_FAILED if made.failure else Event.TURN_MADE,
            conversation_id=turn.conversation["conversation_id"],
            subject=turn.binding.customer_id if turn.binding else None,
            turn=turn.number,
            facts=turn_facts(turn, made),
            payload=turn_payload(turn, made),
            content=self._content,
        )
        await self._recorder.record(conn, draft, record_id=made.record_id)

    async def _settle(self, conn: Connection, turn: OpenTurn, conversation: Row, made: Made) -> None:
        conversation_id, epoch, handed = conversation["conversation_id"], conversation["epoch"], made.result.handoff
        await repository.fill_outbox(
            conn, conversation, made.drafts, made.record_id, epoch=epoch, offers_until=made.at + OFFER_LIFE
        )
        changes: dict[str, Any] = {"language": turn.language, "context": json.dumps(made.context, ensure_ascii=False)}
        if made.disclosed:
            changes["disclosed_epoch"] = epoch
            await self._recorder.record(conn, disclosure(turn, epoch))
        if handed is not None:
            changes["held_by"] = "opened"
            facts = {"reason": handed["reason"], "priority": handed["priority"]}
            await self._recorder.record(conn, RecordDraft(Event.HANDOFF_OPENED, conversation_id, turn=turn.number, facts=facts))
        await repository.update_conversation(conn, conversation_id, **changes)
        await repository.finish_inbound(conn, turn.inbound["id"], "handed over" if handed else "answered")
