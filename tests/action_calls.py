"""Calls that the assistant would make to the action server, made by somebody else."""

from __future__ import annotations

from typing import Any


def call_of_action(
    action: str, sender: str, metadata: dict[str, Any], slots: dict[str, Any], flow: str = "check_balance"
) -> dict[str, Any]:
    """The body of a call to the action server, with whatever slots and metadata an attacker might claim."""
    stack = [{"frame_id": "A1", "flow_id": flow, "step_id": "x", "frame_type": "regular", "type": "flow"}]
    return {
        "version": "3.21.0",
        "next_action": action,
        "sender_id": sender,
        "domain": {"slots": {}, "responses": {}, "actions": [action]},
        "tracker": {
            "sender_id": sender,
            "slots": slots | {"language": "zh"},
            "latest_message": {"text": "余额", "intent": {}, "entities": [], "metadata": {"language": "zh", **metadata}},
            "events": [],
            "paused": False,
            "latest_event_time": 1.0,
            "latest_action_name": None,
            "latest_input_channel": "rest",
            "active_loop": {},
            "followup_action": None,
            "stack": stack,
        },
    }
