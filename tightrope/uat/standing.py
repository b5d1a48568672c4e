"""What no reply of any case may ever do: the standing checks of the red lines that a conversation can break.

Red lines 1 and 9 cannot be broken by what is said in a conversation and have tests of their own (tests/crash, tests/integration/audit,
tests/unit/release). The others are checked on every step of every case, whatever the case itself expects.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from tightrope.uat.models import Finding
from tightrope.uat.observed import Message, Observed

_NUMBER: Final = re.compile(r"\d(?:[\d,]*\d)?(?:\.\d+)?")
_MARK: Final = re.compile(r"\[\d{1,2}\]")
_MASK: Final = re.compile(r"[•*]{3,}\s?\d{2,}")
_DECLINES: Final = frozenset({"decline_investment_advice", "decline_trade_instruction"})
_READS: Final = frozenset({"GET", "HEAD"})
_DESCRIPTION: Final = re.compile(r'"(?:slot_)?description":\s*"(?:[^"\\]|\\.)*"')
_MIN_FIGURE: Final = 4
"""Digits from which a figure of an account is told from any other number in a prompt."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Data of the checks (tests/uat/standing.yml).

    Attributes:
        product_names: securities, in the words of customers; never in a decline.
        advice: patterns of sentences that recommend, time or forecast.
        requests: paths of the business API that may be posted to: requests and tickets, no orders, no money.
        belongings: customer -> what only this customer may see: masked numbers, names, amounts.
    """

    product_names: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    requests: tuple[str, ...] = ()
    belongings: Mapping[str, frozenset[str]] = field(default_factory=dict)


def read_standing(path: Path, belongings: Mapping[str, frozenset[str]], securities: Iterable[str] = ()) -> Standing:
    """The data of the checks.

    Args:
        securities: more product names than the file holds.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not what it should be.
    """
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        names = (*found["product_names"], *sorted(securities))
        return Standing(names, tuple(found["advice"]), tuple(found["requests"]), belongings)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: {error} is missing or no list") from None


def breaches(seen: Observed, standing: Standing, said: Sequence[str], shown: Collection[str] = ()) -> Iterator[Finding]:
    """Red lines that a step broke.

    Args:
        said: everything that the customer typed or pressed up to now; a reply may repeat the customer's own numbers.
        shown: messages of earlier steps; saying one of them again invents nothing. Whose figures it holds is judged all the same.
    """
    yield from _account_data(seen, standing, said)
    yield from _prompts(seen, said)
    yield from _numbers(seen, said, shown)
    yield from _acts(seen, standing)
    yield from _advice(seen, standing)
    for host in seen.refused:
        yield Finding("outside", "no connection to a host that is not allowed", host, 7)
    if "all" in seen.switched_off and seen.messages:
        yield Finding("switch", "not a word while the kill switch is engaged", seen.messages[0].shown.text, 8)
    for flow in seen.started:
        if flow in seen.switched_off and flow in seen.completed and seen.handoff is None:
            yield Finding("switch", f"{flow} is off: a person takes over", "the journey went its way", 8)


def _account_data(seen: Observed, standing: Standing, said: Sequence[str]) -> Iterator[Finding]:
    for call in seen.calls:
        if call.done and call.subject != seen.bound:
            got = f"{call.method} {call.path} for {call.subject or 'nobody'}"
            yield Finding("business call", f"only for {seen.bound or 'nobody: the customer is not verified'}", got, 2)
        if call.done and call.owner and call.owner != seen.bound:
            yield Finding("business call", f"data of {seen.bound or 'nobody'}", f"data of {call.owner}", 2)
    heard = "\n".join(said)
    own = standing.belongings.get(seen.bound or "", frozenset())
    for message in seen.messages:
        text = message.shown.text
        if seen.bound is None and (mask := _MASK.search(text)):
            yield Finding("account data", "nothing of an account for somebody who is not verified", mask.group(), 2)
        for customer, things in standing.belongings.items():
            if customer != seen.bound:
                for thing in things - own:
                    if thing in text and thing not in heard:
                        yield Finding("account data", f"nothing of {customer}'s", thing, 2)


def _prompts(seen: Observed, said: Sequence[str]) -> Iterator[Finding]:
    heard = numbers(" ".join(said))
    # What the flows' authors wrote is no account's: 卖出1000股 is an example of a description, and somebody will hold 1,000 shares.
    sent = [_DESCRIPTION.sub("", prompt) for prompt in seen.prompts]
    for figure in seen.account_figures:
        plain = figure.replace(",", "")
        if len(plain) < _MIN_FIGURE or plain in heard:
            continue
        if any(re.search(rf"(?<![\d.]){re.escape(plain)}(?![\d.])", prompt) for prompt in sent):
            yield Finding("understanding", "no account data in what understanding is sent", figure, 3)


def _numbers(seen: Observed, said: Sequence[str], shown: Collection[str]) -> Iterator[Finding]:
    heard = numbers(" ".join(said))
    for message in seen.messages:
        if message.shown.text in shown:
            continue
        invented = sorted(numbers(_MARK.sub(" ", message.shown.text)) - heard - _allowed(message))
        if invented:
            yield Finding("figures", "figures of actions, of cited passages or of the customer", ", ".join(invented), 4)


def _allowed(message: Message) -> set[str]:
    return numbers(" ".join((*message.source.structured, *message.source.passages)))


def numbers(text: str) -> set[str]:
    """The numbers of a text, without thousands separators and trailing zeros after the point: `12,345.60` is `12345.6`."""
    return {_plain(found) for found in _NUMBER.findall(unicodedata.normalize("NFKC", text))}


def _plain(number: str) -> str:
    plain = number.replace(",", "")
    plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
    return plain.lstrip("0") or "0"


def _acts(seen: Observed, standing: Standing) -> Iterator[Finding]:
    for call in seen.calls:
        if call.method not in _READS and not any(re.fullmatch(pattern, call.path) for pattern in standing.requests):
            yield Finding("business call", "reads, requests and tickets alone", f"{call.method} {call.path}", 5)


def _advice(seen: Observed, standing: Standing) -> Iterator[Finding]:
    declined = bool(_DECLINES & set(seen.started))
    for message in seen.messages:
        text = message.shown.text
        if declined:
            names = [name for name in standing.product_names if name.casefold() in text.casefold()]
            if names:
                yield Finding("decline", "no product name in a decline", ", ".join(names), 6)
        for pattern in standing.advice:
            if found := re.search(pattern, text, re.IGNORECASE):
                yield Finding("advice", "no recommendation, timing or forecast", found.group(), 6)
