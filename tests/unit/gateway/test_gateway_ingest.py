"""From webhook bodies to arrivals: what is taken over, what is not, and what is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.gateway import ingest
from tightrope.gateway.errors import BodyInvalid, WebhookRefused


def message(**changed: Any) -> dict[str, Any]:
    """A `message_created` as Chatwoot sends it, cut to what matters here."""
    payload: dict[str, Any] = {
        "event": "message_created",
        "id": 50121,
        "content": "我的余额是多少？",
        "content_type": "text",
        "content_attributes": {},
        "message_type": "incoming",
        "private": False,
        "source_id": None,
        "created_at": "2026-11-20T02:31:00.000Z",
        "account": {"id": 1, "name": "Demo"},
        "inbox": {"id": 3, "name": "Portal"},
        "sender": {"id": 812, "name": "Ana", "identifier": "C1001", "email": "ana@example.test"},
        "conversation": {
            "id": 441,
            "inbox_id": 3,
            "status": "pending",
            "custom_attributes": {},
            "contact_inbox": {"contact_id": 812, "source_id": "very-secret-source", "pubsub_token": "SECRET"},
            "meta": {"sender": {"id": 812}, "assignee_type": "AgentBot", "hmac_verified": True},
        },
    }
    return payload | changed


def read(payload: dict[str, Any]) -> list[Any]:
    where = ingest.hint(payload)
    assert where is not None
    return ingest.arrivals(payload, where)


def test_customer_message_becomes_one_arrival_without_bearer_ids() -> None:
    (arrival,) = read(message())
    assert (arrival.kind, arrival.dedupe_key, arrival.message_id) == ("message", "1/message/50121", 50121)
    text = json.dumps(arrival.body)
    assert "SECRET" not in text
    assert "very-secret-source" not in text
    assert "C1001" not in text, "Chatwoot's identifier is never taken over"


def test_place_is_known_by_contact_and_hash_of_the_source() -> None:
    where = ingest.hint(message())
    assert where is not None
    assert where.conversation_id == "1-441"
    assert where.contact_id == 812
    assert where.source_hash is not None
    assert len(where.source_hash) == 64


def test_same_message_has_the_same_key_in_every_delivery() -> None:
    assert read(message())[0].dedupe_key == read(message(content="edited on the way"))[0].dedupe_key


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"message_type": "outgoing", "sender": {"id": 9, "type": "user", "name": "Agent"}}, "agent_message"),
        ({"message_type": "outgoing", "private": True, "sender": {"id": 9, "type": "user"}}, "note"),
        ({"message_type": "template", "sender": None}, "system_message"),
        ({"message_type": "outgoing", "sender": None}, "system_message"),
        ({"message_type": "outgoing", "sender": {"id": 7, "type": "agent_bot"}}, "system_message"),
    ],
)
def test_kind_goes_by_direction_and_privacy(changed: dict[str, Any], kind: str) -> None:
    assert read(message(**changed))[0].kind == kind


def test_session_token_comes_before_its_message() -> None:
    payload = message()
    payload["conversation"]["custom_attributes"] = {"gw_session": "aaa.bbb.ccc", "page": "orders"}
    token, said = read(payload)
    assert (token.kind, token.body) == ("session_token", {"token": "aaa.bbb.ccc"})
    assert said.kind == "message"
    assert "aaa.bbb.ccc" not in json.dumps(said.body)


def test_overlong_session_token_is_not_even_looked_at() -> None:
    payload = message()
    payload["conversation"]["custom_attributes"] = {"gw_session": "a" * 5000}
    assert [arrival.kind for arrival in read(payload)] == ["message"]


def test_press_carries_its_values_and_differs_by_them() -> None:
    def pressed(value: str) -> Any:
        attributes = {"items": [{"title": "Yes", "value": value}], "submitted_values": [{"title": "Yes", "value": value}]}
        return read(message(event="message_updated", message_type="outgoing", source_id="tr-1", content_attributes=attributes))

    (arrival,) = pressed("tr:one")
    assert (arrival.kind, arrival.body["values"]) == ("press", ["tr:one"])
    assert arrival.dedupe_key != pressed("tr:two")[0].dedupe_key


def test_read_receipt_of_our_own_message_is_nothing() -> None:
    assert read(message(event="message_updated", message_type="outgoing", source_id="tr-1", status="read")) == []


def test_deletion_is_kept_even_of_our_own_message() -> None:
    (arrival,) = read(
        message(event="message_updated", message_type="outgoing", source_id="tr-1", content_attributes={"deleted": True})
    )
    assert (arrival.kind, arrival.body["deleted"]) == ("changed", True)


def test_attachments_are_described_and_their_links_only_hashed() -> None:
    file = {
        "id": 4,
        "file_type": "image",
        "content_type": "image/png",
        "file_size": 12,
        "data_url": "https://files.example.test/bearer",
    }
    (arrival,) = read(message(content=None, attachments=[file]))
    (kept,) = arrival.body["attachments"]
    assert kept["file_type"] == "image"
    assert len(kept["link_sha256"]) == 64
    assert "bearer" not in json.dumps(arrival.body)


def test_status_change_is_an_arrival_and_noise_is_not() -> None:
    def event(name: str, changed: list[Any]) -> list[Any]:
        conversation = message()["conversation"] | {
            "event": name,
            "account": {"id": 1},
            "changed_attributes": changed,
            "updated_at": 1.5,
        }
        return read(conversation)

    assert [a.kind for a in event("conversation_status_changed", [{"status": {"current_value": "open"}}])] == ["status"]
    assert [a.kind for a in event("conversation_updated", [{"assignee_id": {"current_value": 2}}])] == ["status"]
    assert event("conversation_updated", [{"waiting_since": {}}]) == []
    assert event("conversation_resolved", []) == [], "conversation_status_changed says the same"


def test_echo_is_known_by_our_source_id_alone() -> None:
    assert ingest.is_echo(message(message_type="outgoing", source_id="tr-abc"))
    assert not ingest.is_echo(message(message_type="incoming", source_id="tr-abc")), "a customer cannot pass as us"
    assert not ingest.is_echo(message(message_type="outgoing", source_id="other"))
    assert not ingest.is_echo(message(message_type="outgoing", source_id=None))


def test_event_without_conversation_of_its_own_is_passed_over() -> None:
    assert ingest.hint({"event": "webwidget_triggered"}) is None


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"{}", b'{"event": 5}', b"\xff\xfe"])
def test_body_that_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(BodyInvalid):
        ingest.parse(body)


@pytest.mark.parametrize("gone", ["account", "conversation"])
def test_event_without_its_ids_is_refused(gone: str) -> None:
    with pytest.raises(BodyInvalid):
        ingest.hint(message(**{gone: {}}))


def test_message_without_an_id_is_refused() -> None:
    with pytest.raises(BodyInvalid):
        read(message(id=None))
    with pytest.raises(BodyInvalid):
        read(message(event="message_updated", id="7"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.sampled_from(["event", *message().keys()]),
    json_values,
    st.sampled_from(["message_created", "message_updated", "conversation_updated"]),
)
def test_any_field_may_hold_anything_and_never_crashes(field: str, value: Any, event: str) -> None:
    payload = message(event=event) | {field: value}
    try:
        payload = ingest.parse(json.dumps(payload).encode())
        where = ingest.hint(payload)
        found = ingest.arrivals(payload, where) if where else []
    except WebhookRefused:
        return
    for arrival in found:
        assert arrival.dedupe_key.startswith("1")
        json.dumps(arrival.body)
