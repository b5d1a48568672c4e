"""A small bot and what plays test files against it, with commands given by the test instead of understanding."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from tightrope.engine.commands import parse_text
from tightrope.engine.errors import ActionFailed
from tightrope.engine.loader import load_project
from tightrope.engine.models import Project
from tightrope.engine.turn import Understood
from tightrope.infra.clock import FixedClock
from tightrope.suites.discovery import choose
from tightrope.suites.models import CaseReport, SuiteReport
from tightrope.suites.player import CaseClock
from tightrope.suites.service import Stage, run_suite

DOMAIN = """
version: "3.1"
slots:
  size: {type: categorical, values: [small, large]}
  count: {type: float}
  note: {type: text}
  stock: {type: bool, mappings: [{type: controlled}]}
  sure: {type: bool, mappings: [{type: controlled}]}
actions: [action_stock, action_price]
responses:
  utter_ask_size:
    - text: Which size?
      buttons:
        - {title: Small, payload: /SetSlots(size=small)}
        - {title: Large, payload: /SetSlots(size=large)}
  utter_ask_count: [{text: How many?}]
  utter_ask_note: [{text: What shall we write?}]
  utter_ordered: [{text: "Ordered: {size} (50$?)"}]
  utter_sold_out: [{text: Sold out.}]
  utter_hours: [{text: Nine to five.}]
"""
FLOWS = """
flows:
  order:
    name: order something
    description: an order
    steps:
      - id: which
        collect: size
      - id: many
        collect: count
      - id: look
        action: action_stock
        next:
          - if: slots.stock
            then: done
          - else: [{id: none_left, action: utter_sold_out, next: END}]
      - id: done
        action: utter_ordered
  hours: {name: opening hours, description: opening hours, steps: [{id: told, action: utter_hours}]}
  write: {name: leave a note, description: a note, steps: [{collect: note}]}
  pattern_completed: {description: nothing, steps: [{noop: true, next: END}]}
"""


def write_bot(folder: Path, flows: str = FLOWS, domain: str = DOMAIN, endpoints: str = "") -> Project:
    """The bot's files in `folder`, loaded."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "data" / "flows.yml").write_text(dedent(flows), encoding="utf-8")
    (folder / "domain.yml").write_text(dedent(domain), encoding="utf-8")
    (folder / "config.yml").write_text("language: en\n", encoding="utf-8")
    if endpoints:
        (folder / "endpoints.yml").write_text(dedent(endpoints), encoding="utf-8")
    return load_project(folder)


class Commanded:
    """Understands a text that is itself made of commands (`start flow f; set slot s v`), and nothing else."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def understand(self, state, text, history):
        self.asked.append(text)
        return Understood(parse_text(text.replace("; ", "\n"))[0])


class Acting:
    """Runs actions: what each gives, or an exception to raise; notes who asked."""

    def __init__(self, **answers) -> None:
        self.answers = {"action_stock": [{"event": "slot", "name": "stock", "value": True}], **answers}
        self.calls: list[tuple[str, str, dict]] = []

    async def run(self, name, state, events):
        self.calls.append(
            (name, state.sender_id, {"slots": dict(state.slots), "events": list(events), "last": state.latest_message})
        )
        answer = self.answers.get(name, ActionFailed(name, "no such action"))
        if isinstance(answer, Exception):
            raise answer
        return list(answer), []


class World:
    """The bot in a folder; `play(text)` writes a test file and plays it."""

    def __init__(self, folder: Path, clock: FixedClock) -> None:
        self.folder = folder
        self.project = write_bot(folder)
        self.understanding = Commanded()
        self.actions = Acting()
        self.clock = clock

    def write(self, text: str, name: str = "tests/e2e/a.yml") -> Path:
        """A file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
        return path

    @property
    def stage(self) -> Stage:
        return Stage(self.project, self.understanding, self.actions, CaseClock(self.clock))

    async def suite(self, *paths: str, kind="e2e", commands=None, **options) -> SuiteReport:
        """Play what is there."""
        chosen = choose([str(self.folder / path) for path in paths], self.folder, kind)
        return await run_suite(kind, chosen, self.stage, commands, **options)

    async def play(self, text: str, kind="e2e") -> SuiteReport:
        """Write one test file and play it."""
        path = self.write(text)
        return await self.suite(str(path.relative_to(self.folder)), kind=kind)

    async def steps(self, text: str, case: str = "", top: str = "") -> CaseReport:
        """Play one case with these steps; `case` is more of the case, `top` more of the file."""
        more = f"    {case}\n" if case else ""
        report = await self.play(f"{top.strip()}\ntest_cases:\n  - test_case: it\n{more}    steps:\n".lstrip() + _indented(text))
        return report.cases[0]


def _indented(text: str) -> str:
    return "\n".join("      " + line for line in dedent(text).strip().splitlines())


def unmet(case: CaseReport) -> list[tuple[str, str, str]]:
    """What failed: kind, expected, actual."""
    return [
        (found.kind, found.expected, found.actual)
        for turn in case.turns
        for found in turn.expectations
        if found.status == "failed"
    ]
