"""Complaints of the verified customer, filed in their own words with a ticket that they can quote."""

from __future__ import annotations

from typing import Final

from actions.base import Declaration, DeclaredAction
from actions.deadlines import due
from actions.errors import NotPermitted
from actions.requests import REQUEST_FAILURES, request_failure
from actions.turn import Turn
from actions.words import plain
from tightrope.business.errors import BusinessError
from tightrope.business.models import ComplaintCategory, ComplaintWish
from tightrope.business.operations import FILE_COMPLAINT
from tightrope.business.requests import MAX_TEXT
from tightrope.rules.text import calendar_day

GIVEN: Final = frozenset({"complaint_category", "complaint_text", "complaint_wish"})
OUTCOMES: Final = frozenset({"filed"}) | REQUEST_FAILURES


class SummariseComplaint(DeclaredAction):
    """Says back what will be filed, before it is."""

    action_name = "action_summarise_complaint"
    declaration = Declaration(outcomes=frozenset({"summarised"}), reads=GIVEN, responses=frozenset({"utter_complaint_summary"}))

    async def perform(self, turn: Turn) -> str:
        words = turn.context.rules.complaint_words
        turn.say(
            "utter_complaint_summary",
            category=words["categories"][str(turn.read("complaint_category"))][turn.language],
            complaint=plain(_words(turn), longest=MAX_TEXT),
            wish=words["wishes"][str(turn.read("complaint_wish"))][turn.language],
        )
        return "summarised"


class FileComplaint(DeclaredAction):
    """Files the complaint and says ticket number and the days by which the firm answers."""

    action_name = "action_file_complaint"
    declaration = Declaration(
        outcomes=OUTCOMES,
        reads=GIVEN,
        sets={"complaint_outcome": OUTCOMES},
        responses=frozenset({"utter_complaint_filed", "utter_complaint_filed_due"}),
        envelopes=frozenset({"journey"}),
        calls=frozenset({FILE_COMPLAINT}),
        scope="complaints:write",
        on_error={"complaint_outcome": "unknown"},
    )

    async def perform(self, turn: Turn) -> str:
        try:
            outcome = await self._file(turn)
        except (NotPermitted, BusinessError) as error:
            outcome = request_failure(error)
        turn.set("complaint_outcome", outcome)
        return outcome

    @staticmethod
    async def _file(turn: Turn) -> str:
        customer = await turn.customer()
        category, wish = ComplaintCategory(str(turn.read("complaint_category"))), ComplaintWish(str(turn.read("complaint_wish")))
        text = _words(turn)
        answer = await turn.submit(
            FILE_COMPLAINT,
            lambda api, token, key: api.file_complaint(
                token, customer.customer_id, category=category, text=text, wish=wish, language=turn.language, key=key
            ),
        )
        ticket, language = answer.value, turn.language
        days = due(turn, "complaint", ticket)
        regulator = turn.context.rules.support[language]["regulator"]
        words = {
            "ticket": ticket.ticket_number,
            "answered_by": calendar_day(days.answered_by, language),
            "regulator_name": regulator.name,
            "regulator_number": regulator.number,
        }
        if days.acknowledged_by is None:
            turn.say("utter_complaint_filed_due", (), **words)
        else:
            turn.say("utter_complaint_filed", (), acknowledged_by=calendar_day(days.acknowledged_by, language), **words)
        turn.tell("journey", journey=turn.journey.id, event="completed")
        return "filed"


def _words(turn: Turn) -> str:
    """The complaint as the customer wrote it, as far as the firm takes it; what is no text (a control) is left out."""
    words = "".join(char for char in turn.as_written("complaint_text") if char.isprintable() or char in "\n\t")
    return words.strip()[:MAX_TEXT].rstrip()
