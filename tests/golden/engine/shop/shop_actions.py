"""The shop's actions, for a real rasa-sdk server."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action
from rasa_sdk.events import SlotSet
from rasa_sdk.interfaces import ActionExecutionRejection


class Price(Action):
    def name(self) -> str:
        return "action_price"

    async def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        assert "utter_price" in domain["responses"]
        dispatcher.utter_message(response="utter_price", price=tracker.latest_message["metadata"]["price"])
        return []


class Private(Action):
    def name(self) -> str:
        return "action_private"

    async def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        return [SlotSet("verdict", "ok" if tracker.get_slot("login_state") == "done" else "login")]


class AskLogin(Action):
    def name(self) -> str:
        return "action_ask_login_state"

    async def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        assert tracker.stack[0]["flow_id"] == "private"
        dispatcher.utter_message(response="utter_ask_login")
        return []


class Place(Action):
    def name(self) -> str:
        return "action_place"

    async def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        raise ActionExecutionRejection(self.name(), "no")
