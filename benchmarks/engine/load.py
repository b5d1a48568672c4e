"""The load generator, a process of its own: `python -m benchmarks.engine.load '{"ports": [..], "kind": ..}'` prints what it saw as JSON.

Closed loop: each connection sends its next message when it has its answer, going round its own conversations. Every answer is checked.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import orjson
import uvloop

from benchmarks.engine.wire import Caller

PATH = "/webhooks/rest/webhook"
MESSAGES = {"press": "/SetSlots(choice=left)", "text": "tell", "action": "act"}
EXPECTED = {"press": b"Left or right?", "text": b"half past nine", "action": b"It is 12.50."}


@dataclass(frozen=True)
class Plan:
    """What to send: for so many seconds, or, with `turns`, one conversation of that length for each connection."""

    ports: list[int]
    kind: str
    seconds: float = 8.0
    warm_up: float = 2.0
    connections: int = 16
    senders: int = 10
    turns: int = 0


async def _turn(caller: Caller, sender: str, message: str, expected: bytes) -> None:
    body = orjson.dumps(
        {"sender": sender, "message": message, "metadata": {"turn_id": secrets.token_urlsafe(32), "language": "en"}}
    )
    status, found = await caller.post(PATH, body)
    if status != 200 or expected not in found:
        raise SystemExit(f"{sender}: {status} {found[:300]!r}")


@dataclass
class _Stream:
    """One connection and its conversations."""

    caller: Caller
    senders: Iterator[str]

    @classmethod
    async def open(cls, plan: Plan, number: int) -> _Stream:
        """Connected, and every conversation begun."""
        caller = await Caller.open(plan.ports[number % len(plan.ports)])
        senders = [f"bench-{secrets.token_hex(6)}" for _ in range(plan.senders)]
        for sender in senders:
            await _turn(caller, sender, "choose", b"Left or right?")
        return cls(caller, cycle(senders))

    async def run(self, kind: str, end: float) -> list[float]:
        """Turns until `end`; how long each took."""
        out = []
        while (started := time.perf_counter()) < end:
            await _turn(self.caller, next(self.senders), MESSAGES[kind], EXPECTED[kind])
            out.append(time.perf_counter() - started)
        return out


async def _long(plan: Plan, number: int, out: dict[int, list[float]]) -> None:
    caller = await Caller.open(plan.ports[number % len(plan.ports)])
    sender = f"bench-{secrets.token_hex(6)}"
    await _turn(caller, sender, "choose", b"Left or right?")
    for turn in range(2, plan.turns + 1):
        started = time.perf_counter()
        await _turn(caller, sender, MESSAGES[plan.kind], EXPECTED[plan.kind])
        out.setdefault(turn, []).append(time.perf_counter() - started)
    caller.close()


def quantile(values: list[float], share: float) -> float:
    """The value below which this share lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def _main(plan: Plan) -> dict[str, Any]:
    if plan.turns:
        by_turn: dict[int, list[float]] = {}
        await asyncio.gather(*(_long(plan, n, by_turn) for n in range(plan.connections)))
        return {"by_turn": {str(turn): found for turn, found in by_turn.items()}}
    streams = await asyncio.gather(*(_Stream.open(plan, n) for n in range(plan.connections)))
    warm = time.perf_counter() + plan.warm_up
    await asyncio.gather(*(stream.run(plan.kind, warm) for stream in streams))
    sys.stdout.write("begin\n")
    sys.stdout.flush()
    end = time.perf_counter() + plan.seconds
    found = await asyncio.gather(*(stream.run(plan.kind, end) for stream in streams))
    latencies = [seconds for stream in found for seconds in stream]
    return {
        "turns": len(latencies),
        "per_second": len(latencies) / plan.seconds,
        "p50": quantile(latencies, 0.5) * 1000,
        "p99": quantile(latencies, 0.99) * 1000,
    }


if __name__ == "__main__":
    result = uvloop.run(_main(Plan(**orjson.loads(sys.argv[1]))))
    sys.stdout.buffer.write(orjson.dumps(result))
