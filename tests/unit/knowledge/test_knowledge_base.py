"""The knowledge base itself: what every document that we publish must hold to."""

from __future__ import annotations

import re
from datetime import date

import pytest

from tightrope.infra.settings import REPOSITORY
from tightrope.knowledge.compose.judging import load_scales
from tightrope.knowledge.models import LANGUAGES, Document, Passage
from tightrope.knowledge.passages import load_release, split_sentences
from tightrope.knowledge.server.tokens import normalise
from tightrope.knowledge.service import load_thresholds

FOLDER = REPOSITORY / "knowledge_base"
RELEASE = load_release(FOLDER)
PAIRS = sorted({document.document_id for document in RELEASE.documents})
TOPICS = {
    "account-opening", "account-closing", "margin-conditions", "margin-interest", "trading-hours", "trading-fees", "star-board", "chinext",
    "stock-connect", "ipo-subscription", "bank-transfer", "risk-assessment", "password-reset", "complaints", "fraud-prevention",
}  # fmt: skip


def test_fifteen_topics_each_in_both_languages():
    assert set(PAIRS) >= TOPICS
    for document_id in PAIRS:
        assert {d.language for d in RELEASE.documents if d.document_id == document_id} == {"zh", "en"}


def test_every_file_is_published():
    public = [path for path in FOLDER.glob("*.md") if path.name != "README.md" and "\naudience: public\n" in path.read_text()]
    assert len(RELEASE.documents) == len(public) > 300


@pytest.mark.parametrize("document", RELEASE.documents, ids=lambda d: d.file_name)
def test_a_document_names_its_source_its_date_and_its_approvals(document: Document):
    assert re.search(r"20\d\d", document.source)
    assert "2025-06-30" in document.source or "30 June 2025" in document.source
    assert document.approved
    assert {approval.duty for approval in document.approvals} == {"maker", "checker"}
    assert document.effective_to > date(2026, 11, 20)


@pytest.mark.parametrize("passage", RELEASE.passages, ids=lambda p: p.passage_id)
def test_a_passage_is_short_and_its_sentences_stand_alone(passage: Passage):
    sentences = split_sentences(passage.text)
    assert 2 <= len(sentences) <= 4
    assert all(len(sentence) <= (120 if passage.language == "zh" else 330) for sentence in sentences)
    for sentence in sentences:
        assert sentence[-1] in ("。" if passage.language == "zh" else "."), sentence
        assert not re.match(r"(该|此|其(?!他)|这|它|This|It|They|These|Such)(?!.*(衡远|Hengyuan))", sentence), sentence


def figures(passages: list[Passage]) -> list[str]:
    text = normalise(" ".join(passage.text for passage in passages))
    text = re.sub(r"(\d+) billion", lambda m: f"{m[1]}000000000", text)
    text = re.sub(r"\b(one|two|three|four|five|six|seven)\b", "", text)
    return sorted(set(re.findall(r"\d+(?:\.\d+)?", text)))


@pytest.mark.parametrize("document_id", PAIRS)
def test_both_languages_give_the_same_figures(document_id: str):
    pair = {
        language: [p for p in RELEASE.passages if (p.document_id, p.language) == (document_id, language)]
        for language in ("zh", "en")
    }
    ignored = {"2", "3", "4", "1"} | {str(month) for month in range(5, 13)}  # step numbers, months spelled out in English
    for zh, en in zip(pair["zh"], pair["en"], strict=True):
        assert set(figures([zh])) - ignored == set(figures([en])) - ignored, (zh.passage_id, figures([zh]), figures([en]))


def test_firm_specific_rules_say_whose_they_are():
    for passage in RELEASE.passages:
        for sentence in split_sentences(passage.text):
            if re.search(r"衡远|Hengyuan", sentence):
                assert "（演示）" in sentence or "(demo)" in sentence, sentence


def test_the_margin_document_agrees_with_the_rules_that_decide():
    text = {p.language: p.text for p in RELEASE.passages if (p.document_id, p.number) == ("margin-conditions", 1)}
    assert "50万元" in text["zh"]
    assert "20个交易日" in text["zh"]
    assert "C4" in text["zh"]
    validity = next(p.text for p in RELEASE.passages if p.passage_id == "risk-assessment.v1.zh.4")
    assert "24个月" in validity


def test_no_document_names_a_person_or_loads_anything():
    for document in RELEASE.documents:
        text = document.raw.decode()
        assert "http" not in text
        assert "](" not in text
        assert not re.search(r"1[3-9]\d{9}", text)


def test_the_levels_are_readable():
    assert load_thresholds(FOLDER / "thresholds.json").page_size == 20
    scales, near = load_scales(FOLDER / "thresholds.json")
    assert near >= 0
    for scale in scales.values():
        assert all(0 < scale.ask[language] <= scale.answer[language] for language in LANGUAGES)
