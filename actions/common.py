"""What every journey shares: the language, the gate at its beginning, the question for a login, and the offer of journeys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from actions.base import Declaration, DeclaredAction
from actions.handoff import PRIORITY, URGENT
from actions.journeys import named
from actions.turn import LANGUAGES, Turn
from actions.verdicts import scope_of_verdict
from tightrope.identity.models import Customer

ALLOWED: Final = "allowed"
LOGIN_REQUIRED: Final = "login_required"
SWITCHED_OFF: Final = "switched_off"
REFUSED: Final = "refused"
MAX_OFFERS: Final = 4


def needed_scope(turn: Turn) -> str | None:
    """What the grant must hold for the journey that runs; None: nothing."""
    journey = turn.journey
    return scope_of_verdict(turn.read("last_verdict")) if journey.explains else journey.scope


class SetLanguage(DeclaredAction):
    """Runs at every turn: the language that the gateway found for this message goes into the slot that chooses translations."""

    action_name = "action_set_language"
    declaration = Declaration(
        outcomes=frozenset({"set", "kept"}),
        reads=frozenset({"language"}),
        sets={"language": frozenset(LANGUAGES)},
        evidence=False,
    )

    async def perform(self, turn: Turn) -> str:
        if turn.language == turn.read("language"):
            return "kept"
        turn.set("language", turn.language)
        return "set"


class BeginJourney(DeclaredAction):
    """First step of every journey: asks the kill switch, then this turn's grant. Slots and metadata never open the gate."""

    action_name = "action_begin_journey"
    declaration = Declaration(
        outcomes=frozenset({ALLOWED, LOGIN_REQUIRED, SWITCHED_OFF}),
        reads=frozenset({"handoff_reason", "last_verdict"}),
        sets={"journey_access": frozenset({ALLOWED, LOGIN_REQUIRED, SWITCHED_OFF}), "failures": frozenset({None})},
        responses=frozenset({"utter_journey_switched_off"}),
        envelopes=frozenset({"journey", "handoff"}),
    )

    async def perform(self, turn: Turn) -> str:
        journey = turn.journey
        scope = needed_scope(turn)
        turn.set("failures", None)
        off = await turn.context.switches.off()
        if "all" in off or f"journey:{journey.id}" in off:
            turn.say("utter_journey_switched_off")
            turn.tell("journey", journey=journey.id, event="blocked", why=SWITCHED_OFF)
            # Who was in need of a person before the switch is no less so after it.
            in_need = journey.urgent or PRIORITY.get(str(turn.read("handoff_reason"))) == URGENT
            turn.tell("handoff", reason="switch", priority=URGENT if in_need else "normal")
            access = SWITCHED_OFF
        elif scope is not None and not self._may(await turn.caller(), scope):
            turn.tell("journey", journey=journey.id, event="blocked", why=LOGIN_REQUIRED)
            access = LOGIN_REQUIRED
        else:
            turn.tell("journey", journey=journey.id, event="started")
            access = ALLOWED
        turn.set("journey_access", access)
        return access

    @staticmethod
    def _may(caller: object, scope: str) -> bool:
        return isinstance(caller, Customer) and scope in caller.scopes


class MayRepeat(DeclaredAction):
    """Before the last messages are said again. They may hold account figures, so they are said to a live turn of this very conversation
    alone: after a logout or an expiry the gateway has begun another one, and who posts past the gateway has no turn.
    """

    action_name = "action_may_repeat"
    declaration = Declaration(
        outcomes=frozenset({ALLOWED, REFUSED}), sets={"repeat_access": frozenset({ALLOWED, REFUSED})}, evidence=False
    )

    async def perform(self, turn: Turn) -> str:
        conversation = (await turn.caller()).conversation_id
        access = ALLOWED if conversation and turn.sender.startswith(f"cw-{conversation}-e") else REFUSED
        turn.set("repeat_access", access)
        return access


class AskLoginState(DeclaredAction):
    """The question of the `login_state` step; the gateway adds the login link to it."""

    action_name = "action_ask_login_state"
    declaration = Declaration(
        outcomes=frozenset({"asked"}),
        reads=frozenset({"last_verdict"}),
        responses=frozenset({"utter_ask_login"}),
        envelopes=frozenset({"login"}),
    )

    async def perform(self, turn: Turn) -> str:
        turn.say("utter_ask_login")
        turn.tell("login", journey=turn.journey.id, scopes=[needed_scope(turn) or "accounts:read"])
        return "asked"


class OfferFlows(DeclaredAction):
    """Names the journeys that the customer may have meant, one button each; pressing it says the journey's name."""

    action_name = "action_offer_flows"
    declaration = Declaration(
        outcomes=frozenset({"offered", "asked_openly"}),
        responses=frozenset({"utter_clarification_options_rasa", "utter_clarification_no_options_rasa"}),
    )

    async def perform(self, turn: Turn) -> str:
        meant = {journey.id: journey for name in _names(turn.frame) if (journey := named(name)) and journey.offered}
        if not meant:
            turn.say("utter_clarification_no_options_rasa")
            return "asked_openly"
        titles = [journey.title(turn.language) for journey in list(meant.values())[:MAX_OFFERS]]
        turn.say("utter_clarification_options_rasa", buttons=[{"title": _capital(title), "payload": title} for title in titles])
        return "offered"


def _names(frame: Mapping[str, Any]) -> list[str]:
    names = frame.get("names")
    return [str(name) for name in names] if isinstance(names, list) else []


def _capital(title: str) -> str:
    return title[:1].upper() + title[1:]
