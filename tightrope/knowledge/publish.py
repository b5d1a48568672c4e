"""Publish `knowledge_base/` as one dataset per release: upload under a draft name, read everything back, then give it its name.

Then the release is kept and made the active one in one step (publishing/store.py). Publishing again changes nothing when the dataset is
there and holds what it should. Old releases stay. Works on RAGFlow and on the
embedded server, with RAGFlow's own calls only: files as documents, passages as chunks that we cut.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import httpx

from tightrope.infra.clock import Clock, clock_from
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings
from tightrope.knowledge.errors import PublishFailed
from tightrope.knowledge.models import Document, Release
from tightrope.knowledge.passages import build_release, cut, read_documents
from tightrope.knowledge.publishing.approvals import read_approvals
from tightrope.knowledge.publishing.store import Store
from tightrope.knowledge.transport import call, knowledge_client, read_envelope, send
from tightrope.knowledge.xxh64 import xxh64

log = get_logger()
DRAFT = ".draft"
_PARALLEL = 4


Progress = Callable[[str, int, int], None]
"""Told what is done (`upload`, `verify`), how many files of it are through, and how many there are."""


def _silent(step: str, done: int, total: int) -> None:
    """Nobody watches."""


async def publish(
    settings: Settings,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    by: str = "",
    clock: Clock | None = None,
    progress: Progress = _silent,
) -> Release:
    """Bring the knowledge server to what two people signed of the local files, and switch answering to it.

    Returns:
        The release that is now verified, kept and active.

    Raises:
        DocumentInvalid: a file of the knowledge base breaks the rules; nothing was sent.
        PublishFailed: nothing is signed, or what was read back differs; what was active stays.
        KnowledgeUnavailable, KnowledgeRejected: the server failed or refused; what was active stays.
    """
    release = draft_release(settings)
    if not release.documents:
        raise PublishFailed(
            "nothing to publish: no public document is signed by two people whose keys count (`tightrope kb status`)"
        )
    store = Store.from_settings(settings)
    at = (clock or clock_from(settings)).now()
    await _bring(settings, release, transport, progress)
    store.keep(release, read_approvals(settings.project_dir / "knowledge_base"), at)
    store.activate(release.release_id, what="published", by=by, at=at)
    return release


def draft_release(settings: Settings) -> Release:
    """The release that the files make now, without versions that were withdrawn.

    Raises:
        DocumentInvalid: a file breaks the rules.
        ReleaseBroken: which versions are withdrawn cannot be read.
    """
    documents = read_documents(settings.project_dir / "knowledge_base", production=settings.mode == "production")
    state = Store.from_settings(settings).state()
    gone = {(item.document_id, item.version) for item in state.withdrawn} if state else set()
    return build_release(document for document in documents if (document.document_id, document.version) not in gone)


async def rollback(
    settings: Settings,
    release_id: str,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    by: str = "",
    clock: Clock | None = None,
    progress: Progress = _silent,
) -> Release:
    """Switch answering to a release that was kept, after verifying it on the server (and sending it again if it is gone there).

    Raises:
        ReleaseBroken: it is not kept or does not verify; what was active stays.
        PublishFailed, KnowledgeUnavailable, KnowledgeRejected: as in `publish`.
    """
    store = Store.from_settings(settings)
    release = store.load(release_id)
    await _bring(settings, release, transport, progress)
    store.activate(release_id, what="rolled back", by=by, at=(clock or clock_from(settings)).now())
    return release


async def ensure_published(settings: Settings, *, by: str = "", progress: Progress = _silent) -> Release:
    """At the demo's start: publish the files if they are new; else put the active release back where it is missing.

    Raises:
        As `publish`.
    """
    store = Store.from_settings(settings)
    state = store.state()
    if state is None or not store.holds(draft_release(settings).release_id):
        return await publish(settings, by=by, progress=progress)
    release = store.load(state.active)
    await _bring(settings, release, None, progress)
    return release


async def switch_off(settings: Settings, document_id: str, *, transport: httpx.AsyncBaseTransport | None = None) -> int:
    """Make a withdrawn document invisible on the server as well; answering refuses it already.

    Returns:
        How many files were switched off.

    Raises:
        KnowledgeUnavailable, KnowledgeRejected: the server failed or refused.
    """
    done = 0
    async with knowledge_client(settings, purpose="knowledge publishing", transport=transport) as client:
        for row in await _datasets(client):
            if not str(row["name"]).startswith("kb-"):
                continue
            base = f"/api/v1/datasets/{row['id']}/documents"
            for document in await _documents(client, base):
                if (document.get("meta_fields") or {}).get("doc_id") == document_id:
                    await call(client, "PATCH", f"{base}/{document['id']}", dict, json={"enabled": 0})
                    done += 1
    return done


async def _bring(settings: Settings, release: Release, transport: httpx.AsyncBaseTransport | None, progress: Progress) -> None:
    """One verified dataset of this release on the server."""
    async with knowledge_client(settings, purpose="knowledge publishing", transport=transport) as client:
        rows = await _datasets(client)
        known = next((row["id"] for row in rows if row["name"] == release.release_id), None)
        if known is not None:
            await _verify(client, known, release, progress)
            log.info("the release is already published", action="knowledge_published", release=release.release_id, new=False)
            return
        leftovers = [row["id"] for row in rows if row["name"] == release.release_id + DRAFT]
        if leftovers:  # a publish that died: its dataset was never in use
            read_envelope(await send(client, "DELETE", "/api/v1/datasets", json={"ids": leftovers}))
        made = await call(client, "POST", "/api/v1/datasets", dict, json={"name": release.release_id + DRAFT})
        dataset = str(made.get("id"))
        if made.get("name") != release.release_id + DRAFT:
            raise PublishFailed(f"the dataset was named {made.get('name')!r}; another publish of this release is running")
        gate = asyncio.Semaphore(_PARALLEL)
        count = _Counter(progress, "upload", len(release.documents))
        await _all(_upload(client, gate, dataset, document, count) for document in release.documents)
        await _verify(client, dataset, release, progress)
        read_envelope(await send(client, "PUT", f"/api/v1/datasets/{dataset}", json={"name": release.release_id}))
    log.info(
        "published",
        action="knowledge_published",
        release=release.release_id,
        new=True,
        documents=len(release.documents),
        dataset=dataset,
    )


class _Counter:
    """Counts files through one step."""

    def __init__(self, progress: Progress, step: str, total: int) -> None:
        self._progress, self._step, self._total, self._done = progress, step, total, 0
        progress(step, 0, total)

    def one_more(self) -> None:
        self._done += 1
        self._progress(self._step, self._done, self._total)


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


async def _upload(client: httpx.AsyncClient, gate: asyncio.Semaphore, dataset: str, document: Document, count: _Counter) -> None:
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
    count.one_more()


async def _documents(client: httpx.AsyncClient, base: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for page in range(1, 1000):
        found = (await call(client, "GET", base, dict, params={"page": page, "page_size": 100})).get("docs") or []
        rows += found
        if len(found) < 100:
            break
    return rows


async def _verify(client: httpx.AsyncClient, dataset: str, release: Release, progress: Progress) -> None:
    base = f"/api/v1/datasets/{dataset}/documents"
    listed = {document["name"]: document for document in await _documents(client, base)}
    wanted = {document.file_name for document in release.documents}
    if set(listed) != wanted:
        raise PublishFailed(f"{release.release_id}: documents differ: {sorted(set(listed) ^ wanted)[:5]}")
    gate = asyncio.Semaphore(_PARALLEL)
    count = _Counter(progress, "verify", len(release.documents))
    await _all(
        _verify_document(client, gate, base, listed[document.file_name], document, count) for document in release.documents
    )


async def _verify_document(
    client: httpx.AsyncClient,
    gate: asyncio.Semaphore,
    base: str,
    remote: dict[str, Any],
    document: Document,
    count: _Counter,
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
    count.one_more()
