"""Are the anchors keeping up, by what the database holds: for the health of a process that need not be the one that runs them."""

from __future__ import annotations

from datetime import datetime

from tightrope.audit.anchors import repository
from tightrope.audit.anchors.errors import AnchorsUnfit
from tightrope.audit.anchors.policy import sentence
from tightrope.audit.anchors.repository import Conn
from tightrope.audit.anchors.service import standing_now
from tightrope.audit.anchors.settings import names_from, policy_from, trust_from
from tightrope.infra.settings import Settings


async def anchors_health(settings: Settings, conn: Conn, now: datetime) -> str | None:
    """What is wrong with anchoring in a sentence, or None.

    Args:
        conn: of the role `sealer` or `auditor`.
        now: the machine's time, as the database has it too; not a demo's.
    """
    states = await repository.states(conn)
    try:
        trust = trust_from(settings)
        policy = policy_from(settings, trust, {state.anchor: state.kind for state in states})
    except AnchorsUnfit as error:
        return str(error)
    names = names_from(settings, trust)
    for state in states:
        if state.anchor in names and (state.incident or state.unwell):
            return state.problem if state.incident else state.unwell
    return sentence(policy, await standing_now(conn, policy, now, states))
