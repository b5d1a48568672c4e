"""Conditions whose pattern can backtrack without end are told; patterns that only look like it are not."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightrope.engine.check import examine
from tightrope.engine.check.backtracking import endless

ENDLESS = [
    r"^(a+)+$", r"(a*)*b", r"^(\w+\s?)*$", r"(a|a?)+$", r"^(\d+,?)+$", r"(x+x+)+y", r"^([a-z0-9]+(-[a-z0-9]+)*)+$", r"(a?b?)*c",
    r"^(([a-z])+.)+[A-Z]([a-z])+$", r"(.*a){15}$", r"^(\d{1,3},?)+$", r"(a+){14}b", r"(ab|a|b)*c", r"^(?=(a+)+b)", r"(?>(a+)+b)",
    r"([^\s]|\S)+x", r"^(.|\d)*!$", r"(?:(?:a|b|ab)+)x", r"(?i)^(ab|AB)+$", r"^(中+文?)+$", r"(?:(a)|\w)+(?(1)b|c)x", r"(\w+ ?){12}x",
    r"^(?P<a>x)?(ay|[a-c]y)+$", r"(a+b?)*?c", r"^(\s*\w*\s*)*x",
]  # fmt: skip
HARMLESS = [
    r"^a+$", r"(a+)+", r"^[\w.+-]+@[\w-]+(\.[\w-]+)+$", r"^\+?\d+(\.\d+)?$", r"^(\w+\s)*\w+$", r".*x", r"(?>a+)+b", r"(?:a+)++b",
    r"^\d{4}-\d{2}-\d{2}$", r"^(ab|cd)*e$", r"\b(yes|no)\b", r"^1[3-9]\d{9}$", r"(\d{18})+x", r"([A-Z]{2}\d{4},)*[A-Z]{2}\d{4}$",
    r"(?i)^(a|b)*c", r"^(\d{2},?)+$", "(" + "|".join(f"word{n}" for n in range(150)) + ")+!", r"a++b", r"(a?)*+b", r"(\s|\n)*x",
    r"(?i)^(a|A)+$", r"^(a|[a-c])+$", r"^(\d+\.){4}$", r"(\w+ ){12}x", r"(\d{0,3}x){20}y", r"", r"(?i)c\d+", r"^[a-z]\w{3,30}$", r"((a{12}){12}){12}b",
    r"(", r"(?<=a)b+$", r"^(?!.*x)\w+$",
]  # fmt: skip


@pytest.mark.parametrize("pattern", ENDLESS)
def test_what_can_be_read_in_two_ways_on_the_way_round_is_told(pattern):
    assert endless(pattern)


@pytest.mark.parametrize("pattern", HARMLESS)
def test_what_can_be_read_in_one_way_only_is_not(pattern):
    assert not endless(pattern)


@pytest.mark.parametrize(
    ("pattern", "pumped"), [(r"^(a+)+$", "a"), (r"(a?b?)*c", "ab"), (r"(ab|a|b)*c", "ab"), (r"([^\s]|\S)+x", "a")]
)
def test_what_is_told_is_so(pattern, pumped):
    """Eight more letters take many times as long."""

    def seconds(length: int) -> float:
        def once() -> float:
            began = time.process_time()
            re.compile(pattern).search(pumped * (length // len(pumped)) + "!")
            return time.process_time() - began

        return min(once() for _ in range(5))  # a machine that is busy adds time, and takes none away

    assert seconds(20) > 10 * seconds(12)


_ATOMS = st.sampled_from(["a", "b", "[ab]", ".", "a?", r"\w"])
_PATTERNS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from("*+?")).map(lambda two: f"(?:{two[0]}){two[1]}"),
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(pattern=_PATTERNS)
def test_what_is_not_told_stays_quick(pattern):
    """A pattern that is not told takes no exponential time on any of these texts, which hold all that it can tell apart."""
    whole = f"^(?:{pattern})!$"
    if not endless(whole):
        compiled = re.compile(whole)
        began = time.process_time()
        for text in ("a", "b", "ab", "ba", "aab", "abb"):
            compiled.search(text * (36 // len(text)))
        assert time.process_time() - began < 2


@settings(max_examples=300, deadline=None)
@given(pattern=st.text(max_size=30) | st.from_regex(r"[a-c()|*+?.\\dws{}0-9\[\]^$]{0,25}", fullmatch=True))
def test_whatever_is_written_an_answer_comes_soon(pattern):
    began = time.process_time()
    assert endless(pattern) in {True, False}
    assert time.process_time() - began < 5


FLOWS = """
flows:
  give:
    description: takes a code
    if: slots.code matches "^(g+)+$"
    steps:
      - collect: code
        rejections: [{if: 'slots.code matches "^(r+)+$"', utter: utter_no}]
        next:
          - if: slots.code matches "^(n+)+$" or slots.code matches "^n+$"
            then: END
          - else: said
      - id: said
        action: utter_said
"""
DOMAIN = """
slots: {code: {type: text, validation: {rejections: [{if: 'slots.code matches "^(v+)+$"', utter: utter_no}]}}}
responses:
  utter_ask_code: [{text: code?}]
  utter_no: [{text: no}]
  utter_said: [{text: a, condition: 'slots.code matches "^(w+)+$"'}, {text: b}]
"""


def test_wherever_a_condition_stands(folder):
    found = [problem for problem in examine(folder(FLOWS, DOMAIN)).warnings if problem.code == "endless-pattern"]
    assert sorted(problem.message.split("'")[1] for problem in found) == ["^(g+)+$", "^(n+)+$", "^(r+)+$", "^(v+)+$", "^(w+)+$"]
    assert all("possessive" in problem.mend for problem in found)
