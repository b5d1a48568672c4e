"""The gate's data in `data/knowledge/`: approved clauses and connectives, forms of words out of scope, bounds. JSON, owned by compliance."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from tightrope.knowledge.gate.figures import figures
from tightrope.knowledge.gate.markers import folded
from tightrope.knowledge.gate.paraphrase import stems
from tightrope.knowledge.models import LANGUAGES, TOPICS, ApprovedClause, GateRules, Language, ScopeRule, Wording

_EDGE = {"zh": "{}", "en": r"(?<![a-z]){}(?![a-rt-z]|s[a-z])"}
_KINDS = ("advice", "forecast", "person", "risk", "instruction")


@lru_cache(maxsize=4)
def load_rules(folder: Path) -> GateRules:
    """Read `clauses.json`, `connectives.json`, `scope.json` and `wording.json` of `data/knowledge/`.

    Raises:
        ValueError: a file is missing, is no JSON or breaks its form; the message names file and entry.
    """
    connectives = _read(folder / "connectives.json")
    clauses, scope = _read(folder / "clauses.json"), _read(folder / "scope.json")
    wording = _read(folder / "wording.json")
    try:
        return GateRules(
            connectives={language: frozenset(connectives[language]) for language in LANGUAGES},
            clauses=tuple(_clause(item) for item in clauses["clauses"]),
            scope=tuple(_scope(item) for item in scope["forms"]),
            max_sentences=int(connectives["max_sentences"]),
            max_characters=int(connectives["max_characters"]),
            wording={language: _wording(wording[language], language) for language in LANGUAGES},
        )
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{folder}: {error} is missing or wrong in the gate's data; docs/knowledge.md says what each file holds"
        ) from None


def _read(path: Path) -> Any:
    try:
        return orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); the gate lets nothing pass without it") from None


def _clause(raw: dict[str, Any]) -> ApprovedClause:
    wording: dict[Language, str] = {language: str(raw[language]).strip() for language in LANGUAGES}
    topics, prompts = frozenset(raw.get("topics", ())), frozenset(raw.get("prompts", ()))
    if not all(wording.values()) or not topics | prompts or topics - {"*", *TOPICS}:
        raise ValueError(f"clauses.json: {raw['id']}: needs wording in zh and en, and topics of models.TOPICS or prompts")
    if any(figures(text) for text in wording.values()):
        raise ValueError(f"clauses.json: {raw['id']}: a clause holds no figure; figures come from passages alone")
    return ApprovedClause(str(raw["id"]), wording, topics, prompts)


def _scope(raw: dict[str, Any]) -> ScopeRule:
    if raw["kind"] not in _KINDS or raw["language"] not in LANGUAGES or not isinstance(raw["approved"], bool):
        raise ValueError(
            f"scope.json: {raw['id']}: kind must be one of {', '.join(_KINDS)}, language zh or en, approved true or false"
        )
    try:
        unless = re.compile(raw["unless"], re.IGNORECASE) if raw.get("unless") else None
        return ScopeRule(
            raw["id"], raw["kind"], raw["language"], re.compile(raw["pattern"], re.IGNORECASE), unless, raw["approved"]
        )
    except re.error as error:
        raise ValueError(f"scope.json: {raw['id']}: the pattern is no regular expression ({error})") from None


def _wording(raw: dict[str, Any], language: Language) -> Wording:
    plain = [folded(word) for word in raw["plain"]]
    classes = []
    for name, members in raw["classes"].items():
        canonical = {folded(spelled): member[0] for member in members for spelled in member}
        canonical |= {folded(spelled): "" for spelled in raw["no_member"].get(name, ())}
        classes.append((name, _any_of(canonical, language), canonical))
    reader = _any_of(plain, language) if language == "zh" else re.compile(r"(?!)")
    return Wording(frozenset(stem for word in plain for stem in stems(word)), reader, tuple(classes))


def _any_of(words: Iterable[str], language: Language) -> re.Pattern[str]:
    """Any of the words, the longest first, in English as whole words."""
    return re.compile(
        _EDGE[language].format("(?:" + "|".join(re.escape(word) for word in sorted(words, key=lambda w: (-len(w), w))) + ")")
    )
