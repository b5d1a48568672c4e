"""The journeys that actions know: their scope and their names. Checked against data/flows/ by tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

PATTERN_PREFIX: Final = "pattern_"


@dataclass(frozen=True, slots=True)
class Journey:
    """One startable flow."""

    id: str
    scope: str | None
    """What the grant must hold before the journey may go on; None: open to everybody."""
    zh: str
    en: str
    offered: bool = True
    """Whether it may stand on a button when the customer's wish is ambiguous."""

    def title(self, language: str) -> str:
        """The flow's name; also what its button says to the assistant, in the customer's own words as it were."""
        return self.en if language == "en" else self.zh


JOURNEYS: Final[Mapping[str, Journey]] = {
    journey.id: journey
    for journey in (
        Journey("check_balance", "accounts:read", "查账户余额", "check my account balance"),
        Journey("check_margin_eligibility", "eligibility:read", "查融资融券开通条件", "check my margin trading eligibility"),
        Journey("explain_verdict", "eligibility:read", "说明结果的依据", "explain the last result"),
        Journey("decline_investment_advice", None, "投资建议", "investment advice"),
        Journey("decline_trade_instruction", None, "交易指令", "trade instruction"),
        Journey("talk_to_agent", None, "转人工", "talk to a person"),
        Journey("greet", None, "打招呼", "greeting", offered=False),
    )
}


class UnknownJourney(LookupError):
    """No journey of this project is on the dialogue stack."""


def journey_of(stack: Sequence[Mapping[str, Any]] | None) -> Journey:
    """The journey that runs: the topmost frame that is no pattern.

    Args:
        stack: the tracker's dialogue stack as Rasa sends it, the running frame last.

    Raises:
        UnknownJourney: there is none, or this project does not know it.
    """
    for frame in reversed(stack or ()):
        flow_id = str(frame.get("flow_id", ""))
        if flow_id.startswith(PATTERN_PREFIX):
            continue
        if flow_id in JOURNEYS:
            return JOURNEYS[flow_id]
        raise UnknownJourney(f"flow {flow_id!r} is not in actions/journeys.py")
    raise UnknownJourney("no journey is on the dialogue stack")


def named(name: str) -> Journey | None:
    """The journey with this flow id or name in either language; None if there is none."""
    if name in JOURNEYS:
        return JOURNEYS[name]
    return next((journey for journey in JOURNEYS.values() if name in {journey.zh, journey.en}), None)
