"""Masking of whole records: what recognisers know, what the payload itself knows, and what must stay readable."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from audit_turns import BALANCE, CARD, CUSTOMER, IDENTITY, NAME, PHONE, margin, message, turn
from hypothesis import given
from hypothesis import strategies as st

from tightrope.audit.export.masking import Known, Mask, known, masked, pieces
from tightrope.audit.leaf import payload_bytes
from tightrope.audit.models import Entry, RecordDraft
from tightrope.cli.auditing import hide

KNOWN = Known((CUSTOMER,), (NAME,))


def entry(draft: RecordDraft) -> Entry:
    leaf = {"facts": dict(draft.facts)}
    payload = json.loads(payload_bytes(draft.payload))
    return Entry(UUID(int=1), None, datetime(2026, 5, 4, tzinfo=UTC), str(draft.event), draft.turn, leaf, payload, None)


def plain(value) -> str:
    return json.dumps(value, ensure_ascii=False)


def test_a_turn_is_masked_and_its_decision_stays_readable():
    made = margin(
        date(2026, 5, 4),
        date(2024, 1, 10),
        text=f"{NAME}女士（{CUSTOMER}），您的总资产为 {BALANCE} 元，持有 12,300 股，可用 98765 元。",
    )
    told = entry(turn("1-2", 1, made, customer=CUSTOMER, text=f"我的电话{PHONE}，卡{CARD}，身份证{IDENTITY}"))
    hidden = plain(masked(told, hide, known([told.payload, {"sender": {"type": "contact", "name": NAME}}])).payload)
    for secret in (NAME, CUSTOMER, BALANCE, PHONE, CARD, IDENTITY, "826437.51", "12,300", "98765"):
        assert secret not in hidden, secret
    for kept in (
        "margin_eligibility.risk_assessment_age",
        "not_met",
        "2024-01-10",
        "check_margin_eligibility",
        "cd" * 32,
        "utter_margin_not_eligible",
        "C4",
    ):
        assert kept in hidden, kept


def test_the_names_of_the_sender_are_masked_wherever_they_stand():
    told = entry(message("1-2", f"{NAME}想开户"))
    hidden = masked(told, lambda text: text, known([told.payload])).payload
    assert hidden["content"] == "[NAME]想开户"
    assert hidden["sender"] == {"id": 12, "type": "contact", "name": "[NAME]"}


def test_what_is_unreadable_stays_unreadable():
    broken = Entry(UUID(int=1), None, datetime(2026, 5, 4, tzinfo=UTC), "x:y:z", None, {}, None, "destroyed")
    assert masked(broken, hide, Known()) is broken


@pytest.mark.parametrize("field", ["operation", "rule", "sha256", "event", "kind", "version", "source", "by", "turn_sha256"])
@pytest.mark.parametrize("secret", [PHONE, CARD, IDENTITY, CUSTOMER, f"x{PHONE}", NAME])
def test_a_field_for_codes_is_no_hiding_place(field, secret):
    assert secret not in plain(Mask(hide, KNOWN, private=False).object({field: secret, "list": [{field: [secret]}]}))


@pytest.mark.parametrize(
    "value", [826437.51, 13800138000, 6222020200112233, {"inputs": {"principal": "500000"}}, {"inputs": {"a": 1234}}]
)
def test_numbers_that_could_be_somebodys_are_masked(value):
    hidden = plain(Mask(hide, KNOWN, private=False).object({"value": value}))
    assert not any(digits in hidden for digits in ("826437", "13800138000", "6222020200112233", "500000", "1234"))


@pytest.mark.parametrize("value", ["24", "C4", "retail", "2024-01-10", 6, True])
def test_what_rules_decided_by_stays_readable(value):
    assert Mask(hide, KNOWN, private=True).object({"inputs": {"x": value}}) == {"inputs": {"x": value}}


def test_keys_are_masked_too():
    assert PHONE not in plain(Mask(hide, KNOWN, private=False).object({PHONE: 1}))


def test_a_long_text_is_masked_to_its_end():
    text = ("我想了解佣金的收取标准。" * 2000) + f"我的手机是{PHONE}"
    hidden = Mask(hide, KNOWN, private=False).text(text)
    assert PHONE not in hidden
    assert hidden.endswith("[PHONE]")


def test_a_text_without_anything_to_hide_is_not_touched():
    text = "您好！请问“融资融券”的条件是什么？①②③"
    assert Mask(hide, KNOWN, private=True).text(text) == text


@given(st.text(alphabet=st.sampled_from("x。, \n1"), max_size=20_000))
def test_pieces_lose_nothing(text):
    parts = pieces(text)
    assert "".join(parts) == text
    assert all(len(part) <= 4000 for part in parts)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from([PHONE, CUSTOMER, NAME, IDENTITY]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=6) | st.sampled_from(["inputs", "sender", "sha256", "name"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=6), values, max_size=4))
def test_no_shape_of_a_payload_lets_a_known_secret_through(payload):
    hidden = plain(Mask(hide, KNOWN, private=False).object(payload))
    for secret in (CUSTOMER, NAME):
        assert secret not in hidden
