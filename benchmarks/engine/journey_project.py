"""A CALM project whose other journeys are as wordy as real ones: the three measured flows of `bench_project` among as many as asked for.

Each other journey has a description of the usual length, three slots of its own, a branch and a refusal; every third stands behind one of five
guards, so that what is on offer changes with the conversation.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.engine import bench_project

GUARDS = (
    'slots.tier is not "closed"',
    "slots.limits > 10",
    'slots.tier is "gold"',
    "slots.limits is not null",
    "not slots.frozen",
)

OTHER = """\
  journey_%(n)04d:
    name: "办理第 %(n)d 类业务"
    %(guard)s
    description: >-
      The customer wants request number %(n)d: what it is for, which account it concerns and by when. Customers say "办第 %(n)d 种", "帮我弄一下第 %(n)d 项"
      or "request %(n)d please". Not for questions about how it works, not for the fees of it, and not for any instruction to buy or sell.
    steps:
      - collect: reason_%(n)d
        description: why it is asked for, in the customer's own words
      - collect: way_%(n)d
        description: by which way the papers are to come
      - collect: amount_%(n)d
        description: the amount in yuan, digits only
        rejections: [{if: "slots.amount_%(n)d < 0", utter: utter_done}]
        next:
          - if: slots.amount_%(n)d > 1000
            then: large
          - else: END
      - id: large
        action: utter_done
"""

SLOTS = """\
  reason_%(n)d: {type: text}
  way_%(n)d: {type: categorical, values: [app, post, branch]}
  amount_%(n)d: {type: float}
"""

ASKS = """\
  utter_ask_reason_%(n)d: [{text: "What is it for?"}]
  utter_ask_way_%(n)d: [{text: "By which way?"}]
  utter_ask_amount_%(n)d: [{text: "How many?"}]
"""

SHARED = """\
  tier: {type: categorical, values: [gold, silver, closed], mappings: [{type: controlled}]}
  limits: {type: float, mappings: [{type: controlled}]}
  frozen: {type: bool, mappings: [{type: controlled}]}
"""


def write_journeys(root: Path, flows: int) -> Path:
    """A project with this many flows (the three measured ones among them) in the folder `root`."""
    numbers = range(flows - 3)
    bench_project.write_project(root, 4)
    slots, asks = "".join(SLOTS % {"n": n} for n in numbers), "".join(ASKS % {"n": n} for n in numbers)
    (root / "domain" / "domain.yml").write_text(bench_project.DOMAIN % {"slots": SHARED + slots, "responses": asks})
    others = "".join(OTHER % {"n": n, "guard": _guard(n)} for n in numbers)
    (root / "data" / "flows.yml").write_text(bench_project.FLOWS + others)
    return root


def _guard(n: int) -> str:
    return "" if n % 3 else f"if: {GUARDS[n // 3 % len(GUARDS)]!r}"
