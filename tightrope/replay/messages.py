"""What went out, made again from the assistant's events: envelopes, texts with their sources, buttons. The gateway's own sentences have to be the release's."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from tightrope.gateway.assistant import replies_of
from tightrope.gateway.errors import EnvelopeInvalid
from tightrope.gateway.models import Language, Reply, TurnResult
from tightrope.gateway.replies import message_drafts, read_answer
from tightrope.replay.models import Check, Json, Mark, Part, compared, counted

_HERE = re.compile(r"\]\([^()\s]*?/knowledge/")
_HOLE = re.compile(r"\\\{[a-z_]+\\\}")


class Sentences:
    """The gateway's approved sentences of a release (tightrope/gateway/wording.yml), and whether a text is one of them.

    Args:
        root: the release's folder; where it does not hold the file, every text is unknown.
    """

    def __init__(self, root: Path) -> None:
        path = root / "tightrope" / "gateway" / "wording.yml"
        texts: dict[str, dict[str, str]] = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
        self.held = bool(texts)
        self._texts = texts
        self._patterns = [
            re.compile(_HOLE.sub(".*?", re.escape(text)), re.DOTALL) for by in texts.values() for text in by.values()
        ]

    def approved(self, text: str) -> bool:
        """Whether the text is an approved sentence, its placeholders filled."""
        return any(pattern.fullmatch(text) for pattern in self._patterns)

    def say(self, key: str, language: Language) -> str:
        """The sentence of this key."""
        return self._texts[key][language]


def check_messages(payload: Json, facts: Json, sentences: Sentences) -> list[Check]:
    """Compare what the record says was sent with what the assistant's events come to."""
    sent = [draft for draft in payload.get("sent") or [] if draft.get("kind") == "message"]
    others = sorted({str(draft.get("kind")) for draft in payload.get("sent") or []} - {"message"})
    checks: list[Check] = []
    language: Language = "en" if facts.get("lang") == "en" else "zh"
    if facts.get("decision") == "answered" and payload.get("engine"):
        events = [*payload["engine"].get("opening", ()), *(payload.get("events") or [])]
        try:
            result = read_answer(replies_of(events), events)
        except EnvelopeInvalid as error:
            return [Check(Part.MESSAGES, Mark.DIFFERS, f"the assistant's answer would be refused: {error}")]
        checks.append(
            compared(
                Part.MESSAGES, payload.get("envelopes"), result.envelopes, counted(len(result.envelopes), "envelope"), "envelopes"
            )
        )
        own = [_shown(draft) for draft in sent]
        made = _expected(result, language)
        expected, rest = _taken_out(own, made)
        checks.append(compared(Part.MESSAGES, expected, made, f"{counted(len(made), 'message')} of the assistant", "sent"))
        own = rest
    else:
        own = [_shown(draft) for draft in sent]
    checks += _own_words(own, sentences)
    if others:
        checks.append(Check(Part.MESSAGES, Mark.FROM_RECORD, f"for the agent and the inbox: {', '.join(others)}"))
    return checks


def _own_words(own: list[Json], sentences: Sentences) -> list[Check]:
    if not own:
        return []
    if not sentences.held:
        return [Check(Part.MESSAGES, Mark.MISSING, "the record does not hold the gateway's wording of this release")]
    wrong = [shown for shown in own if not sentences.approved(str(shown["content"]))]
    if wrong:
        return [compared(Part.MESSAGES, wrong, [], "", "sent, neither the assistant's nor an approved sentence")]
    return [Check(Part.MESSAGES, Mark.SAME, f"{counted(len(own), 'approved sentence')} of the gateway")]


def _expected(result: TurnResult, language: Language) -> list[Json]:
    """The assistant's own messages as they go out; buttons by their titles and payloads, since their tokens are random."""
    drafts = message_drafts(
        [Reply(reply.text, reply.offers, reply.citations) for reply in result.replies],
        language=language, base_url="", record="", journey=None, offer_person=False, even_if_held=False,
    )  # fmt: skip
    return [
        {
            "content": _HERE.sub("](/knowledge/", draft.body["content"]),
            "offers": [{"title": o.title, "payload": o.payload} for _, o in draft.offers],
        }
        for draft in drafts
    ]


def _shown(draft: Json) -> Json:
    content = str((draft.get("body") or {}).get("content"))
    return {"content": _HERE.sub("](/knowledge/", content), "offers": draft.get("offers") or []}


def _taken_out(own: list[Json], made: list[Json]) -> tuple[list[Json], list[Json]]:
    """The messages that stand for the assistant's, in order, and those left over, which have to be the gateway's own.

    The gateway may put the way to a person, or the buttons of the message before it, under a message of its own; so buttons that a message lost
    to a following one, or gained as its last, are not counted as a difference.
    """
    for first in range(len(own) - len(made) + 1):
        window = own[first : first + len(made)]
        if [shown["content"] for shown in window] == [shown["content"] for shown in made]:
            return [_buttons(shown, want) for shown, want in zip(window, made, strict=True)], [
                *own[:first],
                *own[first + len(made) :],
            ]
    return own, []


def _buttons(shown: Json, want: Json) -> Json:
    offers = shown["offers"]
    if offers != want["offers"] and (not offers or offers[:-1] == want["offers"]):
        return {**shown, "offers": want["offers"]}
    return shown
