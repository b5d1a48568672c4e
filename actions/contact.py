"""Contact details of the verified customer: shown masked, changed in the app alone. A new value is never taken from the chat."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from actions.base import Declaration, DeclaredAction
from actions.errors import NotPermitted
from actions.failures import FAILURES, failure_of
from actions.requests import CONSENT, REQUEST_FAILURES, request_failure
from actions.turn import Turn
from actions.wording import moment
from actions.words import day, plain
from tightrope.business.errors import BusinessError
from tightrope.business.models import ContactField, Ticket
from tightrope.business.operations import GET_CONTACT_DETAILS, REQUEST_CONTACT_CHANGE

FIELDS: Final = {
    ContactField.MOBILE: ("手机号", "mobile number"),
    ContactField.EMAIL: ("电子邮箱", "email address"),
    ContactField.ADDRESS: ("联系地址", "postal address"),
}
NOTHING: Final = "nothing"
SHOWN: Final = frozenset({"shown", "pending"}) | FAILURES
OUTCOMES: Final = frozenset({"filed", "declined"}) | REQUEST_FAILURES

_DIGITS: Final = re.compile(r"\d(?:[\s\-().]{0,3}\d){6,}")
# Each begins at one sign and looks a bounded way ahead: thousands of signs without a space may not keep everybody else waiting.
_EMAIL: Final = re.compile(r"[\w.+-]\s?(?:@|\(at\)|\[at\])\s?[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
_ADDRESS_ZH: Final = re.compile(
    r"(?:路|街|大道|巷|弄|村|小区|花园|大厦).{0,32}?[0-9一二三四五六七八九十百]\s{0,3}(?:号|弄|栋|幢|座|单元|室|楼)"
)
_ADDRESS_EN: Final = re.compile(
    r"\d[\w\s,.]{1,40}\b(?:road|rd|street|st|avenue|ave|lane|ln|drive|building|block)\b", re.IGNORECASE
)


def holds_a_new_value(text: str) -> bool:
    """Whether a message seems to hold a telephone number, an email address or a postal address."""
    seen = unicodedata.normalize("NFKC", text)
    return any(pattern.search(seen) for pattern in (_DIGITS, _EMAIL, _ADDRESS_ZH, _ADDRESS_EN))


def _warn(turn: Turn) -> None:
    """Say that what was typed is not taken, when the message holds a value."""
    if holds_a_new_value(turn.text):
        turn.say("utter_contact_value_not_taken")


def _field(turn: Turn) -> str:
    return FIELDS[ContactField(turn.read("contact_field"))][1 if turn.language == "en" else 0]


class ShowContact(DeclaredAction):
    """Says the masked details, or that a change is already under way."""

    action_name = "action_show_contact"
    declaration = Declaration(
        outcomes=SHOWN,
        sets={"contact_outcome": SHOWN},
        responses=frozenset(
            {"utter_contact_details", "utter_contact_pending", "utter_contact_stale", "utter_contact_value_not_taken"}
        ),
        envelopes=frozenset({"journey"}),
        calls=frozenset({GET_CONTACT_DETAILS}),
        scope="contact:request",
        on_error={"contact_outcome": "unavailable"},
    )

    async def perform(self, turn: Turn) -> str:
        outcome = await self._show(turn)
        turn.set("contact_outcome", outcome)
        if outcome == "pending":
            turn.tell("journey", journey=turn.journey.id, event="completed")
        return outcome

    @staticmethod
    async def _show(turn: Turn) -> str:
        _warn(turn)
        try:
            customer = await turn.customer()
            answer = await turn.fetch(GET_CONTACT_DETAILS, lambda api, token: api.contact_details(token, customer.customer_id))
        except (NotPermitted, BusinessError) as error:
            return failure_of(error, turn, stale="utter_contact_stale")
        details, now = answer.value, turn.context.clock.now()
        absent = "not on record" if turn.language == "en" else "未登记"
        masked = {
            "mobile": details.mobile_masked,
            "email": details.email_masked,
            "address": details.address_masked,
        }
        shown = {name: plain(value.replace("*", "•")) if value else absent for name, value in masked.items()}
        turn.say("utter_contact_details", (), as_of=moment(details.as_of, now, turn.language), **shown)
        if details.open_request is None:
            return "shown"
        turn.say("utter_contact_pending", (), **_ticket(turn, details.open_request))
        return "pending"


def _ticket(turn: Turn, ticket: Ticket) -> dict[str, str]:
    now = turn.context.clock.now()
    return {
        "ticket": ticket.ticket_number,
        "created_at": moment(ticket.created_at, now, turn.language),
        "due_on": day(ticket.due_on, now, turn.language),
    }


class AskContactField(DeclaredAction):
    """Which detail shall change. Asked again after a message that held a value, it says first that the value is not taken."""

    action_name = "action_ask_contact_field"
    declaration = Declaration(
        outcomes=frozenset({"asked"}), responses=frozenset({"utter_contact_which", "utter_contact_value_not_taken"})
    )

    async def perform(self, turn: Turn) -> str:
        _warn(turn)
        turn.say("utter_contact_which")
        return "asked"


class AskContactConsent(DeclaredAction):
    """Says what would be filed and how it goes on, and asks for consent to just that."""

    action_name = "action_ask_contact_consent"
    declaration = Declaration(
        outcomes=frozenset({"asked"}),
        reads=frozenset({"contact_field"}),
        responses=frozenset({"utter_contact_consent", "utter_contact_value_not_taken"}),
    )

    async def perform(self, turn: Turn) -> str:
        _warn(turn)
        turn.say("utter_contact_consent", field=_field(turn))
        return "asked"


class RequestContactChange(DeclaredAction):
    """Files the request with the consent just given; the customer goes on in the app."""

    action_name = "action_request_contact_change"
    declaration = Declaration(
        outcomes=OUTCOMES,
        reads=frozenset({"contact_field", "contact_consent"}),
        sets={"contact_request": OUTCOMES},
        responses=frozenset({"utter_contact_filed"}),
        envelopes=frozenset({"journey"}),
        calls=frozenset({REQUEST_CONTACT_CHANGE}),
        scope="contact:request",
        on_error={"contact_request": "unknown"},
    )

    async def perform(self, turn: Turn) -> str:
        outcome = await self._file(turn) if turn.read("contact_consent") == CONSENT else "declined"
        turn.set("contact_request", outcome)
        if outcome in {"filed", "declined"}:
            turn.tell("journey", journey=turn.journey.id, event="completed")
        return outcome

    @staticmethod
    async def _file(turn: Turn) -> str:
        field, language = ContactField(turn.read("contact_field")), turn.language
        try:
            customer = await turn.customer()
            answer = await turn.submit(
                REQUEST_CONTACT_CHANGE,
                lambda api, token, key: api.request_contact_change(
                    token, customer.customer_id, field=field, language=language, key=key
                ),
            )
        except (NotPermitted, BusinessError) as error:
            return request_failure(error)
        turn.say("utter_contact_filed", (), field=_field(turn), **_ticket(turn, answer.value))
        return "filed"
