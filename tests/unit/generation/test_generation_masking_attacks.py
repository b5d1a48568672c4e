"""Attacks on masking: every kind of number in every disguise, at any place; and texts made to cost time. Kept, so that none comes back."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from masking_disguises import DISGUISES, SPOKEN

from tightrope.generation import figures
from tightrope.generation.folding import MAX_TEXT, fold
from tightrope.generation.masking import mask
from tightrope.sandbox.catalogue import CUSTOMERS

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def _identity(region: int, year: int, month: int, day: int, order: int) -> str:
    body = f"{region:06d}{year}{month:02d}{day:02d}{order:03d}"
    return body + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS, strict=True)) % 11]


def _card(prefix: str, rest: int, length: int) -> str:
    body = (prefix + f"{rest:019d}")[: length - 1]
    return next(body + str(digit) for digit in range(10) if figures.luhn(body + str(digit)))


IDENTITIES = st.builds(
    _identity, st.integers(110000, 659999), st.integers(1900, 2024), st.integers(1, 12), st.integers(1, 28), st.integers(0, 999)
)
CARDS = st.builds(_card, st.sampled_from(["62", "4", "51", "35"]), st.integers(0, 10**19 - 1), st.integers(16, 19))
MOBILES = st.builds(lambda head, tail: f"1{head}{tail:09d}", st.integers(3, 9), st.integers(0, 10**9 - 1))
ACCOUNTS = st.integers(10**7, 10**12).map(str)
AROUND = st.sampled_from(["", "我的号码是", "请问 ", "开户需要什么？", "number: ", "（", "Hello, ", "可以吗"])


def left(text: str) -> str:
    """All digits that can still be read, in any script and in words."""
    folded = fold(text).lower()
    for digit, word in SPOKEN.items():
        folded = re.sub(rf"\b{word}\b", digit, folded)
    read = (
        figures._HAN.get(one) or (str(value) if (value := unicodedata.digit(one, None)) is not None else "") for one in folded
    )
    return "".join(read)


@pytest.mark.parametrize("disguise", DISGUISES)
@examples(deadline=None, max_examples=40)
@given(number=IDENTITIES | CARDS | MOBILES, before=AROUND, after=AROUND)
def test_identity_card_and_phone_numbers_go_in_every_disguise(disguise: str, number: str, before: str, after: str) -> None:
    written = f"{before}{DISGUISES[disguise](number)} {after}"
    assert left(mask(written).text) == "", (written, mask(written).text)


@pytest.mark.parametrize("disguise", [name for name in DISGUISES if name not in {"letters for digits", "threes with commas"}])
@examples(deadline=None, max_examples=30)
@given(number=ACCOUNTS)
def test_long_numbers_that_no_recogniser_knows_go_as_well(disguise: str, number: str) -> None:
    if not figures._moments(number) and len(set(number[3:])) > 1:
        assert left(mask(f"号码 {DISGUISES[disguise](number)}").text) == ""


@examples(deadline=None)
@given(IDENTITIES)
def test_an_identity_number_is_known_by_its_check_digit(number: str) -> None:
    assert mask(number).text == "[ID]"
    other = "0" if number[-1] != "0" else "1"
    assert not figures.identity_number(number[:-1] + other)


@examples(deadline=None)
@given(CARDS)
def test_a_card_is_known_by_luhns_digit(number: str) -> None:
    assert mask(f"卡 {number}").text in {"卡 [CARD]", "卡 [ID]"}
    assert not figures.luhn(number[:-1] + str((int(number[-1]) + 1) % 10))


@examples(deadline=None, max_examples=300)
@given(st.text(max_size=300))
def test_masking_is_idempotent_and_bounded(text: str) -> None:
    once = mask(text).text
    assert mask(once).text == once
    assert len(once) <= 10 * len(text) + 10


@examples(deadline=None, max_examples=200)
@given(st.text(st.sampled_from("0123456789零一二oO lI-.,:/Xx元万号路市张王我叫是的@[](){}\u200b\n aA"), max_size=120))
def test_texts_near_the_patterns_leave_no_long_number_and_stay_idempotent(text: str) -> None:
    once = mask(text).text
    assert mask(once).text == once
    for run in figures.long_runs(once):
        assert figures.known("".join(one for one in once[run.start : run.end] if one.isdigit())) is None


@pytest.mark.parametrize(
    "text",
    ["1" * 50_000, "l" * 50_000, "lO" * 25_000, "市" * 50_000, "市路" * 25_000, "上海市浦东新区" * 7_000, "a@" * 25_000, "a." * 25_000, "a" * 50_000,
     "one " * 12_000, "王" * 50_000, "我叫王" * 16_000, "1 " * 25_000, "1:" * 25_000, "1,234" * 10_000, "(at) " * 10_000, "Street 1 " * 6_000,
     "A1-" * 16_000, "账号" * 25_000, "密码是" * 16_000, "\u0336" * 50_000, "9" * 19 + " " + "4111111111111111 " * 3_000, "ﷺ" * 8_000],
)  # fmt: skip
def test_a_text_made_to_cost_time_is_read_to_its_bound_and_no_further(text: str) -> None:
    steps = _Steps()
    with steps:
        masked = mask(text)
    assert masked.cut == (len(text) > MAX_TEXT)
    assert len(masked.text) <= 10 * MAX_TEXT
    assert steps.lines < 2_500_000


class _Steps:
    """Counts executed lines of Python: a bound on work that does not depend on the machine."""

    def __init__(self) -> None:
        self.lines = 0

    def __enter__(self) -> None:
        import sys

        self._before = sys.gettrace()
        sys.settrace(self._call)

    def _call(self, frame: object, event: str, arg: object) -> object:
        self.lines += 1
        return self._call

    def __exit__(self, *_: object) -> None:
        import sys

        sys.settrace(self._before)


@pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda one: one.customer_id)
def test_the_demos_customers_leave_nothing_of_themselves(customer: object) -> None:
    said = (
        f"我叫{customer.name_zh}，客户号{customer.customer_id}，"  # type: ignore[attr-defined]
        + "，".join(f"账户{one.account_id}，账号 {one.number}，余额 {one.cash_available} 元" for one in customer.accounts)  # type: ignore[attr-defined]
        + f"。My name is {customer.name_en}."  # type: ignore[attr-defined]
    )
    masked = mask(said).text
    things = {customer.name_zh, customer.name_en, customer.customer_id}  # type: ignore[attr-defined]
    for account in customer.accounts:  # type: ignore[attr-defined]
        things |= {account.account_id, account.number}
        if account.cash_available.split(".")[0].strip("0") and len(account.cash_available.rstrip("0.")) > 3:
            things.add(account.cash_available)
    assert [thing for thing in things if thing in masked] == []


def test_what_is_cut_off_leaves_no_half_number() -> None:
    masked = mask("x" * (MAX_TEXT - 9) + "11010519491231002X")
    assert left(masked.text) == ""
