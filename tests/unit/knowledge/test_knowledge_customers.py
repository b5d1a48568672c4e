"""Questions in customers' words: what they lead to, how they vote, and that nothing comes in by them that may not be quoted."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from kb_samples import signed_base

from tightrope.infra.settings import REPOSITORY
from tightrope.knowledge.compose import judging
from tightrope.knowledge.compose.customers import VOTERS, Customers, Rows, section
from tightrope.knowledge.compose.decide import Answerable, Limits
from tightrope.knowledge.compose.judging import Judge, Judges
from tightrope.knowledge.compose.relevance import Relevance, Scale
from tightrope.knowledge.models import Language, Passage, Release
from tightrope.knowledge.passages import build_release, read_documents

DAY = date(2026, 11, 22)


def passage(name: str, *asked: str, language: Language = "zh", number: int = 1, until: date = date.max) -> Passage:
    return Passage(
        passage_id=f"{name}.v1.{language}.{number}",
        document_id=name,
        version="v1",
        language=language,
        title=f"title {name}",
        section=f"section {number}",
        number=number,
        effective_from=date(2026, 1, 1),
        effective_to=until,
        context=name,
        text=f"text of {name}",
        sha256="0" * 64,
        asked=asked,
    )


class Letters:
    """Vectors that say which letters a text holds; `unkept` have none."""

    def __init__(self, *unkept: str) -> None:
        self.unkept = unkept

    def question(self, text: str) -> Rows:
        row = np.array([text.count(chr(code)) for code in range(97, 123)], dtype=np.float32)
        made: Rows = row / (np.linalg.norm(row) or 1.0)
        return made

    def pieces(self, texts: Sequence[str]) -> Rows:
        return np.stack([self.question(text) for text in texts])

    def asked(self, texts: Sequence[str]) -> Rows:
        rows = [np.zeros(26, dtype=np.float32) if text in self.unkept else self.question(text) for text in texts]
        return np.stack(rows) if rows else np.zeros((0, 26), dtype=np.float32)


FEES = passage("fees", "aab", "abb")
HOURS = passage("hours", "ccd", "cdd")
HOURS_EN = passage("hours", "cccd", language="en")
TAX = passage("tax", "efef")
ALL = (FEES, HOURS, HOURS_EN, TAX)


def near(question: str, passages: Sequence[Passage] = ALL, language: Language = "zh", most: int = 8) -> list[str]:
    letters = Letters()
    customers = Customers(passages, letters)
    found = customers.near(customers.cosines(letters.question(question), language), language, most)
    return [one.document_id for one in found]


def test_the_nearest_questions_lead_to_their_passages_once_each_and_in_the_customers_language():
    assert near("aabb") == ["fees", "hours", "tax"] or near("aabb") == ["fees", "tax", "hours"]
    assert near("cd")[0] == "hours"
    assert near("cd", most=1) == ["hours"]
    assert near("cd", language="en") == ["hours"]
    assert near("ef", (FEES, HOURS_EN), "en") == ["hours"]


def voted(customers: Customers, question: str) -> dict[tuple[str, str, int], float]:
    return customers.votes(customers.cosines(Letters().question(question), "zh"))


def test_votes_are_shares_over_both_languages():
    votes = voted(Customers(ALL, Letters()), "ccd")
    assert sum(votes.values()) == pytest.approx(1)
    assert max(votes, key=lambda one: votes[one]) == section(HOURS) == section(HOURS_EN)
    many = [passage(f"n{at}", "ab" + chr(99 + at % 20) * (at % 7)) for at in range(60)]
    assert len(voted(Customers(many, Letters()), "ab")) <= VOTERS


def test_no_questions_and_none_that_is_kept_lead_nowhere_and_break_nothing():
    letters = Letters("aab", "abb")
    assert near("ab", ()) == []
    assert near("ab", (passage("silent"),)) == []
    assert voted(Customers((), letters), "ab") == {}
    unkept = Customers((FEES,), letters)
    assert unkept.unkept == 2
    assert unkept.near(unkept.cosines(letters.question("aab"), "zh"), "zh", 3) == ()
    assert voted(unkept, "aab") == {}
    some = Customers((FEES, HOURS), letters)
    assert some.near(some.cosines(letters.question("aab"), "zh"), "zh", 3) == (HOURS,)
    assert voted(some, "aab") == {section(HOURS): pytest.approx(1)}


def test_a_passage_without_questions_or_their_vectors_is_no_worse_for_it():
    """Nothing asked is no sign against a passage: its heading and keywords stand for what is missing."""
    wanted = replace(FEES, title="aab", section="abb", keywords=("aab",))
    scale = Scale({}, {"zh": 0, "en": 0}, {"zh": 0, "en": 0})

    def asked(passage: Passage, *unkept: str) -> dict[str, float]:
        relevance = Relevance((passage, HOURS), scale, Letters(*unkept))
        return relevance.features(relevance.query("aab", "zh"), [passage, HOURS])[0]

    with_them, without, unkept = asked(wanted), asked(replace(wanted, asked=())), asked(wanted, "aab", "abb")
    assert without["asked"] == unkept["asked"] == without["named"] > 0.9
    assert without["asked_gram"] == without["gram"]
    assert with_them["asked"] == pytest.approx(1)
    assert min(without["asked_gap"], with_them["asked_gap"]) > -0.1


def test_all_pieces_of_a_long_section_come_by_its_questions_and_count_as_one():
    pieces = [replace(FEES, passage_id=f"fees.v1.zh.1-{at}") for at in range(1, 9)]
    customers = Customers((*pieces, HOURS), Letters())
    cosines = customers.cosines(Letters().question("aab"), "zh")
    assert customers.near(cosines, "zh", 2) == (*pieces, HOURS)
    assert voted(customers, "aab") == voted(Customers((FEES, HOURS), Letters()), "aab")


def test_what_may_not_be_quoted_takes_no_place_and_no_vote():
    ended = [replace(FEES, passage_id=f"x{at}.v1.zh.1", document_id=f"x{at}", effective_to=date(2026, 1, 2)) for at in range(30)]
    judged = judge((*ended, FEES)).judged("aab", "zh", (), day=DAY)
    assert [chunk.passage for chunk in judged] == [FEES]
    customers = Customers((*ended, FEES), Letters())
    votes = customers.votes(customers.cosines(Letters().question("aab"), "zh"), lambda one: one.effective_to > DAY)
    assert votes == {section(FEES): pytest.approx(1)}


def judge(passages: Sequence[Passage], weights: dict[str, int] | None = None) -> Judge:
    scale = Scale(weights or {"asked": 200_000, "bias": -100_000}, {"zh": 9000, "en": 9000}, {"zh": 100, "en": 100})
    limits = Limits(answer=9000, ask=100, near=0)
    return Judge(Relevance(passages, scale, Letters()), {"zh": limits, "en": limits}, ())


def test_a_passage_that_retrieval_did_not_find_is_judged_beside_what_it_found():
    decision = judge(ALL).decide("aab", "zh", (), day=DAY)
    assert isinstance(decision, Answerable)
    assert decision.chunks[0].passage is FEES


@pytest.mark.parametrize("why", ["withdrawn", "ended", "not yet"])
def test_a_passage_that_may_not_be_quoted_does_not_come_in_by_its_questions(why: str):
    ended = replace(FEES, effective_to=date(2026, 11, 21))
    coming = replace(FEES, effective_from=date(2026, 11, 23))
    fees = {"withdrawn": FEES, "ended": ended, "not yet": coming}[why]
    withdrawn = {("fees", "v1")} if why == "withdrawn" else frozenset()
    judged = judge((fees, HOURS)).judged("aab", "zh", (), day=DAY, withdrawn=withdrawn)
    assert [chunk.passage.document_id for chunk in judged] == ["hours"]


def test_without_an_encoder_questions_count_by_their_words_alone():
    scale = Scale({"asked_gram": 100_000}, {"zh": 9000, "en": 9000}, {"zh": 100, "en": 100})
    relevance = Relevance((replace(FEES, asked=("转账要多久",)), HOURS), scale, None)
    query = relevance.query("转账多久", "zh")
    assert relevance.near(query) == ()
    (features,) = relevance.features(query, [replace(FEES, asked=("转账要多久",))])
    assert features["asked_gram"] > 0.5
    assert "votes" not in features


def test_each_release_has_its_own_judge_and_two_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made: list[tuple[Passage, ...]] = []
    here = Judge.here

    def counted(project: Path, passages: Sequence[Passage]) -> Judge:
        made.append(tuple(passages))
        return here(project, passages)

    monkeypatch.setattr(judging.Judge, "here", staticmethod(counted))
    judges = Judges(REPOSITORY)
    release = build_release(read_documents(signed_base(tmp_path)))
    other, third = (Release(f"kb-{name}", (), release.passages[:1]) for name in ("1", "2"))
    made.clear()
    first = judges(release)
    assert judges(other) is not first
    assert judges(release) is first
    judges(third)
    assert judges(release) is first  # asked for last but one: still kept
    judges(other)
    assert made == [release.passages, other.passages, third.passages, other.passages]


def test_while_a_judge_is_made_another_release_is_answered_and_it_is_made_once(monkeypatch: pytest.MonkeyPatch):
    judges = Judges(REPOSITORY)
    old, new = Release("kb-1", (), (FEES,)), Release("kb-2", (), (HOURS,))
    judges(old)
    begun, go_on, made = Event(), Event(), []
    here = Judge.here

    def slow(project: Path, passages: Sequence[Passage]) -> Judge:
        made.append(passages)
        begun.set()
        assert go_on.wait(20)
        return here(project, passages)

    monkeypatch.setattr(judging.Judge, "here", staticmethod(slow))
    with ThreadPoolExecutor(3) as pool:
        first, second = pool.submit(judges, new), pool.submit(judges, new)
        assert begun.wait(20)
        assert pool.submit(judges, old).result(20) is not None  # does not wait for the new one
        go_on.set()
        assert first.result(20) is second.result(20)
    assert made == [(HOURS,)]


def test_a_project_without_levels_is_refused_at_the_start_and_not_at_the_first_question(tmp_path: Path):
    with pytest.raises((ValueError, OSError)):
        Judges(tmp_path)
