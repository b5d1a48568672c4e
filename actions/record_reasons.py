"""Why: where the states, reasons and rules of the newest answer about orders, transfers, new shares or the risk assessment come from."""

from __future__ import annotations

from actions.explanations import Explainer, explaining
from actions.ipo import VERDICT as IPO_VERDICT
from actions.orders import ORDERS
from actions.risk import VERDICT as RISK_VERDICT
from actions.transfers import TRANSFERS
from actions.turn import Turn
from actions.wording import moment
from tightrope.business.operations import GET_RISK_PROFILE
from tightrope.rules.code_book import CodeBook


def _basis(turn: Turn, book: CodeBook) -> dict[str, str]:
    """Source and version of the edition in force today."""
    edition = book.on(turn.today)
    return {"source": edition.source.text(turn.language), "version": edition.version}


class ExplainOrderStatus(Explainer):
    """No order is kept, so none is read again: the words' source, and a way to look again."""

    verdict = ORDERS.verdict
    declaration = explaining("utter_order_why", scope=ORDERS.scope)

    async def explain(self, turn: Turn) -> None:
        await turn.customer()
        turn.say("utter_order_why", (), **_basis(turn, turn.context.rules.order_codes))


class ExplainTransferStatus(Explainer):
    """The same for transfers."""

    verdict = TRANSFERS.verdict
    declaration = explaining("utter_transfer_why", scope=TRANSFERS.scope)

    async def explain(self, turn: Turn) -> None:
        await turn.customer()
        turn.say("utter_transfer_why", (), **_basis(turn, turn.context.rules.transfer_codes))


class ExplainAllotments(Explainer):
    """The rule on giving up allotted shares, in full."""

    verdict = IPO_VERDICT
    declaration = explaining("utter_ipo_why", scope="ipo:read")

    async def explain(self, turn: Turn) -> None:
        await turn.customer()
        book = turn.context.rules.ipo_rules
        rule = book.on(turn.today).codes["forfeiture"]
        turn.say("utter_ipo_why", (), rule=rule.meaning.text("en" if turn.language == "en" else "zh"), **_basis(turn, book))


class ExplainRiskAssessment(Explainer):
    """Which measures and whose data the level and its end rest on."""

    verdict = RISK_VERDICT
    declaration = explaining("utter_risk_why", calls=frozenset({GET_RISK_PROFILE}), scope="risk:read")

    async def explain(self, turn: Turn) -> None:
        customer = await turn.customer()
        answer = await turn.fetch(GET_RISK_PROFILE, lambda api, token: api.risk_profile(token, customer.customer_id))
        as_of = moment(answer.value.as_of, turn.context.clock.now(), turn.language)
        turn.say("utter_risk_why", (), as_of=as_of, **_basis(turn, turn.context.rules.risk_levels))
