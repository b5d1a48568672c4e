"""Small projects written by a test, and the shop project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from engine_shop import ACTIONS
from hypothesis import settings

from tightrope.engine.loader import load_project
from tightrope.engine.models import Project
from tightrope.engine.testing import Conversation

settings.register_profile("default", deadline=None)
settings.register_profile("long", deadline=None, max_examples=10_000)
"""`pytest tests/unit/engine --hypothesis-profile=long`: every property with many examples (make test-long)."""

SHOP = Path(__file__).parents[2] / "golden" / "engine" / "shop"


@pytest.fixture(scope="session")
def shop() -> Project:
    """A small shop with every kind of step."""
    return load_project(SHOP)


@pytest.fixture
def talk(shop: Project) -> Conversation:
    """A new conversation with the shop."""
    return Conversation(shop, ACTIONS)


Make = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Make:
    """Writes a project: `folder(flows, domain)`, both YAML texts."""

    def make(flows: str = "", domain: str = "", config: str = "language: zh\nadditional_languages: [en]\n") -> Path:
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / "flows.yml").write_text(dedent(flows), encoding="utf-8")
        (tmp_path / "domain.yml").write_text(dedent(domain), encoding="utf-8")
        (tmp_path / "config.yml").write_text(dedent(config), encoding="utf-8")
        return tmp_path

    return make


@pytest.fixture
def project(folder: Make) -> Callable[..., Project]:
    """As `folder`, loaded."""
    return lambda flows="", domain="", config="language: zh\nadditional_languages: [en]\n": load_project(
        folder(flows, domain, config)
    )
