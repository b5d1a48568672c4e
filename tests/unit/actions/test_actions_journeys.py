"""Journeys as their flow files declare them."""

from __future__ import annotations

from pathlib import Path

import pytest

from actions.journeys import Journey, JourneyInvalid, UnknownJourney, journey_of, journeys, named, read_journeys

FLOW = """
flows:
  pattern_search: {description: none of ours, steps: [{action: x}]}
  check_branch_hours:
    name: 查营业时间
    translation: {en: {name: check branch hours}}
    description: d
    %s
    steps: [{id: begin, action: action_begin_journey}]
"""


def write(folder: Path, more: str, text: str = FLOW) -> Path:
    path = folder / "x.yml"
    path.write_text(text % more if "%s" in text else text, encoding="utf-8")
    return path


def test_a_flow_without_metadata_is_open_to_everybody_and_may_be_offered(tmp_path: Path) -> None:
    assert list(read_journeys(write(tmp_path, ""))) == [Journey("check_branch_hours", None, "查营业时间", "check branch hours")]


def test_scope_and_offer_come_from_the_metadata(tmp_path: Path) -> None:
    (found,) = read_journeys(write(tmp_path, "metadata: {scope: 'accounts:read', offered: false}"))
    assert (found.scope, found.offered) == ("accounts:read", False)


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ("metadata: {scop: 'accounts:read'}", "'scop'"),
        ("metadata: {scope: 'accounts:write'}", "'accounts:write'"),
        ("metadata: {offered: maybe}", "'maybe'"),
        ("metadata: {urgent: maybe}", "'maybe'"),
        ("metadata: {helper: true}", "is a helper"),
        ("metadata: {helper: true, offered: false, scope: 'accounts:read'}", "is a helper"),
    ],
)
def test_what_a_flow_declares_wrongly_is_named_with_its_file(tmp_path: Path, more: str, what: str) -> None:
    with pytest.raises(JourneyInvalid, match=rf"x\.yml: flow check_branch_hours.*{what}"):
        list(read_journeys(write(tmp_path, more)))


@pytest.mark.parametrize("lack", ["    name: 查营业时间\n", "    translation: {en: {name: check branch hours}}\n"])
def test_a_flow_needs_a_name_in_both_languages(tmp_path: Path, lack: str) -> None:
    with pytest.raises(JourneyInvalid, match="needs `name` in Chinese"):
        list(read_journeys(write(tmp_path, "", FLOW.replace(lack, "") % "")))


def test_a_file_without_flows_holds_no_journey(tmp_path: Path) -> None:
    assert list(read_journeys(write(tmp_path, "", "nlu: []\n"))) == []


def test_a_journey_is_found_by_id_and_by_name_in_either_language() -> None:
    balance = journeys()["check_balance"]
    assert named("check_balance") == named(balance.zh) == named(balance.en) == balance
    assert named("nothing of the kind") is None


def test_the_running_journey_is_the_topmost_frame_that_is_no_pattern() -> None:
    stack = [{"flow_id": "greet"}, {"flow_id": "check_balance"}, {"flow_id": "pattern_collect_information"}]
    assert journey_of(stack).id == "check_balance"


def test_a_helper_works_for_the_journey_below_it_and_is_none_itself() -> None:
    stack = [
        {"flow_id": "greet"},
        {"flow_id": "check_balance"},
        {"flow_id": "verify_customer"},
        {"flow_id": "pattern_correction"},
    ]
    assert journey_of(stack).id == "check_balance"
    assert named("verify_customer") is None
    assert named(journeys()["verify_customer"].zh) is None
    with pytest.raises(UnknownJourney):
        journey_of([{"flow_id": "verify_customer"}])


@pytest.mark.parametrize("stack", [None, [], [{"flow_id": "pattern_search"}], [{"flow_id": "greet"}, {"flow_id": "gone"}]])
def test_a_flow_that_is_not_ours_is_no_journey(stack: list[dict[str, str]] | None) -> None:
    with pytest.raises(UnknownJourney):
        journey_of(stack)
