"""Complaints of the verified customer, filed in their own words with a ticket that they can quote."""

from __future__ import annotations

import re
from typing import Final

from actions.base import Declaration, DeclaredAction
from actions.deadlines import due
from actions.errors import NotPermitted
from actions.turn import Turn
from tightrope.business.client import FILE_COMPLAINT
from tightrope.business.errors import BusinessError, Conflict, Done, Refused
from tightrope.business.models import ComplaintCategory, ComplaintWish
from tightrope.rules.text import calendar_day

GIVEN: Final = frozenset({"complaint_category", "complaint_text", "complaint_wish"})
OUTCOMES: Final = frozenset({"filed", "unknown", "not_permitted", "not_filed"})
_PLAIN: Final = str.maketrans("[]<>*_`~|#\\{}", "【】《》＊＿‘～｜＃、【】")
"""What Markdown or a template could read as more than text, as the like sign of full width."""

_FOLDED: Final = re.compile(r"(?<=[\u4e00-\u9fff”’）])[,;:?!](?!\d)|[,;:?!](?=[\u4e00-\u9fff“‘（])")
_FULL: Final = str.maketrans(",;:?!", "，；：？！")


class SummariseComplaint(DeclaredAction):
    """Says back what will be filed, before it is."""

    action_name = "action_summarise_complaint"
    declaration = Declaration(outcomes=frozenset({"summarised"}), reads=GIVEN, responses=frozenset({"utter_complaint_summary"}))

    async def perform(self, turn: Turn) -> str:
        words = turn.context.rules.complaint_words
        turn.say(
            "utter_complaint_summary",
            category=words["categories"][str(turn.read("complaint_category"))][turn.language],
            complaint=quoted(as_written(str(turn.read("complaint_text")))),
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
        except (NotPermitted, Refused):
            outcome = "not_permitted"
        except BusinessError as error:
            # A conflict can only be the same request that is still on its way.
            surely_not = error.done is Done.NOT_DONE and not isinstance(error, Conflict)
            outcome = "not_filed" if surely_not else "unknown"
        turn.set("complaint_outcome", outcome)
        return outcome

    @staticmethod
    async def _file(turn: Turn) -> str:
        customer = await turn.customer()
        category, wish = ComplaintCategory(str(turn.read("complaint_category"))), ComplaintWish(str(turn.read("complaint_wish")))
        text = as_written(str(turn.read("complaint_text")))
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


def as_written(text: str) -> str:
    """The customer's words with the full-width punctuation that understanding folds away: a comma beside Chinese was a Chinese one."""
    return _FOLDED.sub(lambda found: found.group().translate(_FULL), text)


def quoted(text: str) -> str:
    """The customer's words as they stand, with nothing in them that a chat would show as a link, a picture or an emphasis."""
    return text.translate(_PLAIN)
