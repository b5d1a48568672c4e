"""Red line 3 by construction: nobody but the client opens a way to the model, and nobody but the builders makes what it takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tightrope.infra.settings import REPOSITORY

CODE = [*REPOSITORY.glob("tightrope/**/*.py"), *REPOSITORY.glob("actions/**/*.py")]
KEY = {f"tightrope/{name}.py" for name in ("generation/client", "generation/errors", "infra/settings", "cli/settings_page")}


def _naming(pattern: str) -> Iterator[str]:
    for path in CODE:
        where = path.relative_to(REPOSITORY).as_posix()
        if "/sandbox/" not in where and re.search(pattern, path.read_text(encoding="utf-8")):
            yield where


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        (
            r"\bmodel_key\b",
            {
                "tightrope/generation/client.py",
                "tightrope/infra/settings.py",
                "tightrope/cli/settings_page.py",
                "tightrope/generation/errors.py",
            },
        ),
        (r"outbound_(client|poster)\([^)]*model", {"tightrope/generation/client.py"}),
        (r"[^_\w]Masked\(", {"tightrope/generation/masking.py"}),
        (r"[^_\w]Prompt\((_SEAL|seal)", {"tightrope/generation/prompts.py"}),
        (r"\b_SEAL\b", {"tightrope/generation/masking.py", "tightrope/generation/prompts.py"}),
    ],
)
def test_only_these_files_hold_what_a_way_to_the_model_needs(pattern: str, allowed: set[str]) -> None:
    assert set(_naming(pattern)) <= allowed
    assert set(_naming(pattern)) & allowed


def test_the_prompts_that_a_model_gets_take_nothing_but_question_passages_and_flows() -> None:
    from jinja2 import Environment, meta

    for path in sorted(Path(REPOSITORY / "prompts").glob("*.v*.jinja2")):
        environment = Environment(autoescape=False)
        environment.filters["data"] = str
        named = meta.find_undeclared_variables(environment.parse(path.read_text(encoding="utf-8")))
        assert named <= {"question", "passages", "flows"}, path.name
