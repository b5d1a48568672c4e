"""From the assistant's answer to messages for Chatwoot: pure."""

from __future__ import annotations

import json
import re
import secrets
import uuid
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

from jsonschema import Draft202012Validator

from tightrope.gateway.errors import EnvelopeInvalid
from tightrope.gateway.models import Language, Offer, OutboxDraft, Reply, TurnResult
from tightrope.gateway.wording import say
from tightrope.infra.settings import REPOSITORY

MAX_TEXT = 10_000
_LIQUID = re.compile(r"\{(?=[{%])")


@lru_cache(maxsize=1)
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads((REPOSITORY / "contracts/turn/envelope.schema.json").read_text(encoding="utf-8")))


def read_answer(items: Any, events: list[dict[str, Any]], steps: list[list[str]] | None = None) -> TurnResult:
    """Split Rasa's reply items into messages and envelopes.

    Raises:
        EnvelopeInvalid: an item is not of Rasa's shape, or an envelope is outside its contract; the turn then fails closed.
    """
    if not isinstance(items, list):
        raise EnvelopeInvalid("the assistant's answer is not a list")
    result = TurnResult(events=events, steps=steps)
    for item in items:
        if not isinstance(item, dict):
            raise EnvelopeInvalid("a reply item is not an object")
        text = item.get("text")
        if isinstance(text, str) and text.strip():
            result.replies.append(Reply(text.strip()[:MAX_TEXT], _offers(item.get("buttons"))))
        if item.get("custom"):
            _take_envelope(item["custom"], result)
        unknown = {k for k in ("image", "attachment", "elements") if item.get(k)}
        if unknown:
            raise EnvelopeInvalid(f"the assistant sent {', '.join(sorted(unknown))}, which no journey may")
    return result


def _offers(buttons: Any) -> tuple[Offer, ...]:
    if not buttons:
        return ()
    try:
        return tuple(Offer(str(b["title"])[:80], str(b["payload"])[:500]) for b in buttons)
    except (KeyError, TypeError) as error:
        raise EnvelopeInvalid("a button lacks title or payload") from error


def _take_envelope(custom: Any, result: TurnResult) -> None:
    envelope = custom.get("envelope") if isinstance(custom, dict) else None
    if envelope is None or len(custom) != 1:
        raise EnvelopeInvalid("a custom reply item holds something else than one envelope")
    error = next(_validator().iter_errors(envelope), None)
    if error is not None:
        raise EnvelopeInvalid(
            f"envelope {envelope.get('kind')!r} is outside the contract"
            if isinstance(envelope, dict)
            else "an envelope is not an object"
        )
    result.envelopes.append(envelope)
    kind = envelope["kind"]
    if kind == "handoff":
        result.handoff = envelope
    elif kind == "login":
        result.login = envelope
    elif kind == "citations":
        if not result.replies:
            raise EnvelopeInvalid("citations without a text before them")
        last = result.replies[-1]
        result.replies[-1] = Reply(last.text, last.offers, tuple(envelope["items"]))


def harmless(text: str) -> str:
    """Text that Chatwoot will not run as Liquid: `{{` and `{%` are broken by a zero-width space."""
    return _LIQUID.sub("{\u200b", text)


def escape_markdown(text: str) -> str:
    """Text of other people's making, shown as it is: no links, images, emphasis or code."""
    return re.sub(r"([\\`*_\[\]()<>#!|~])", r"\\\1", text)


def citation_line(citation: dict[str, Any], language: Language, base_url: str) -> str:
    """One source as a Markdown link that opens the cited passage."""
    path = "/".join(quote(str(citation[k]), safe="") for k in ("document_id", "version", "language"))
    passage = citation["passage_id"]
    url = f"{base_url}/knowledge/{path}?{urlencode({'passage': passage})}#{quote(passage, safe='')}"
    section = f" · {escape_markdown(citation['section'])}" if citation["section"] else ""
    when = say("effective", language, date=citation["effective_from"])
    return f"\\[{citation['n']}\\] [{escape_markdown(citation['title'])}{section}]({url}) · {when}"


def message_drafts(
    replies: list[Reply],
    *,
    language: Language,
    base_url: str,
    record: str,
    journey: str | None,
    offer_person: bool,
    even_if_held: bool,
) -> list[OutboxDraft]:
    """Outbox rows for a turn's replies, in order. The last one offers a person unless one is on the way already."""
    drafts = []
    for index, reply in enumerate(replies):
        text = reply.text
        if reply.citations:
            text += (
                "\n\n"
                + say("sources", language)
                + "\n"
                + "\n".join(f"- {citation_line(c, language, base_url)}" for c in reply.citations)
            )
        offers = list(reply.offers)
        person = Offer(say("person_title", language), say("person_text", language))
        if offer_person and index == len(replies) - 1 and not any(person.title.lower() in o.title.lower() for o in offers):
            offers.append(person)
        named = tuple((f"tr:{secrets.token_urlsafe(18)}", offer) for offer in offers)
        drafts.append(
            OutboxDraft(
                "message",
                _message(text, named, language, record),
                bot=True,
                journey=journey,
                even_if_held=even_if_held,
                offers=named,
            )
        )
    return drafts


def _message(text: str, offers: tuple[tuple[str, Offer], ...], language: Language, record: str) -> dict[str, Any]:
    attributes: dict[str, Any] = {"automated": {"label": say("label", language), "record": record}}
    body: dict[str, Any] = {"content": harmless(text), "private": False, "content_type": "text", "content_attributes": attributes}
    if offers:
        body["content_type"] = "input_select"
        attributes["items"] = [{"title": harmless(offer.title), "value": nonce} for nonce, offer in offers]
    return body


def new_outbox_id() -> uuid.UUID:
    """Id of an outbox row; travels as `source_id` `tr-<id>`."""
    return uuid.uuid4()
