"""A CALM project of any size for the served benchmark: three flows that are measured among as many others as asked for.

`choose` asks the same question with two buttons for ever (a pressed button needs no neighbour), `tell` says one sentence (understanding is
asked), `act` runs one custom action and says one sentence (both neighbours are asked).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tightrope.infra.settings import REPOSITORY

CONFIG = """\
recipe: default.v1
language: en
assistant_id: bench
pipeline:
  - name: SearchReadyLLMCommandGenerator
    prompt_template: prompts/command.jinja2
    flow_retrieval: {active: false}
policies:
  - name: FlowPolicy
"""

DOMAIN = """\
version: "3.1"
slots:
  choice: {type: categorical, values: [left, right], mappings: [{type: from_llm}, {type: controlled}]}
  figure: {type: text, mappings: [{type: controlled}]}
%(slots)s
responses:
  utter_ask_choice:
    - text: "Left or right?"
      buttons:
        - {title: Left, payload: "/SetSlots(choice=left)"}
        - {title: Right, payload: "/SetSlots(choice=right)"}
  utter_told: [{text: "The market opens at half past nine."}]
  utter_figure: [{text: "It is {figure}."}]
  utter_done: [{text: "Done."}]
%(responses)s
actions: [action_figure]
"""

FLOWS = """\
flows:
  choose:
    description: asks which way to go
    steps:
      - id: ask
        collect: choice
        ask_before_filling: true
        next: ask
  tell:
    description: tells when the market opens
    steps: [{action: utter_told}]
  act:
    description: looks a figure up
    steps:
      - action: action_figure
      - action: utter_figure
  pattern_completed:
    description: nothing to add
    steps: [{noop: true, next: END}]
"""

OTHER = """\
  other_%(number)04d:
    description: task number %(number)d of many that customers may ask for and nobody does here
    steps:
      - collect: name_%(slots)d
        description: what it is about
      - collect: amount_%(slots)d
        rejections: [{if: "slots.amount_%(slots)d < 0", utter: utter_done}]
        next:
          - if: slots.amount_%(slots)d > 1000
            then: large
          - else: END
      - id: large
        action: utter_done
"""

SLOTS = 25
"""Pairs of slots that the other flows share."""


def write_project(root: Path, flows: int) -> Path:
    """A project with this many flows (the three measured ones among them) in the folder `root`."""
    numbers = range(min(SLOTS, max(1, flows - 3)))
    slots = "\n".join(f"  name_{n}: {{type: text}}\n  amount_{n}: {{type: float}}" for n in numbers)
    asks = "\n".join(
        f'  utter_ask_name_{n}: [{{text: "Which?"}}]\n  utter_ask_amount_{n}: [{{text: "How many?"}}]' for n in numbers
    )
    others = "".join(OTHER % {"number": n, "slots": n % len(numbers)} for n in range(flows - 3))
    for folder in ("domain", "data", "prompts"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "config.yml").write_text(CONFIG)
    (root / "domain" / "domain.yml").write_text(DOMAIN % {"slots": slots, "responses": asks})
    (root / "data" / "flows.yml").write_text(FLOWS + others)
    shutil.copy(REPOSITORY / "prompts" / "command.jinja2", root / "prompts")
    return root
