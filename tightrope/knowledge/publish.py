"""Publish `knowledge_base/` as one dataset per release: upload under a draft name, read everything back, then give it its name.

Publishing again changes nothing when the dataset is there and holds what it should. Old releases stay. Works on RAGFlow and on the
embedded server, with RAGFlow's own calls only: files as documents, passages as chunks that we cut.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Coroutine, Iterable
from typing import Any

import httpx

from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings
from tightrope.knowledge.errors import PublishFailed
from tightrope.knowledge.models import Document, Release
from tightrope.knowledge.passages import cut, load_release
from tightrope.knowledge.transport import call, knowledge_client, read_envelope, send
from tightrope.knowledge.xxh64 import xxh64

log = get_logger()
DRAFT = ".draft"
_PARALLEL = 4


async def publish(settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None) -> Release:
    """Bring the knowledge server to the local knowledge base.

    Returns:
        The release that is now published and verified.

    Raises:
        DocumentInvalid: a file of the knowledge base breaks the rules; nothing was sent.
        PublishFailed: what was read back differs; the dataset of this release is not in use.
        KnowledgeUnavailable, KnowledgeRejected: the server failed or refused.
    """
    release = load_release(settings.project_dir / "knowledge_base")
    async with knowledge_client(settings, purpose="knowledge publishing", transport=transport) as client:
        rows = await _datasets(client)
        known = next((row["id"] for row in rows if row["name"] == release.release_id), None)
        if known is not None:
            await _verify(client, known, release)
            log.info("the release is already published", action="knowledge_published", release=release.release_id, new=False)
            return release
        leftovers = [row["id"] for row in rows if row["name"] == release.release_id + DRAFT]
        if leftovers:  # a publish that died: its dataset was never in use
            read_envelope(await send(client, "DELETE", "/api/v1/datasets", json={"ids": leftovers}))
        made = await call(client, "POST", "/api/v1/datasets", dict, json={"name": release.release_id + DRAFT})
        dataset = str(made.get("id"))
        if made.get("name") != release.release_id + DRAFT:
            raise PublishFailed(f"the dataset was named {made.get('name')!r}; another publish of this release is running")
        gate = asyncio.Semaphore(_PARALLEL)
        await _all(_upload(client, gate, dataset, document) for document in release.documents)
        await _verify(client, dataset, release)
        read_envelope(await send(client, "PUT", f"/api/v1/datasets/{dataset}", json={"name": release.release_id}))
    log.info(
        "published",
        action="knowledge_published",
        release=release.release_id,
        new=True,
        documents=len(release.documents),
        dataset=dataset,
    )
    return release


async def publish_direct(settings: Settings) -> Release:
    """`publish` without a running server: the embedded server's application inside this process, on its database."""
    from tightrope.knowledge.server.api import create_app

    app = create_app(settings)
    async with app.router.lifespan_context(app):
        return await publish(settings, transport=httpx.ASGITransport(app))


async def _all(tasks: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all; the first failure stops the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for task in tasks:
                group.create_task(task)
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed


async def _datasets(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for page in range(1, 1000):
        found = await call(client, "GET", "/api/v1/datasets", list, params={"page": page, "page_size": 100})
        rows += [row for row in found if isinstance(row, dict) and "name" in row and "id" in row]
        if len(found) < 100:
            break
    return rows


async def _upload(client: httpx.AsyncClient, gate: asyncio.Semaphore, dataset: str, document: Document) -> None:
    async with gate:
        base = f"/api/v1/datasets/{dataset}/documents"
        made = await call(client, "POST", base, list, files={"file": (document.file_name, document.raw, "text/markdown")})
        remote = str(made[0]["id"])
        await call(client, "PATCH", f"{base}/{remote}", dict, json={"meta_fields": document.meta_fields})
        for passage in cut(document):
            body = {"content": passage.content, "important_keywords": list(passage.keywords)}
            chunk = (await call(client, "POST", f"{base}/{remote}/chunks", dict, json=body)).get("chunk") or {}
            if chunk.get("id") != xxh64((passage.content + remote).encode()):
                raise PublishFailed(f"{passage.passage_id}: the server stored something else than was sent")


async def _verify(client: httpx.AsyncClient, dataset: str, release: Release) -> None:
    base = f"/api/v1/datasets/{dataset}/documents"
    listed: dict[str, dict[str, Any]] = {}
    for page in range(1, 1000):
        docs = (await call(client, "GET", base, dict, params={"page": page, "page_size": 100})).get("docs") or []
        listed.update({doc["name"]: doc for doc in docs})
        if len(docs) < 100:
            break
    wanted = {document.file_name for document in release.documents}
    if set(listed) != wanted:
        raise PublishFailed(f"{release.release_id}: documents differ: {sorted(set(listed) ^ wanted)[:5]}")
    gate = asyncio.Semaphore(_PARALLEL)
    await _all(_verify_document(client, gate, base, listed[document.file_name], document) for document in release.documents)


async def _verify_document(
    client: httpx.AsyncClient, gate: asyncio.Semaphore, base: str, remote: dict[str, Any], document: Document
) -> None:
    async with gate:
        if remote.get("meta_fields") != document.meta_fields:
            raise PublishFailed(f"{document.file_name}: its metadata differs")
        response = await send(client, "GET", f"{base}/{remote['id']}")
        if response.status_code != 200 or hashlib.sha256(response.content).hexdigest() != document.sha256:
            raise PublishFailed(f"{document.file_name}: the stored file differs")
        data = await call(client, "GET", f"{base}/{remote['id']}/chunks", dict, params={"page_size": 100})
        passages = cut(document)
        if sorted(str(chunk.get("content")) for chunk in data.get("chunks") or []) != sorted(p.content for p in passages):
            raise PublishFailed(f"{document.file_name}: its passages differ")
