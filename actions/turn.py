"""What one run of an action may see and do: the tracker's declared slots, the caller, the business systems, and its words."""

from __future__ import annotations

import asyncio
import hashlib
import unicodedata
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any, Final, TypeVar

from rasa_sdk import Tracker
from rasa_sdk.events import SlotSet

from actions.context import Context
from actions.errors import NotPermitted, Undeclared
from actions.journeys import Journey, any_private, journey_of
from actions.wording import SHANGHAI
from tightrope.business import asking
from tightrope.business.client import BusinessClient
from tightrope.business.errors import BusinessError, Done
from tightrope.business.models import Answer, Receipt
from tightrope.business.operations import SCOPES
from tightrope.generation import ledger
from tightrope.identity.errors import IdentityError
from tightrope.identity.models import Caller, Customer
from tightrope.rules.given import plain
from tightrope.rules.text import Language

if TYPE_CHECKING:
    from actions.base import Declaration

T = TypeVar("T")

_MESSAGE_KEYS: Final = frozenset(
    {"text", "image", "json_message", "template", "response", "attachment", "buttons", "elements", "custom"}
)
_DONE: Final[Mapping[Done, str]] = {Done.DONE: "done", Done.NOT_DONE: "not_done", Done.UNKNOWN: "unknown"}
DEFAULT_LANGUAGE: Final = "zh"
LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")


