"""The clinic's actions, read by the check and never run."""

from typing import Any

NAMES = ("action_find_day", "action_book", "action_ask_day", "validate_phone", "action_watch_language")


def find_day(tracker: Any) -> list[dict[str, Any]]:
    reason = tracker.get_slot("reason")
    return [{"event": "slot", "name": "free_day", "value": None if reason == "check-up" else "Monday"}]


def book(dispatcher: Any, kind: str) -> list[dict[str, Any]]:
    dispatcher.utter_message(response="utter_receipt", number="17")
    return [{"event": "slot", "name": f"{kind}_outcome", "value": "done"}]
