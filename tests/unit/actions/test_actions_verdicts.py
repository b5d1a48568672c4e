"""Why a verdict came out as it did: each verdict has its explainer, under the scope of the journey that gave it."""

from __future__ import annotations

from datetime import timedelta

import pytest
import yaml
from actions_fakes import NOW, FakeContext, receipt, run, tracker

from actions.common import AskLoginState, BeginJourney
from actions.explanations import Explainer
from actions.registry import ACTIONS
from actions.verdicts import EXPLAINERS, ExplainVerdict, scope_of_verdict
from tightrope.business.errors import BusinessError, NoAnswer, NotFound, Refused, Stale
from tightrope.business.operations import GET_MARGIN_FACTS, SCOPES
from tightrope.infra.settings import REPOSITORY

MARGIN = "margin_eligibility"


def why(language: str = "zh", **slots: str) -> object:
    return tracker("explain_verdict", language=language, slots=dict(slots))


async def test_margin_eligibility_is_explained_with_rules_data_time_and_version(fake: FakeContext) -> None:
    fake.log_in()
    done = await run(ExplainVerdict(), why(last_verdict=MARGIN))  # type: ignore[arg-type]
    message = done.message("utter_margin_why")
    assert "第十二条：证券交易经验（已满足）" in message["rules"]
    assert message["as_of"] == "10:31"
    assert message["version"] == "2023.1"
    assert done.slots == {"explanation_outcome": "explained"}
    assert (done.evidence["action"], done.evidence["outcome"]) == ("action_explain_verdict", "explained")
    assert done.envelope("journey")["event"] == "completed"


@pytest.mark.parametrize(("kind", "outcome"), [(Refused, "not_permitted"), (NotFound, "no_account"), (NoAnswer, "unavailable")])
async def test_facts_that_do_not_come_are_no_explanation(fake: FakeContext, kind: type[BusinessError], outcome: str) -> None:
    fake.log_in()
    fake.business.errors[GET_MARGIN_FACTS] = kind("x", receipt(GET_MARGIN_FACTS, "x", 500, None))
    done = await run(ExplainVerdict(), why(last_verdict=MARGIN))  # type: ignore[arg-type]
    assert done.slots == {"explanation_outcome": outcome}
    assert done.said == []


async def test_old_facts_are_told_with_their_time(fake: FakeContext) -> None:
    fake.log_in()
    fake.business.errors[GET_MARGIN_FACTS] = Stale("old", receipt(GET_MARGIN_FACTS, "stale", 200, NOW - timedelta(days=3)))
    done = await run(ExplainVerdict(), why("en", last_verdict=MARGIN))  # type: ignore[arg-type]
    assert done.message("utter_explanation_stale")["as_of"] == "17 Nov 10:31"


@pytest.mark.parametrize("slots", [{}, {"last_verdict": "nonsense"}])
async def test_why_without_a_known_verdict_is_a_mistake_of_the_flow(fake: FakeContext, slots: dict[str, str]) -> None:
    fake.log_in()
    done = await run(ExplainVerdict(), why(**slots))  # type: ignore[arg-type]
    assert done.evidence["outcome"] == "error"
    assert done.slots == {"explanation_outcome": "unavailable"}


def test_every_verdict_that_an_action_gives_can_be_explained() -> None:
    given = {verdict for action in ACTIONS for verdict in action.declaration.sets.get("last_verdict", frozenset()) if verdict}
    assert given == set(EXPLAINERS)
    slots = [
        yaml.safe_load(path.read_text(encoding="utf-8")).get("slots") or {} for path in (REPOSITORY / "domain").glob("*.yml")
    ]
    (values,) = [found["last_verdict"]["values"] for found in slots if "last_verdict" in found]
    assert set(values) == given


@pytest.mark.parametrize("explainer", EXPLAINERS.values(), ids=EXPLAINERS)
def test_an_explainer_asks_with_the_scope_of_the_journey_that_gave_the_verdict(explainer: type[Explainer]) -> None:
    declared = explainer.declaration
    assert {SCOPES[call] for call in declared.calls} <= {declared.scope}
    gave = {a.declaration.scope for a in ACTIONS if explainer.verdict in a.declaration.sets.get("last_verdict", frozenset())}
    assert gave == {declared.scope}


@pytest.mark.parametrize("verdict", EXPLAINERS)
async def test_the_gate_of_why_is_that_of_the_verdict(fake: FakeContext, verdict: str) -> None:
    scope = scope_of_verdict(verdict)
    done = await run(BeginJourney(), why(last_verdict=verdict))  # type: ignore[arg-type]
    assert done.slots["journey_access"] == ("login_required" if scope else "allowed")
    if scope:
        asked = await run(AskLoginState(), why(last_verdict=verdict))  # type: ignore[arg-type]
        assert asked.envelope("login")["scopes"] == [scope]
        fake.log_in("complaints:write")
        assert (await run(BeginJourney(), why(last_verdict=verdict))).slots["journey_access"] == "login_required"  # type: ignore[arg-type]
        fake.log_in(scope)
        assert (await run(BeginJourney(), why(last_verdict=verdict))).slots["journey_access"] == "allowed"  # type: ignore[arg-type]


@pytest.mark.parametrize("slots", [{}, {"last_verdict": "nonsense"}])
async def test_nothing_to_explain_needs_no_login(fake: FakeContext, slots: dict[str, str]) -> None:
    assert (await run(BeginJourney(), why(**slots))).slots["journey_access"] == "allowed"  # type: ignore[arg-type]


async def test_a_forged_verdict_opens_the_gate_for_nothing(fake: FakeContext) -> None:
    """The explainer that runs is chosen by the same slot as the gate, and asks for its own scope."""
    fake.log_in("orders:read")
    done = await run(ExplainVerdict(), why(last_verdict=MARGIN))  # type: ignore[arg-type]
    assert done.slots == {"explanation_outcome": "not_permitted"}
    assert fake.business.asked == []
