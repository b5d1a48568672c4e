"""Fakes of what actions touch, and a way to run one as rasa-sdk does."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from jsonschema import Draft202012Validator
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher
from request_fakes import FakeRequests

from actions.base import DeclaredAction
from actions.rule_data import load_rule_data
from tightrope.business.errors import BusinessError, Refused
from tightrope.business.models import (
    Account,
    Accounts,
    Answer,
    Balance,
    CustomerTier,
    MarginAccount,
    MarginFacts,
    Money,
    OptionsFacts,
    Receipt,
    Standing,
)
from tightrope.business.operations import SCOPES
from tightrope.identity.errors import BindingEnded
from tightrope.identity.models import Anonymous, Caller, Customer
from tightrope.infra.clock import FixedClock
from tightrope.infra.settings import REPOSITORY
from tightrope.knowledge.models import NoAnswer
from tightrope.replay.rules import RuleBook, rerun

TURN = "t" * 43
BINDING = UUID("00000000-0000-4000-8000-000000000001")
NOW = datetime(2026, 11, 20, 2, 31, tzinfo=UTC)
RULE_DATA = load_rule_data()
CONTRACT = Draft202012Validator(
    json.loads((REPOSITORY / "contracts" / "turn" / "envelope.schema.json").read_text(encoding="utf-8"))
)
_RULES = RuleBook()


def receipt(operation: str, outcome: str = "ok", status: int | None = 200, as_of: datetime | None = NOW) -> Receipt:
    return Receipt(operation, outcome, status, as_of, "a" * 64 if status else None)


def cny(amount: str, currency: str = "CNY") -> Money:
    return Money(amount=amount, currency=currency)  # type: ignore[arg-type]


def account(account_id: str = "A1", **changes: Any) -> Account:
    values: dict[str, Any] = {
        "kind": "cash",
        "number_masked": "****1001",
        "currency": "CNY",
        "status": "normal",
        "opened_on": date(2020, 1, 2),
    }
    return Account(account_id=account_id, **(values | changes))


def balance(account_id: str = "A1", as_of: datetime = NOW) -> Balance:
    return Balance(
        account_id=account_id,
        currency="CNY",
        cash_available=cny("12345.67"),
        cash_frozen=cny("100.00"),
        cash_withdrawable=cny("12000.00"),
        market_value=cny("98765.43"),
        total_assets=cny("111211.10"),
        as_of=as_of,
    )


def margin_facts(**changes: Any) -> MarginFacts:
    values: dict[str, Any] = {
        "customer_id": "C1001",
        "customer_tier": CustomerTier.RETAIL,
        "risk_level": "C4",
        "risk_assessed_on": date(2025, 6, 1),
        "risk_disclosure_signed_on": date(2026, 11, 1),
        "funds_account_standing": Standing.NORMAL,
        "first_trade_on": date(2024, 1, 5),
        "average_assets_20d": cny("612345.67"),
        "margin_account_status": "none",
        "as_of": NOW,
    }
    return MarginFacts(**(values | changes))


def options_facts(**changes: Any) -> OptionsFacts:
    values: dict[str, Any] = {
        "customer_id": "C1001",
        "customer_tier": CustomerTier.RETAIL,
        "risk_level": "C4",
        "risk_assessed_on": date(2025, 6, 1),
        "risk_disclosure_signed_on": date(2026, 11, 1),
        "funds_account_standing": Standing.NORMAL,
        "account_opened_on": date(2024, 1, 5),
        "average_assets_20d": cny("612345.67"),
        "margin_account_status": "open",
        "traded_financial_futures": False,
        "knowledge_level": 3,
        "simulated_level": 3,
        "bad_record": False,
        "enabled_level": 0,
        "as_of": NOW,
    }
    return OptionsFacts(**(values | changes))


def margin_account(
    cash: str = "0.00", securities: str = "200000.00", financed: str = "100000.00", **changes: Any
) -> MarginAccount:
    currency = changes.pop("currency", "CNY")
    values: dict[str, Any] = {
        "customer_id": "C1001",
        "account_id": "A2",
        "number_masked": "****2002",
        "currency": currency,
        "cash": cny(cash, currency),
        "securities": cny(securities, currency),
        "financed": cny(financed, currency),
        "sold_short": cny("0.00", currency),
        "interest_and_fees": cny("0.00", currency),
        "credit_limit": cny("500000.00", currency),
        "margin_call": None,
        "as_of": NOW,
    }
    return MarginAccount(**(values | changes))


class FakeSwitches:
    def __init__(self) -> None:
        self.scopes: frozenset[str] = frozenset()

    async def off(self) -> frozenset[str]:
        return self.scopes


class FakeIdentity:
    def __init__(self) -> None:
        self.grants: dict[str, Caller] = {}
        self.ended = False

    async def resolve(self, turn_id: object) -> Caller:
        return self.grants.get(str(turn_id), Anonymous())

    async def subject_token(self, binding_id: UUID) -> str:
        if self.ended:
            raise BindingEnded("ended")
        return f"subject-{binding_id}"


class FakeTokens:
    def __init__(self) -> None:
        self.exchanged: list[tuple[str, str]] = []
        self.refuse = False

    async def exchange(self, subject_token: str, scope: str) -> str:
        self.exchanged.append((subject_token, scope))
        if self.refuse:
            raise Refused("session ended", receipt("token_exchange", "refused", 400, None))
        return f"token-{scope}"


class FakeBusiness(FakeRequests):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str, str]] = []
        self.accounts_held: tuple[Account, ...] = (account(),)
        self.balances: dict[str, Balance] = {"A1": balance()}
        self.facts: MarginFacts = margin_facts()
        self.options: OptionsFacts = options_facts()
        self.credit: MarginAccount = margin_account()
        self.errors: dict[str, BusinessError] = {}

    def _fail(self, operation: str) -> None:
        if operation in self.errors:
            raise self.errors[operation]

    async def accounts(self, token: str, customer_id: str) -> Answer[Accounts]:
        self.asked.append(("list_accounts", token, customer_id))
        self._fail("list_accounts")
        return Answer(Accounts(customer_id=customer_id, items=self.accounts_held, as_of=NOW), receipt("list_accounts"))

    async def balance(self, token: str, account_id: str) -> Answer[Balance]:
        self.asked.append(("get_balance", token, account_id))
        self._fail("get_balance")
        return Answer(self.balances[account_id], receipt("get_balance"))

    async def margin_facts(self, token: str, customer_id: str) -> Answer[MarginFacts]:
        self.asked.append(("margin", token, customer_id))
        self._fail("get_margin_eligibility_facts")
        return Answer(self.facts, receipt("get_margin_eligibility_facts"))

    async def options_facts(self, token: str, customer_id: str) -> Answer[OptionsFacts]:
        self.asked.append(("options", token, customer_id))
        self._fail("get_options_eligibility_facts")
        return Answer(self.options, receipt("get_options_eligibility_facts"))

    async def margin_account(self, token: str, customer_id: str) -> Answer[MarginAccount]:
        self.asked.append(("margin_account", token, customer_id))
        self._fail("get_margin_account")
        return Answer(self.credit, receipt("get_margin_account"))


class FakeKnowledge:
    def __init__(self) -> None:
        self.questions: list[tuple[str, str]] = []
        self.result: Any = NoAnswer("nothing_found")

    async def answer(self, question: str, language: str) -> Any:
        self.questions.append((question, language))
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@dataclass
class FakeContext:
    switches: FakeSwitches = field(default_factory=FakeSwitches)
    identity: FakeIdentity = field(default_factory=FakeIdentity)
    tokens: FakeTokens = field(default_factory=FakeTokens)
    business: FakeBusiness = field(default_factory=FakeBusiness)
    knowledge: FakeKnowledge = field(default_factory=FakeKnowledge)
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOW))
    rules: Any = RULE_DATA

    def log_in(self, *scopes: str, customer: str = "C1001") -> None:
        held = frozenset(scopes or SCOPES.values())
        self.identity.grants[TURN] = Customer("1-441", customer, held, "pwd", BINDING)


def tracker(
    flow: str | None = "check_balance",
    *,
    text: str = "",
    language: str | None = "zh",
    turn: str | None = TURN,
    slots: dict[str, Any] | None = None,
    on_top: dict[str, Any] | None = None,
) -> Tracker:
    stack: list[dict[str, Any]] = [{"frame_id": "F1", "flow_id": flow, "step_id": "begin", "type": "flow"}] if flow else []
    if on_top:
        stack.append(on_top)
    metadata = {key: value for key, value in {"turn_id": turn, "language": language}.items() if value is not None}
    return Tracker(
        "cw-1-441-e0",
        {"language": "zh", **(slots or {})},
        {"text": text, "metadata": metadata},
        [],
        False,
        None,
        {},
        "action_listen",
        stack,
    )


@dataclass
class Done:
    messages: list[dict[str, Any]]
    events: list[dict[str, Any]]

    @property
    def slots(self) -> dict[str, Any]:
        return {event["name"]: event["value"] for event in self.events if event["event"] == "slot"}

    @property
    def said(self) -> list[str]:
        return [message["response"] for message in self.messages if message["response"]]

    @property
    def envelopes(self) -> list[dict[str, Any]]:
        return [message["custom"]["envelope"] for message in self.messages if message["custom"]]

    def envelope(self, kind: str) -> dict[str, Any]:
        return next(envelope for envelope in self.envelopes if envelope["kind"] == kind)

    @property
    def evidence(self) -> dict[str, Any]:
        return self.envelope("evidence")

    def message(self, response: str) -> dict[str, Any]:
        return next(message for message in self.messages if message["response"] == response)


async def run(action: DeclaredAction, on: Tracker) -> Done:
    dispatcher = CollectingDispatcher()
    events = await action.run(dispatcher, on, {})
    done = Done(dispatcher.messages, events)
    for envelope in done.envelopes:
        CONTRACT.validate(envelope)
        # Whatever an action says of a rule has to come out the same when a replay runs the rule again.
        again = rerun(envelope, _RULES)
        assert (list(again.again), again.unknown) == (list(again.recorded), ()), (
            "tightrope/replay/rules.py does not follow this action"
        )
    return done


__all__ = [
    "BINDING",
    "NOW",
    "TURN",
    "Decimal",
    "Done",
    "FakeContext",
    "account",
    "balance",
    "cny",
    "margin_account",
    "margin_facts",
    "options_facts",
    "receipt",
    "run",
    "tracker",
]
