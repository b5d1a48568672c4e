"""One conversation of an acceptance case: what the gateway does around the assistant, with the gateway's own rules and wording.

The order is that of gateway/drain.py and gateway/turns.py: silence and sessions, who holds the conversation, what the message asks for,
its language, the kill switch, who is bound, a grant for this turn alone, the assistant, and what its answer means. A test lets both do the
same and compares (tests/integration/gateway/test_gateway_as_in_cases.py).
"""

from __future__ import annotations

import secrets
import zlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from tightrope.cli.uat.view import Recording, Spoken, observed
from tightrope.cli.uat.wires import PARTS
from tightrope.cli.uat.world import World, new_place
from tightrope.engine.responses import replies
from tightrope.engine.state import Event, State
from tightrope.engine.turn import Incoming, Turn, TurnRunner
from tightrope.gateway import decide, repository
from tightrope.gateway.drain import LOGIN_DONE
from tightrope.gateway.errors import EnvelopeInvalid
from tightrope.gateway.models import Language, Offer, Reply, TurnResult
from tightrope.gateway.replies import read_answer
from tightrope.gateway.wording import say
from tightrope.identity.models import Binding
from tightrope.sandbox.brokerage.faults import Fault, FaultOrder
from tightrope.uat import models
from tightrope.uat.models import Act, Break, Case, Choose, GiveBack, Login, Logout, Press, Say, Switch, Wait
from tightrope.uat.observed import CannotPlay, Observed
from tightrope.understanding.language import detect, requested

SECONDS_A_STEP = 3.0
BEFORE = timedelta(seconds=60)
"""A customer who is logged in did so a minute before the case begins."""


@dataclass(slots=True)
class _Button:
    """The newest button of a title, with the session, turn and message that it belongs to."""

    payload: str
    epoch: int
    message: tuple[int, int]
    used: bool = False
    """It or another of its message was pressed: one question, one answer."""
    pressed: bool = False


