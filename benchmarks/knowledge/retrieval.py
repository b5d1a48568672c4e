"""Time publishing and retrieval over HTTP on loopback, with the embedded server in a process-like setting (own port, real Postgres).

    python benchmarks/knowledge/retrieval.py [requests]

Prints milliseconds; the client and the server share this machine's cores, so the figures include both.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import structlog
import uvicorn

from tightrope.infra.clock import SystemClock
from tightrope.infra.migrate import migrate
from tightrope.infra.postgres import EmbeddedPostgres
from tightrope.infra.secrets import ensure_demo_secrets
from tightrope.infra.settings import REPOSITORY, Settings
from tightrope.knowledge.client import RagflowClient
from tightrope.knowledge.passages import load_release
from tightrope.knowledge.publish import publish
from tightrope.knowledge.server.api import create_app
from tightrope.knowledge.service import load_thresholds


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def measure(settings: Settings, requests: int) -> None:
    """Publish, publish again, then retrieve the labelled questions in turn."""
    folder = REPOSITORY / "knowledge_base"
    release, thresholds = load_release(folder), load_thresholds(folder / "thresholds.json")
    for name in ("first publish", "publish again (verification)"):
        began = time.perf_counter()
        await publish(settings)
        print(f"{name:<30} {1000 * (time.perf_counter() - began):8.0f} ms")
    lines = (REPOSITORY / "tests/golden/knowledge/questions.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line) for line in lines]
    times = []
    async with RagflowClient(settings, release, SystemClock()) as client:
        for number in range(requests + 20):
            asked = questions[number % len(questions)]
            began = time.perf_counter()
            await client.retrieve(asked["question"], asked["language"], thresholds)
            if number >= 20:
                times.append(1000 * (time.perf_counter() - began))
    cuts = statistics.quantiles(times, n=100)
    print(
        f"{'retrieval, one at a time':<30} p50 {cuts[49]:.1f}  p95 {cuts[94]:.1f}  p99 {cuts[98]:.1f} ms over {len(release.passages)} passages"
    )


def main(requests: int) -> None:
    """Start Postgres and the server, measure, stop both."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        settings = Settings(state_dir=Path(folder), database_port=free_port(), knowledge_url=f"http://127.0.0.1:{port}")
        ensure_demo_secrets(settings)
        postgres = EmbeddedPostgres(settings)
        postgres.start()
        try:
            migrate("knowledge", postgres.superuser_conninfo("knowledge"))
            server = uvicorn.Server(uvicorn.Config(create_app(settings), host="127.0.0.1", port=port, log_level="error"))
            thread = threading.Thread(target=server.run)
            thread.start()
            while not server.started:
                time.sleep(0.05)
            asyncio.run(measure(settings, requests))
            server.should_exit = True
            thread.join()
        finally:
            postgres.stop(mode="immediate")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
