"""Positions of the verified customer, account by account, as the firm gives them. Nothing is added up or judged here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from actions.account import of_each_account
from actions.base import Declaration, DeclaredAction
from actions.errors import NotPermitted
from actions.failures import FAILURES, failure_of
from actions.listing import PAGE_READS, PAGE_SLOTS, PAGES, Page, distinct, leave_mark, mark_left, page_of
from actions.turn import Turn
from actions.wording import account_title, moment, money
from actions.words import quantity, security_title
from tightrope.business.errors import BusinessError
from tightrope.business.models import Account, Position, Positions
from tightrope.business.operations import LIST_ACCOUNTS, LIST_POSITIONS

TOLD = "told"
MORE = "more"
OUTCOMES = frozenset({TOLD, MORE, "empty"}) | FAILURES


@dataclass(frozen=True, slots=True)
class _Held:
    account: Account
    position: Position

    @property
    def key(self) -> str:
        return f"{self.account.account_id} {self.position.security.market} {self.position.security.code}"


class ListHoldings(DeclaredAction):
    """Says the next page of positions; the first when the list has changed since. All accounts or none: half a list misleads."""

    action_name = "action_list_holdings"
    declaration = Declaration(
        outcomes=OUTCOMES,
        reads=PAGE_READS,
        sets={"holdings_outcome": OUTCOMES, "last_verdict": frozenset({None}), **PAGE_SLOTS},
        responses=frozenset({"utter_holdings", "utter_holdings_page", "utter_holdings_changed", "utter_holdings_stale"}),
        envelopes=frozenset({"journey"}),
        calls=frozenset({LIST_ACCOUNTS, LIST_POSITIONS}),
        scope="accounts:read",
        on_error={"holdings_outcome": "unavailable", "last_verdict": None},
    )

    async def perform(self, turn: Turn) -> str:
        outcome = await self._list(turn)
        turn.set("holdings_outcome", outcome)
        turn.set("last_verdict", None)
        if outcome in {TOLD, "empty"}:
            turn.tell("journey", journey=turn.journey.id, event="completed")
        return outcome

    async def _list(self, turn: Turn) -> str:
        try:
            found = await of_each_account(turn, self._positions)
        except (NotPermitted, BusinessError) as error:
            return failure_of(error, turn, stale="utter_holdings_stale")
        if not found:
            return "no_account"
        held = [_Held(account, item) for account, positions in found for item in positions.items]
        if not distinct(held, lambda item: item.key):
            return "unavailable"
        if not held:
            return "empty"
        return self._say(turn, held, min(positions.as_of for _, positions in found))

    @staticmethod
    async def _positions(turn: Turn, account: Account) -> Positions:
        answer = await turn.fetch(LIST_POSITIONS, lambda api, token: api.positions(token, account.account_id))
        return answer.value

    @staticmethod
    def _say(turn: Turn, held: list[_Held], as_of: datetime) -> str:
        page = page_of(held, turn.read("list_page"), lambda item: item.key)
        if page.number > 1 and page.mark != mark_left(turn):
            turn.say("utter_holdings_changed")
            page = page_of(held, None, lambda item: item.key)
        turn.say(
            "utter_holdings_page" if page.more or page.number > 1 else "utter_holdings",
            as_of=moment(as_of, turn.context.clock.now(), turn.language),
            places=page.places(turn.language),
            total=str(page.total),
            positions="\n".join(_lines(page, turn.language)),
        )
        leave_mark(turn, page.mark)
        if not page.more:
            return TOLD
        turn.set("list_page", PAGES[page.number])
        return MORE


def _lines(page: Page[_Held], language: str) -> Iterator[str]:
    """The positions of a page, each account's below its title."""
    title = ""
    for number, held in enumerate(page.items, page.first):
        account = account_title(held.account, language)
        if account != title:
            title = account
            yield f"【{title}】" if language != "en" else f"{title}:"
        yield _line(number, held.position, language)


def _line(number: int, position: Position, language: str) -> str:
    security = position.security
    name, count = security_title(security, language), quantity(position.quantity, security, language)
    free = quantity(position.available_quantity, security, language)
    cost, last = money(position.cost_price, language), money(position.last_price, language)
    value, profit = money(position.market_value, language), money(position.profit, language)
    if language == "en":
        return (
            f"({number}) {name}: {count}, of which {free} can be sold\n"
            f"Cost {cost}, last price {last}\nMarket value {value}, unrealised profit or loss {profit}"
        )
    return f"（{number}）{name}：{count}，可卖 {free}\n成本价 {cost}，现价 {last}\n市值 {value}，浮动盈亏 {profit}"
