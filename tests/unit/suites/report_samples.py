"""Reports as a run gives them, made by hand: what the tests of every output start from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tightrope.engine.loader import load_project
from tightrope.engine.models import Project
from tightrope.suites.models import CaseReport, Expectation, Status, SuiteReport, TurnReport

CONFIRM = "请确认：买入 10 手贵州茅台（600519），价格 1,688.00 元，手续费按万分之二点五收取。"


def expectation(status: Status = "passed", **fields) -> Expectation:
    given = {"kind": "bot_uttered", "expected": "utter_done", "actual": "utter_done", "line": 7, "reason": "", **fields}
    return Expectation(status=status, **given)


def turn(user: str = "买入10手", **fields) -> TurnReport:
    given = {
        "line": 6,
        "pressed": False,
        "commands": ("start flow buy",),
        "replies": ({"recipient_id": "t", "text": CONFIRM},),
        "events": (),
        "visited": (),
        "expectations": (),
        **fields,
    }
    return TurnReport(user=user, **given)


def case(name: str = "buys", status: Status = "passed", *turns: TurnReport, **fields) -> CaseReport:
    given = {"file": "tests/e2e/buy.yml", "line": 4, "occurrence": 0, "seconds": 0.25, "reason": "", **fields}
    return CaseReport(name=name, status=status, turns=turns or (turn(),), **given)


def suite(*cases: CaseReport, **fields) -> SuiteReport:
    given = {"kind": "e2e", "project": "/firm/bot", "started": "2026-11-20T10:00:00+08:00", "seconds": 1.5, **fields}
    return SuiteReport(cases=cases, **given)


FAILED = case(
    "buys_and_asks",
    "failed",
    turn(
        "买入10手贵州茅台，手续费是多少？",
        commands=("start flow buy", "set slot quantity 10"),
        replies=(
            {
                "recipient_id": "t",
                "text": CONFIRM,
                "buttons": [
                    {"title": "是", "payload": "/SetSlots(sure=true)"},
                    {"title": "否", "payload": "/SetSlots(sure=false)"},
                ],
            },
            {"recipient_id": "t", "custom": {"envelope": {"kind": "handoff"}}},
        ),
        events=({"event": "slot", "name": "quantity", "value": 10.0}, {"event": "slot", "name": "ticker", "value": None}),
        visited=(("buy", "ticker"),),
        expectations=(
            expectation(kind="flow_started", expected="buy", actual="buy"),
            expectation("failed", expected="text_matches: 按万分之三收取", actual=f"text: {CONFIRM}", line=8),
            expectation(
                "failed", kind="slot_was_set", expected="ticker = 600519", actual="", line=9, reason="the slot was emptied"
            ),
            expectation("not_run", kind="generative_response_is_relevant", line=10, reason="needs a model as judge"),
        ),
    ),
    turn("/SetSlots(sure=true)", line=12, pressed=True, problems=("prediction cap: too many actions",)),
)
NOT_RUN = case("needs_voice", "not_run", reason="excluded: voice only", line=30)
BROKEN = replace(case("breaks", "failed", reason="stub action_x answers with no list of events"), turns=())

FLOWS = """\
flows:
  buy:
    name: 买入股票
    description: buys
    steps:
      - id: ticker
        collect: ticker
      - id: ask
        noop: true
        next:
          - if: slots.ticker
            then:
              - id: done
                action: utter_done
                next: END
          - else: sorry
      - id: sorry
        action: utter_sorry
  greet:
    description: greets
    steps:
      - id: hello
        action: utter_done
  pattern_chitchat:
    description: our own small talk
    steps:
      - id: chat
        action: utter_sorry
"""
DOMAIN = """\
slots: {ticker: {type: text}}
responses:
  utter_done: [{text: done}]
  utter_sorry: [{text: sorry}]
  utter_ask_ticker: [{text: which}]
"""


def bot(folder: Path) -> Project:
    """A project with three flows of its own, written into `folder`."""
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "flows.yml").write_text(FLOWS, encoding="utf-8")
    (folder / "domain.yml").write_text(DOMAIN, encoding="utf-8")
    return load_project(folder)
