"""How figures and times look in a reply. Sentences stand in domain/; here are only their smallest parts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Final, Protocol

from tightrope.business.models import Money
from tightrope.rules.text import MONTHS_EN, amount

SHANGHAI: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
"""China has one zone and no summer time."""

_UNITS_ZH: Final[Mapping[str, str]] = {"CNY": "元", "HKD": "港元", "USD": "美元"}
_KINDS: Final[Mapping[str, tuple[str, str]]] = {"cash": ("普通账户", "Cash account"), "margin": ("信用账户", "Margin account")}
_STATUSES: Final[Mapping[str, tuple[str, str]]] = {
    "dormant": ("休眠", "dormant"),
    "restricted": ("受限", "restricted"),
    "frozen": ("冻结", "frozen"),
}


def money(value: Money, language: str) -> str:
    """`12,345.67 元` or `CNY 12,345.67`: every decimal that the firm gave, at least two."""
    return money_of(value.amount, value.currency, language)


def money_of(value: Decimal, currency: str, language: str) -> str:
    """As `money`, for a figure of the rules."""
    if language == "en":
        return f"{currency} {amount(value)}"
    return f"{amount(value)} {_UNITS_ZH.get(currency, currency)}"


def moment(at: datetime, now: datetime, language: str) -> str:
    """A time in Shanghai as people say it: `10:31` today, with the day before that (`11月19日 15:00`, `19 Nov 15:00`)."""
    local, today = at.astimezone(SHANGHAI), now.astimezone(SHANGHAI).date()
    clock = f"{local.hour:02d}:{local.minute:02d}"
    if local.date() == today:
        return clock
    if language == "en":
        day = f"{local.day} {MONTHS_EN[local.month - 1]}"
        return f"{day} {clock}" if local.year == today.year else f"{day} {local.year} {clock}"
    day = f"{local.month}月{local.day}日"
    return f"{day} {clock}" if local.year == today.year else f"{local.year}年{day} {clock}"


class Titled(Protocol):
    """What an account's title is made of."""

    @property
    def kind(self) -> str: ...

    @property
    def number_masked(self) -> str: ...

    @property
    def status(self) -> str: ...


def account_title(account: Titled, language: str) -> str:
    """`普通账户 ••••1001`, with the status if it is not normal. Asterisks would be Markdown's emphasis in the chat."""
    index = 1 if language == "en" else 0
    title = masked_account(account.kind, account.number_masked, language)
    if account.status == "normal":
        return title
    status = _STATUSES[account.status][index]
    return f"{title} ({status})" if language == "en" else f"{title}（{status}）"


def masked_account(kind: str, number_masked: str, language: str) -> str:
    """`信用账户 ••••2002`: an account of this kind, without its status."""
    return f"{_KINDS[kind][1 if language == 'en' else 0]} {number_masked.replace('*', '•')}"
