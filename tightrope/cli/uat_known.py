"""What acceptance cases may name: the sandbox's customers and faults, the business API's operations, the gateway's sentences."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from tightrope.business.client import SCOPES
from tightrope.cli.uat_wires import PARTS
from tightrope.gateway import wording
from tightrope.infra.settings import Settings
from tightrope.sandbox.brokerage.faults import Fault
from tightrope.sandbox.catalogue import CUSTOMERS
from tightrope.uat.checks import Known


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
