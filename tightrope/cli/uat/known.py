"""What acceptance cases may name: the sandbox's customers and faults, the business API's operations, the gateway's sentences."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tightrope.business.operations import SCOPES
from tightrope.cli.uat.wires import PARTS
from tightrope.engine.loader import load_project
from tightrope.gateway import wording
from tightrope.infra.settings import Settings
from tightrope.sandbox.brokerage.faults import Fault
from tightrope.sandbox.catalogue import CUSTOMERS
from tightrope.uat.checks import Known
from tightrope.uat.day import figure, gaps, read_mix
from tightrope.uat.models import Case, Problem


def known(settings: Settings) -> Known:
    """All names, read from where they are defined."""
    return Known(
        customers=frozenset(customer.customer_id for customer in CUSTOMERS),
        operations=frozenset(SCOPES),
        faults=frozenset(fault.value for fault in Fault) | PARTS.keys(),
        told=frozenset(_sentences()),
        names=securities(settings) | {name for customer in CUSTOMERS for name in (customer.name_zh, customer.name_en)},
    )


def _sentences() -> list[str]:
    found: dict[str, object] = yaml.safe_load(Path(wording.__file__).with_name("wording.yml").read_text(encoding="utf-8"))
    return list(found)


def securities(settings: Settings) -> frozenset[str]:
    """Names, aliases and codes of the invented securities."""
    path = settings.project_dir / "data" / "understanding" / "securities.json"
    items = json.loads(path.read_text(encoding="utf-8"))["securities"]
    return frozenset(str(name) for item in items for name in (item["zh"], item["en"], item["code"], *item.get("aliases", ())))


def flow_names(settings: Settings) -> dict[str, str]:
    """Journeys and their Chinese names."""
    project = load_project(settings.project_dir)
    return {flow.id: flow.name or "" for flow in project.flows.values() if not flow.is_pattern}


MIX = Path("tests/uat/day/mix.yml")


def day_problems(settings: Settings, cases: Sequence[Case]) -> list[Problem]:
    """What is wrong with the mix of the realistic day, and with what its cases name."""
    path = settings.project_dir / MIX
    if not path.is_file():
        return []
    mix, problems = read_mix(path, settings.project_dir)
    mine = [case for case in cases if case.reason]
    return [*problems, *(gaps(mix, mine, str(MIX)) if mix is not None else ())]


def day_figure(settings: Settings, data: Mapping[str, Any]) -> dict[str, Any] | None:
    """The figure of the realistic day, if this run played all of it."""
    path = settings.project_dir / MIX
    mix, _ = read_mix(path, settings.project_dir) if path.is_file() else (None, ())
    return figure(mix, data["cases"]) if mix is not None else None
