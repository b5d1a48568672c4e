"""Projects of any size for the engine's benchmarks, and a conversation that uses every kind of turn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tightrope.engine.loader import load_project
from tightrope.engine.models import Project

Turn = tuple[str, str]
"""What the customer says and the commands that it means, v3 text."""


def _journey(n: int) -> dict[str, Any]:
    return {
        f"journey_{n}": {
            "name": f"journey {n}",
            "description": f"Handles the request of kind {n} with an amount, a term and a confirmation.",
            "steps": [
                {"collect": f"name_{n}"},
                {
                    "collect": f"amount_{n}",
                    "rejections": [{"if": f"slots.amount_{n} <= 0", "utter": "utter_amount_positive"}],
                },
                {"call": f"terms_{n}"},
                {
                    "collect": f"sure_{n}",
                    "ask_before_filling": True,
                    "next": [
                        {"if": f"slots.sure_{n}", "then": "do"},
                        {"else": [{"action": "utter_dropped", "next": "END"}]},
                    ],
                },
                {"id": "do", "action": "action_do"},
                {"action": "utter_done"},
            ],
        },
        f"terms_{n}": {
            "description": f"Asks for the term of request {n}.",
            "if": False,
            "steps": [{"collect": f"term_{n}"}],
        },
    }


def write_project(root: Path, journeys: int, endpoints: dict[str, Any] | None = None) -> Path:
    """A CALM project with `journeys` startable flows, four slots each, and one that they call."""
    flows: dict[str, Any] = {"pattern_completed": {"description": "nothing is said", "steps": [{"noop": True, "next": "END"}]}}
    slots: dict[str, Any] = {}
    responses: dict[str, Any] = {
        "utter_amount_positive": [{"text": "The amount must be more than nothing."}],
        "utter_dropped": [{"text": "Dropped."}],
        "utter_done": [{"text": "Done."}],
        "utter_found": [{"text": "That is in the documents."}],
    }
    for n in range(journeys):
        flows |= _journey(n)
        slots |= {
            f"name_{n}": {"type": "text"},
            f"amount_{n}": {"type": "float"},
            f"term_{n}": {"type": "categorical", "values": ["short", "long"]},
            f"sure_{n}": {"type": "bool"},
        }
        responses |= {
            f"utter_ask_name_{n}": [{"text": "What name?"}],
            f"utter_ask_amount_{n}": [{"text": f"How much, {{name_{n}}}?"}],
            f"utter_ask_term_{n}": [
                {
                    "text": "For how long?",
                    "buttons": [
                        {"title": "Short", "payload": f"/SetSlots(term_{n}=short)"},
                        {"title": "Long", "payload": f"/SetSlots(term_{n}=long)"},
                    ],
                }
            ],
            f"utter_ask_sure_{n}": [
                {
                    "text": f"{{amount_{n}}} for {{name_{n}}}?",
                    "buttons": [
                        {"title": "Yes", "payload": f"/SetSlots(sure_{n}=true)"},
                        {"title": "No", "payload": f"/SetSlots(sure_{n}=false)"},
                    ],
                }
            ],
        }
    flows["pattern_search"] = {"description": "answers a question", "steps": [{"action": "utter_found"}]}
    (root / "data").mkdir(parents=True, exist_ok=True)
    (root / "config.yml").write_text(yaml.safe_dump({"recipe": "default.v1", "language": "en"}))
    (root / "endpoints.yml").write_text(yaml.safe_dump(endpoints or {}))
    domain = {"version": "3.1", "slots": slots, "responses": responses, "actions": ["action_do"]}
    (root / "domain.yml").write_text(yaml.safe_dump(domain))
    (root / "data" / "flows.yml").write_text(yaml.safe_dump({"flows": flows}, sort_keys=False))
    return root


def made_project(root: Path, journeys: int) -> Project:
    """As `write_project`, loaded."""
    return load_project(write_project(root, journeys))


def conversation(n: int) -> list[Turn]:
    """Eleven turns through journey `n`: answers, a refusal, a question in between, a button, a correction, a second thought, the action."""
    return [
        (f"request {n}", f"start flow journey_{n}"),
        ("Wang", f"set slot name_{n} Wang"),
        ("minus five", f"set slot amount_{n} -5"),
        ("what does it cost?", "search and reply"),
        ("500", f"set slot amount_{n} 500"),
        ("say that again", "repeat message"),
        (f"/SetSlots(term_{n}=long)", ""),
        ("600, I meant", f"set slot amount_{n} 600"),
        ("hm", ""),
        ("say that again", "repeat message"),
        (f"/SetSlots(sure_{n}=true)", ""),
    ]
