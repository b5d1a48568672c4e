"""Approved clauses: which a reply or a prompt must carry, and which it lacks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tightrope.knowledge.models import LANGUAGES, Clause, GateRules, Language

EVERY = "*"


def required_clauses(rules: GateRules, topics: Iterable[str], language: Language) -> tuple[Clause, ...]:
    """The clauses that an answer about these topics must carry, in the order of the data."""
    about = {EVERY, *topics}
    return tuple(approved.clause(language) for approved in rules.clauses if approved.topics & about)


def missing_in_answer(clauses: Sequence[Clause], rules: GateRules, topics: Iterable[str], language: Language) -> tuple[str, ...]:
    """Ids of the required clauses that are not there word for word."""
    return tuple(clause.id for clause in required_clauses(rules, topics, language) if clause not in clauses)


def missing_in_prompt(name: str, text: str, rules: GateRules) -> tuple[str, ...]:
    """Ids of the clauses that the prompt `name` (without version) must hold and does not, in neither language."""
    return tuple(
        approved.id
        for approved in rules.clauses
        if approved.prompts & {EVERY, name} and not any(approved.wording[language] in text for language in LANGUAGES)
    )
