"""The embedded knowledge server over a real Postgres, its client, and a small dataset."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from loopback import free_port

from tightrope.infra.clock import FixedClock
from tightrope.infra.settings import Settings
from tightrope.knowledge.models import Release
from tightrope.knowledge.publish import publish
from tightrope.knowledge.publishing.record import Unrecorded
from tightrope.knowledge.publishing.store import Store
from tightrope.knowledge.server.api import create_app


@pytest.hookimpl(trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """`make ragflow-verify` may reach the RAGFlow that it was given, and still nothing else."""
    if real := os.environ.get("RAGFLOW_URL"):
        from pytest_socket import socket_allow_hosts

        socket_allow_hosts(["127.0.0.1", "localhost", "::1", httpx.URL(real).host], allow_unix_socket=True)


@pytest.fixture(scope="session")
async def server(database: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(database, clock=FixedClock(datetime(2026, 11, 20, 2, 31, tzinfo=UTC)))
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def http(server: FastAPI, database: Settings) -> AsyncIterator[httpx.AsyncClient]:
    key = database.secret("knowledge_api_key").get_secret_value()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(server), base_url="http://127.0.0.1", headers={"authorization": f"Bearer {key}"}
    ) as client:
        yield client


@pytest.fixture(scope="session")
async def whole(server: FastAPI, database: Settings) -> Release:
    """The whole knowledge base, published once."""
    return await publish(database, witness=Unrecorded(), transport=httpx.ASGITransport(server))


@pytest.fixture
async def published(server: FastAPI, database: Settings, whole: Release) -> httpx.ASGITransport:
    """The way to the server; the whole knowledge base is what may be quoted."""
    Store.from_settings(database).activate(whole.release_id, what="published", by="test", at=datetime.now(UTC))
    return httpx.ASGITransport(server)


@pytest.fixture
async def dataset(http: httpx.AsyncClient) -> AsyncIterator[dict[str, Any]]:
    """A small dataset with two documents of one chunk each, and one without metadata."""
    made = (await http.post("/api/v1/datasets", json={"name": "contract"})).json()["data"]
    base = f"/api/v1/datasets/{made['id']}/documents"
    documents = {}
    for name, meta, content in (
        ("a.md", {"audience": "public", "lang": "zh"}, "费用 > 印花税 (v1)\n印花税由卖方缴纳。"),
        ("b.md", {"audience": "internal", "lang": "zh"}, "内部 > 印花税 (v1)\n内部印花税口径。"),
        ("c.md", None, "其他 > 印花税 (v1)\n没有元数据的印花税。"),
    ):
        document = (await http.post(base, files={"file": (name, b"x", "text/markdown")})).json()["data"][0]
        if meta is not None:
            await http.patch(f"{base}/{document['id']}", json={"meta_fields": meta})
        await http.post(f"{base}/{document['id']}/chunks", json={"content": content, "important_keywords": ["税率"]})
        documents[name] = document["id"]
    yield {"id": made["id"], "documents": documents}
    await http.request("DELETE", "/api/v1/datasets", json={"ids": [made["id"]]})


@pytest.fixture
def served(database: Settings) -> Iterator[str]:
    """The embedded server on a port of its own, standing there as a foreign one would; its address."""
    port = free_port()
    running = uvicorn.Server(uvicorn.Config(create_app(database), host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        while not running.started and thread.is_alive():
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        running.should_exit = True
        thread.join()
