"""What `tightrope audit replay` shows: marks, differences, and nothing that steers the reader's terminal."""

from __future__ import annotations

import io

from rich.console import Console

from tightrope.cli.replay import show
from tightrope.replay.models import Check, Difference, Mark, Part, Replay, TurnReplay

DIFFERENCE = Difference("events[3].text", '"[red]12.50[/red]\\u001b[2J"', None)
FOUND = Replay(
    "1-12",
    (
        TurnReplay(
            1,
            "6d2f…",
            "r-0123456789abcdef",
            "查\x1b[2J余额 [bold]x[/bold]" + "长" * 100,
            (
                Check(Part.INPUT, Mark.SAME, "the customer's message, and what the gateway made of it"),
                Check(Part.INPUT, Mark.SAME, "the customer's words as the engine had them"),
                Check(Part.COMMANDS, Mark.FROM_RECORD, "the model's answer (qwen@1): done"),
                Check(Part.FLOWS, Mark.DIFFERS, "not as recorded", (DIFFERENCE,)),
                Check(Part.RULES, Mark.MISSING, "margin_eligibility: what it was given is not in the record"),
            ),
        ),
    ),
    ("r-0123456789abcdef, 1 turn: its files lie here unchanged; its code is this program's",),
    ("the record of turn 2 is missing",),
)


def shown(found: Replay, width: int = 110) -> str:
    out = io.StringIO()
    show(found, Console(file=out, width=width, force_terminal=False))
    return out.getvalue()


def test_every_mark_and_both_sides_of_a_difference_are_shown():
    text = shown(FOUND)
    for word in (
        "same",
        "from the record",
        "DIFFERS",
        "NOT IN THE RECORD",
        "events[3].text",
        "(nothing)",
        "the record of turn 2 is missing",
    ):
        assert word in text
    assert "Not the same: see DIFFERS. 1 turn: 2 same, 1 differs, 1 from the record, 1 not in the record." in " ".join(
        text.split()
    )


def test_a_customers_words_neither_steer_the_terminal_nor_style_the_table():
    text = shown(FOUND)
    assert "\x1b" not in text
    assert "查<1b>[2J余额" in text
    assert "[bold]x[/bold]" in text
    assert "[red]12.50[/red]" in text
    assert "长" * 60 not in text, "long words are cut"


def test_a_narrow_terminal_loses_nothing():
    assert "DIFFERS" in shown(FOUND, 60)


def test_nothing_to_run_is_said():
    assert "nothing to run" in shown(Replay("1-1", (), (), ("the record holds no turn",)))
