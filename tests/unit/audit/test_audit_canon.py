"""The canonical profile against the RFC 8785 implementation."""

from __future__ import annotations

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from tightrope.audit.canon import DEPTH_LIMIT, canonical
from tightrope.audit.errors import CanonError

texts = st.text(st.characters(exclude_categories=("Cs",)))
keys = st.text(st.characters(max_codepoint=127))
scalars = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=20
)


@given(values)
@example({"b": '\u2028\u0000\u007f"\\/', "a": "资金余额 💰", "B": [True, None, -1]})
def test_canonical_bytes_are_those_of_rfc_8785(value):
    assert canonical(value) == rfc8785.dumps(value)


@given(st.dictionaries(keys, scalars, max_size=6), st.randoms())
def test_the_order_of_keys_does_not_matter(value, random):
    items = list(value.items())
    random.shuffle(items)
    assert canonical(dict(items)) == canonical(value)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"score": 0.5}, "$.score"),
        ({"a": [1, float("nan")]}, "$.a[1]"),
        ({"a": 1.0}, "$.a"),
        ({"名": 1}, "$"),
        ({1: "x"}, "$"),
        ({"n": 2**53}, "$.n"),
        ({"n": -(2**53)}, "$.n"),
        ({"t": "a\ud800"}, "$.t"),
        ({"b": b"x"}, "$.b"),
        ({"s": {1, 2}}, "$.s"),
    ],
)
def test_what_the_profile_lacks_is_refused_by_place(value, place):
    with pytest.raises(CanonError) as refusal:
        canonical(value)
    assert str(refusal.value).startswith(f"{place}:")


def test_nesting_is_bounded():
    deep: object = 1
    for _ in range(DEPTH_LIMIT):
        deep = [deep]
    canonical(deep)
    with pytest.raises(CanonError, match="nested deeper"):
        canonical([deep])


@given(st.floats())
def test_no_float_is_ever_accepted(number):
    with pytest.raises(CanonError):
        canonical({"x": number})
