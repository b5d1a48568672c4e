"""`tightrope model plan` and `costs` as a person meets them."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from tightrope.cli.main import app
from tightrope.cli.model_view import money

runner = CliRunner()


def said(*arguments: str, code: int = 0) -> str:
    found = runner.invoke(app, ["model", *arguments])
    assert found.exit_code == code, found.output
    return found.output


def test_the_overview_names_every_pairing_and_fits_eighty_columns() -> None:
    text = said("plan")
    for pairing in ("7b-a10", "14b-awq-a100-40", "14b-a100-80", "32b-2xa100-80", "72b-4xa100-80"):
        line = next(line for line in text.splitlines() if line.startswith(pairing))
        assert len(line) <= 80
        assert "…" not in line
    assert "test under load before you buy" in text


def test_the_detail_gives_memory_sources_and_cost() -> None:
    text = said("plan", "--pairing", "14b-a100-80", "--questions", "1", "--busy", "1", "--spare", "3")
    for words in ("weights", "28.1 GB", "8 GPUs", "gpustack", "¥21,000", "¥130,000", "¥245,000"):
        assert words in text


def test_prices_for_another_gpu_are_not_mixed_in() -> None:
    assert "are for A100 80 GB" in said("plan", "--pairing", "7b-a10", "--inquiries", "5")
    assert "$400" in said("plan", "--pairing", "7b-a10", "--inquiries", "2", "--spare", "0", "--prices", "small-firm-low")


def test_without_commands_there_is_less_to_do() -> None:
    assert "commands/s" not in said("plan", "--command", "none")


def test_the_worked_examples() -> None:
    text = said("costs")
    for words in ("¥8,000", "¥6,000", "¥5,000", "¥10,000", "¥80,000", "¥130,000", "¥375,000", "¥245,000", "$400", "$1,500"):
        assert words in text
    assert "¥" not in said("costs", "small-firm-low")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("plan", "--answer", "many"), "2000:100"),
        (("plan", "--answer", "10-10:1"), "shared"),
        (("plan", "--pairing", "405b"), "there are: 7b-a10"),
        (("plan", "--pairing", "7b-a10", "--prices", "x"), "there are: reference-firm"),
        (("costs", "x"), "there are: reference-firm"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_right(arguments: tuple[str, ...], says: str) -> None:
    assert says in said(*arguments, code=2)


def test_a_request_that_fits_nowhere() -> None:
    assert "does not fit" in said("plan", "--answer", "300000:100")
    assert "holds" in said("plan", "--pairing", "14b-a100-80", "--answer", "300000:100", code=1)


def test_money_reads_as_money() -> None:
    from decimal import Decimal

    assert [money("CNY", Decimal(130000)), money("USD", Decimal("-0.5")), money("EUR", Decimal(1))] == [
        "¥130,000",
        "-$0.50",
        "EUR 1",
    ]
