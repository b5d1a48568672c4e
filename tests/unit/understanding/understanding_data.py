"""Where the lines of this release lie."""

from tightrope.infra.settings import REPOSITORY

DATA = REPOSITORY / "data" / "understanding"

# Where the assistant stands when it asks: the open question of the active flow.
LOGIN = {"slot": "login_state", "values": ["done", "person"]}
CONFIRM = {"slot": "confirmed", "slot_type": "bool"}
RESUME = {"slot": "continue_interrupted_flow_confirmation", "slot_type": "bool", "flow": "pattern_continue_interrupted"}
WHICH = {"slot": "interrupted_flow_to_continue", "slot_type": "text", "flow": "pattern_continue_interrupted"}
REASON = {"slot": "handoff_reason", "values": ["request", "complaint", "distress"], "flow": "talk_to_agent"}
STORY = {"slot": "complaint_text", "slot_type": "text", "flow": "file_complaint"}
