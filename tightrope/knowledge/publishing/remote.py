"""A release on the knowledge server: sent under a draft name, read back, named. RAGFlow's own calls only.

Files go up in groups, metadata and passages one a request, since RAGFlow has no other way; a bounded number of documents at a time.
A passage's id is the hash of its wording, so what arrives altered shows in the answer to its own request; the reading back shows what
is stored.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any

import httpx

from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings
from tightrope.knowledge.errors import KnowledgeUnavailable, PublishFailed
from tightrope.knowledge.models import Document, Passage, Release
from tightrope.knowledge.passages import cut
from tightrope.knowledge.transport import call, knowledge_client, read_envelope, send, server_version
from tightrope.knowledge.xxh64 import xxh64

log = get_logger()
DRAFT = ".draft"
TIMEOUT = httpx.Timeout(connect=3.0, read=60.0, write=30.0, pool=120.0)
"""RAGFlow encodes a passage while the request waits, on a busy machine for many seconds; nobody waits for an answer here."""
_PARALLEL = 16
_GROUP_FILES, _GROUP_BYTES = 20, 2 * 1024 * 1024
_PAGE = 100

Progress = Callable[[str, int, int], None]
"""Told what is done (`upload`, `verify`), how many files of it are through, and how many there are."""


def silent(step: str, done: int, total: int) -> None:
    """Nobody watches."""


def publishing_client(settings: Settings, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    """A client with the patience of publishing."""
    return knowledge_client(settings, purpose="knowledge publishing", transport=transport, timeout=TIMEOUT)


async def bring(client: httpx.AsyncClient, release: Release, progress: Progress) -> bool:
    """See that there is one verified dataset of this release.

    Returns:
        Whether it was sent now; False if it was there.

    Raises:
        PublishFailed: what was read back differs, or another publisher is at work.
        KnowledgeUnavailable, KnowledgeRejected: the server failed or refused.
    """
    await server_version(client)
    rows = await datasets(client)
    row = next((row for row in rows if row["name"] == release.release_id), None)
    if row is not None:
        if row.get("pagerank"):
            raise PublishFailed(
                f"{release.release_id} has a pagerank of {row['pagerank']}, which lifts its scores; set it to 0 in RAGFlow"
            )
        await _verify(client, str(row["id"]), release, progress)
        return False
    name = release.release_id + DRAFT
    leftovers = [row["id"] for row in rows if row["name"] == name]
    if leftovers:  # a publish that died: its dataset was never in use
        read_envelope(await send(client, "DELETE", "/api/v1/datasets", json={"ids": leftovers}))
    made = await call(client, "POST", "/api/v1/datasets", dict, json={"name": name})
    if made.get("name") != name:
        raise PublishFailed(f"the dataset was named {made.get('name')!r}; another publish of this release is running")
    dataset = str(made.get("id"))
    await _upload(client, dataset, release, progress)
    await _verify(client, dataset, release, progress)
    read_envelope(await send(client, "PUT", f"/api/v1/datasets/{dataset}", json={"name": release.release_id}))
    return True


async def stands(client: httpx.AsyncClient, release: Release) -> bool:
    """Whether the server lists the release as it should be: names, sizes, metadata and numbers of passages, a few requests in all.

    No proof, and none is needed to start: a passage that differs is dropped by whoever retrieves it (client.check_chunk).
    """
    known = next((str(row["id"]) for row in await datasets(client) if row["name"] == release.release_id), None)
    if known is None:
        return False
    listed = {row["name"]: row for row in await documents(client, known)}
    if set(listed) != {document.file_name for document in release.documents}:
        return False
    passages = _by_document(release)
    return all(
        (row := listed[document.file_name]).get("meta_fields") == document.meta_fields
        and row.get("size") == len(document.raw)
        and row.get("chunk_count") == len(passages[document.file_name])
        for document in release.documents
    )


async def switch_off(client: httpx.AsyncClient, document_id: str) -> int:
    """Make a document invisible in every release on the server; how many files were switched off."""
    done = 0
    for row in await datasets(client):
        if not str(row["name"]).startswith("kb-"):
            continue
        for document in await documents(client, str(row["id"])):
            if (document.get("meta_fields") or {}).get("doc_id") == document_id:
                path = f"/api/v1/datasets/{row['id']}/documents/{document['id']}"
                await call(client, "PATCH", path, dict, json={"enabled": 0})
                done += 1
    return done


async def datasets(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Every dataset of the service account, with id and name."""
    rows: list[dict[str, Any]] = []
    for page in range(1, 1000):
        found = await call(client, "GET", "/api/v1/datasets", list, params={"page": page, "page_size": _PAGE})
        rows += [row for row in found if isinstance(row, dict) and "name" in row and "id" in row]
        if len(found) < _PAGE:
            break
    return rows


