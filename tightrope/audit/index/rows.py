"""From a record to its index row. Pure, and total: any JSON gives a row, so that no record can stop the index.

What the leaf says stays for good; what the payload adds goes when its key is restricted or destroyed: the row is then made from the leaf
alone. Of the payload only codes, ids, levels and ages are kept, no text and no amount; the customer appears as a keyed hash.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from tightrope.audit.index.models import IndexRow, Source
from tightrope.audit.models import JsonObject

VERSION = 1
"""Of these rules. An index made by another version is made again."""

SHANGHAI = timezone(timedelta(hours=8))
"""The firm's day (Asia/Shanghai has no summer time), by which rules count days."""

BASIS = frozenset({"assessed_on", "signed_on", "first_trade_on"})
"""Inputs whose age is the age of their condition: `risk_assessment_age` is that of `assessed_on`."""

_CODE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/@+=-]{0,119}")
_SHORT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}")
_SMALL = re.compile(r"-?\d{1,5}")
_RULE = re.compile(r"(?P<rule>[^:=]+):(?P<version>[^=]*)=(?P<verdict>[^=]+)")
_PASSAGE = re.compile(r"(?P<document>.+)\.(?P<version>[^.]+)\.(?:zh|en)\.\d+")
_FLOW_OF_OURS = "pattern_"
_PERSON = ("who", "reader", "by", "approver", "proposer", "person")


def row_of(source: Source) -> IndexRow:
    """The row of one record."""
    leaf, payload = source.leaf, source.payload or {}
    facts = _object(leaf.get("facts"))
    envelopes = _objects(payload.get("envelopes"))
    at = datetime.fromisoformat(str(leaf["ts"])).astimezone(UTC)
    rules = sorted({*_leaf_rules(facts), *_payload_rules(envelopes)})
    cited, considered = _documents(facts, envelopes)
    return IndexRow(
        place=source.place,
        record_id=source.record_id,
        ts=at,
        event=str(leaf.get("event")),
        conv=UUID(str(leaf["conv"])) if leaf.get("conv") else None,
        turn=leaf["turn"] if isinstance(leaf.get("turn"), int) else None,
        kid=source.kid,
        key_state=source.key_state,
        release=str(leaf.get("release") or ""),
        lang=_code(facts.get("lang")),
        handoff=_code(facts.get("handoff")),
        customer=source.customer,
        journeys=_codes(_journeys(facts, payload, envelopes)),
        rules=_codes([*(rule for rule, _, _ in rules), *(f"{rule}@{version}" for rule, version, _ in rules)]),
        findings=_codes(f"{rule}={verdict}" for rule, _, verdict in rules),
        verdicts=_codes(verdict for _, _, verdict in rules),
        reasons=_codes(_reasons(facts, envelopes)),
        outcomes=_codes(str(item).replace(":", "=", 1) for item in _list(facts.get("outcomes"))),
        cited=_codes(cited),
        considered=_codes(considered - cited),
        responses=_codes(_responses(payload)),
        models=_codes(_models(payload, envelopes)),
        people=_codes(_people(str(leaf.get("event")), payload)),
        inputs=dict(sorted(_inputs(envelopes, at.astimezone(SHANGHAI).date()))),
    )


def customer_of(payload: JsonObject | None) -> str | None:
    """The customer's id that a payload names, if it names one."""
    payload = payload or {}
    for place in (_object(payload.get("identity")), payload):
        found = place.get("customer_id")
        if isinstance(found, str) and found:
            return found
    return None


def _leaf_rules(facts: JsonObject) -> Iterator[tuple[str, str, str]]:
    for item in _list(facts.get("rules")):
        if isinstance(item, str) and (match := _RULE.fullmatch(item)):
            yield match["rule"], match["version"], match["verdict"]


def _payload_rules(envelopes: list[JsonObject]) -> Iterator[tuple[str, str, str]]:
    for rule in _of(envelopes, "rules"):
        yield str(rule.get("rule")), str(rule.get("version")), str(rule.get("verdict"))


