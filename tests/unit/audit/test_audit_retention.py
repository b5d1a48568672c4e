"""Retention classes: ours, the firm's own, and what production refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tightrope.audit.leaf import retention
from tightrope.infra.retention import CLASSES, LEAST_YEARS, read_retention
from tightrope.infra.settings import Settings

PRODUCTION = {
    "mode": "production",
    "brokerage_url": "https://core.firm.example",
    "identity_issuer": "https://id.firm.example",
    "portal_public_url": "https://www.firm.example",
    "secrets_dir": "/run/secrets",
}


def classes(path: Path, **years) -> Path:
    """A file of classes."""
    path.write_text(json.dumps({name: {"years": number, "why": "x"} for name, number in years.items()}), encoding="utf-8")
    return path


def test_ours_keep_everything_for_twenty_years():
    assert dict(retention()) == {"conversation": 20, "system": 20}


def test_a_firm_has_its_own(tmp_path):
    path = classes(tmp_path / "firm.json", conversation=25, system=30)
    assert Settings(**PRODUCTION, audit_retention_file=path).audit_retention_file == path
    assert retention(path) == {"conversation": 25, "system": 30}


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_production_refuses_less_than_five_years(tmp_path, name):
    path = classes(tmp_path / "firm.json", **{**dict.fromkeys(CLASSES, 20), name: LEAST_YEARS - 1})
    with pytest.raises(ValidationError, match=f"less than 5 years: the class '{name}' in .* says 4"):
        Settings(**PRODUCTION, audit_retention_file=path)
    assert Settings(audit_retention_file=path).mode == "demo"
    Settings(**PRODUCTION, audit_retention_file=classes(path, **dict.fromkeys(CLASSES, LEAST_YEARS)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no json", "not of the form"),
        ("[]", "not of the form"),
        ('{"conversation": 20, "system": 20}', "not of the form"),
        ('{"conversation": {"years": 20}}', "the classes are"),
        ('{"conversation": {"years": 20}, "system": {"years": 20}, "chat": {"years": 20}}', "the classes are"),
        ('{"conversation": {"years": "20"}, "system": {"years": 20}}', "whole number"),
        ('{"conversation": {"years": true}, "system": {"years": 20}}', "whole number"),
        ('{"conversation": {"years": 0}, "system": {"years": 20}}', "whole number"),
        ('{"conversation": {"years": 101}, "system": {"years": 20}}', "whole number"),
    ],
)
def test_a_file_that_is_none_is_refused_in_any_mode(tmp_path, text, said):
    path = tmp_path / "firm.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValidationError, match=said):
        Settings(audit_retention_file=path)


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(ValidationError, match=r"none\.json cannot be read"):
        Settings(audit_retention_file=tmp_path / "none.json")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=8), x, max_size=3),
    )
)
def test_whatever_the_file_holds_it_is_classes_or_a_value_error(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("classes") / "x.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    with pytest.raises(ValueError, match="retention"):
        read_retention(path)
