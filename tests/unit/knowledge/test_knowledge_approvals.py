"""Maker and checker: what counts as approved, and everything that must not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kb_samples import CHECKER, MAKER, STRANGER, base, sign, signed_base, signer, write_signers

from tightrope.infra.settings import REPOSITORY
from tightrope.knowledge.errors import ApprovalRefused, DocumentInvalid
from tightrope.knowledge.passages import read_documents
from tightrope.knowledge.publishing.approvals import read_approvals, signed
from tightrope.knowledge.publishing.demo import sign_demo
from tightrope.knowledge.publishing.signers import FILE, load_signers


def approved(folder: Path, *, production: bool = False) -> bool:
    documents = read_documents(folder, production=production)
    return all(document.approved for document in documents)


def why_not(folder: Path) -> str:
    signers = load_signers(folder / FILE, production=False)
    _, void = signed(read_documents(folder), read_approvals(folder), signers)
    return " ".join(item.reason for item in void)


def test_two_people_approve_a_document_and_readers_see_their_titles(tmp_path: Path):
    folder = base(tmp_path)
    assert not approved(folder)
    sign(folder, "maker", MAKER)
    assert not approved(folder)
    sign(folder, "checker", CHECKER)
    assert approved(folder)
    zh = next(document for document in read_documents(folder) if document.language == "zh")
    assert [(a.duty, a.person, a.title) for a in zh.approvals] == [("maker", "li", "li职务"), ("checker", "wang", "wang职务")]
    assert zh.approvals[0].date.isoformat() == "2026-11-22"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 2000), language=st.sampled_from(["zh", "en"]))
def test_any_changed_character_of_either_language_voids_both_signatures(tmp_path: Path, at: int, language: str):
    folder = tmp_path if (tmp_path / FILE).exists() else signed_base(tmp_path)
    path = folder / f"sample.{language}.md"
    good = path.read_text(encoding="utf-8")
    start = good.index("## ")
    place = start + 4 + at % (len(good) - start - 4)
    path.write_text(good[:place] + "甲" + good[place:], encoding="utf-8")
    try:
        try:
            assert not any(document.approvals for document in read_documents(folder))
        except DocumentInvalid:  # a broken comment: nothing of the folder is read
            return
        assert "have changed since" in why_not(folder)
    finally:
        path.write_text(good, encoding="utf-8")
    assert approved(folder)


def test_a_new_language_voids_the_signatures_of_the_other(tmp_path: Path):
    folder = signed_base(tmp_path / "a")
    (folder / "sample.en.md").unlink()
    assert "have changed since" in why_not(folder)


def test_the_checker_is_somebody_else_and_comes_second(tmp_path: Path):
    folder = base(tmp_path)
    write_signers(
        folder, signer(MAKER, "li", "maker", "checker"), signer(STRANGER, "li", "checker"), signer(CHECKER, "wang", "checker")
    )
    with pytest.raises(ApprovalRefused, match="maker signs first"):
        sign(folder, "checker", CHECKER)
    sign(folder, "maker", MAKER)
    for again in (MAKER, STRANGER):  # the same key, and another key of the same person
        with pytest.raises(ApprovalRefused, match="two people"):
            sign(folder, "checker", again)
    with pytest.raises(ApprovalRefused, match="already"):
        sign(folder, "maker", MAKER)
    with pytest.raises(ApprovalRefused, match="not as maker"):
        sign(folder, "maker", CHECKER)


def test_two_keys_of_one_person_never_approve_even_when_the_file_is_made_by_hand(tmp_path: Path):
    folder = base(tmp_path)
    write_signers(folder, signer(MAKER, "li", "maker"), signer(STRANGER, "other", "checker"))
    sign(folder, "maker", MAKER)
    sign(folder, "checker", STRANGER)
    assert approved(folder)
    write_signers(folder, signer(MAKER, "li", "maker"), signer(STRANGER, "li", "checker"))
    assert not approved(folder)  # the statement names another person
    write_signers(folder, signer(MAKER, "li", "maker", "checker"))
    assert not approved(folder)


def test_a_strangers_key_and_a_document_that_is_not_there_are_refused(tmp_path: Path):
    folder = base(tmp_path)
    with pytest.raises(ApprovalRefused, match=r"signers\.json"):
        sign(folder, "maker", STRANGER)
    with pytest.raises(ApprovalRefused, match="no document"):
        sign(folder, "maker", MAKER, key="sample.v2")


def test_a_signature_moved_to_another_document_or_edited_counts_for_nothing(tmp_path: Path):
    folder = signed_base(tmp_path)
    path = folder / "approvals" / "sample.v1.json"
    rows = json.loads(path.read_text())
    (folder / "approvals" / "other.v1.json").write_text(json.dumps(rows))
    assert "no such document" in why_not(folder)
    rows["approvals"][0]["statement"]["duty"] = "checker"
    path.write_text(json.dumps(rows))
    assert not approved(folder)
    assert "does not fit the statement" in why_not(folder)
    path.write_text("[]")
    with pytest.raises(DocumentInvalid, match="sign again"):
        read_documents(folder)


def test_who_has_left_signs_no_more_and_what_he_signed_before_stays(tmp_path: Path):
    folder = signed_base(tmp_path)
    write_signers(folder, signer(MAKER, "li", "maker", until="2026-11-22"), signer(CHECKER, "wang", "checker"))
    assert approved(folder)
    write_signers(folder, signer(MAKER, "li", "maker", until="2026-11-21"), signer(CHECKER, "wang", "checker"))
    assert not approved(folder)
    with pytest.raises(ApprovalRefused, match="no more"):
        sign(folder, "maker", MAKER, at=datetime(2026, 11, 21, 16, 0, tzinfo=UTC))  # midnight of the 22nd in Shanghai


def test_demo_keys_approve_in_the_demo_and_never_in_production(tmp_path: Path):
    folder = base(tmp_path)
    (folder / FILE).unlink()
    assert sign_demo(folder, datetime(2026, 11, 22, tzinfo=UTC)) == ["sample.v1"]
    assert sign_demo(folder, datetime(2026, 11, 22, tzinfo=UTC)) == []
    assert approved(folder)
    assert not approved(folder, production=True)
    assert "demo" in (folder / FILE).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"key_id": "0" * 16}, "has the id"),
        ({"may": ["boss"]}, "maker or checker"),
        ({"person": " "}, "no person"),
        ({"titles": {}}, "zh"),
    ],
)
def test_a_list_of_signers_that_is_wrong_is_refused_whole(tmp_path: Path, change: dict[str, object], says: str):
    folder = signed_base(tmp_path)
    write_signers(folder, signer(MAKER, "li", "maker") | change, signer(CHECKER, "wang", "checker"))
    with pytest.raises(DocumentInvalid, match=says):
        read_documents(folder)


def test_every_document_of_the_demo_is_signed():
    unsigned = [d.file_name for d in read_documents(REPOSITORY / "knowledge_base") if not d.approved]
    assert unsigned == [], "run `tightrope kb demo-sign`"