def _journeys(facts: JsonObject, payload: JsonObject, envelopes: list[JsonObject]) -> Iterator[Any]:
    yield facts.get("journey")
    yield from _list(facts.get("flows"))
    yield from (envelope.get("journey") for envelope in envelopes)
    for event in _objects(payload.get("events")):
        flow = event.get("flow_id") or _object(event.get("metadata")).get("flow_id")
        if isinstance(flow, str) and not flow.startswith(_FLOW_OF_OURS):
            yield flow


def _documents(facts: JsonObject, envelopes: list[JsonObject]) -> tuple[set[str], set[str]]:
    cited: set[str] = set()
    considered: set[str] = set()
    for passage in _list(facts.get("passages")):
        if isinstance(passage, str) and (match := _PASSAGE.fullmatch(passage)):
            cited.add(document_name(match["document"], match["version"]))
    for item in _of(envelopes, "items"):
        if item.get("document_id"):
            cited.add(document_name(item["document_id"], item.get("version")))
    for passage in _of(envelopes, "passages"):
        if passage.get("document_id"):
            name = document_name(passage["document_id"], passage.get("version"))
            (cited if passage.get("used") is True else considered).add(name)
    return cited, considered


def document_name(document: Any, version: Any) -> str:
    """`margin-guide@3`: a document and its version, without the `v` that some versions begin with."""
    text = str(version)
    return f"{document}@{text[1:] if re.fullmatch('v[0-9].*', text) else text}"


def _reasons(facts: JsonObject, envelopes: list[JsonObject]) -> Iterator[Any]:
    yield from (facts.get(name) for name in ("why", "failure", "reason", "handoff", "decided", "scope"))
    for envelope in envelopes:
        yield envelope.get("why")
        yield envelope.get("reason")


def _responses(payload: JsonObject) -> Iterator[Any]:
    for event in _objects(payload.get("events")):
        if event.get("event") == "bot":
            yield _object(event.get("metadata")).get("utter_action")


def _models(payload: JsonObject, envelopes: list[JsonObject]) -> Iterator[Any]:
    calls = [*_objects(_object(payload.get("understanding")).get("models")), *_of(envelopes, "models")]
    for call in calls:
        yield call.get("model")
        yield call.get("fingerprint") or None


def _people(event: str, payload: JsonObject) -> Iterator[Any]:
    sender = _object(payload.get("sender"))
    if event.startswith("agent:") and isinstance(sender.get("id"), int):
        yield f"agent:{sender['id']}"
    if event.startswith(("operator:", "audit:", "release:")):
        yield from (payload.get(name) for name in _PERSON)
        for item in [*_objects(payload.get("signatures")), *_objects(payload.get("approvals"))]:
            yield from (item.get(name) for name in _PERSON)


def _inputs(envelopes: list[JsonObject], today: date) -> Iterator[tuple[str, int | str]]:
    for rule in _of(envelopes, "rules"):
        name = rule.get("rule")
        if not isinstance(name, str) or not _CODE.fullmatch(name):
            continue
        for key, value in _object(rule.get("inputs")).items():
            if not _SHORT.fullmatch(key):
                continue
            day = _day(value)
            if day is not None:
                age = (today - day).days
                yield f"{name}.{key}_age", age
                if key in BASIS:
                    yield name if name.endswith("_age") else f"{name}_age", age
            elif isinstance(value, bool):
                yield f"{name}.{key}", str(value)
            elif isinstance(value, int | str) and _SMALL.fullmatch(str(value)):
                yield f"{name}.{key}", int(value)
            elif isinstance(value, str) and _SHORT.fullmatch(value):
                yield f"{name}.{key}", value


def _day(value: Any) -> date | None:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _code(value: Any) -> str | None:
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None


def _codes(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if isinstance(value, str) and _CODE.fullmatch(value)}))


def _of(envelopes: list[JsonObject], name: str) -> Iterator[JsonObject]:
    for envelope in envelopes:
        yield from _objects(envelope.get(name))


def _object(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[JsonObject]:
    return [item for item in _list(value) if isinstance(item, dict)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
