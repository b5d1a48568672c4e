"""Leaves: no personal data, hashes, retention, payload bytes."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tightrope.audit.errors import CanonError, FactsRefused
from tightrope.audit.leaf import (
    PayloadRef,
    build_leaf,
    build_log_leaf,
    check_content,
    check_facts,
    commitment,
    keep_until,
    payload_bytes,
    retention,
    timestamp,
)
from tightrope.audit.models import Event
from tightrope.audit.tlog.merkle import leaf_hash
from tightrope.audit.tlog.sm2 import sm3

CONTRACTS = Path(__file__).resolve().parents[3] / "contracts" / "audit"
RECORD = UUID("00000000-0000-4000-8000-000000000001")


def a_leaf(**changes) -> bytes:
    fields = {
        "record_id": RECORD,
        "at": datetime(2026, 11, 20, 2, 31, tzinfo=UTC),
        "host": "tr-1",
        "build": "0.1.0",
        "release": "r-0123456789abcdef",
        "event": str(Event.TURN_MADE),
        "conv": UUID("00000000-0000-4000-8000-000000000002"),
        "turn": 3,
        "payload": PayloadRef(
            kid=UUID("00000000-0000-4000-8000-000000000003"),
            ct_sha256=hashlib.sha256(b"ct").digest(),
            commit=commitment(bytes(32), b"{}"),
        ),
        "cls": "conversation",
        "facts": {"lang": "zh", "latency_ms": 42},
        "content": {"manifest": "ab" * 32},
    }
    return build_leaf(**(fields | changes))


def test_a_leaf_matches_its_schema():
    schema = json.loads((CONTRACTS / "leaf.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(json.loads(a_leaf()))
    Draft202012Validator(schema).validate(json.loads(a_leaf(conv=None, turn=None, cls="system", event=str(Event.SWITCH_ENGAGED))))


def _schema() -> Draft202012Validator:
    return Draft202012Validator(json.loads((CONTRACTS / "leaf.schema.json").read_text(encoding="utf-8")))


def test_the_logs_own_leaf_has_no_payload_and_nobody_elses_is_without():
    leaf = build_log_leaf(
        record_id=RECORD,
        at=datetime(2026, 11, 20, tzinfo=UTC),
        host="h",
        build="0",
        release="r-0123456789abcdef",
        event=str(Event.SEQUENCER_BEAT),
        facts={"size": 3},
    )
    read = json.loads(leaf)
    assert (read["kid"], read["ct_sha256"], read["commit"], read["conv"]) == (None, None, None, None)
    assert _schema().is_valid(read)
    assert not _schema().is_valid(read | {"event": str(Event.TURN_MADE)})
    assert not _schema().is_valid(json.loads(a_leaf()) | {"commit": None})


def test_the_sm3_of_the_ciphertext_stands_beside_its_sha256_where_it_is_asked_for():
    reference = PayloadRef(kid=RECORD, ct_sha256=hashlib.sha256(b"abc").digest(), commit=bytes(32), ct_sm3=sm3(b"abc"))
    read = json.loads(a_leaf(payload=reference))
    # The example of GB/T 32905-2016, A.1.
    assert read["ct_sm3"] == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert _schema().is_valid(read)
    assert "ct_sm3" not in json.loads(a_leaf())


def test_a_leaf_of_the_first_version_still_fits_the_schema():
    old = json.loads(a_leaf()) | {"v": 1}
    assert _schema().is_valid(old)
    assert not _schema().is_valid(old | {"v": 3})


def test_a_leaf_that_no_log_entry_can_hold_is_refused():
    with pytest.raises(CanonError, match="65535"):
        a_leaf(facts={str(n): "x" * 190 for n in range(400)})


def test_a_leaf_may_name_the_events_of_the_closed_list():
    leaf = json.loads((CONTRACTS / "leaf.schema.json").read_text(encoding="utf-8"))
    assert leaf["properties"]["event"]["enum"] == [str(event) for event in Event]


def test_every_event_is_source_subject_action():
    for event in Event:
        assert len([part for part in event.split(":") if part.replace("_", "").isalpha()]) == 3


def test_a_leaf_says_until_when_it_is_kept():
    assert json.loads(a_leaf())["until"] == "2046-11-20"
    assert keep_until(date(2028, 2, 29), 5) == date(2033, 3, 1)
    assert all(years >= 5 for years in retention().values())


def test_hashes_are_those_of_the_documentation():
    leaf = a_leaf()
    assert leaf_hash(leaf) == hashlib.sha256(b"\x00" + leaf).digest()
    assert commitment(b"s" * 32, b"p") == hashlib.sha256(b"audit-payload-v1\x00" + b"s" * 32 + b"p").digest()


def test_times_are_utc_with_milliseconds():
    assert timestamp(datetime.fromisoformat("2026-11-20T10:31:00.123456+08:00")) == "2026-11-20T02:31:00.123Z"


@pytest.mark.parametrize(
    "facts",
    [
        {"phone": "13812345678"},
        {"phone": "138-1234-5678"},
        {"phone": "138 1234 5678"},
        {"phone": 13812345678},
        {"id": "11010519491231002X"},
        {"mail": "a@b.cn"},
        {"name": "张三"},
        {"nested": [{"deep": "6222021234567890123"}]},
        {"13812345678": 1},
        {"text": "x" * 201},
        {"text": "two\nlines"},
        {"who": "C1001"},
        {"who": ["customer C1001 asked"]},
        {"sender": "cw-1-441-e0"},
    ],
)
def test_facts_that_could_be_personal_are_refused(facts):
    with pytest.raises(FactsRefused):
        check_facts(facts, forbidden=frozenset({"C1001", "cw-1-441"}))


@pytest.mark.parametrize(
    "facts",
    [
        {"lang": "zh", "label": "automated", "latency_ms": 1234, "disclosed": True, "acr": None},
        {"rules": ["margin_eligibility:2026-01-01=not_met"], "passages": ["fees.v1.zh.3"], "outcomes": ["action_check:ok"]},
        {"record": "b0e6ad0c-0c8e-4f6e-9d7e-123456789012", "release": "r-1234567890123456"},
        {"sha": "1" * 64, "short": "a1234567890b"},
        {"as_of": "2026-11-20T10:31:00+08:00"},
        {"message_id": 9_999_999_999},
        {"customer_rank": "1-2 of 3", "conversation_count": 12},
    ],
)
def test_codes_versions_digests_and_counts_are_facts(facts):
    check_facts(facts, forbidden=frozenset({"C1001", "cw-1-441"}))


@given(st.integers(10**7, 10**18 - 1).map(str), st.sampled_from(["tel {}", "{}", "x={}", "a:{}:b", "({})"]))
def test_no_long_number_gets_into_facts_as_a_word(number, form):
    with pytest.raises(FactsRefused):
        check_facts({"x": form.format(number)})


def test_content_is_named_by_sha256():
    check_content({"flows": "0" * 64})
    for bad in ("0" * 63, "G" * 64, "AB" * 32, ""):
        with pytest.raises(FactsRefused, match="SHA-256"):
            check_content({"flows": bad})


@given(st.dictionaries(st.text(), st.text() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(), max_size=4))
def test_any_payload_comes_back_as_it_was(payload):
    assert json.loads(payload_bytes(payload)) == payload


def test_a_lone_surrogate_from_a_chat_client_is_kept():
    assert json.loads(payload_bytes({"text": "ab\ud83d"})) == {"text": "ab\ud83d"}


def test_payload_values_of_ours_become_strings():
    at = datetime(2026, 11, 20, tzinfo=UTC)
    payload = {"at": at, "day": at.date(), "id": RECORD, "amount": Decimal("1.50"), "event": Event.TURN_MADE, "map": {1: 2}}
    read = json.loads(payload_bytes(payload))
    assert read["amount"] == "1.50"
    assert read["event"] == "gateway:turn:made"
    assert read["id"] == str(RECORD)
    assert read["day"] == "2026-11-20"


@pytest.mark.parametrize("value", [object(), float("nan"), {1, 2}, b"bytes"])
def test_a_payload_that_is_no_json_is_refused(value):
    with pytest.raises(CanonError):
        payload_bytes({"x": value})
