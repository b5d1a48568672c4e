"""Reads of one thing: a balance, facts, the margin account, the risk profile, contact details, the trading calendar."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TypeVar

from tightrope.business.basics import Answer, Market
from tightrope.business.errors import InvalidAnswer
from tightrope.business.facts import (
    Balance,
    ClosureFacts,
    ContactDetails,
    MarginAccount,
    MarginFacts,
    OptionsFacts,
    RiskProfile,
    TradingCalendar,
)
from tightrope.business.operations import (
    GET_BALANCE,
    GET_CLOSURE_FACTS,
    GET_CONTACT_DETAILS,
    GET_MARGIN_ACCOUNT,
    GET_MARGIN_FACTS,
    GET_OPTIONS_FACTS,
    GET_RISK_PROFILE,
    LIST_TRADING_DAYS,
)
from tightrope.business.wire import Wire, receipt_of, segment

Facts = TypeVar("Facts", ClosureFacts, ContactDetails, MarginAccount, MarginFacts, OptionsFacts, RiskProfile)


class FactReads(Wire):
    """Reads that are answered in one piece."""

    async def balance(self, token: str, account_id: str) -> Answer[Balance]:
        """The figures of one account. Scope `accounts:read`.

        Raises:
            BusinessError: one of errors.py's tree; `Refused` both for another's account and for one that does not exist.
        """
        body = await self._get(GET_BALANCE, f"/v1/accounts/{segment(GET_BALANCE, account_id)}/balance", token)
        balance = self._parse(GET_BALANCE, Balance, body)
        self._same(GET_BALANCE, body, balance.account_id, account_id)
        return Answer(balance, self._fresh(GET_BALANCE, balance, body))

    async def margin_facts(self, token: str, customer_id: str) -> Answer[MarginFacts]:
        """The facts that bear on margin trading. Scope `eligibility:read`.

        Raises:
            NotFound: the customer has never opened an account.
            BusinessError: one of errors.py's tree.
        """
        return await self._facts(GET_MARGIN_FACTS, MarginFacts, "margin-eligibility-facts", token, customer_id)

    async def options_facts(self, token: str, customer_id: str) -> Answer[OptionsFacts]:
        """The facts that bear on trading options. Scope `eligibility:read`.

        Raises:
            NotFound: the customer has never opened an account.
            BusinessError: one of errors.py's tree.
        """
        return await self._facts(GET_OPTIONS_FACTS, OptionsFacts, "options-eligibility-facts", token, customer_id)

    async def closure_facts(self, token: str, customer_id: str) -> Answer[ClosureFacts]:
        """What stands in the accounts that the customer wants closed. Scope `closure:request`.

        Raises:
            NotFound: the customer has never opened an account.
            BusinessError: one of errors.py's tree.
        """
        return await self._facts(GET_CLOSURE_FACTS, ClosureFacts, "closure-facts", token, customer_id)

    async def margin_account(self, token: str, customer_id: str) -> Answer[MarginAccount]:
        """The credit account with its assets and debts. Scope `margin:read`.

        Raises:
            NotFound: the customer has no credit account.
            BusinessError: one of errors.py's tree.
        """
        return await self._facts(GET_MARGIN_ACCOUNT, MarginAccount, "margin-account", token, customer_id)

    async def risk_profile(self, token: str, customer_id: str) -> Answer[RiskProfile]:
        """The risk assessment; its level is None when there never was one. Scope `risk:read`.

        Raises:
            BusinessError: one of errors.py's tree.
        """
        return await self._facts(GET_RISK_PROFILE, RiskProfile, "risk-profile", token, customer_id)

    async def contact_details(self, token: str, customer_id: str) -> Answer[ContactDetails]:
        """The masked contact details. Scope `contact:request`.

        Raises:
            BusinessError: one of errors.py's tree.
        """
        return await self._facts(GET_CONTACT_DETAILS, ContactDetails, "contact-details", token, customer_id)

    async def trading_calendar(self, market: Market, first: date, last: date) -> Answer[TradingCalendar]:
        """The days of a market from `first` to `last`, both included, at most 400. Public: no token, no scope.

        Raises:
            NotFound: the exchange has not published one of the days.
            BusinessError: one of errors.py's tree.
        """
        path = f"/v1/trading-calendar/{segment(LIST_TRADING_DAYS, market)}"
        body = await self._get(LIST_TRADING_DAYS, path, None, {"from": first.isoformat(), "to": last.isoformat()})
        calendar = self._parse(LIST_TRADING_DAYS, TradingCalendar, body)
        self._same(LIST_TRADING_DAYS, body, calendar.market, market)
        asked = [first + timedelta(days=count) for count in range((last - first).days + 1)]
        if [item.day for item in calendar.days] != asked:
            raise InvalidAnswer("other days than those asked for", receipt_of(LIST_TRADING_DAYS, InvalidAnswer, 200, body))
        return Answer(calendar, self._fresh(LIST_TRADING_DAYS, calendar, body))

    async def _facts(self, operation: str, model: type[Facts], last: str, token: str, customer_id: str) -> Answer[Facts]:
        body = await self._get(operation, f"/v1/customers/{segment(operation, customer_id)}/{last}", token)
        facts = self._parse(operation, model, body)
        self._same(operation, body, facts.customer_id, customer_id)
        return Answer(facts, self._fresh(operation, facts, body))
