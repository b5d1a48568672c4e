"""Flows as pictures: what stands in them, for any flow."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_reading import SVG, read

from tightrope.engine.loader import load_project
from tightrope.engine.models import END, Branch, Flow, Place, Project, Rejection, Step, StepKind
from tightrope.engine.picture import draw
from tightrope.engine.templates import condition
from tightrope.infra.settings import REPOSITORY

HERE = Place("flows.yml", 1)
KINDS: list[StepKind] = ["action", "collect", "link", "call", "set_slots", "noop"]
CONDITIONS = ["slots.a > 3", 'slots.verdict is "ok"', "not slots.x", "slots.a is not null and slots.b = '很长的中文值，还有标点'"]


def make(steps: list[Step], **fields: object) -> Flow:
    given = {"id": "f", "name": "flow", "description": "d", "first": steps[0].id, "place": HERE, "hash": "", **fields}
    return Flow(steps={step.id: step for step in steps}, **given)  # type: ignore[arg-type]


def step(ident: str, *ways: tuple[str | None, str] | str, kind: StepKind = "action", **fields: object) -> Step:
    branches = tuple(
        Branch(None, way) if isinstance(way, str) else Branch(condition(way[0]) if way[0] else None, way[1]) for way in ways
    )
    given = {"target": "utter_x", "order": 1, "place": HERE, **fields}
    return Step(id=ident, kind=kind, branches=branches, **given)  # type: ignore[arg-type]


@st.composite
def flows(draw_: st.DrawFn) -> Flow:
    """Any graph: circles, steps that lead to themselves, steps that nothing leads to, hostile and long names."""
    names = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=30).filter(
        lambda name: name not in {END, "START"}
    )
    ids = draw_(st.lists(names, min_size=1, max_size=9, unique=True))
    goals = st.sampled_from([*ids, END])
    steps = []
    for ident in ids:
        kind = draw_(st.sampled_from(KINDS))
        ways = [(draw_(st.sampled_from(CONDITIONS)), draw_(goals)) for _ in range(draw_(st.integers(0, 3)))]
        ways += [(None, draw_(goals))] if draw_(st.booleans()) else []
        target = draw_(st.sampled_from(["utter_hello", "action_with_a_name_that_is_long_indeed", "查余额", "<b>&", ""]))
        assignments = ((draw_(names), draw_(st.sampled_from([None, True, "值"]))),) if kind == "set_slots" else ()
        rejections = (Rejection(condition("slots.a > 3"), "utter_no"),) if kind == "collect" else ()
        steps.append(
            step(
                ident, *([] if kind == "link" else ways), kind=kind, target=target, assignments=assignments, rejections=rejections
            )
        )
    return make(steps, name=draw_(names), guard=draw_(st.sampled_from([None, False, condition("slots.a")])))


@given(flows(), st.sampled_from(["en", "zh"]), st.data())
def test_any_flow_gives_a_picture_with_every_step_and_nothing_over_anything(
    flow: Flow, language: str, data: st.DataObject
) -> None:
    path = data.draw(st.lists(st.sampled_from([*flow.steps, END]), max_size=5))
    found = read(draw(flow, language=language, path=path))  # type: ignore[arg-type]
    assert len([box for box in found.boxes if box.step is not None]) == len(flow.steps)
    wide, high = float(found.root.get("width", "0")), float(found.root.get("height", "0"))
    for box in found.boxes:
        assert 0 <= box.left + 16 <= box.right + 16 <= wide
        assert 0 <= box.top + 16 <= box.bottom + 16 <= high
    for one, two in combinations(found.boxes, 2):
        assert not one.overlaps(two)
    for way, pieces in found.lines.items():
        for piece in pieces:
            crossed = [box for x, y in piece for box in found.boxes if box.holds(x, y)]
            assert crossed == [], way


@given(st.text(min_size=1, max_size=20))
def test_hostile_names_are_text_and_nothing_else(name: str) -> None:
    flow = make(
        [step("a", ("slots.x = '<script>alert(1)</script>'", END), END, target=name)],
        id='"><script>',
        name=name,
        description=name,
    )
    root = read(draw(flow)).root
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "title", "desc", "style", "rect", "g", "path", "circle", "text",
    }  # fmt: skip
    assert not [key for element in root.iter() for key in element.attrib if key.startswith("on")]


def test_the_same_flow_gives_the_same_picture() -> None:
    flow = make([step("a", ("slots.x", "b"), END), step("b", "a")])
    assert draw(flow) == draw(flow)


def test_every_way_is_drawn_and_says_when_it_is_taken() -> None:
    found = read(draw(make([step("a", ("slots.x", "b"), ("slots.y", "b"), "c"), step("b", END), step("c", END)])))
    assert set(found.lines) == {"START → a", "a → b", "a → c", "b → END", "c → END"}
    assert {"1. x", "2. y", "otherwise"} <= set(found.texts)


def test_conditions_that_exclude_each_other_need_no_numbers() -> None:
    texts = read(draw(make([step("a", ("slots.x = 1", "b"), ("slots.x = 2", "c"), END), step("b"), step("c")]))).texts
    assert {"x = 1", "x = 2", "otherwise"} <= set(texts)


def test_when_no_condition_holds_the_end_is_drawn() -> None:
    found = read(draw(make([step("a", ("slots.x", "b")), step("b", END)])))
    assert "a → END" in found.lines
    assert "otherwise" in found.texts


def test_a_link_ends_the_flow_and_has_no_way_on() -> None:
    assert set(read(draw(make([step("a", kind="link", target="other")]))).lines) == {"START → a"}


def test_a_step_that_nothing_leads_to_says_so() -> None:
    assert "no way leads here" in read(draw(make([step("a", END), step("b", END)]))).texts


def test_a_way_from_a_step_to_itself_stands_beside_it_with_its_condition() -> None:
    svg = draw(make([step("a", ("slots.x", "a"), END)]))
    assert "x" in read(svg).texts
    assert "a → a" not in read(svg).lines


def test_the_way_that_was_gone_stands_out_and_counts_its_steps() -> None:
    flow = make([step("a", ("slots.x", "b"), "c"), step("b", "a"), step("c", END)])
    root = read(draw(flow, path=["a", "b", "a", "c", END])).root
    marked = {g.get("data-step") for g in root.iter(f"{SVG}g") if "tf-on" in g.get("class", "")}
    assert marked == {None, "a", "b", "c"}
    badges = [e.text for e in root.iter(f"{SVG}text") if e.get("class") == "tf-no"]
    assert badges == ["1,3", "2", "4"]
    ways = {g.get("data-way") for g in root.iter(f"{SVG}g") for p in g if g.get("data-way") and "tf-on" in p.get("class", "")}
    assert ways == {"START → a", "a → b", "b → a", "a → c", "c → END"}


def test_ways_that_were_not_gone_step_back() -> None:
    root = read(draw(make([step("a", ("slots.x", "b"), END), step("b", END)]), path=["a", END])).root
    faded = {g.get("data-step") for g in root.iter(f"{SVG}g") if "tf-off" in g.get("class", "")}
    assert "b" in faded
    assert "a" not in faded


def test_a_path_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="no step 'gone'"):
        draw(make([step("a", END)]), path=["a", "gone"])


def test_the_description_tells_the_flow_in_words() -> None:
    root = read(draw(make([step("begin", ('slots.x is "ok"', "tell"), END), step("tell", END)]), path=["begin"])).root
    told = root.find(f"{SVG}desc")
    assert root.find(f"{SVG}title").text == "flow (f)"  # type: ignore[union-attr]
    assert told is not None
    assert "→ x = ok: tell." in str(told.text)
    assert "→ otherwise: End." in str(told.text)
    assert root.get("role") == "img"


def test_a_project_adds_its_words_and_the_names_of_other_flows(project: Callable[..., Project]) -> None:
    found = project(
        """
        flows:
          one:
            description: first
            steps:
              - collect: size
                rejections: [{if: slots.size > 9, utter: utter_big}]
              - link: two
          two:
            name: 第二个
            translation: {en: {name: the second}}
            description: second
            steps: [{action: utter_big}]
        """,
        """
        slots: {size: {type: float}}
        responses:
          utter_ask_size: [{text: 多大？, translation: {en: How big?}}]
          utter_big: [{text: 太大, translation: {en: Too big}}]
        """,
    )
    chinese, english = (read(draw(found.flows["one"], project=found, language=code)).texts for code in ("zh", "en"))  # type: ignore[arg-type]
    assert {"“多大？”", "第二个", "拒绝条件 size > 9"} <= set(chinese)
    assert {"“How big?”", "the second", "refuses if size > 9"} <= set(english)
    assert read(draw(found.flows["one"], project=found)).texts == chinese


@pytest.mark.parametrize("flow", list(load_project(REPOSITORY).flows.values()), ids=lambda flow: flow.id)
def test_our_flows_and_the_default_patterns_have_pictures_without_crossings_through_boxes(flow: Flow) -> None:
    found = read(draw(flow, project=load_project(REPOSITORY)))
    assert not [pair for pair in combinations(found.boxes, 2) if pair[0].overlaps(pair[1])]
    assert not [
        box for pieces in found.lines.values() for piece in pieces for x, y in piece for box in found.boxes if box.holds(x, y)
    ]
