"""Capacity: the worked examples of the reference, and what must hold for every load."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tightrope.generation.capacity.figures import DATA, published, read_pairings
from tightrope.generation.capacity.models import Load, Pairing, Tokens
from tightrope.generation.capacity.planning import DoesNotFit, memory, plan, seconds, weakest

PAIRINGS = {one.id: one for one in published().pairings}
ANSWER, COMMAND = Tokens(2000, 100), Tokens(700, 20, shared=500)


def gpus(load: Load, pairing: str) -> int:
    """Without headroom and spare, as the reference counts."""
    return plan(load, PAIRINGS[pairing], utilisation=1, spare=0).gpus


@pytest.mark.parametrize(("pairing", "expected"), [("14b-a100-80", 5), ("32b-2xa100-80", 24)])
def test_all_questions_at_the_stated_peak(pairing: str, expected: int) -> None:
    """C4: 13.3 a second of 2,000 in and 100 out; the 32B's figure is of one GPU, 11.1 of them, and is taken for the pair."""
    assert gpus(Load(800, 1, ANSWER, COMMAND), pairing) == expected


def test_a_third_questions_the_rest_commands() -> None:
    found = plan(Load(800, 1 / 3, ANSWER, COMMAND), PAIRINGS["14b-a100-80"], utilisation=1, spare=1)
    assert (found.by_throughput, found.replicas) == (3, 4)
    assert (
        plan(Load(800, 1 / 3, ANSWER, COMMAND, commands_from_model=False), PAIRINGS["14b-a100-80"], utilisation=1, spare=0).gpus
        == 2
    )


@pytest.mark.parametrize(
    ("pairing", "thousand_tokens", "tolerance"), [("7b-a10", 90, 5), ("14b-awq-a10", 60, 12), ("14b-a100-80", 220, 35)]
)
def test_room_for_running_requests_is_about_what_the_reference_says(pairing: str, thousand_tokens: int, tolerance: int) -> None:
    assert memory(PAIRINGS[pairing]).kv_tokens / 1000 == pytest.approx(thousand_tokens, abs=tolerance)


def test_fourteen_billion_in_bf16_does_not_fit_well_on_40_gb() -> None:
    """The reason why there is no such profile: it leaves room for two prompts of full length."""
    bf16 = replace(PAIRINGS["14b-a100-80"], gpu="A100 40 GB", gpu_gb=40)
    assert memory(bf16).kv_tokens < 3 * 8192
    assert memory(PAIRINGS["14b-awq-a100-40"]).kv_tokens > 10 * 8192


def test_seventy_two_billion_in_bf16_wants_four_gpus_of_80_gb() -> None:
    assert memory(replace(PAIRINGS["72b-4xa100-80"], gpus=2)).kv_tokens == 0
    assert memory(PAIRINGS["72b-4xa100-80"]).kv_tokens > 40 * 8192


def test_a_model_without_room_for_one_request_is_refused() -> None:
    with pytest.raises(DoesNotFit, match="holds 0 tokens"):
        plan(Load(1, 1, ANSWER, COMMAND), replace(PAIRINGS["72b-4xa100-80"], gpus=1))


def test_nothing_asked_needs_nothing() -> None:
    assert plan(Load(0, 1, ANSWER, COMMAND), PAIRINGS["7b-a10"]).gpus == 0


def test_a_request_of_the_published_shape_costs_what_was_published() -> None:
    for pairing in PAIRINGS.values():
        for rate in pairing.rates:
            assert seconds(Tokens(rate.tokens_in, rate.tokens_out), rate) == pytest.approx(1 / rate.requests_per_second)


def test_the_stretch_for_longer_prompts_is_no_kinder_than_the_published_pair() -> None:
    short, long, _ = PAIRINGS["14b-a100-80"].rates
    assert seconds(Tokens(4000, 200), short) >= 1 / long.requests_per_second * 0.99


def test_a_plan_is_as_good_as_its_weakest_figure() -> None:
    assert weakest(PAIRINGS["14b-a100-80"].rates) == "published"
    assert weakest((*PAIRINGS["14b-a100-80"].rates, *PAIRINGS["7b-a10"].rates)) == "lower bound"
    assert plan(Load(800, 1, ANSWER, COMMAND), PAIRINGS["72b-4xa100-80"]).standing == "assumed"
    assert plan(Load(800, 1, ANSWER, COMMAND), PAIRINGS["7b-a10"]).stretched


def test_memory_decides_where_requests_are_held_long() -> None:
    load = Load(800, 1, ANSWER, COMMAND)
    found = plan(load, PAIRINGS["14b-awq-a10"], seconds_in_flight=3600)
    assert found.by_memory > found.by_throughput
    assert found.replicas == found.by_memory + 1


