"""Account balances of the verified customer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from actions.base import Declaration, DeclaredAction
from actions.errors import NotPermitted
from actions.failures import FAILURES, failure_of
from actions.turn import Turn
from actions.wording import account_title, moment, money
from tightrope.business.errors import BusinessError
from tightrope.business.models import Account, Balance
from tightrope.business.operations import GET_BALANCE, LIST_ACCOUNTS

T = TypeVar("T")

OUTCOMES = frozenset({"told"}) | FAILURES


async def of_each_account(turn: Turn, read: Callable[[Turn, Account], Awaitable[T]]) -> list[tuple[Account, T]]:
    """What `read` brings for every account of the customer: all or nothing, since half a list misleads. Empty: there is no account.

    Raises:
        NotPermitted, BusinessError: the accounts, or one of them, could not be read.
    """
    customer = await turn.customer()
    listed = await turn.fetch(LIST_ACCOUNTS, lambda api, token: api.accounts(token, customer.customer_id))
    accounts = listed.value.items
    return list(zip(accounts, await turn.all_of(read(turn, account) for account in accounts), strict=True))


class TellBalance(DeclaredAction):
    """Says the figures of every account of the customer with the time of the data. All or nothing: half a list misleads."""

    action_name = "action_tell_balance"
    declaration = Declaration(
        outcomes=OUTCOMES,
        sets={"balance_outcome": OUTCOMES, "last_verdict": frozenset({None})},
        responses=frozenset({"utter_balance", "utter_balance_several", "utter_balance_stale"}),
        envelopes=frozenset({"journey"}),
        calls=frozenset({LIST_ACCOUNTS, GET_BALANCE}),
        scope="accounts:read",
        on_error={"balance_outcome": "unavailable", "last_verdict": None},
    )

    async def perform(self, turn: Turn) -> str:
        outcome = await self._tell(turn)
        turn.set("balance_outcome", outcome)
        turn.set("last_verdict", None)
        if outcome == "told":
            turn.tell("journey", journey=turn.journey.id, event="completed")
        return outcome

    async def _tell(self, turn: Turn) -> str:
        try:
            balances = await of_each_account(turn, self._balance)
        except (NotPermitted, BusinessError) as error:
            return failure_of(error, turn, stale="utter_balance_stale")
        if not balances:
            return "no_account"
        if len(balances) > 1:
            turn.say("utter_balance_several", count=str(len(balances)))
        for account, balance in balances:
            self._say(turn, account, balance)
        return "told"

    @staticmethod
    async def _balance(turn: Turn, account: Account) -> Balance:
        answer = await turn.fetch(GET_BALANCE, lambda api, token: api.balance(token, account.account_id))
        return answer.value

    @staticmethod
    def _say(turn: Turn, account: Account, balance: Balance) -> None:
        language = turn.language
        turn.say(
            "utter_balance",
            account=account_title(account, language),
            as_of=moment(balance.as_of, turn.context.clock.now(), language),
            cash_available=money(balance.cash_available, language),
            cash_withdrawable=money(balance.cash_withdrawable, language),
            cash_frozen=money(balance.cash_frozen, language),
            market_value=money(balance.market_value, language),
            total_assets=money(balance.total_assets, language),
        )
