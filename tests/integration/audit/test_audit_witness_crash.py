"""kill -9 of a witness while two clients hand in checkpoints: it never cosigns backwards, and a client that goes on is served again."""

from __future__ import annotations

import asyncio
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from anchor_points import LEAVES, LOG, consistency, point
from loopback import free_port
from witness_process import WitnessProcess

from tightrope.audit.anchors.errors import AnchorUnavailable, WitnessAhead
from tightrope.audit.anchors.witness import WitnessAnchor, set_back
from tightrope.audit.tlog.keys import VerifierKey
from tightrope.infra.clock import SystemClock

pytestmark = [pytest.mark.integration, pytest.mark.long]

KILLS = 6


async def hand_in(url: str, key: VerifierKey, stop: threading.Event, seed: int) -> list:
    """Hand in growing checkpoints until told to stop; returns the receipts."""
    receipts, size, chance = [], 1, random.Random(seed)
    async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
        anchor = WitnessAnchor(client, url, key, consistency, SystemClock())
        while not stop.is_set():
            try:
                receipts.append(await anchor.submit(point(size)))
            except WitnessAhead:  # the other client was quicker
                size = min(size + 1, len(LEAVES))
            except AnchorUnavailable:
                stop.wait(0.05)
            else:
                size = min(size + chance.randrange(3), len(LEAVES))
    return receipts


def test_killed_again_and_again(tmp_path: Path) -> None:
    witness = WitnessProcess(tmp_path / "witness", free_port())
    key = VerifierKey.parse(witness.init())
    (witness.folder / "logs.txt").write_text(f"log {LOG.vkey}\n")
    witness.start()
    stop, chance = threading.Event(), random.Random(7)
    try:
        with ThreadPoolExecutor(2) as pool:
            clients = [pool.submit(lambda seed=seed: asyncio.run(hand_in(witness.url, key, stop, seed))) for seed in range(2)]
            try:
                for _ in range(KILLS):
                    stop.wait(0.2 + chance.random() / 2)
                    witness.kill()
                    witness.start()
            finally:
                stop.set()
            given = [receipt for client in clients for receipt in client.result()]
    finally:
        witness.kill()
    assert len(given) > 50
    assert max(receipt.size for receipt in given) > 20
    assert set_back(given) == []
