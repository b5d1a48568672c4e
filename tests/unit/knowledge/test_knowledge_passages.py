from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.knowledge.errors import DocumentInvalid
from tightrope.knowledge.models import Approval
from tightrope.knowledge.passages import build_release, cut, parse_document, split_sentences

HEAD = """---
id: sample
version: v1
language: zh
title: 样例
topic: account
audience: public
effective_from: 2026-09-01
effective_to: 9999-12-31
source: 自编
---
"""
MAKER = Approval("maker", "maker", "产品负责人", date(2026, 8, 18), "a" * 16)
CHECKER = Approval("checker", "checker", "合规审核", date(2026, 8, 25), "b" * 16)
BODY = "## 一\n<!-- keywords: 甲, 乙、丙 -->\n第一句。第二句。\n\n## 二\n1. 先做。\n2. 再做。\n"


def document(head: str = HEAD, body: str = BODY, name: str = "sample.zh.md"):
    return replace(parse_document((head + body).encode(), name), approvals=(MAKER, CHECKER))


def english(head: str = HEAD, body: str = "## One\nFirst.\n\n## Two\nSecond.\n"):
    return document(head.replace("language: zh", "language: en"), body, "sample.en.md")


def test_a_document_is_read_with_its_sections_keywords_and_hash():
    read = document()
    assert (read.document_id, read.version, read.language, read.title) == ("sample", "v1", "zh", "样例")
    assert [section.heading for section in read.sections] == ["一", "二"]
    assert read.sections[0].keywords == ("甲", "乙", "丙")
    assert read.sections[0].body == "第一句。第二句。"
    assert read.sha256 == hashlib.sha256((HEAD + BODY).encode()).hexdigest()
    assert read.approved
    assert read.in_force(date(2026, 9, 1))
    assert not read.in_force(date(2026, 8, 31))


def test_a_passage_names_document_version_language_and_section_and_hashes_its_wording():
    first, second = cut(document())
    assert (first.passage_id, second.passage_id) == ("sample.v1.zh.1", "sample.v1.zh.2")
    assert first.context == "样例 > 一 (v1, 2026-09-01 起生效)"
    assert first.content == first.context + "\n第一句。第二句。"
    assert first.sha256 == hashlib.sha256("第一句。第二句。".encode()).hexdigest()


@pytest.mark.parametrize(
    ("head", "body", "name", "says"),
    [
        (HEAD.replace("---\nid", "id"), BODY, "sample.zh.md", "front matter"),
        (HEAD.replace("title: 样例", "title: a: b"), BODY, "sample.zh.md", "not YAML"),
        (HEAD.replace("source: 自编\n", ""), BODY, "sample.zh.md", "missing ['source']"),
        (HEAD.replace("title: 样例", "title: 样例\nowner: x"), BODY, "sample.zh.md", "unknown ['owner']"),
        (HEAD.replace("id: sample", "id: ../x"), BODY, "sample.zh.md", "id must be"),
        (HEAD.replace("version: v1", "version: 1"), BODY, "sample.zh.md", "version must be"),
        (HEAD.replace("audience: public", "audience: everyone"), BODY, "sample.zh.md", "audience must be"),
        (HEAD.replace("2026-09-01", "soon"), BODY, "sample.zh.md", "effective_from must be"),
        (HEAD.replace("9999-12-31", "2026-08-31"), BODY, "sample.zh.md", "after effective_to"),
        (HEAD, BODY, "other.zh.md", "ask for the file name sample.zh.md"),
        (HEAD, "前言。\n" + BODY, "sample.zh.md", "before the first heading"),
        (HEAD, "没有标题。", "sample.zh.md", "before the first heading"),
        (HEAD, "", "sample.zh.md", "no section"),
        (HEAD, "## 空\n\n## 二\n有。", "sample.zh.md", "is empty"),
    ],
)
def test_a_broken_file_is_refused_and_the_message_says_why(head: str, body: str, name: str, says: str):
    with pytest.raises(DocumentInvalid, match=re.escape(says)):
        document(head, body, name)


def test_a_file_that_is_not_utf8_is_refused():
    with pytest.raises(DocumentInvalid, match="not UTF-8"):
        parse_document(b"\xff\xfe", "sample.zh.md")


