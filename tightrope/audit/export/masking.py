"""Masked records: everything that says who a customer is or what he has is replaced, in texts and in structured fields. Pure.

The recognisers are those that stand before a language model (`tightrope.generation.masking`); they are given as a function. Here is added
what a payload knows better than any recogniser: the customer's id, the names in its sender fields, and the amounts among a rule's inputs.
When in doubt it masks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from tightrope.audit.export.models import Masker
from tightrope.audit.models import Entry, JsonObject

CUSTOMER, NAME, AMOUNT, SENDER = "[CUSTOMER]", "[NAME]", "[AMOUNT]", "[SENDER]"

_PIECE = 4000
"""Characters given to the recognisers at a time; they read 8,000, and folding can make a text longer."""
_CODED = frozenset(
    [
        "v",
        "kind",
        "event",
        "journey",
        "why",
        "scopes",
        "reason",
        "priority",
        "action",
        "outcome",
        "operation",
        "status",
        "as_of",
        "sha256",
        "rule",
        "version",
        "verdict",
        "passage_id",
        "document_id",
        "language",
        "effective_from",
        "used",
        "prompt_id",
        "prompt_sha256",
        "template_sha256",
        "model",
        "fingerprint",
        "request_id",
        "finish_reason",
        "command",
        "flow",
        "flow_id",
        "step_id",
        "flow_step",
        "utter_action",
        "source",
        "classifier",
        "turn_sha256",
        "acr",
        "binding",
        "file_type",
        "content_type",
        "link_sha256",
        "message_type",
        "by",
        "guard",
    ]
)
"""Fields that our own code fills with codes. Their values are kept where they look like codes, since a recogniser would take a digest for an account."""
_CODE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/@+=-]{0,199}")
_HARMLESS = re.compile(
    r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=\d*[a-f])[0-9a-f]{32,64}",
    re.ASCII,
)
_LONG_NUMBER = re.compile(r"\d{7}", re.ASCII)
_FIGURE = re.compile(r"-?\d[\d,]*(?:\.\d+)?", re.ASCII)
_GROUPED = re.compile(
    r"(?<![\w.-])[¥$]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![\w.,-])\d+\.\d{2,4}(?![\d%])|(?<![\w.,:-])\d{5,}(?![\w:-])", re.ASCII
)
_INPUT_LIMIT = 1000
"""A rule's inputs from this size on may be somebody's money; below they are months, levels and limits."""
_CUSTOMER_FIELDS = frozenset({"customer_id", "customer", "subject"})
_NAME_FIELDS = frozenset({"name", "email", "phone", "phone_number", "identifier"})


@dataclass(frozen=True, slots=True)
class Known:
    """What the records of a conversation themselves say must not be shown."""

    customers: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def known(payloads: Iterable[JsonObject]) -> Known:
    """The customer ids and names of a conversation's records, longest first."""
    customers: set[str] = set()
    names: set[str] = set()
    for payload in payloads:
        _collect(payload, customers, names)
    return Known(
        tuple(sorted(customers, key=lambda one: (-len(one), one))), tuple(sorted(names, key=lambda one: (-len(one), one)))
    )


def masked(entry: Entry, mask: Masker, secrets: Known) -> Entry:
    """A record as it may be shown: the same with its payload masked."""
    if entry.payload is None:
        return entry
    private = isinstance(entry.payload.get("identity"), dict)
    return replace(entry, payload=Mask(mask, secrets, private=private).object(entry.payload))


class Mask:
    """Masks one record's payload."""

    def __init__(self, mask: Masker, secrets: Known, *, private: bool) -> None:
        """`private`: the customer was verified, so every figure of some size may be his."""
        self._mask = mask
        self._private = private
        self._customers = [re.compile(rf"(?<![0-9A-Za-z]){re.escape(one)}(?![0-9A-Za-z])") for one in secrets.customers]
        self._names = secrets.names

    def object(self, value: JsonObject) -> JsonObject:
        """A payload, masked."""
        return {self.text(str(key)): self._field(str(key), item) for key, item in value.items()}

    def text(self, text: str) -> str:
        """A text, masked. Texts longer than the recognisers read are masked in pieces that end at a blank or a sign."""
        for pattern in self._customers:
            text = pattern.sub(CUSTOMER, text)
        for name in self._names:
            text = text.replace(name, NAME)
        text = "".join(self._mask(piece) for piece in pieces(text))
        return _GROUPED.sub(AMOUNT, text) if self._private else text

    def _field(self, key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return self._inputs(value) if key == "inputs" else _sender(value) if key == "sender" else self.object(value)
        if isinstance(value, list):
            return [self._field(key, item) for item in value]
        if isinstance(value, str):
            return self._string(key, value)
        if isinstance(value, float) or (
            isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**9 and key != "created_at"
        ):
            return AMOUNT
        return value

    def _string(self, key: str, value: str) -> str:
        if key in _CUSTOMER_FIELDS:
            return CUSTOMER
        if key == "sender_id":
            return SENDER
        if _HARMLESS.fullmatch(value):
            return value
        if key in _CODED and _CODE.fullmatch(value) and not _LONG_NUMBER.search(_HARMLESS.sub("", value)):
            return value if not any(pattern.search(value) for pattern in self._customers) else CUSTOMER
        return self.text(value)

    def _inputs(self, inputs: JsonObject) -> JsonObject:
        return {key: AMOUNT if _figure(value) else self._field(key, value) for key, value in inputs.items()}


def pieces(text: str) -> list[str]:
    """A text in parts of at most 4,000 characters, cut where no number, name or word is cut if there is such a place."""
    out = []
    while len(text) > _PIECE:
        cut = max(text.rfind(sign, _PIECE // 2, _PIECE) for sign in "\n。！？；.!?; ，, ")
        cut = cut + 1 if cut > 0 else _PIECE
        out.append(text[:cut])
        text = text[cut:]
    return [*out, text]


def _sender(sender: JsonObject) -> JsonObject:
    return {
        key: NAME if key in _NAME_FIELDS and value else value
        for key, value in sender.items()
        if key in {*_NAME_FIELDS, "id", "type"}
    }


def _figure(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, int | float):
        return abs(value) >= _INPUT_LIMIT
    if isinstance(value, str) and _FIGURE.fullmatch(value):
        return "." in value or "," in value or abs(int(value[:20])) >= _INPUT_LIMIT
    return False


def _collect(value: Any, customers: set[str], names: set[str]) -> None:
    if isinstance(value, list):
        for item in value:
            _collect(item, customers, names)
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str) and item.strip():
                if key in _CUSTOMER_FIELDS:
                    customers.add(item)
                elif key in _NAME_FIELDS and value.get("type") == "contact" and len(item.strip()) > 1:
                    names.add(item.strip())
            _collect(item, customers, names)
