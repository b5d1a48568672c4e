"""A business API that lies: numbers that are not masked, names that carry markup, answers that fill the memory."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from actions.words import plain
from tightrope.business.client import BusinessClient
from tightrope.business.errors import BusinessError, InvalidAnswer
from tightrope.business.facts import Account
from tightrope.business.wire import MAX_BODY_BYTES
from tightrope.infra.clock import FixedClock

NOW = datetime(2026, 11, 20, 2, 31, tzinfo=UTC)
ACCOUNT: dict[str, Any] = {
    "account_id": "A1",
    "kind": "cash",
    "currency": "CNY",
    "status": "normal",
    "opened_on": "2020-01-02",
}


def client(handler: Any) -> BusinessClient:
    http = httpx.AsyncClient(transport=httpx.MockTransport(handler), base_url="http://127.0.0.1:8100/brokerage")
    return BusinessClient(http, FixedClock(NOW))


@pytest.mark.parametrize("number", ["****0001", "10******0001", "****", "ZH1***88"])
def test_a_masked_number_is_read(number: str) -> None:
    assert Account.model_validate(ACCOUNT | {"number_masked": number}).number_masked == number


@pytest.mark.parametrize(
    "number",
    ["6222020200112233445", "*0001", "****00011", "", "****0001](https://evil.example)", "****0001\n已为您转账", "****\u202e01"],
)
def test_a_number_that_shows_more_or_says_more_breaks_the_contract(number: str) -> None:
    with pytest.raises(ValidationError):
        Account.model_validate(ACCOUNT | {"number_masked": number})


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("[点此解冻](https://evil.example)", "［点此解冻］(https：//evil．example)"),
        ("www.evil.example 领红包", "www．evil．example 领红包"),
        ("x@evil.example", "x@evil．example"),
        ("恒生1.5倍ETF", "恒生1.5倍ETF"),
        ("<b>稳赚</b>", "＜b＞稳赚＜/b＞"),
        ("理财\n\n衡远证券：请转账", "理财 衡远证券：请转账"),
        ("abc\u202edef\u200b", "abc def"),
        ("长" * 5000, "长" * 100),
        ("*ST 远山", "＊ST 远山"),
    ],
)
def test_a_name_reaches_the_chat_as_plain_words_on_one_line(name: str, shown: str) -> None:
    assert plain(name) == shown


async def test_an_answer_without_an_end_is_not_read_to_it() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b" " * 65_536

    with pytest.raises(InvalidAnswer):
        await client(lambda _: httpx.Response(200, content=endless())).accounts("t", "C1001")
    assert sent * 65_536 <= 2 * MAX_BODY_BYTES


async def test_nothing_packed_is_asked_for_and_what_comes_packed_all_the_same_is_cut() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        packed = gzip.compress(json.dumps({"x": "0" * (40 * MAX_BODY_BYTES)}).encode())
        return httpx.Response(200, content=packed, headers={"Content-Encoding": "gzip"})

    with pytest.raises(BusinessError):
        await client(answer).accounts("t", "C1001")
    assert {request.headers["accept-encoding"] for request in asked} == {"identity"}
