"""Prompts that ask a model for an answer hold the clauses that compliance approved for them (data/knowledge/clauses.json)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tightrope.knowledge.gate import load_rules, missing_in_prompt
from tightrope.knowledge.models import Problem

_NAME = re.compile(r"(?P<name>\w+)\.v(?P<version>\d+)\.jinja2")


def prompts(project: Path) -> Iterator[Problem]:
    """The newest version of each prompt, with each clause that it lacks. Older versions are kept for the record and never sent."""
    newest: dict[str, tuple[int, Path]] = {}
    for path in sorted((project / "prompts").glob("*.jinja2")):
        if found := _NAME.fullmatch(path.name):
            newest[found["name"]] = max(newest.get(found["name"], (0, path)), (int(found["version"]), path))
    if not newest:
        return
    try:
        rules = load_rules(project / "data/knowledge")
    except ValueError as error:
        yield Problem(
            "data/knowledge", 1, f"the gate's rules cannot be read: {error}", "Mend the file; without it nothing is answered"
        )
        return
    wording = {clause.id: clause.wording["en"] for clause in rules.clauses}
    for name, (_, path) in sorted(newest.items()):
        for missing in missing_in_prompt(name, path.read_text(encoding="utf-8"), rules):
            what = f"the approved clause {missing} is missing"
            yield Problem(f"prompts/{path.name}", 1, what, f"Write it into the prompt, word for word: {wording[missing]}")
