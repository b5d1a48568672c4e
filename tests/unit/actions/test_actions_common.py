"""Language, the gate of every journey, the login question and the offer of journeys."""

from __future__ import annotations

import pytest
from actions_fakes import TURN, FakeContext, run, tracker

from actions.common import AskLoginState, BeginJourney, MayRepeat, OfferFlows, SetLanguage
from actions.errors import ActionFailed
from tightrope.identity.models import Anonymous


@pytest.mark.parametrize(
    ("said", "held", "slots"),
    [("en", "zh", {"language": "en"}), ("zh", "zh", {}), (None, "en", {}), ("fr", "en", {}), (None, None, {"language": "zh"})],
)
async def test_the_language_of_the_message_goes_into_the_slot(
    fake: FakeContext, said: str | None, held: str | None, slots: dict[str, str]
) -> None:
    done = await run(SetLanguage(), tracker(language=said, slots={"language": held}))
    assert done.slots == slots
    assert done.messages == []


async def test_a_public_journey_begins_for_anybody(fake: FakeContext) -> None:
    done = await run(BeginJourney(), tracker("greet", turn=None))
    assert done.slots["journey_access"] == "allowed"
    assert done.envelope("journey") == {"v": 1, "kind": "journey", "journey": "greet", "event": "started"}


async def test_a_private_journey_without_a_grant_needs_a_login(fake: FakeContext) -> None:
    done = await run(BeginJourney(), tracker("check_balance"))
    assert done.slots["journey_access"] == "login_required"
    assert done.envelope("journey")["event"] == "blocked"
    assert done.envelope("journey")["why"] == "login_required"


async def test_a_granted_customer_may_go_on(fake: FakeContext) -> None:
    fake.log_in("accounts:read")
    assert (await run(BeginJourney(), tracker("check_balance"))).slots["journey_access"] == "allowed"


async def test_a_grant_of_another_scope_is_not_enough(fake: FakeContext) -> None:
    fake.log_in("accounts:read")
    assert (await run(BeginJourney(), tracker("check_margin_eligibility"))).slots["journey_access"] == "login_required"


@pytest.mark.parametrize("turn", ["x" * 43, "", None])
async def test_a_turn_id_without_a_grant_is_anonymous_whatever_slots_and_metadata_claim(
    fake: FakeContext, turn: str | None
) -> None:
    fake.log_in()
    on = tracker("check_balance", turn=turn, slots={"journey_access": "allowed", "login_state": "done", "customer_id": "C1001"})
    on.latest_message["metadata"] |= {"customer_id": "C1001", "verified": True}
    assert (await run(BeginJourney(), on)).slots["journey_access"] == "login_required"


@pytest.mark.parametrize("scope", ["all", "journey:check_balance"])
async def test_a_journey_that_is_switched_off_goes_to_a_person(fake: FakeContext, scope: str) -> None:
    fake.log_in()
    fake.switches.scopes = frozenset({scope})
    done = await run(BeginJourney(), tracker("check_balance"))
    assert done.slots["journey_access"] == "switched_off"
    assert done.said == ["utter_journey_switched_off"]
    assert done.envelope("handoff") == {"v": 1, "kind": "handoff", "reason": "switch", "priority": "normal"}


async def test_another_journey_switched_off_changes_nothing(fake: FakeContext) -> None:
    fake.log_in()
    fake.switches.scopes = frozenset({"journey:check_margin_eligibility"})
    assert (await run(BeginJourney(), tracker("check_balance"))).slots["journey_access"] == "allowed"


async def test_beginning_a_journey_forgets_earlier_failures(fake: FakeContext) -> None:
    assert (await run(BeginJourney(), tracker("greet", slots={"failures": "once"}))).slots["failures"] is None


@pytest.mark.parametrize("flow", ["no_such_flow", None])
async def test_a_journey_nobody_knows_does_not_begin(fake: FakeContext, flow: str | None) -> None:
    with pytest.raises(ActionFailed):
        await run(BeginJourney(), tracker(flow))


async def test_a_gate_that_cannot_be_asked_stays_shut(fake: FakeContext, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken() -> frozenset[str]:
        raise ConnectionError

    monkeypatch.setattr(fake.switches, "off", broken)
    with pytest.raises(ActionFailed):
        await run(BeginJourney(), tracker("greet", turn=TURN))


async def test_the_login_question_names_the_journey_below_the_pattern_and_its_scope(fake: FakeContext) -> None:
    on = tracker(
        "check_margin_eligibility", on_top={"flow_id": "pattern_collect_information", "type": "pattern_collect_information"}
    )
    done = await run(AskLoginState(), on)
    assert done.said == ["utter_ask_login"]
    assert done.envelope("login") == {
        "v": 1,
        "kind": "login",
        "journey": "check_margin_eligibility",
        "scopes": ["eligibility:read"],
    }


@pytest.mark.parametrize(
    ("names", "language", "titles"),
    [
        (["check_balance", "check_margin_eligibility"], "zh", ["查账户余额", "查融资融券开通条件"]),
        (["查账户余额", "talk to a person"], "en", ["Check my account balance", "Talk to a person"]),
        (["check_balance", "check_balance", "greet", "nonsense"], "zh", ["查账户余额"]),
    ],
)
async def test_a_button_is_offered_for_each_journey_that_may_be_meant(
    fake: FakeContext, names: list[str], language: str, titles: list[str]
) -> None:
    frame = {"flow_id": "pattern_clarification", "type": "pattern_clarification", "names": names}
    done = await run(OfferFlows(), tracker(None, language=language, on_top=frame))
    assert done.said == ["utter_clarification_options_rasa"]
    assert [button["title"] for button in done.messages[0]["buttons"]] == titles


@pytest.mark.parametrize("names", [[], ["nonsense"], None])
async def test_without_journeys_to_offer_the_question_is_open(fake: FakeContext, names: list[str] | None) -> None:
    frame = {"flow_id": "pattern_clarification", "type": "pattern_clarification", "names": names}
    assert (await run(OfferFlows(), tracker(None, on_top=frame))).said == ["utter_clarification_no_options_rasa"]
    assert (await run(OfferFlows(), tracker(None))).said == ["utter_clarification_no_options_rasa"]


async def test_a_live_turn_of_the_conversation_may_have_the_last_messages_again(fake: FakeContext) -> None:
    fake.log_in()
    assert (await run(MayRepeat(), tracker(None))).slots == {"repeat_access": "allowed"}
    fake.identity.grants[TURN] = Anonymous("1-441")
    assert (await run(MayRepeat(), tracker(None))).slots == {"repeat_access": "allowed"}


@pytest.mark.parametrize("turn", ["x" * 43, "", None])
async def test_who_has_no_live_turn_hears_nothing_again(fake: FakeContext, turn: str | None) -> None:
    fake.log_in()
    assert (await run(MayRepeat(), tracker(None, turn=turn))).slots == {"repeat_access": "refused"}


@pytest.mark.parametrize("conversation", ["1-44", "1-4411", "2-441"])
async def test_a_turn_of_another_conversation_hears_nothing_again(fake: FakeContext, conversation: str) -> None:
    fake.identity.grants[TURN] = Anonymous(conversation)
    assert (await run(MayRepeat(), tracker(None))).slots == {"repeat_access": "refused"}