def test_front_matter_that_is_no_object_is_refused():
    with pytest.raises(DocumentInvalid, match="exactly"):
        parse_document(b"---\n- a\n---\n## x\ny", "sample.zh.md")


def test_internal_and_unapproved_documents_are_in_no_release():
    internal = document(HEAD.replace("audience: public", "audience: internal"))
    draft = replace(document(), approvals=(MAKER,))
    one_person = replace(document(), approvals=(MAKER, replace(CHECKER, person="maker")))
    one_key = replace(document(), approvals=(MAKER, replace(CHECKER, key_id=MAKER.key_id)))
    two_makers = replace(document(), approvals=(MAKER, replace(MAKER, person="other", key_id="c" * 16)))
    assert build_release([internal]).passages == ()
    assert build_release([draft]).passages == ()
    for lacking in (one_person, one_key, two_makers):
        assert build_release([lacking]).passages == ()
    assert draft.meta_fields["status"] == "draft"


def test_a_release_id_changes_with_any_word_keyword_version_or_expiry_and_not_with_the_order():
    base = build_release([document(), english()]).release_id
    assert base == build_release([english(), document()]).release_id
    assert base.startswith("kb-")
    assert len(base) == 19
    changed = [
        (HEAD, BODY.replace("第二句", "第三句")),
        (HEAD, BODY.replace("甲", "丁")),
        (HEAD.replace("title: 样例", "title: 范例"), BODY),
        (HEAD.replace("source: 自编", "source: 自撰"), BODY),
    ]
    ids = {build_release([document(h, b), english()]).release_id for h, b in changed} | {base}
    heads = [
        HEAD.replace("9999-12-31", "2030-12-31"),
        HEAD.replace("topic: account", "topic: fees"),
        HEAD.replace("2026-09-01", "2026-09-02"),
    ]
    assert len(ids | {build_release([document(head), english(head)]).release_id for head in heads}) == 8


def test_a_pair_whose_languages_differ_in_shape_is_refused():
    with pytest.raises(DocumentInvalid, match="other language"):
        build_release([document(), english(body="## One\nOnly.\n")])
    with pytest.raises(DocumentInvalid, match="other language"):
        build_release([document(), english(HEAD.replace("topic: account", "topic: fees"))])
    with pytest.raises(DocumentInvalid, match="not in the other language"):
        build_release([document(), english(HEAD.replace("version: v1", "version: v2"))])
    with pytest.raises(DocumentInvalid, match="twice"):
        build_release([document(), document()])


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("佣金为0.025%。每笔最低5元！可以吗？", ["佣金为0.025%。", "每笔最低5元！", "可以吗？"]),
        ("他说：“可以。”然后走了。", ["他说：“可以。”", "然后走了。"]),
        ("甲；乙。", ["甲；", "乙。"]),
        (
            "The rate is 0.05%. It applies on T+1. See No. 3 of the rules.",
            ["The rate is 0.05%.", "It applies on T+1.", "See No. 3 of the rules."],
        ),
        ("Use e.g. the app. Is it open? Yes.", ["Use e.g. the app.", "Is it open?", "Yes."]),
        ("It opens at 9.30 a.m. on trading days.", ["It opens at 9.30 a.m. on trading days."]),
        ("1. First step.\n2. Second step.", ["First step.", "Second step."]),
        ("- one\n- two", ["one", "two"]),
        ("没有句号", ["没有句号"]),
        ("  \n\n", []),
        ("完。）下一句。", ["完。）", "下一句。"]),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, sentences: list[str]):
    assert split_sentences(text) == sentences


@given(st.text(alphabet='甲乙丙。！？；.!? \n1290+T%”"a,，-', max_size=80))
def test_every_sentence_stands_in_the_text_and_none_is_lost(text: str):
    sentences = split_sentences(text)
    at = 0
    for sentence in sentences:
        found = text.find(sentence, at)
        assert found >= 0
        at = found + len(sentence)
    letters = [c for c in text if c in "甲乙丙a%"]
    assert [c for s in sentences for c in s if c in "甲乙丙a%"] == letters
