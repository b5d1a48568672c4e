"""The papers in docs/compliance/ and contracts/permissions.yml agree with the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLES = ["anonymous", "customer", "agent", "supervisor", "compliance", "auditor", "operator", "model"]


@pytest.fixture(scope="module")
def permissions():
    return yaml.safe_load((ROOT / "contracts/permissions.yml").read_text(encoding="utf-8"))


def test_every_test_that_the_threat_model_names_exists():
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", (ROOT / "docs/compliance/threat-model.md").read_text(encoding="utf-8")))
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.M)
    }
    assert len(named) > 40
    assert named - defined == set()


def test_every_attack_on_identity_names_a_test():
    text = (ROOT / "docs/compliance/threat-model.md").read_text(encoding="utf-8")
    for section in re.split(r"^### ", text, flags=re.M)[1:]:
        if section.startswith("Identity"):
            rows = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith(("| attack", "| ---"))]
            assert rows
            assert all("`test_" in row for row in rows)


@pytest.mark.parametrize("paper", ["data-flows.md", "audit-needs.md", "threat-model.md"])
def test_links_of_the_papers_lead_somewhere(paper: str):
    folder = ROOT / "docs/compliance"
    for target in re.findall(r"\]\(([^)#]+)\)", (folder / paper).read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (folder / target).resolve().exists(), target


def test_every_cell_says_allow_or_deny_how_and_why(permissions):
    assert permissions["roles"] == ROLES
    for action, cells in permissions["actions"].items():
        assert list(cells) == ["means", *ROLES], action
        for role in ROLES:
            verdict, how, why = cells[role]
            assert verdict in {"allow", "deny"}, (action, role)
            assert how in {"database_role", "scope", "allow_list", "absent"}, (action, role)
            assert why.strip(), (action, role)


def test_nobody_may_do_what_the_red_lines_forbid(permissions):
    for action in (
        "read_other_balance",
        "alter_audit",
        "place_order",
        "move_money",
        "change_account",
        "send_data_outside",
        "send_without_record",
    ):
        assert all(permissions["actions"][action][role][0] == "deny" for role in ROLES), action


def test_the_model_may_do_nothing_but_name_a_flow(permissions):
    allowed = {action for action, cells in permissions["actions"].items() if cells["model"][0] == "allow"}
    assert allowed == {"start_journey"}


def test_roles_of_people_are_login_roles_of_the_database(permissions):
    from tightrope.infra.database import Role

    users = {role.user for role in Role}
    assert set(permissions["database_role_of"].values()) <= users
    for action, cell in permissions["processes"].items():
        assert set(cell["allow"]) | set(cell["deny"]) <= users, action
        assert not set(cell["allow"]) & set(cell["deny"]), action