shapes = st.builds(
    lambda prompt, output, part: Tokens(prompt, output, int((prompt - 1) * part)),
    st.integers(1, 6000), st.integers(1, 1000), st.floats(0, 1),
)  # fmt: skip
loads = st.builds(Load, st.floats(0, 5000), st.floats(0, 1), shapes, shapes, st.floats(0, 20), st.booleans())
pairings = st.sampled_from(list(PAIRINGS.values()))


@settings(deadline=None)
@given(loads, pairings, st.floats(1, 10))
def test_more_load_never_needs_fewer_gpus(load: Load, pairing: Pairing, factor: float) -> None:
    assert plan(replace(load, inquiries=load.inquiries * factor), pairing).gpus >= plan(load, pairing).gpus


@settings(deadline=None)
@given(loads, pairings, st.integers(0, 1500), st.integers(0, 1000))
def test_longer_requests_never_need_fewer_gpus(load: Load, pairing: Pairing, prompt: int, output: int) -> None:
    longer = Tokens(load.answer.prompt + prompt, load.answer.output + output, load.answer.shared)
    assert plan(replace(load, answer=longer), pairing).gpus >= plan(load, pairing).gpus


@settings(deadline=None)
@given(loads, pairings)
def test_sharing_a_prompt_never_costs(load: Load, pairing: Pairing) -> None:
    alone = replace(load, answer=replace(load.answer, shared=0))
    assert plan(alone, pairing).gpus >= plan(load, pairing).gpus


@settings(deadline=None)
@given(loads, pairings, st.floats(0.05, 1), st.floats(0.05, 1))
def test_more_headroom_never_needs_fewer_gpus(load: Load, pairing: Pairing, one: float, other: float) -> None:
    assert plan(load, pairing, utilisation=min(one, other)).gpus >= plan(load, pairing, utilisation=max(one, other)).gpus


@settings(deadline=None)
@given(loads, pairings)
def test_what_is_planned_carries_the_peak_and_fits(load: Load, pairing: Pairing) -> None:
    found = plan(load, pairing, utilisation=0.8, spare=1)
    assume(found.replicas)
    working = found.replicas - found.spare
    assert found.busy <= working * 0.8 + 1e-6
    assert found.gpus == found.replicas * pairing.gpus
    room = found.memory
    assert room.weights_gb + room.reserved_gb + room.kv_gb <= room.total_gb + 1e-6


@pytest.mark.parametrize(
    ("tokens", "says"),
    [((0, 1, 0), "at least one"), ((1, 0, 0), "at least one"), ((10, 1, 10), "shared"), ((10, 1, -1), "shared")],
)
def test_impossible_requests_are_refused(tokens: tuple[int, int, int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Tokens(*tokens)


@pytest.mark.parametrize(
    "changes",
    [{"inquiries": -1}, {"inquiries": float("nan")}, {"inquiries": float("inf")}, {"calls": -1}, {"question_share": 1.01}],
)
def test_impossible_loads_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"inquiries|share"):
        replace(Load(1, 0.5, ANSWER, COMMAND), **changes)


@pytest.mark.parametrize("changes", [{"utilisation": 0}, {"utilisation": 1.1}, {"spare": -1}, {"seconds_in_flight": 0}])
def test_impossible_wishes_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="utilisation"):
        plan(Load(1, 1, ANSWER, COMMAND), PAIRINGS["7b-a10"], **changes)


def figures(**changes: object) -> str:
    data = json.loads(max(DATA.glob("pairings.*.json")).read_text())
    data["pairings"][0]["rates"][0].update(changes)
    return json.dumps(data)


@pytest.mark.parametrize("changes", [{"source": "hearsay"}, {"reason": ""}, {"standing": "sure"}, {"requests_per_second": 0}])
def test_a_figure_without_source_reason_or_sense_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="7b-a10"):
        read_pairings(figures(**changes))


def test_a_file_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="lack"):
        read_pairings("{}")
    with pytest.raises(ValueError, match="no rate"):
        read_pairings(json.dumps({"as_of": "", "sources": {}, "pairings": [{"id": "x", "rates": []}]}))


def test_kv_sizes_follow_from_the_shapes_of_the_models() -> None:
    """C3: 2 x layers x key-value heads x 128 x 2 bytes."""
    shapes = {"7B": (28, 4), "14B": (48, 8), "32B": (64, 8), "72B": (80, 8)}
    for pairing in PAIRINGS.values():
        layers, heads = next(shape for size, shape in shapes.items() if f"-{size}-" in pairing.model)
        assert pairing.kv_kib_per_token * 1024 == 2 * layers * heads * 128 * 2
