"""Orders of the verified customer, and what their states and rejections mean. Nothing here can place, change or cancel one."""

from __future__ import annotations

from datetime import datetime

from actions.choosing import AskRecord, Choice, FindRecords, Records, ShowRecord
from actions.turn import Turn
from actions.wording import moment, money
from actions.words import quantity, security_title
from tightrope.business.models import Order
from tightrope.business.operations import LIST_ORDERS
from tightrope.rules.code_book import Edition

RULE = "order_codes"
_SIDES = {"buy": ("买入", "Buy"), "sell": ("卖出", "Sell")}


def _edition(turn: Turn) -> Edition:
    return turn.context.rules.order_codes.on(turn.today)


def _deal(order: Order, language: str) -> str:
    """`买入 半亭酒业（609233）100 股`."""
    side = _SIDES[order.side][1 if language == "en" else 0]
    name, count = security_title(order.security, language), quantity(order.quantity, order.security, language)
    return f"{side} {count} of {name}" if language == "en" else f"{side} {name} {count}"


def line(turn: Turn, order: Order) -> str:
    """An order as a button shows it: time, what, and how it stands."""
    known = _edition(turn).statuses.get(order.status.value)
    state = f" · {known.title.text(turn.language)}" if known else ""
    return f"{moment(order.placed_at, turn.context.clock.now(), turn.language)} {_deal(order, turn.language)}{state}"


def explain(turn: Turn, order: Order, as_of: datetime) -> None:
    """Say how an order stands, why, and what to do. A state or code that our table does not have is said as such, and a person is offered."""
    language, now, edition = turn.language, turn.context.clock.now(), _edition(turn)
    shown = {
        "order": _deal(order, language),
        "placed_at": moment(order.placed_at, now, language),
        "price": _price(order, language),
        "traded": _traded(order, language),
        "as_of": moment(as_of, now, language),
    }
    status = edition.statuses.get(order.status.value)
    reason = edition.codes.get(order.rejection.value) if order.rejection is not None else None
    if order.rejection is not None:
        inputs = {"status": order.status.value, "code": order.rejection.value}
        turn.used_rule(RULE, edition.version, "explained" if reason else "unknown_code", inputs, {"day": turn.today} | inputs)
    if status is None or (order.rejection is not None and reason is None):
        title = status.title.text(language) if status else _UNKNOWN[language]
        turn.say("utter_order_unexplained", (), status=title, **shown)
    elif reason is not None:
        turn.say(
            "utter_order_rejected",
            (),
            status=status.title.text(language),
            reason=reason.title.text(language),
            meaning=reason.meaning.text(language),
            remedy=reason.remedy.text(language),
            **shown,
        )
    else:
        turn.say(
            "utter_order_state",
            (),
            status=status.title.text(language),
            meaning=status.meaning.text(language),
            remedy=status.remedy.text(language),
            **shown,
        )


_UNKNOWN = {"zh": "待核实", "en": "to be checked"}


def _price(order: Order, language: str) -> str:
    if order.price is None:
        return "at market price" if language == "en" else "市价"
    price = money(order.price, language)
    return f"limit {price}" if language == "en" else f"限价 {price}"


def _traded(order: Order, language: str) -> str:
    done = quantity(order.filled_quantity, order.security, language)
    if order.average_fill_price is None:
        return done
    price = money(order.average_fill_price, language)
    return f"{done}, average price {price}" if language == "en" else f"{done}，均价 {price}"


async def _orders(turn: Turn) -> Records:
    customer = await turn.customer()
    answer = await turn.fetch(LIST_ORDERS, lambda api, token: api.orders(token, customer.customer_id))
    return Records(answer.value.items, answer.value.as_of)


ORDERS = Choice(
    name="order",
    call=LIST_ORDERS,
    scope="orders:read",
    read=_orders,
    key=lambda order: str(order.order_id),
    line=line,
    explanations=frozenset({"utter_order_state", "utter_order_rejected", "utter_order_unexplained"}),
    explain=explain,
    older=("更早的委托", "Earlier orders"),
    nothing=("不用了", "None of these"),
)


class FindOrders(FindRecords):
    """The orders of the last seven trading days: none, several, or the only one explained."""

    action_name = "action_find_orders"
    choice = ORDERS
    declaration = ORDERS.finding()


class AskOrder(AskRecord):
    """Which order is meant."""

    action_name = "action_ask_order_choice"
    choice = ORDERS
    declaration = ORDERS.asking()


class ShowOrder(ShowRecord):
    """Explains the order that was chosen."""

    action_name = "action_show_order"
    choice = ORDERS
    declaration = ORDERS.showing()