class Turn:
    """Handed to `perform`. Everything undeclared raises `Undeclared`."""

    def __init__(self, action: str, declaration: Declaration, tracker: Tracker, context: Context) -> None:
        self.context = context
        self.events: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self._action = action
        self._declaration = declaration
        self._tracker = tracker
        self._caller: Caller | None = None
        self._token: str | None = None
        self._calls: list[dict[str, Any]] = []
        self._rules: list[dict[str, Any]] = []
        self._passages: list[dict[str, Any]] = []
        self._models: list[dict[str, Any]] = []
        self._guards: list[dict[str, Any]] = []
        self._submitted = 0

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Metadata of the customer's message: `turn_id` and `language`."""
        return self._tracker.latest_message.get("metadata") or {}

    @property
    def sender(self) -> str:
        """Rasa's sender id, as the caller of the action server has it: proves nothing by itself."""
        return str(self._tracker.sender_id)

    @property
    def text(self) -> str:
        """The customer's message."""
        return str(self._tracker.latest_message.get("text") or "")

    @property
    def language(self) -> Language:
        """`zh` or `en`: what the gateway said of this message, else what held before."""
        said = (self.metadata.get("language"), self._tracker.slots.get("language"), DEFAULT_LANGUAGE)
        return next(language for value in said for language in LANGUAGES if value == language)

    @property
    def today(self) -> date:
        """The day in Shanghai."""
        return self.context.clock.now().astimezone(SHANGHAI).date()

    @property
    def journey(self) -> Journey:
        """The journey that runs.

        Raises:
            UnknownJourney: none does.
        """
        return journey_of(self._tracker.stack)

    @property
    def frame(self) -> Mapping[str, Any]:
        """The topmost frame of the dialogue stack; empty if there is none."""
        return self._tracker.stack[-1] if self._tracker.stack else {}

    def read(self, slot: str) -> Any:
        """A declared slot's value."""
        if slot not in self._declaration.reads:
            raise Undeclared(f"reads slot {slot!r}")
        return self._tracker.slots.get(slot)

    def as_written(self, slot: str) -> str:
        """The customer's own words behind a declared slot that took a whole message: the message as the gateway got it.

        What a slot holds has gone through understanding, which spells all signs one way. Where no message with the same letters can be
        found (the slot came from elsewhere), the slot's value.
        """
        value, message, words = str(self.read(slot)), {}, ""
        for event in self._tracker.events:
            if event.get("event") == "user":
                message = event
            elif event.get("event") == "slot" and event.get("name") == slot and event.get("value") == value:
                words = str((message.get("metadata") or {}).get("as_written") or message.get("text") or "")
        return words if _letters(words).startswith(_letters(value)) else value

    def set(self, slot: str, value: str | None) -> None:
        """Set a declared slot to one of its declared values."""
        if value not in self._declaration.sets.get(slot, frozenset()):
            raise Undeclared(f"sets slot {slot!r} to {value!r}")
        self.events.append(SlotSet(slot, value))

    def say(self, response: str, buttons: Sequence[Mapping[str, str]] = (), **variables: str) -> None:
        """Utter a declared response of the domain with its variables."""
        if response not in self._declaration.responses:
            raise Undeclared(f"utters {response!r}")
        if clash := _MESSAGE_KEYS & variables.keys():
            raise Undeclared(f"variables named like parts of a message: {sorted(clash)}")
        message: dict[str, Any] = {"response": response, **variables}
        if buttons:
            message["buttons"] = [dict(button) for button in buttons]
        self.messages.append(message)

    def say_text(self, text: str) -> None:
        """Say text that no response holds: sentences of approved passages."""
        if not self._declaration.free_text:
            raise Undeclared("says free text")
        self.messages.append({"text": text})

    def tell(self, kind: str, **fields: Any) -> None:
        """Add an envelope for the gateway."""
        if kind not in self._declaration.envelopes:
            raise Undeclared(f"envelope {kind!r}")
        self.messages.append({"json_message": {"envelope": {"v": 1, "kind": kind, **fields}}})

    async def caller(self) -> Caller:
        """Who this turn's grant says the customer is; asked once per run."""
        if self._caller is None:
            self._caller = await self.context.identity.resolve(str(self.metadata.get("turn_id") or ""))
        return self._caller

    async def customer(self) -> Customer:
        """The verified customer, holding the declared scope.

        Raises:
            NotPermitted: there is none, or the grant lacks the scope.
        """
        caller = await self.caller()
        if not isinstance(caller, Customer) or self._declaration.scope is None or self._declaration.scope not in caller.scopes:
            raise NotPermitted
        return caller

    async def fetch(self, operation: str, request: Callable[[BusinessClient, str], Awaitable[Answer[T]]]) -> Answer[T]:
        """Make one declared call to the business API with a token of this customer.

        Args:
            request: gets the client and the token, and makes the call.

        Raises:
            NotPermitted: no grant, no scope, or the session has ended.
            BusinessError: the call brought no usable answer; it stands in the evidence either way.
        """
        return await self._recorded(operation, request)

    @staticmethod
    async def all_of(fetches: Iterable[Awaitable[T]]) -> list[T]:
        """What several calls at once bring, in their order. All are waited for, also when one fails: each has to stand in the evidence.

        Raises:
            NotPermitted, BusinessError: the first one that failed.
        """
        found = await asyncio.gather(*fetches, return_exceptions=True)
        results: list[T] = []
        for one in found:
            if isinstance(one, BaseException):
                raise one
            results.append(one)
        return results

    async def submit(self, operation: str, request: Callable[[BusinessClient, str, str], Awaitable[Answer[T]]]) -> Answer[T]:
        """Make one declared request that the firm is to act on, such as a ticket. A repeated turn repeats its key, so nothing is filed twice.

        Args:
            request: gets the client, the token and the idempotency key, and makes the call.

        Raises:
            NotPermitted: no grant, no scope, or the session has ended.
            BusinessError: as of `fetch`; where `done` is UNKNOWN, the reply has to say so.
        """
        self._submitted += 1
        key = idempotency_key(str(self.metadata.get("turn_id") or ""), self._action, self._submitted)
        return await self._recorded(operation, lambda api, token: request(api, token, key))

    async def _recorded(self, operation: str, request: Callable[[BusinessClient, str], Awaitable[Answer[T]]]) -> Answer[T]:
        if operation not in self._declaration.calls:
            raise Undeclared(f"calls {operation!r}")
        if SCOPES[operation] != self._declaration.scope:
            raise Undeclared(f"calls {operation!r} with scope {self._declaration.scope!r}")
        customer = await self.customer()
        asked: list[dict[str, Any]] = []
        try:
            if self._token is None:
                try:
                    subject = await self.context.identity.subject_token(customer.binding_id)
                except IdentityError:
                    raise NotPermitted from None
                self._token = await self.context.tokens.exchange(subject, SCOPES[operation])
            with asking.opened() as asked:
                answer = await request(self.context.business, self._token)
        except BusinessError as error:
            self._calls.append(_call(error.receipt, _DONE[error.done], asked))
            raise
        self._calls.append(_call(answer.receipt, "done", asked))
        return answer

    def used_rule(
        self, rule: str, version: str, verdict: str, inputs: Mapping[str, Any], given: Mapping[str, Any] | None = None
    ) -> None:
        """Note for the record which rule decided what from which values.

        Args:
            inputs: what an auditor reads.
            given: everything that running the rule again takes (tightrope/replay/rules.py), its findings included; None for a finding of a rule
                that says it of the whole.
        """
        noted: dict[str, Any] = {"rule": rule, "version": version, "verdict": verdict, "inputs": dict(inputs)}
        self._rules.append(noted if given is None else {**noted, "given": plain_given(given)})

    def used_passages(self, passages: Iterable[Mapping[str, Any]]) -> None:
        """Note for the record which passages were found."""
        self._passages.extend(dict(passage) for passage in passages)

    def judged(self, guards: Iterable[Mapping[str, Any]]) -> None:
        """Note for the record what the guards said, also of drafts that were refused."""
        self._guards.extend(dict(guard) for guard in guards)

    @contextmanager
    def may_ask_a_model(self) -> Iterator[None]:
        """Inside, a language model may take part, and each of its calls goes to the evidence, also if something fails.

        While a private journey is under way none may (red line 3): then no ledger is opened, and whoever could ask a model does without.
        """
        if any_private(self._tracker.stack):
            yield
            return
        calls: list[ledger.ModelCall] = []
        try:
            with ledger.opened() as calls:
                yield
        finally:
            self._models.extend(call.item() for call in calls)

    def forget(self) -> None:
        """Drop everything said and set; what was called stays for the record."""
        self.events.clear()
        self.messages.clear()

    def evidence(self, outcome: str) -> dict[str, Any]:
        """The evidence envelope of this run."""
        envelope: dict[str, Any] = {"v": 1, "kind": "evidence", "action": self._action, "outcome": outcome}
        kept = {
            "calls": self._calls,
            "rules": self._rules,
            "passages": self._passages,
            "models": self._models,
            "guards": self._guards,
        }
        for key, items in kept.items():
            if items:
                envelope[key] = items
        return {"envelope": envelope}


def idempotency_key(turn_id: str, action: str, ordinal: int) -> str:
    """The key of a turn's `ordinal`-th request by an action: 64 hexadecimal digits, the same whenever the turn is repeated."""
    return hashlib.sha256("\0".join((turn_id, action, str(ordinal))).encode()).hexdigest()


def plain_given(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a rule was given, as plain data."""
    return {name: plain(value) for name, value in given.items()}


def _letters(text: str) -> str:
    """Letters and digits alone, in one spelling."""
    return "".join(char for char in unicodedata.normalize("NFKC", text) if char.isalnum())


def _call(receipt: Receipt, outcome: str, asked: list[dict[str, Any]]) -> dict[str, Any]:
    call: dict[str, Any] = {
        "operation": receipt.operation,
        "outcome": outcome,
        "status": receipt.status,
        "as_of": receipt.as_of.isoformat() if receipt.as_of else None,
        "sha256": receipt.sha256,
    }
    return call | {"asked": asked} if asked else call
