"""The understanding of this release, trained once per test run, and requests as the assistant makes them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from understanding_data import DATA

from tightrope.infra import encoder
from tightrope.understanding import training
from tightrope.understanding.models import ActiveFlow, FlowOffer, Request, SlotOffer
from tightrope.understanding.service import Understanding

REASONS = ["request", "complaint", "distress", "coercion", "vulnerable", "fraud"]
FLOWS = sorted(
    {"greet"} | {path.stem.partition(".")[0] for path in DATA.glob("*.jsonl")} - {"search", "chitchat", "out_of_scope"}
)


@pytest.fixture(scope="session")
def understanding(tmp_path_factory: pytest.TempPathFactory) -> Understanding:
    made = training.obtain(DATA, Path(tmp_path_factory.mktemp("cache")), encoder.obtain())
    return Understanding(made, training.thresholds(DATA))


def offers(ids=FLOWS):
    return [
        FlowOffer(id=i, slots=[SlotOffer(name="handoff_reason", allowed_values=REASONS)] if i == "talk_to_agent" else [])
        for i in ids
    ]


@pytest.fixture(scope="session")
def ask(understanding):
    """`ask("text", slot=…)` gives the command lines with every flow of this release on offer."""
    return asking(understanding)


@pytest.fixture(scope="session")
def ask_by_words(understanding):
    """The same without the encoder: a thousand times quicker, for properties that hold whatever the classifier says."""
    return asking(replace(understanding, classifier=replace(understanding.classifier, meaning=None)))


def asking(understanding):
    def asked(message, *, flow=None, slot=None, slot_type="categorical", values=(), ids=FLOWS):
        active = (
            ActiveFlow(id=flow or "check_balance", slot=slot, slot_type=slot_type, allowed_values=list(values))
            if flow or slot
            else None
        )
        return understanding.understand(Request(v=1, message=message, flow=active, flows=offers(ids)))

    return asked
