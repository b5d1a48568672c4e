"""The Rasa files are what Rasa Pro expects: against its own schemas, and against the rules of `rasa data validate` that public pages name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import rasa_schemas as schemas
import yaml

from actions.journeys import journeys
from actions.registry import ACTIONS
from tightrope.engine.check import check
from tightrope.engine.loader import load_project
from tightrope.infra.settings import REPOSITORY

DOMAIN = schemas.load(*sorted((REPOSITORY / "domain").glob("*.yml")))
FLOW_FILES = sorted((REPOSITORY / "data" / "flows").glob("*.yml"))
FLOWS: dict[str, Any] = {key: flow for path in FLOW_FILES for key, flow in schemas.load(path)["flows"].items()}
JOURNEY_IDS = [key for key in FLOWS if not key.startswith("pattern_")]
HELPER_IDS = [key for key in JOURNEY_IDS if FLOWS[key].get("metadata", {}).get("helper")]
CONFIG = schemas.load(REPOSITORY / "config.yml")
ENDPOINTS = schemas.load(REPOSITORY / "endpoints.yml")


def steps_of(flow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    def walk(steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for step in steps:
            yield step
            for branch in step.get("next", []) if isinstance(step.get("next"), list) else []:
                for key in ("then", "else"):
                    if isinstance(branch.get(key), list):
                        yield from walk(branch[key])

    yield from walk(flow["steps"])


def targets(step: dict[str, Any]) -> list[str]:
    after = step.get("next")
    if isinstance(after, list):
        return [branch.get("then", branch.get("else")) for branch in after]
    return [after] if after else []


STEPS = [(flow_id, step) for flow_id, flow in FLOWS.items() for step in steps_of(flow)]


class TestAgainstRasasSchemas:
    @pytest.fixture(autouse=True)
    def _wheel(self, monkeypatch: pytest.MonkeyPatch) -> None:
        schemas.require()

    @pytest.mark.parametrize("path", FLOW_FILES, ids=lambda path: path.name)
    def test_flows_fit(self, path: Any) -> None:
        validator = jsonschema.Draft202012Validator(schemas.flow_schema())
        assert [error.message for error in validator.iter_errors(schemas.load(path))] == []

    def test_a_flow_with_an_unknown_key_does_not_fit(self) -> None:
        broken = {"flows": {"x": {"description": "d", "steps": [{"action": "a", "slot": "s"}]}}}
        assert list(jsonschema.Draft202012Validator(schemas.flow_schema()).iter_errors(broken))

    def test_the_domain_fits(self) -> None:
        assert schemas.check(DOMAIN, schemas.DOMAIN, schemas.RESPONSES) == []

    @pytest.mark.parametrize("path", sorted((REPOSITORY / "domain").glob("*.yml")), ids=lambda path: path.name)
    def test_each_domain_file_fits(self, path: Any) -> None:
        assert schemas.check(schemas.load(path), schemas.DOMAIN, schemas.RESPONSES) == []

    def test_a_response_with_an_unknown_key_does_not_fit(self) -> None:
        broken = {"responses": {"utter_x": [{"text": "x", "colour": "red"}]}}
        assert schemas.check(broken, schemas.DOMAIN, schemas.RESPONSES)

    def test_the_configuration_fits(self) -> None:
        assert schemas.check(CONFIG, schemas.CONFIG) == []
        assert schemas.check({"pipeline": [{"llm": {}}]}, schemas.CONFIG)

    @pytest.mark.parametrize("path", sorted((REPOSITORY / "tests" / "e2e").glob("*.yml")), ids=lambda path: path.name)
    def test_e2e_files_fit(self, path: Any) -> None:
        assert schemas.check(schemas.load(path), schemas.E2E, schemas.ASSERTIONS) == []

    def test_an_e2e_file_with_an_unknown_assertion_does_not_fit(self) -> None:
        broken = {"test_cases": [{"test_case": "x", "steps": [{"user": "a", "assertions": [{"said": "b"}]}]}]}
        assert schemas.check(broken, schemas.E2E, schemas.ASSERTIONS)

    @pytest.mark.parametrize(
        "path", sorted((REPOSITORY / "tests" / "dialogue_understanding_tests").glob("*.yml")), ids=lambda path: path.name
    )
    def test_dialogue_understanding_files_fit(self, path: Any) -> None:
        assert schemas.check(schemas.load(path), schemas.DU) == []

    def test_overridden_patterns_and_their_context_exist_in_rasa(self) -> None:
        shipped = schemas.default_patterns()
        assert {key for key in FLOWS if key.startswith("pattern_")} <= shipped["flows"].keys()

    def test_every_pattern_response_that_rasa_ships_for_text_channels_is_reworded_or_unused(self) -> None:
        shipped = schemas.default_patterns()
        used = {
            step["action"]
            for flow_id, flow in shipped["flows"].items()
            if flow_id not in FLOWS
            for step in steps_of(flow)
            if str(step.get("action", "")).startswith("utter_")
        }
        used |= {
            f"utter_ask_{step['collect']}" for flow_id, step in STEPS if "collect" in step and flow_id.startswith("pattern_")
        }
        silent = {  # parts that this project does not start: voice, sub-agents, satisfaction survey
            "utter_agent_busy",
            "utter_ask_still_there",
            "utter_inform_hangup",
            "utter_csat_thank_you_satisfied",
            "utter_csat_thank_you_unsatisfied",
        }
        assert used - silent - DOMAIN["responses"].keys() == set()


def test_only_flows_lie_below_data_as_yaml() -> None:
    strangers = [p for p in (REPOSITORY / "data").rglob("*") if p.suffix in {".yml", ".yaml"} and p.parent.name != "flows"]
    assert strangers == []


def test_the_embedded_engine_loads_the_project() -> None:
    assert FLOWS.keys() <= load_project(REPOSITORY).flows.keys()


def test_the_engines_own_check_has_nothing_to_say() -> None:
    assert [str(problem) for problem in check(REPOSITORY)] == []


def test_flow_ids_are_unique_and_well_formed() -> None:
    assert sum(len(schemas.load(path)["flows"]) for path in FLOW_FILES) == len(FLOWS)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", flow_id) for flow_id in FLOWS)


def test_every_step_has_an_id_of_its_own() -> None:
    for flow_id, flow in FLOWS.items():
        ids = [step.get("id") for step in steps_of(flow)]
        assert None not in ids, flow_id
        assert len(set(ids)) == len(ids), flow_id


def test_every_journey_begins_at_the_gate() -> None:
    for flow_id in JOURNEY_IDS:
        first = FLOWS[flow_id]["steps"][0]
        if flow_id not in HELPER_IDS:
            assert (first["id"], first["action"]) == ("begin", "action_begin_journey"), flow_id


def test_private_journeys_share_the_one_gate_which_only_they_open() -> None:
    private = {flow_id for flow_id in JOURNEY_IDS if FLOWS[flow_id].get("metadata", {}).get("scope")}
    callers = {flow_id for flow_id, step in STEPS if step.get("call") == "verify_customer"}
    assert private <= callers
    assert HELPER_IDS == ["verify_customer"]
    assert FLOWS["verify_customer"]["if"] == "False"
    assert {flow_id for flow_id, step in STEPS if step.get("collect") == "login_state"} == {"verify_customer"}


def test_a_private_action_is_reached_only_where_the_gate_said_allowed() -> None:
    private = {action.action_name for action in ACTIONS if action.declaration.scope}
    seen = set()
    for flow_id in JOURNEY_IDS:
        steps = {step["id"]: step for step in FLOWS[flow_id]["steps"]}
        runs = {id_: {step.get("action"), f"action_ask_{step.get('collect')}"} for id_, step in steps.items()}
        seen |= private & set().union(*runs.values())
        ways, reached = [next(iter(steps))], set()
        while ways:
            at = ways.pop()
            if at in reached or at not in steps:
                continue
            reached.add(at)
            following = steps[at].get("next", [])
            branches = following if isinstance(following, list) else [{"then": following}]
            ways += [b.get("then", b.get("else")) for b in branches if 'journey_access is "allowed"' not in b.get("if", "")]
        assert not private & set().union(*(runs[at] for at in reached)), flow_id
    assert seen == private


def test_no_step_is_unreachable_and_every_target_exists() -> None:
    for flow_id, flow in FLOWS.items():
        steps = list(steps_of(flow))
        ids = [step["id"] for step in steps]
        reached = {ids[0]}
        for position, step in enumerate(steps):
            after = targets(step)
            assert set(after) <= {*ids, "END"}, flow_id
            reached |= set(after)
            if "next" not in step and "link" not in step and position + 1 < len(steps):
                reached.add(ids[position + 1])
        assert set(ids) <= reached, flow_id


def test_every_branch_has_a_way_out_for_the_rest() -> None:
    for flow_id, step in STEPS:
        if isinstance(step.get("next"), list):
            assert "else" in step["next"][-1], (flow_id, step["id"])


def test_links_stand_last_and_lead_where_rasa_allows() -> None:
    for flow_id, flow in FLOWS.items():
        steps = flow["steps"]
        for position, step in enumerate(steps):
            if "link" in step:
                assert position == len(steps) - 1, flow_id
                assert "next" not in step
                assert step["link"] == "pattern_human_handoff" or step["link"] in JOURNEY_IDS
                assert flow_id != "pattern_internal_error"


def test_slots_in_flows_exist_and_their_values_are_declared() -> None:
    shipped = {"interrupted_flow_to_continue", "continue_interrupted_flow_confirmation"}
    for flow_id, step in STEPS:
        conditions = (
            [str(branch["if"]) for branch in step["next"] if "if" in branch] if isinstance(step.get("next"), list) else []
        )
        for condition in conditions:
            for slot, _, value in re.findall(r'slots\.(\w+)( is "([^"]*)")?', condition):
                assert slot in DOMAIN["slots"] or slot in shipped, (flow_id, slot)
                if value and slot in DOMAIN["slots"]:
                    assert value in DOMAIN["slots"][slot]["values"], (flow_id, slot, value)
        for assignment in step.get("set_slots", ()):
            for slot, value in assignment.items():
                assert value is None or value in DOMAIN["slots"][slot]["values"], (flow_id, slot, value)


def test_persisted_slots_are_filled_by_their_flow() -> None:
    for flow_id, flow in FLOWS.items():
        filled = {step["collect"] for step in steps_of(flow) if "collect" in step}
        filled |= {slot for step in steps_of(flow) for item in step.get("set_slots", ()) for slot in item}
        assert set(flow.get("persisted_slots", ())) <= filled, flow_id


def test_every_question_has_exactly_one_way_to_be_asked() -> None:
    for flow_id, step in STEPS:
        if "collect" in step:
            response = step.get("utter", f"utter_ask_{step['collect']}") in DOMAIN["responses"]
            action = f"action_ask_{step['collect']}" in DOMAIN["actions"]
            assert response != action, (flow_id, step["collect"])


def test_actions_of_flows_domain_and_server_agree() -> None:
    rasas_own = {
        "action_clean_stack",
        "action_cancel_flow",
        "action_correct_flow_slot",
        "action_clarify_flows",
        "action_session_start",
        "action_continue_interrupted_flow",
        "action_cancel_interrupted_flows",
        "action_repeat_bot_messages",
    }
    called = {step["action"] for _, step in STEPS if "action" in step}
    responses = {name for name in called if name.startswith("utter_")}
    asked = {f"action_ask_{step['collect']}" for _, step in STEPS if "collect" in step} & set(DOMAIN["actions"])
    every_turn = {
        m["run_action_every_turn"] for s in DOMAIN["slots"].values() for m in s["mappings"] if "run_action_every_turn" in m
    }
    assert responses <= DOMAIN["responses"].keys()
    assert called - responses - rasas_own | asked | every_turn == set(DOMAIN["actions"])
    assert {action.action_name for action in ACTIONS} == set(DOMAIN["actions"])


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.action_name)
def test_what_an_action_declares_is_in_the_domain(action: Any) -> None:
    declared = action.declaration
    assert declared.responses <= DOMAIN["responses"].keys()
    assert declared.reads <= DOMAIN["slots"].keys()
    for slot, values in declared.sets.items():
        assert values - {None} <= set(DOMAIN["slots"][slot]["values"]), slot


def test_every_slot_is_an_actions_alone_to_set_or_the_customers_choice_in_a_question() -> None:
    asked = {step["collect"] for _, step in STEPS if "collect" in step}
    for name, slot in DOMAIN["slots"].items():
        kinds = [mapping["type"] for mapping in slot["mappings"]]
        assert kinds == (["from_llm"] if name in asked else ["controlled"]), name


def test_every_slot_that_an_action_sets_takes_values_from_a_closed_list_so_no_figure_fits_in() -> None:
    for name, slot in DOMAIN["slots"].items():
        given_by_the_customer = [mapping["type"] for mapping in slot["mappings"]] == ["from_llm"]
        assert slot["type"] == "categorical" or (given_by_the_customer and slot["type"] in {"float", "text", "bool"}), name
    for action in ACTIONS:
        for name in action.declaration.sets:
            assert DOMAIN["slots"][name]["type"] == "categorical" or action.declaration.sets[name] == {None}, (action, name)


def test_every_outcome_slot_value_is_used_by_an_action_or_flow() -> None:
    for action in ACTIONS:
        for slot, values in action.declaration.sets.items():
            if slot.endswith("_outcome"):
                given = set().union(*(a.declaration.sets.get(slot, frozenset()) for a in ACTIONS)) - {None}
                assert given == set(DOMAIN["slots"][slot]["values"]), slot
                assert values


def variations() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, items in DOMAIN["responses"].items():
        for item in items:
            yield name, item


def holes(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize(("name", "item"), list(variations()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_response_has_its_english_with_the_same_variables(name: str, item: dict[str, Any]) -> None:
    if "text" not in item:
        assert set(item) == {"custom"}
        return
    english = item["translation"]["en"]
    assert holes(english) == holes(item["text"])
    assert re.search(r"[\u4e00-\u9fff]", item["text"])
    assert not re.search(r"[\u4e00-\u9fff]", english)
    for button in item.get("buttons", ()):
        other = button["translation"]["en"]
        assert not re.search(r"[\u4e00-\u9fff]", other["title"] + other["payload"])
        if button["payload"].startswith("/"):
            assert other["payload"] == button["payload"]


def test_button_payloads_set_slots_to_declared_values() -> None:
    shipped = {"confirm_correction", "continue_interrupted_flow_confirmation", "interrupted_flow_to_continue"}
    for name, item in variations():
        for button in item.get("buttons", ()):
            if match := re.fullmatch(r"/SetSlots\((\w+)=(\w+)\)", button["payload"]):
                slot, value = match.groups()
                kind = DOMAIN["slots"].get(slot, {}).get("type")
                if kind == "float":
                    assert float(value) > 0, name
                else:
                    values = ["true", "false"] if kind == "bool" else DOMAIN["slots"].get(slot, {}).get("values", ())
                    assert slot in shipped or value in values, name
            else:
                assert not button["payload"].startswith("/"), name


def test_declined_advice_has_no_variable_that_could_name_a_product() -> None:
    for name in ("utter_decline_advice", "utter_decline_trade"):
        (item,) = DOMAIN["responses"][name]
        assert holes(item["text"]) == set()


def test_figures_stand_only_in_responses_of_actions() -> None:
    by_flow = {step["action"] for _, step in STEPS if str(step.get("action", "")).startswith("utter_")}
    for name in by_flow:
        for item in DOMAIN["responses"][name]:
            assert holes(item.get("text", "")) == set(), name


def test_handoff_envelopes_in_responses_fit_the_contract() -> None:
    contract = yaml.safe_load((REPOSITORY / "contracts" / "turn" / "envelope.schema.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(contract)
    envelopes = [item["custom"]["envelope"] for _, item in variations() if "custom" in item]
    assert len(envelopes) == 4
    for envelope in envelopes:
        validator.validate(envelope)


def test_journeys_of_the_action_server_are_the_flows() -> None:
    assert list(journeys()) == JOURNEY_IDS


def test_journeys_that_read_accounts_ask_for_a_login_and_others_do_not() -> None:
    for flow_id in JOURNEY_IDS:
        asks = any(step.get("call") == "verify_customer" for step in steps_of(FLOWS[flow_id]))
        assert asks == (journeys()[flow_id].scope is not None or journeys()[flow_id].explains), flow_id


def test_a_journey_declares_the_scope_of_the_actions_that_it_runs() -> None:
    scopes = {action.action_name: action.declaration.scope for action in ACTIONS if action.declaration.scope}
    ran = {(flow_id, scopes[step["action"]]) for flow_id, step in STEPS if step.get("action") in scopes}
    assert ran
    assert {(flow_id, journeys()[flow_id].scope) for flow_id, _ in ran} == ran


def test_the_model_group_is_the_understanding_server() -> None:
    (generator,) = CONFIG["pipeline"]
    assert generator["name"] == "SearchReadyLLMCommandGenerator"
    assert generator["flow_retrieval"] == {"active": False}
    assert (REPOSITORY / generator["prompt_template"]).is_file()
    (group,) = ENDPOINTS["model_groups"]
    assert group["id"] == generator["llm"]["model_group"]
    (model,) = group["models"]
    assert (model["provider"], model["model"]) == ("self-hosted", "tightrope-understanding")
    assert model["api_base"] == "http://127.0.0.1:8010/v1"
