"""The menu: every journey stands in one of a few groups, so that the greeting offers four buttons and not twenty-two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from actions.base import Declaration, DeclaredAction
from actions.journeys import journeys
from actions.turn import Turn

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "account": (
        "check_balance",
        "view_holdings",
        "check_order_status",
        "check_transfer_status",
        "request_statement",
        "check_ipo_allotment",
    ),
    "eligibility": ("check_margin_eligibility", "check_options_eligibility", "check_margin_ratio", "check_risk_assessment"),
    "calculators": (
        "calculate_trading_cost",
        "calculate_margin_interest",
        "calculate_compound_growth",
        "check_trading_calendar",
    ),
    "service": ("report_fraud", "reset_password", "update_contact_details", "close_account", "file_complaint", "talk_to_agent"),
}
"""The journeys of each group in the order of their buttons."""
UNLISTED: Final = frozenset({"decline_investment_advice", "decline_trade_instruction", "explain_verdict", "greet", "show_menu"})
"""Journeys that nobody asks for from a menu."""


class ShowMenu(DeclaredAction):
    """Names the journeys of a group, a button each; what the kill switch has turned off is left out."""

    action_name = "action_show_menu"
    declaration = Declaration(
        outcomes=frozenset(GROUPS),
        reads=frozenset({"menu_group"}),
        responses=frozenset(f"utter_menu_{group}" for group in GROUPS),
        evidence=False,
    )

    async def perform(self, turn: Turn) -> str:
        group = str(turn.read("menu_group"))
        off, known = await turn.context.switches.off(), journeys()
        names = [known[flow].title(turn.language) for flow in GROUPS[group] if flow in known and f"journey:{flow}" not in off]
        turn.say(f"utter_menu_{group}", buttons=[{"title": name[:1].upper() + name[1:], "payload": name} for name in names])
        return group
