"""From records to index rows: what is kept, what is not, and that no record stops the index."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from audit_turns import SECRETS, agent_message, cited, margin, message, turn
from hypothesis import given
from hypothesis import strategies as st

from tightrope.audit.index.models import IndexRow, Source
from tightrope.audit.index.rows import customer_of, document_name, row_of
from tightrope.audit.leaf import payload_bytes
from tightrope.audit.models import Place, RecordDraft

TODAY = date(2026, 5, 20)


def row(draft: RecordDraft, *, readable: bool = True, at: str = "2026-05-20T02:31:00.000Z") -> IndexRow:
    leaf = {
        "v": 2, "id": str(UUID(int=1)), "ts": at, "event": str(draft.event), "conv": str(UUID(int=2)), "turn": draft.turn,
        "release": "r-0123456789abcdef", "facts": json.loads(json.dumps(dict(draft.facts))),
    }  # fmt: skip
    payload = json.loads(payload_bytes(draft.payload)) if readable else None
    state = "active" if readable else "destroyed"
    return row_of(Source(Place(2026, 3), UUID(int=1), leaf, payload, UUID(int=9), state, b"\x01" * 32 if readable else None))


def test_a_margin_refusal_is_indexed_by_what_it_was_decided_from():
    found = row(turn("1-7", 1, margin(TODAY, date(2024, 1, 10)), customer="C1001"))
    assert "check_margin_eligibility" in found.journeys
    assert "margin_eligibility=not_eligible" in found.findings
    assert "margin_eligibility.risk_assessment_age=not_met" in found.findings
    assert "margin_eligibility" in found.rules
    assert any(rule.startswith("margin_eligibility@") for rule in found.rules)
    assert found.inputs["margin_eligibility.risk_assessment_age"] == (TODAY - date(2024, 1, 10)).days
    assert found.inputs["margin_eligibility.risk_level.level"] == "C4"
    assert found.responses == ("utter_margin_not_eligible",)
    assert found.outcomes == ("action_check_margin_eligibility=not_eligible",)
    assert found.ts == datetime(2026, 5, 20, 2, 31, tzinfo=UTC)


def test_the_index_holds_no_word_no_name_and_no_amount():
    kept = repr([
        row(turn("1-7", 1, margin(TODAY, date(2024, 1, 10)), customer="C1001")),
        row(message("1-7", f"我是{SECRETS[0]}，手机{SECRETS[1]}")),
        row(agent_message("1-7", "您好，林女士")),
    ])  # fmt: skip
    for secret in (*SECRETS, "826437.51", "2024-01-10", "王工", "您好", "不能开通"):
        assert secret not in kept, secret


def test_without_its_payload_a_record_keeps_what_its_leaf_says():
    draft = turn("1-7", 1, margin(TODAY, date(2024, 1, 10)), customer="C1001")
    found = row(draft, readable=False)
    assert "margin_eligibility=not_eligible" in found.findings
    assert "check_margin_eligibility" in found.journeys
    assert found.customer is None
    assert found.inputs == {}
    assert found.responses == ()
    assert found.key_state == "destroyed"


def test_a_citation_is_told_from_a_passage_that_was_only_found():
    quoted, found = (
        row(turn("1-7", 1, cited("fees-brokerage", "v3"))),
        row(turn("1-7", 2, cited("fees-brokerage", "v3", used=False))),
    )
    assert (quoted.cited, quoted.considered) == (("fees-brokerage@3",), ())
    assert (found.cited, found.considered) == ((), ("fees-brokerage@3",))
    assert quoted.models == ("fp-1", "qwen2.5-14b-instruct@3f9c")
    assert row(turn("1-7", 1, cited("fees-brokerage", "v3")), readable=False).cited == ("fees-brokerage@3",)


@pytest.mark.parametrize(("version", "name"), [("v3", "d@3"), ("3", "d@3"), ("vary", "d@vary"), (3, "d@3")])
def test_a_version_is_written_with_or_without_its_v(version, name):
    assert document_name("d", version) == name


def test_an_agent_is_named_by_the_inboxs_id():
    assert row(agent_message("1-7", "您好")).people == ("agent:7",)


def test_a_customer_is_found_in_turns_and_in_identity_records():
    assert customer_of({"identity": {"customer_id": "C1"}}) == "C1"
    assert customer_of({"customer_id": "C2"}) == "C2"
    assert customer_of({"identity": None, "customer_id": 7}) is None
    assert customer_of(None) is None


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=12,
)
names = [
    "facts",
    "envelopes",
    "events",
    "identity",
    "sender",
    "rules",
    "passages",
    "items",
    "inputs",
    "metadata",
    "flow_id",
    "signatures",
    "understanding",
]
objects = st.dictionaries(
    st.sampled_from(names) | st.text(max_size=5), values | st.lists(st.dictionaries(st.sampled_from(names), values)), max_size=6
)


@given(objects, objects)
def test_any_record_gives_a_row_that_the_database_takes(facts, payload):
    leaf = {"ts": "2026-05-20T02:31:00.000Z", "event": "agent:message:received", "conv": None, "turn": None, "facts": facts}
    found = row_of(Source(Place(2026, 0), UUID(int=1), leaf, payload, None, None, None))
    assert "\x00" not in repr(found)
    json.dumps(found.inputs)
    for values in (found.journeys, found.rules, found.findings, found.reasons, found.people):
        assert all(isinstance(value, str) and value.isascii() for value in values)
