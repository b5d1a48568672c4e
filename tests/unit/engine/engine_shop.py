"""What the shop's actions do when a test plays the action server."""

from __future__ import annotations


def private(tracker):
    verdict = "ok" if tracker["slots"]["login_state"] == "done" else "login"
    return [{"event": "slot", "name": "verdict", "value": verdict}]


ACTIONS = {
    "action_private": private,
    "action_ask_login_state": lambda _t: {"responses": [{"response": "utter_ask_login"}]},
    "action_price": lambda _t: {"responses": [{"response": "utter_price", "price": "12.50"}]},
}


def boom(_tracker):
    raise RuntimeError("down")