async def documents(client: httpx.AsyncClient, dataset: str) -> list[dict[str, Any]]:
    """Every document of a dataset."""
    rows: list[dict[str, Any]] = []
    for page in range(1, 1000):
        path = f"/api/v1/datasets/{dataset}/documents"
        found = (await call(client, "GET", path, dict, params={"page": page, "page_size": _PAGE})).get("docs") or []
        rows += found
        if len(found) < _PAGE:
            break
    return rows


class _Counter:
    """Counts files through one step."""

    def __init__(self, progress: Progress, step: str, total: int) -> None:
        self._progress, self._step, self._total, self._done = progress, step, total, 0
        progress(step, 0, total)

    def one_more(self) -> None:
        self._done += 1
        self._progress(self._step, self._done, self._total)


def _by_document(release: Release) -> dict[str, list[Passage]]:
    return {document.file_name: cut(document) for document in release.documents}


def _groups(files: Iterable[Document]) -> Iterator[list[Document]]:
    group: list[Document] = []
    size = 0
    for document in files:
        if group and (len(group) == _GROUP_FILES or size + len(document.raw) > _GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append(document)
        size += len(document.raw)
    if group:
        yield group


async def _bounded(tasks: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all, so many at a time; the first failure stops the others and is raised as it is."""
    gate = asyncio.Semaphore(_PARALLEL)

    async def run(task: Coroutine[Any, Any, None]) -> None:
        async with gate:
            await task

    waiting = list(tasks)
    try:
        async with asyncio.TaskGroup() as group:
            for task in waiting:
                group.create_task(run(task))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed
    finally:
        for task in waiting:
            task.close()  # those that were never begun


async def _upload(client: httpx.AsyncClient, dataset: str, release: Release, progress: Progress) -> None:
    count = _Counter(progress, "upload", len(release.documents))
    base = f"/api/v1/datasets/{dataset}/documents"
    passages = _by_document(release)
    ids: dict[str, str] = {}
    for group in _groups(release.documents):
        parts = [("file", (document.file_name, document.raw, "text/markdown")) for document in group]
        made = await call(client, "POST", base, list, files=parts)
        ids |= {str(row.get("name")): str(row.get("id")) for row in made if isinstance(row, dict)}
        if missing := [document.file_name for document in group if document.file_name not in ids]:
            raise PublishFailed(f"{missing[0]}: the server took another name for it, or did not take it")

    async def one(document: Document) -> None:
        remote = ids[document.file_name]
        await call(client, "PATCH", f"{base}/{remote}", dict, json={"meta_fields": document.meta_fields})
        for passage in passages[document.file_name]:
            await _add(client, f"{base}/{remote}/chunks", remote, passage)
        count.one_more()

    await _bounded(one(document) for document in release.documents)


async def _add(client: httpx.AsyncClient, path: str, remote: str, passage: Passage) -> None:
    body = {"content": passage.content, "important_keywords": list(passage.keywords)}
    chunk = (await call(client, "POST", path, dict, json=body)).get("chunk") or {}
    if chunk.get("id") != xxh64((passage.content + remote).encode()):
        raise PublishFailed(f"{passage.passage_id}: the server stored something else than was sent")


async def _verify(client: httpx.AsyncClient, dataset: str, release: Release, progress: Progress) -> None:
    listed = {str(row["name"]): row for row in await documents(client, dataset)}
    wanted = {document.file_name for document in release.documents}
    if set(listed) != wanted:
        raise _differs(release, f"these files are there or here only: {', '.join(sorted(set(listed) ^ wanted)[:5])}")
    count = _Counter(progress, "verify", len(release.documents))
    passages = _by_document(release)
    base = f"/api/v1/datasets/{dataset}/documents"

    async def one(document: Document) -> None:
        remote = listed[document.file_name]
        if remote.get("meta_fields") != document.meta_fields:
            raise _differs(release, f"the metadata of {document.file_name} differs")
        response = await send(client, "GET", f"{base}/{remote['id']}")
        if response.status_code >= 500:
            raise KnowledgeUnavailable(f"{document.file_name}: HTTP {response.status_code}")
        if response.status_code != 200 or hashlib.sha256(response.content).hexdigest() != document.sha256:
            raise _differs(release, f"the stored file {document.file_name} differs")
        stored = await _contents(client, f"{base}/{remote['id']}/chunks")
        if sorted(stored) != sorted(passage.content for passage in passages[document.file_name]):
            raise _differs(release, f"the passages of {document.file_name} differ")
        count.one_more()

    await _bounded(one(document) for document in release.documents)


async def _contents(client: httpx.AsyncClient, path: str) -> Sequence[str]:
    """The wording of every chunk of a document."""
    stored: list[str] = []
    for page in range(1, 1000):
        found = (await call(client, "GET", path, dict, params={"page": page, "page_size": _PAGE})).get("chunks") or []
        stored += [str(chunk.get("content")) for chunk in found]
        if len(found) < _PAGE:
            break
    return stored


def _differs(release: Release, what: str) -> PublishFailed:
    return PublishFailed(
        f"{release.release_id}: {what} on the knowledge server. Find out who writes there; then delete this dataset "
        "(or its draft) there and publish again"
    )
