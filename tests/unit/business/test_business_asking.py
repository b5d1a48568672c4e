"""What was asked of the firm goes on record without ids, tokens or words of the customer."""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path

import yaml

from tightrope.business import asking

CONTRACT = Path(__file__).resolve().parents[3] / "contracts/business.openapi.yaml"


def test_a_request_is_noted_with_hashes_for_its_ids() -> None:
    with asking.opened() as asked:
        asking.note("GET", "/v1/customers/zhang/orders", {"limit": "50", "cursor": "abc"}, b"")
        asking.note("POST", "/v1/customers/C-1/complaints", {}, b"{}")
    assert asked == [
        {
            "method": "GET",
            "path": f"/v1/customers/{hashlib.sha256(b'zhang').hexdigest()[:16]}/orders",
            "params": {"limit": "50", "cursor": hashlib.sha256(b"abc").hexdigest()[:16]},
        },
        {
            "method": "POST",
            "path": f"/v1/customers/{hashlib.sha256(b'C-1').hexdigest()[:16]}/complaints",
            "body_sha256": hashlib.sha256(b"{}").hexdigest(),
        },
    ]


def test_dates_are_told() -> None:
    with asking.opened() as asked:
        asking.note("GET", "/v1/trading-calendar/SSE", {"from": "2026-11-20"}, b"")
    assert asked[0]["params"] == {"from": "2026-11-20"}


def test_nothing_is_noted_where_nobody_keeps_a_record() -> None:
    asking.note("GET", "/v1/customers/zhang", {}, b"")
    with asking.opened() as asked:
        pass
    assert asked == []


async def test_two_actions_at_once_do_not_mix() -> None:
    async def one(name: str) -> list[dict[str, object]]:
        with asking.opened() as asked:
            await asyncio.sleep(0)
            asking.note("GET", f"/v1/{name}", {}, b"")
            await asyncio.sleep(0)
        return asked

    first, second = await asyncio.gather(one("orders"), one("transfers"))
    assert [item["path"] for item in first] == ["/v1/orders"]
    assert [item["path"] for item in second] == ["/v1/transfers"]


def test_the_fixed_parts_are_those_of_the_contract() -> None:
    paths = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))["paths"]
    fixed = {part for path in paths for part in path.split("/") if part and not re.fullmatch(r"\{.*\}", part)}
    assert fixed == asking._WORDS
