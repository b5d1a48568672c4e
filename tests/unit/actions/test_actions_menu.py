"""The menu: each journey stands in one group, in both languages, and a switched-off one in none."""

from __future__ import annotations

from typing import Any

import pytest
from actions_fakes import FakeContext, run, tracker

from actions.journeys import journeys
from actions.menu import GROUPS, UNLISTED, ShowMenu


def on(group: str | None, language: str = "zh") -> Any:
    return tracker("show_menu", language=language, slots={"menu_group": group})


def test_every_journey_stands_in_exactly_one_group() -> None:
    listed = [flow for flows in GROUPS.values() for flow in flows]
    assert len(listed) == len(set(listed)) == 20
    startable = {flow for flow, journey in journeys().items() if not journey.helper}
    assert startable - UNLISTED <= set(listed)


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_group_offers_its_journeys_by_name(fake: FakeContext, language: str) -> None:
    done = await run(ShowMenu(), on("calculators", language))
    buttons = done.message("utter_menu_calculators")["buttons"]
    assert [button["payload"] for button in buttons] == [journeys()[flow].title(language) for flow in GROUPS["calculators"]]
    assert buttons[0]["title"] == ("算交易费用" if language == "zh" else "Work out trading costs")


async def test_what_is_switched_off_is_not_offered(fake: FakeContext) -> None:
    fake.switches.scopes = frozenset({"journey:check_trading_calendar"})
    assert len((await run(ShowMenu(), on("calculators"))).message("utter_menu_calculators")["buttons"]) == 3
