"""Bytes that a turn leaves in the log, from a real conversation with the demo: `python -m benchmarks.audit turns`."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from benchmarks.throughput import GUEST, LOGGED_IN
from tightrope.cli.customer import Customer
from tightrope.cli.demo import Demo, temporary_demo

WAIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Turns:
    """Records of the conversations by event: event, records, bytes of leaves, bytes of ciphertexts; and customer messages said."""

    said: int
    rows: list[tuple[str, int, int, int]]


def measure() -> Turns:
    """One customer who is logged in and one guest, four messages each, with a fresh demo."""
    with temporary_demo() as demo:
        return asyncio.run(_talk(demo))


async def _talk(demo: Demo) -> Turns:
    for lines, customer_id in ((LOGGED_IN, "C1001"), (GUEST, None)):
        customer = Customer(demo.settings)
        await customer.open_page()
        if customer_id:
            await customer.log_in(customer_id)
        for line in lines:
            before = len(await customer.messages()) if customer.conversation is not None else 0
            await customer.say(line)
            end = time.monotonic() + WAIT_SECONDS
            while time.monotonic() < end and len(await customer.messages()) < before + 2:  # noqa: ASYNC110 - as a browser polls
                await asyncio.sleep(0.2)
            await asyncio.sleep(1.0)  # what follows the reply: sent, statuses
        await customer.aclose()
    with demo.postgres.superuser("tightrope") as conn:
        rows = conn.execute(
            "SELECT event, count(*), sum(octet_length(leaf)), sum(octet_length(ct)) FROM audit.records WHERE conv IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"
        ).fetchall()
    return Turns(len(LOGGED_IN) + len(GUEST), [(str(event), int(n), int(leaf), int(ct)) for event, n, leaf, ct in rows])


def report(found: Turns) -> list[str]:
    """The section of the report."""
    _, *columns = zip(*found.rows, strict=True)
    records, leaves, cts = (sum(map(int, column)) for column in columns)
    return [
        "## Bytes a turn",
        "",
        f"Two conversations with a fresh demo, {found.said} customer messages (balance, margin, knowledge, small talk, advice declined, talk to a",
        "person). Everything the log keeps of these conversations, divided by the customer's messages; before indexes, tiles and segments,",
        "which Growth has for each event.",
        "",
        "| event | records | leaf, bytes | ciphertext, bytes |",
        "| --- | --- | --- | --- |",
        *(f"| `{event}` | {count} | {leaf / count:,.0f} | {ct / count:,.0f} |" for event, count, leaf, ct in found.rows),
        f"| **each customer message** | **{records / found.said:.1f}** | **{leaves / found.said:,.0f}** | **{cts / found.said:,.0f}** |",
        "",
        f"A turn: **{(leaves + cts) / found.said:,.0f} bytes** of leaves and ciphertexts in {records / found.said:.1f} records.",
    ]
