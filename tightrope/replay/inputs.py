"""Where a turn's words came from: the recorded message through the gateway's own decision, or the button that an earlier turn put out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tightrope.audit.models import Entry, Event
from tightrope.gateway import decide
from tightrope.replay.models import Check, Json, Mark, Part, compared

EXPIRED = "offer_expired"


@dataclass(frozen=True, slots=True)
class Received:
    """What customers sent, by record; and what each button that went out stands for, by its token."""

    records: dict[str, Entry]
    offers: dict[str, str]

    @staticmethod
    def of(entries: Iterable[Entry]) -> Received:
        """From the whole record of a conversation."""
        kept = list(entries)
        received = {Event.CUSTOMER_MESSAGE_RECEIVED, Event.CUSTOMER_BUTTON_PRESSED}
        return Received(
            {str(entry.record_id): entry for entry in kept if entry.event in received and entry.payload is not None},
            dict(offer for entry in kept if entry.payload for offer in _offers(entry.payload)),
        )


def _offers(payload: Json) -> Iterator[tuple[str, str]]:
    for draft in payload.get("sent") or []:
        items = ((draft.get("body") or {}).get("content_attributes") or {}).get("items") or []
        for item, offer in zip(items, draft.get("offers") or [], strict=False):
            yield str(item.get("value")), str(offer.get("payload"))


def check_received(received: Received, turn: Entry) -> Check | None:
    """Compare a turn's words with what was received; None for a turn that nothing said (a login)."""
    payload: Json = turn.payload or {}
    if turn.leaf["facts"].get("cause") not in {"message", "press"}:
        return None
    cause = payload.get("caused_by")
    if cause is None:
        return Check(
            Part.INPUT,
            Mark.MISSING,
            "the record does not name the message that caused this turn: it was made before that was kept",
        )
    found = received.records.get(cause)
    if found is None or found.payload is None:
        return Check(Part.INPUT, Mark.MISSING, f"the message that caused this turn is not in the record: {cause}")
    wording = turn.leaf["facts"].get("decision") == "wording"
    if found.event == Event.CUSTOMER_MESSAGE_RECEIVED:
        decision = decide.on_message(found.payload)
        said = decision.text if isinstance(decision, decide.Ask) else ""
        return compared(Part.INPUT, payload.get("said"), said, "the customer's message, and what the gateway made of it", "said")
    meant = next(
        (received.offers[value] for value in map(str, found.payload.get("values") or []) if value in received.offers), None
    )
    if wording:
        return Check(Part.INPUT, Mark.FROM_RECORD, "a button that did not count any more")
    return compared(Part.INPUT, payload.get("said"), meant, "a button that an earlier turn put out", "said")
