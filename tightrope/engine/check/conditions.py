"""One condition by itself: its names, its patterns, and what in it misleads."""

from __future__ import annotations

from tightrope.engine.check.backtracking import endless
from tightrope.engine.check.view import View, meant
from tightrope.engine.models import Place
from tightrope.engine.templates import Condition

_NAMESPACES = {"slots", "context"}
FRAME = frozenset({"flow_id", "step_id", "frame_id"})
"""What `context.` has in every frame."""
_PATTERN = FRAME | {
    "canceled_name", "canceled_frames", "names", "clarification_options", "collect", "utter", "collect_action", "rejections",
    "previous_flow_name", "interrupted_flow_names", "interrupted_flow_ids", "interrupted_flow_options",
    "multiple_flows_interrupted", "is_reset_only", "corrected_slots", "reset_flow_id", "reset_step_id", "new_slot_values",
    "error_type", "info", "reason", "validate", "refill_utter", "refill_action",
}  # fmt: skip


def look_at(view: View, condition: Condition, place: Place, *, in_pattern: bool) -> None:
    """Tell of names that do not exist, and of patterns that may not come to an end."""
    predicate = condition.predicate
    if predicate is None:
        return
    if predicate.mixed:
        message = (
            f"the condition {condition.text!r} has `and` beside `or`: they bind alike and to the right, so that `a and b or c` is"
            " `a and (b or c)`"
        )
        view.told.warn(place, message, "write the parentheses", "mixed-condition")
    for pattern in filter(endless, dict.fromkeys(predicate.patterns)):
        message = f"the pattern {pattern!r} can backtrack without end: a text of thirty letters that nearly fits it may hold the server for minutes"
        mend = "write it so that a text can be read in one way only, or make what repeats possessive (`(?:…)++`)"
        view.told.warn(place, message, mend, "endless-pattern")
    for name in sorted(predicate.names):
        space, _, rest = name.partition(".")
        if space not in _NAMESPACES or not rest:
            message = f"the condition {condition.text!r} names {name!r}"
            view.told.error(place, message, f"write slots.{name} or context.{name}, or quote it as text", "condition")
        elif space == "slots" and not view.has_slot(rest.partition(".")[0]):
            message = f"the condition {condition.text!r} names the slot {rest!r}, which the domain does not have"
            view.told.error(place, message, meant(rest, view.project.slots, "add it to the domain"), "unknown-slot")
        elif space == "context" and rest.partition(".")[0] not in (_PATTERN if in_pattern else FRAME):
            where = "no pattern has" if in_pattern else "only patterns have"
            message = f"the condition {condition.text!r} looks at {name}, which {where}: it is always undefined"
            view.told.warn(place, message, "look at a slot", "context")
