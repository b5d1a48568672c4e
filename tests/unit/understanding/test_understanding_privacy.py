"""Which journeys a model may look into is read from the flows; what is not known to be public is private."""

from __future__ import annotations

import pytest

from actions.journeys import any_private, journeys
from tightrope.infra.settings import REPOSITORY
from tightrope.understanding.errors import TrainingDataError
from tightrope.understanding.models import ActiveFlow
from tightrope.understanding.privacy import model_may_look, public_journeys

FLOWS = REPOSITORY / "data" / "flows"
PRIVATE = {
    "check_balance", "view_holdings", "check_order_status", "check_transfer_status", "request_statement", "close_account",
    "check_margin_eligibility", "check_margin_ratio", "check_options_eligibility", "check_ipo_allotment", "check_risk_assessment",
    "update_contact_details", "file_complaint", "explain_verdict", "verify_customer",
}  # fmt: skip


def project(tmp_path, text):
    (tmp_path / "flows.yml").write_text(text, encoding="utf-8")
    return tmp_path


def test_private_journeys_of_this_project_are_those_that_its_flows_declare():
    public = public_journeys(FLOWS)
    assert not PRIVATE & public
    assert {"calculate_trading_cost", "check_trading_calendar", "reset_password", "talk_to_agent", "greet"} <= public


def test_actions_and_understanding_agree_on_every_flow():
    public = public_journeys(FLOWS)
    assert {name for name in journeys() if not any_private([{"flow_id": name}])} == public


def test_while_nothing_is_under_way_a_model_may_look_and_over_a_pattern_it_may_not():
    public = public_journeys(FLOWS)
    assert model_may_look(None, public)
    for name in ("pattern_continue_interrupted", "pattern_search", "no_such_flow", ""):
        assert not model_may_look(ActiveFlow(id=name), public)


def test_what_a_private_flow_calls_is_private_through_any_number_of_calls(tmp_path):
    folder = project(
        tmp_path,
        """
flows:
  balance:
    metadata: {scope: "accounts:read"}
    steps:
      - noop: true
        next:
          - if: "true"
            then: [{call: ask_account}]
          - else: END
  ask_account: {steps: [{call: ask_digits}]}
  ask_digits: {steps: [{collect: digits}]}
  fees: {steps: [{link: balance}]}
""",
    )
    assert public_journeys(folder) == {"fees"}


@pytest.mark.parametrize(
    "declared",
    ["{scope: x}", '{scope: ""}', "{scope: [a]}", "{helper: true}", '{helper: "yes"}', "{explains: true}", "[scope]", "private"],
)
def test_a_flow_that_declares_anything_private_in_whatever_form_is_private(tmp_path, declared):
    text = f"flows:\n  a: {{metadata: {{scope: s}}}}\n  b: {{metadata: {declared}}}\n  c: {{steps: []}}\n"
    assert public_journeys(project(tmp_path, text)) == {"c"}


def test_a_project_that_declares_no_scope_has_no_public_journey(tmp_path):
    assert public_journeys(project(tmp_path, "flows:\n  transfer_money: {steps: [{collect: recipient}]}\n")) == frozenset()
    assert public_journeys(tmp_path / "nowhere") == frozenset()


def test_a_file_that_is_no_yaml_is_named(tmp_path):
    with pytest.raises(TrainingDataError, match=r"flows\.yml: cannot be read"):
        public_journeys(project(tmp_path, "flows: [unclosed"))
