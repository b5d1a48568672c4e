"""Kept releases: which one may be quoted, and everything that must stop quoting."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kb_samples import AT, CHECKER, MAKER, base, sign, signed_base, signer, text, write_signers

from tightrope.knowledge.client import check_chunk
from tightrope.knowledge.errors import DocumentInvalid, PublishFailed, ReleaseBroken
from tightrope.knowledge.models import SHANGHAI, Chunk, Release
from tightrope.knowledge.passages import build_release, cut, read_documents
from tightrope.knowledge.publishing.approvals import read_approvals
from tightrope.knowledge.publishing.store import Active, Store
from tightrope.knowledge.retrieved import Dropped

FILES = "knowledge_base"


def store_of(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", tmp_path / FILES / "signers.json", production=False)


def keep(tmp_path: Path, *, activate: bool = True) -> tuple[Store, Release]:
    store, folder = store_of(tmp_path), tmp_path / FILES
    release = build_release(read_documents(folder))
    store.keep(release, read_approvals(folder), AT)
    if activate:
        store.activate(release.release_id, what="published", by="li", at=AT)
    return store, release


def second_version(tmp_path: Path) -> Release:
    """The same document with another figure, signed, as a second release; it is not active."""
    folder = tmp_path / FILES
    for language in ("zh", "en"):
        path = folder / f"sample.{language}.md"
        path.write_text(path.read_text(encoding="utf-8").replace("0.1%", "0.2%"), encoding="utf-8")
    sign(folder, "maker", MAKER)
    sign(folder, "checker", CHECKER)
    return keep(tmp_path, activate=False)[1]


async def test_running_parts_notice_a_switch_and_a_way_back_without_a_restart(tmp_path: Path):
    signed_base(tmp_path / FILES)
    store, first = keep(tmp_path)
    active = Active(store_of(tmp_path))
    assert (await active.current()).release == first
    second = second_version(tmp_path)
    assert (await active.current()).release.release_id == first.release_id
    store.activate(second.release_id, what="published", by="li", at=AT)
    assert (await active.current()).release.release_id == second.release_id
    store.activate(first.release_id, what="rolled back", by="li", at=AT)
    assert (await active.current()).release.release_id == first.release_id
    state = store.state()
    assert state
    assert [event.what for event in state.history] == ["published", "published", "rolled back"]
    assert {kept.release_id for kept in store.kept()} == {first.release_id, second.release_id}


async def test_a_withdrawn_document_is_dropped_at_once_in_every_release_and_a_new_version_is_not(tmp_path: Path):
    signed_base(tmp_path / FILES)
    store, release = keep(tmp_path)
    active = Active(store_of(tmp_path))
    await active.current()
    made = store.withdraw("sample", reason="wrong fee", by="wang", at=AT)
    assert [(item.document_id, item.version) for item in made] == [("sample", "v1")]
    assert store.withdraw("sample", reason="again", by="wang", at=AT) == []
    quotable = await active.current()
    assert not quotable.allows("sample", "v1")
    assert quotable.allows("sample", "v2")
    passage = release.passages[0]
    raw = {
        "id": "x",
        "dataset_id": "d",
        "content": passage.content,
        "document_metadata": release.documents[0].meta_fields,
        "similarity": 1,
        "term_similarity": 1,
        "vector_similarity": 1,
    }
    day, passages = AT.date(), release.by_content()
    assert isinstance(check_chunk(raw, dataset_id="d", day=day, passages=passages), Chunk)
    found = check_chunk(raw, dataset_id="d", day=day, passages=passages, withdrawn=quotable.withdrawn)
    assert found == Dropped("x", "withdrawn")
    store.activate(release.release_id, what="rolled back", by="li", at=AT)
    assert not (await active.current()).allows("sample", "v1")
    with pytest.raises(PublishFailed, match="no document"):
        store.withdraw("nothing", reason="", by="wang", at=AT)


@pytest.mark.parametrize("attack", ["word", "signature", "signers", "gone", "not json", "name"])
async def test_a_release_that_is_not_what_two_people_signed_is_not_quoted(tmp_path: Path, attack: str):
    signed_base(tmp_path / FILES)
    store, release = keep(tmp_path)
    path = store.folder / "releases" / f"{release.release_id}.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    if attack == "word":
        raw["documents"]["sample.zh.md"] = raw["documents"]["sample.zh.md"].replace("0.1%", "0.01%")
    elif attack == "signature":
        raw["approvals"]["sample.v1"] = raw["approvals"]["sample.v1"][:1]
    elif attack == "signers":
        write_signers(tmp_path / FILES, signer(MAKER, "li", "maker"))
    path.write_text(json.dumps(raw) if attack != "not json" else "{", encoding="utf-8")
    if attack == "gone":
        path.unlink()
    if attack == "name":
        path.rename(path.with_name("kb-0000000000000000.json"))
        with pytest.raises(ReleaseBroken, match="changed after publishing"):
            store.load("kb-0000000000000000")
    with pytest.raises(ReleaseBroken):
        await Active(store_of(tmp_path)).current()
    with pytest.raises(ReleaseBroken):
        store.activate(release.release_id, what="rolled back", by="x", at=AT)


async def test_without_a_readable_state_nothing_is_quoted_not_even_what_was_active_before(tmp_path: Path):
    signed_base(tmp_path / FILES)
    with pytest.raises(ReleaseBroken, match="no knowledge is published"):
        await Active(store_of(tmp_path)).current()
    store, _ = keep(tmp_path)
    active = Active(store_of(tmp_path))
    await active.current()
    store.state_file.write_text("{}")
    for _ in range(2):
        with pytest.raises(ReleaseBroken):
            await active.current()
    store.state_file.unlink()
    with pytest.raises(ReleaseBroken):
        await active.current()


@pytest.mark.parametrize("name", ["../../etc/passwd", "kb-", "kb-../x", ""])
def test_a_release_id_is_no_path(tmp_path: Path, name: str):
    signed_base(tmp_path / FILES)
    with pytest.raises(ReleaseBroken):
        store_of(tmp_path).load(name)


def test_production_does_not_quote_what_demo_keys_signed(tmp_path: Path):
    from tightrope.knowledge.publishing.demo import sign_demo

    (base(tmp_path / FILES) / "signers.json").unlink()
    sign_demo(tmp_path / FILES, AT)
    _, release = keep(tmp_path)
    strict = Store(tmp_path / "store", tmp_path / FILES / "signers.json", production=True)
    with pytest.raises(ReleaseBroken, match="not signed by two people"):
        strict.load(release.release_id)


def scheduled(tmp_path: Path, ends: str = "2026-11-30") -> Path:
    """Version 1 until the end of November in Shanghai, version 2 from December on."""
    folder = base(tmp_path / FILES)
    for language in ("zh", "en"):
        (folder / f"sample.{language}.md").write_text(text(language, effective_to=ends), encoding="utf-8")
        later = text(language, version="v2", effective_from="2026-12-01").replace("0.1%", "0.2%")
        (folder / f"sample.v2.{language}.md").write_text(later, encoding="utf-8")
    for key in ("sample.v1", "sample.v2"):
        sign(folder, "maker", MAKER, key)
        sign(folder, "checker", CHECKER, key)
    return folder


@pytest.mark.parametrize(
    ("now", "version"),
    [
        (datetime(2026, 11, 30, 15, 59, 59, tzinfo=UTC), "v1"),
        (datetime(2026, 11, 30, 16, 0, 0, tzinfo=UTC), "v2"),
        (datetime(2026, 11, 30, 23, 59, tzinfo=UTC), "v2"),
    ],
)
def test_one_release_holds_both_versions_and_midnight_in_shanghai_changes_over(tmp_path: Path, now: datetime, version: str):
    release = build_release(read_documents(scheduled(tmp_path)))
    assert len(release.documents) == 4
    day = now.astimezone(SHANGHAI).date()
    accepted = []
    for document in release.documents:
        for passage in cut(document):
            scores = dict.fromkeys(("similarity", "term_similarity", "vector_similarity"), 1)
            raw = {"id": "x", "dataset_id": "d", "content": passage.content, "document_metadata": document.meta_fields} | scores
            found = check_chunk(raw, dataset_id="d", day=day, passages=release.by_content())
            accepted += [found.passage.version] if isinstance(found, Chunk) else []
    assert accepted == [version, version]


def test_two_versions_in_force_on_one_day_are_no_release(tmp_path: Path):
    with pytest.raises(DocumentInvalid, match="on the same days"):
        build_release(read_documents(scheduled(tmp_path, ends="2026-12-01")))
