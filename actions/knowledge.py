"""Free-form questions, answered from approved passages with their sources."""

from __future__ import annotations

from actions.base import Declaration, DeclaredAction
from actions.turn import Turn
from tightrope.knowledge.compose.decide import choice, chosen_by
from tightrope.knowledge.models import Answer

OUTCOMES = frozenset({"answered", "asked_back", "nothing_found", "unavailable"})
ASKED_BACK = "utter_which_topic_meant"


class AnswerQuestion(DeclaredAction):
    """Asks the knowledge part, which answers in sentences of approved passages or not at all; the flow says what then."""

    action_name = "action_answer_question"
    declaration = Declaration(
        outcomes=OUTCOMES,
        sets={"knowledge_outcome": OUTCOMES, "failures": frozenset({None})},
        responses=frozenset({ASKED_BACK}),
        envelopes=frozenset({"citations"}),
        free_text=True,
        on_error={"knowledge_outcome": "unavailable"},
    )

    async def perform(self, turn: Turn) -> str:
        with turn.may_ask_a_model():
            found = await turn.context.knowledge.answer(turn.text, turn.language)
        turn.used_passages(item.item() for item in found.evidence)
        turn.judged(guard.item() for guard in found.guards)
        if isinstance(found, Answer):
            turn.say_text(found.text)
            turn.tell("citations", items=[citation.item() for citation in found.citations])
            turn.set("failures", None)
            outcome = "answered"
        elif found.suggestions:
            turn.say(ASKED_BACK, [{"title": choice(passage), "payload": chosen_by(passage)} for passage in found.suggestions])
            turn.set("failures", None)
            outcome = "asked_back"
        else:
            outcome = "nothing_found"
        turn.set("knowledge_outcome", outcome)
        return outcome
