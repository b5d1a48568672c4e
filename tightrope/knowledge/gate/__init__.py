"""The gate: what a composer proposes is held against the cited passages; what they do not say is not said.

One gate for all composers (docs/decisions/0018-answers-and-models.md). It sees the draft and the passages, never the question's wording and never how
the draft was made. Nothing is repaired.
"""

from tightrope.knowledge.gate.checking import check
from tightrope.knowledge.gate.clauses import missing_in_prompt, required_clauses
from tightrope.knowledge.gate.rules import load_rules
from tightrope.knowledge.gate.verdict import Reason, Refused, Verdict

__all__ = ["Reason", "Refused", "Verdict", "check", "load_rules", "missing_in_prompt", "required_clauses"]
