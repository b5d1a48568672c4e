"""Publish `knowledge_base/` as one dataset per release: upload under a draft name, read everything back, then give it its name.

Then the release is kept and made the active one in one step (publishing/store.py). Publishing again changes nothing when the dataset is
there and holds what it should. Old releases stay. Works on RAGFlow and on the
embedded server, with RAGFlow's own calls only: files as documents, passages as chunks that we cut.
"""

from __future__ import annotations

import httpx

from tightrope.audit.models import Event
from tightrope.infra.clock import Clock, clock_from
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings
from tightrope.knowledge.errors import PublishFailed
from tightrope.knowledge.models import Release
from tightrope.knowledge.passages import build_release, read_documents
from tightrope.knowledge.publishing import remote
from tightrope.knowledge.publishing.approvals import read_approvals
from tightrope.knowledge.publishing.record import Switched, TakenBack, Witness
from tightrope.knowledge.publishing.remote import Progress, publishing_client, silent
from tightrope.knowledge.publishing.store import Store, Withdrawn

log = get_logger()


async def publish(
    settings: Settings,
    *,
    witness: Witness,
    transport: httpx.AsyncBaseTransport | None = None,
    by: str = "",
    clock: Clock | None = None,
    progress: Progress = silent,
) -> Release:
    """Bring the knowledge server to what two people signed of the local files, and switch answering to it.

    Returns:
        The release that is now verified, kept and active.

    Raises:
        DocumentInvalid: a file of the knowledge base breaks the rules; nothing was sent.
        PublishFailed: nothing is signed, or what was read back differs; what was active stays.
        NotRecorded: the audit log cannot be written; what was active stays.
        KnowledgeUnavailable, KnowledgeRejected: the server failed or refused; what was active stays.
    """
    release = draft_release(settings)
    if not release.documents:
        raise PublishFailed(
            "nothing to publish: no public document is signed by two people whose keys count (`tightrope kb status`)"
        )
    store = Store.from_settings(settings)
    at = (clock or clock_from(settings)).now()
    with store.publishing():
        await _bring(settings, release, transport, progress)
        store.keep(release, read_approvals(settings.project_dir / "knowledge_base"), at)
        await witness.note(_switched(store, release, Event.KNOWLEDGE_PUBLISHED, by))
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
    witness: Witness,
    transport: httpx.AsyncBaseTransport | None = None,
    by: str = "",
    clock: Clock | None = None,
    progress: Progress = silent,
) -> Release:
    """Switch answering to a release that was kept, after verifying it on the server (and sending it again if it is gone there).

    Raises:
        ReleaseBroken: it is not kept or does not verify; what was active stays.
        PublishFailed, NotRecorded, KnowledgeUnavailable, KnowledgeRejected: as in `publish`.
    """
    store = Store.from_settings(settings)
    release = store.load(release_id)
    with store.publishing():
        await _bring(settings, release, transport, progress)
        await witness.note(_switched(store, release, Event.KNOWLEDGE_ROLLED_BACK, by))
        store.activate(release_id, what="rolled back", by=by, at=(clock or clock_from(settings)).now())
    return release


async def ensure_published(
    settings: Settings,
    *,
    witness: Witness,
    transport: httpx.AsyncBaseTransport | None = None,
    by: str = "",
    progress: Progress = silent,
) -> Release:
    """At the demo's start: publish the files if they are new; else see that the server still lists the active release, and send it if not.

    Raises:
        As `publish`.
    """
    store = Store.from_settings(settings)
    state = store.state()
    if state is None or not store.holds(draft_release(settings).release_id):
        return await publish(settings, witness=witness, transport=transport, by=by, progress=progress)
    release = store.load(state.active)
    async with publishing_client(settings, transport) as client:
        there = await remote.stands(client, release)
    if not there:
        with store.publishing():
            await _bring(settings, release, transport, progress)
    return release


async def withdraw(
    settings: Settings, document_id: str, *, reason: str, by: str, witness: Witness, clock: Clock | None = None
) -> list[Withdrawn]:
    """Quote no version of a document that the active release holds from now on, and put that on the record.

    Said again it changes nothing and is recorded again, so that a record that failed can be made up for.

    Returns:
        What was withdrawn now.

    Raises:
        PublishFailed: the active release holds no such document.
        ReleaseBroken: no release is active.
        NotRecorded: it is withdrawn, and not on the record yet.
    """
    store = Store.from_settings(settings)
    made = store.withdraw(document_id, reason=reason, by=by, at=(clock or clock_from(settings)).now())
    state = store.state()
    gone = tuple(item.version for item in state.withdrawn if item.document_id == document_id) if state else ()
    await witness.note(TakenBack(state.active if state else "", document_id, gone, reason, by))
    return made


def _switched(store: Store, release: Release, event: Event, by: str) -> Switched:
    state = store.state()
    return Switched(
        event,
        release.release_id,
        state.active if state else "",
        len(release.documents),
        len(release.passages),
        by,
        store.file(release.release_id),
        store.approvals(release.release_id),
    )


async def switch_off(settings: Settings, document_id: str, *, transport: httpx.AsyncBaseTransport | None = None) -> int:
    """Make a withdrawn document invisible on the server as well; answering refuses it already.

    Returns:
        How many files were switched off.

    Raises:
        KnowledgeUnavailable, KnowledgeRejected: the server failed or refused.
    """
    async with publishing_client(settings, transport) as client:
        return await remote.switch_off(client, document_id)


async def _bring(settings: Settings, release: Release, transport: httpx.AsyncBaseTransport | None, progress: Progress) -> None:
    """One verified dataset of this release on the server."""
    async with publishing_client(settings, transport) as client:
        new = await remote.bring(client, release, progress)
    log.info(
        "published" if new else "the release is already published",
        action="knowledge_published",
        release=release.release_id,
        new=new,
        documents=len(release.documents),
    )