class UatStage:
    """Plays cases in one world, one after the other."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def open(self, case: Case) -> UatTalk:
        """A new conversation at the case's time, with the case's customer logged in and its faults ordered."""
        world = self._world
        if world.clock.at.date() != case.at.date() or world.logged_at != case.at:
            await world.forget_logins()
            world.logged_at = case.at
        world.clock.at = case.at - BEFORE
        talk = UatTalk(world, case)
        if case.customer is not None:
            await world.bind(case.customer, talk.place)
        world.clock.at = case.at
        talk.order(case.faults)
        return talk


class UatTalk:
    """The conversation of one case."""

    def __init__(self, world: World, case: Case) -> None:
        self.place = new_place()
        self._world = world
        self._case = case
        self._language: Language = case.language
        self._epoch = 0
        self._turns = 0
        self._held = ""
        self._buttons: dict[str, _Button] = {}
        self._last_at = case.at
        self._switched: set[str] = set()
        self._logged_in_late: set[str] = set()
        self._filed = False
        self._recording = Recording(world.prompt, world.understanding, world.actions)
        self._fresh()

    def _fresh(self) -> None:
        """Begin a new session: a fresh tracker, no stale question or offer."""
        self._sender = f"cw-{self.place.conversation_id}-e{self._epoch}"
        self._state = State(self._sender, zlib.crc32(self._case.id.encode()))
        self._history: list[Event] = []

    def _raise_epoch(self) -> None:
        self._epoch += 1
        self._fresh()

    async def do(self, act: Act) -> Observed:
        """Let something happen.

        Raises:
            CannotPlay: it cannot happen here.
        """
        self._world.clock.advance(SECONDS_A_STEP)
        self._world.wires.forget()
        self._recording.forget()
        match act:
            case Say(text):
                spoken = await self._say(text)
            case Press(title):
                spoken = await self._press(title)
            case Choose(title):
                raise CannotPlay(f"whether {title!r} is to be pressed is for the player to see")
            case Login(customer):
                spoken = await self._login(customer)
            case Logout():
                spoken = await self._logout()
            case Wait(minutes):
                self._world.clock.advance(minutes * 60)
                spoken = Spoken()
            case Switch(scope, off):
                await self._world.turn_switch(scope, off=off)
                (self._switched.add if off else self._switched.discard)(scope)
                spoken = Spoken()
            case GiveBack():
                self._held = ""
                spoken = Spoken()
            case Break(faults):
                self.order(faults)
                spoken = Spoken()
        self._filed = self._filed or any(call.method != "GET" for call in self._world.wires.calls)
        return observed(self._world, self._recording, spoken, self._state, held=bool(self._held))

    async def close(self) -> None:
        """Take back what the case ordered."""
        world = self._world
        world.sandbox.state.faults.clear()
        world.wires.down.clear()
        for scope in sorted(self._switched):
            await world.turn_switch(scope, off=False)
        if self._filed:
            await world.forget_tickets()
        if self._logged_in_late:
            await world.forget_logins(*self._logged_in_late)

    def order(self, faults: tuple[models.FaultOrder, ...]) -> None:
        """Order faults for the calls to come."""
        for item in faults:
            if item.fault in PARTS:
                self._world.wires.down.add(PARTS[item.fault])
                continue
            customer = item.customer or self._case.customer
            if customer is None:
                raise CannotPlay("nobody is logged in: say whose calls fail with `customer`")
            order = FaultOrder(customer=customer, operation=item.operation, fault=Fault(item.fault), times=item.times)
            self._world.sandbox.state.faults.order(order)

    # what happens

    async def _say(self, text: str) -> Spoken:
        self._session()
        if self._held:
            return Spoken(silent=f"a person holds the conversation ({self._held})")
        decision = decide.on_message({"content": text})
        first = self._turns == 0
        if isinstance(decision, decide.Canned) and decision.key == "language_switched":
            self._language = requested(text) or self._language
        elif isinstance(decision, decide.Ask):
            self._language = detect(decision.text, None if first else self._language) or self._language
        return await self._decided(decision)

    async def _press(self, title: str) -> Spoken:
        button = self._buttons.get(title)
        if button is None:
            raise CannotPlay(f"there is no button {title!r}; there are {', '.join(self._buttons) or 'none'}")
        if button.pressed:
            return Spoken(silent="the same press again is the same event")
        button.pressed = True
        if self._held:
            return Spoken(silent=f"a person holds the conversation ({self._held})")
        self._session()
        await self._binding()
        to_person = button.payload in {say("person_text", "zh"), say("person_text", "en")}
        good = to_person or (button.epoch == self._epoch and not button.used)
        for other in self._buttons.values():
            other.used = other.used or (good and other.message == button.message)
        return await self._decided(decide.Ask(button.payload) if good else decide.Canned("offer_expired"))

    async def _login(self, customer: str) -> Spoken:
        late = customer not in self._world.browsers
        if await self._world.bind(customer, self.place):
            self._raise_epoch()
        if late:
            self._logged_in_late.add(customer)
        newest = (self._epoch, self._turns)
        waits = any(
            button.payload == LOGIN_DONE and not button.used and (button.epoch, button.message[0]) == newest
            for button in self._buttons.values()
        )
        return await self._decided(decide.Ask(LOGIN_DONE) if waits else decide.Canned("login_confirmed"))

    async def _logout(self) -> Spoken:
        binding = await self._binding()
        if binding is None:
            raise CannotPlay("nobody is logged in")
        await self._world.unbind(binding.customer_id)
        self._raise_epoch()
        return Spoken()

    def _session(self) -> None:
        """A message after a long silence begins a new session."""
        now = self._world.clock.now()
        if now - self._last_at > timedelta(minutes=self._world.settings.session_minutes):
            self._raise_epoch()
        self._last_at = now

    async def _binding(self) -> Binding | None:
        async with self._world.worker.connection() as conn:
            standing = await self._world.bindings.current(conn, self.place)
        if standing.raise_epoch:
            self._raise_epoch()
        return standing.binding

    async def _decided(self, decision: decide.Decision) -> Spoken:
        if self._held:
            return Spoken(silent=f"a person holds the conversation ({self._held})")
        async with self._world.worker.connection() as conn:
            off = frozenset(await repository.off_scopes(conn))
        if "all" in off:
            self._held = "switch"
            return Spoken(silent="the kill switch is engaged", handoff=("switch", "normal"), off=off)
        binding = await self._binding()
        self._turns += 1
        bound = binding.customer_id if binding else None
        if isinstance(decision, decide.Canned):
            values = {"limit": str(decide.MAX_MESSAGE)} if decision.key == "too_long" else {}
            text = say(decision.key, self._language, **values)
            return self._shown(Spoken(told=decision.key, bound=bound, off=off), TurnResult(replies=[Reply(text)]))
        if isinstance(decision, decide.Silent):
            return Spoken(silent=decision.why, bound=bound, off=off)
        return await self._ask(decision.text, binding, off)

    async def _ask(self, text: str, binding: Binding | None, off: frozenset[str]) -> Spoken:
        """One turn of the assistant with its grant."""
        world = self._world
        turn_id = secrets.token_urlsafe(32)
        async with world.worker.connection() as conn:
            await world.grants.open(conn, turn_id, self.place.conversation_id, binding)
        try:
            turn = await self._assistant(text, turn_id)
        finally:
            async with world.worker.connection() as conn:
                await world.grants.close(conn, turn_id)
        spoken = Spoken(bound=binding.customer_id if binding else None, off=off, turn=turn)
        try:
            result = read_answer(replies(self._sender, turn.events), turn.events)
        except EnvelopeInvalid as error:
            envelope: dict[str, Any] = {"v": 1, "kind": "handoff", "reason": "error", "priority": "high"}
            failed = TurnResult(replies=[Reply(say("error", self._language))], envelopes=[envelope], handoff=envelope)
            return self._shown(replace(spoken, told="error", problems=(str(error),)), failed)
        return self._shown(spoken, result)

    async def _assistant(self, text: str, turn_id: str) -> Turn:
        """What the assistant makes of it."""
        world = self._world
        runner = TurnRunner(
            world.project,
            self._recording,
            self._recording,
            lambda: world.clock.now().timestamp(),
            strict_payloads=world.settings.strict_payloads,
            prediction_cap=world.settings.prediction_cap,
        )
        turn = Turn(self._state, lambda: self._history)
        await runner.run(turn, Incoming(self._sender, text, {"turn_id": turn_id, "language": self._language}))
        self._state = turn.state
        self._history.extend(turn.events)
        return turn

    def _shown(self, spoken: Spoken, result: TurnResult) -> Spoken:
        """What the gateway adds to the answer: the login link, a word where nothing was said, the way to a person."""
        shown = list(result.replies)
        if result.login is not None:
            offers = shown[-1].offers if shown else ()
            if shown:
                shown[-1] = Reply(shown[-1].text, (), shown[-1].citations)
            shown.append(Reply(say("login_link", self._language, url="https://login.example"), offers))
        if not shown and result.handoff is None:
            shown.append(Reply(say("nothing_said", self._language)))
            spoken = replace(spoken, told="nothing_said")
        if result.handoff is None and shown:
            person = Offer(say("person_title", self._language), say("person_text", self._language))
            last = shown[-1]
            if not any(person.title.lower() in offer.title.lower() for offer in last.offers):
                shown[-1] = Reply(last.text, (*last.offers, person), last.citations)
        for number, reply in enumerate(shown):
            message = (self._turns, number)
            self._buttons |= {offer.title: _Button(offer.payload, self._epoch, message) for offer in reply.offers}
        if result.handoff is not None:
            self._held = str(result.handoff["reason"])
            spoken = replace(spoken, handoff=(str(result.handoff["reason"]), str(result.handoff["priority"])))
        return replace(spoken, replies=tuple(shown), result=result)
