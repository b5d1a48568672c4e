"""Time publishing of the whole knowledge base: signatures, cutting, sending, reading back, switching; and what a running part notices.

    python -m benchmarks.knowledge.publish

The embedded server runs in this process on a real Postgres; RAGFlow adds one embedding call a passage, which nothing here shows.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import tempfile
import time
from pathlib import Path

import httpx
import structlog

from tightrope.infra.migrate import migrate
from tightrope.infra.postgres import EmbeddedPostgres
from tightrope.infra.secrets import ensure_demo_secrets
from tightrope.infra.settings import REPOSITORY, Settings
from tightrope.knowledge.passages import build_release, read_documents
from tightrope.knowledge.publish import publish, rollback
from tightrope.knowledge.publishing.record import Unrecorded
from tightrope.knowledge.publishing.store import Active, Store
from tightrope.knowledge.server.api import create_app


def _told(what: str, began: float) -> None:
    print(f"{what:<58} {time.perf_counter() - began:8.2f} s")


async def measure(settings: Settings) -> None:
    """Read, publish, publish again, roll back, notice."""
    began = time.perf_counter()
    release = build_release(read_documents(REPOSITORY / "knowledge_base"))
    _told("reading, verifying signatures, cutting", began)
    print(f"{release.release_id}: {len(release.documents)} files, {len(release.passages)} passages; {os.cpu_count()} cores")
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        began = time.perf_counter()
        await publish(settings, witness=Unrecorded(), transport=transport)
        _told("publishing: sending, reading back, switching", began)
        began = time.perf_counter()
        await publish(settings, witness=Unrecorded(), transport=transport)
        _told("publishing again: reading back alone", began)
        began = time.perf_counter()
        await rollback(settings, release.release_id, witness=Unrecorded(), transport=transport)
        _told("rolling back to a kept release: reading back, switching", began)
    active = Active(Store.from_settings(settings))
    began = time.perf_counter()
    await active.current()
    _told("a part reads the active release for the first time", began)
    began = time.perf_counter()
    for _ in range(10_000):
        await active.current()
    print(f"{'a part asks whether it has changed':<58} {(time.perf_counter() - began) * 100:8.1f} µs")


def main() -> None:
    """Start Postgres, measure, stop it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
        probe.close()
        settings = Settings(state_dir=Path(folder), database_port=port)
        ensure_demo_secrets(settings)
        postgres = EmbeddedPostgres(settings)
        postgres.start()
        try:
            migrate("knowledge", postgres.superuser_conninfo("knowledge"))
            asyncio.run(measure(settings))
        finally:
            postgres.stop(mode="immediate")


if __name__ == "__main__":
    main()
