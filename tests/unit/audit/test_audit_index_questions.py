"""Questions, samples and profiles: pure parts."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest
from audit_turns import cited, margin, turn
from hypothesis import given
from hypothesis import strategies as st

from tightrope.audit.errors import ExportRefused, QuestionInvalid
from tightrope.audit.export import profiles
from tightrope.audit.export.bundle import Bundle
from tightrope.audit.export.models import Order
from tightrope.audit.export.service import refusal
from tightrope.audit.index import sampling
from tightrope.audit.index.models import Condition, Hit, Question, Source
from tightrope.audit.index.query import condition, moment, month, where
from tightrope.audit.index.rows import row_of
from tightrope.audit.index.sampling import Sample
from tightrope.audit.keyring import Keyring
from tightrope.audit.leaf import payload_bytes
from tightrope.audit.models import Entry, Place

KEYRING = Keyring(b"k" * 32)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("risk_assessment_age>365d", Condition("risk_assessment_age", ">", 365)),
        ("risk_assessment_age > 1y", Condition("risk_assessment_age", ">", 365)),
        ("months>=6", Condition("months", ">=", 6)),
        ("age<2w", Condition("age", "<", 14)),
        ("level=C3", Condition("level", "=", "C3")),
        ("level!=C3", Condition("level", "!=", "C3")),
        ("a.b.c<=-3m", Condition("a.b.c", "<=", -90)),
    ],
)
def test_comparisons_are_read(text, expected):
    assert condition(text) == expected


@pytest.mark.parametrize(
    "bad", ["", "x", "x>", ">3", "x>y", "x=1.5", "x=3h", "x==3", "x=3;drop", "x='3'", "1x=3", "x=9999999999", "ｘ=3"]
)
def test_what_is_no_comparison_is_refused_with_an_example(bad):
    with pytest.raises(QuestionInvalid):
        condition(bad)


def test_days_are_the_firms_days():
    assert moment("2026-05-01") == datetime(2026, 4, 30, 16, tzinfo=UTC)
    assert moment("2026-05-01T09:30") == datetime(2026, 5, 1, 1, 30, tzinfo=UTC)
    assert moment("2026-05-01T09:30+00:00") == datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
    assert month(2026, 12) == (moment("2026-12-01"), moment("2027-01-01"))
    for bad in ("May", "2026-13-01", "2026-5-1", ""):
        with pytest.raises(QuestionInvalid):
            moment(bad)


@given(st.text(min_size=1, max_size=40))
def test_no_word_of_the_auditor_gets_into_a_statement(word):
    question = Question(
        journey=word, verdict=word, rule=word, cited=word, agent=word, customer=word, conversation=word, release=word, reason=word
    )
    clause, params = where(question, KEYRING)
    plain, _ = where(
        Question(
            **dict.fromkeys(("journey", "verdict", "rule", "agent", "customer", "conversation", "release", "reason"), "a"),
            cited=("a@1" if "@" in word else "a"),
        ),
        KEYRING,
    )
    assert clause == plain
    assert params


def test_a_question_is_written_down_without_the_customers_id():
    assert Question(customer="C1001", journey="x").to_json(customer="ab") == {"customer": "ab", "journey": "x"}
    assert "C1001" not in repr(where(Question(customer="C1001"), KEYRING))


places = st.sets(st.builds(Place, st.integers(2024, 2030), st.integers(0, 10_000)), max_size=60)


@given(places, st.integers(1, 80), st.text(alphabet="abc019", min_size=1, max_size=8), st.randoms())
def test_a_sample_depends_on_population_seed_and_size_alone(population, size, seed, random):
    ordered = sorted(population)
    shuffled = list(ordered)
    random.shuffle(shuffled)
    drawn = sampling.draw(ordered, size, seed)
    assert drawn == sampling.draw(shuffled, size, seed)
    assert len(drawn) == min(size, len(ordered))
    assert set(drawn) <= population
    assert set(sampling.draw(ordered, max(1, size - 1), seed)) <= set(drawn)
    assert sampling.fingerprint(ordered) == sampling.fingerprint(shuffled)


def test_a_sample_can_be_drawn_with_a_few_lines_of_another_program():
    population = [Place(2026, number) for number in range(500)]
    ranked = sorted(range(500), key=lambda n: hashlib.sha256(b"tightrope-sample-v1\x00s1\x00" + f"2026/{n}".encode()).digest())
    assert [place.index for place in sampling.draw(population, 25, "s1")] == sorted(ranked[:25])


def test_every_record_has_the_same_chance():
    counts = [0] * 20
    for seed in range(1000):
        for place in sampling.draw([Place(2026, n) for n in range(20)], 5, str(seed)):
            counts[place.index] += 1
    assert all(180 < count < 320 for count in counts)


@pytest.mark.parametrize(("size", "seed"), [(0, "s"), (-1, "s"), (5, "")])
def test_a_sample_without_size_or_seed_is_refused(size, seed):
    with pytest.raises(QuestionInvalid):
        sampling.draw([Place(2026, 1)], size, seed)


def test_the_working_papers_open_in_a_spreadsheet_without_running_anything():
    draft = turn("1-2", 1, margin(date(2026, 5, 4), date(2024, 1, 10)))
    leaf = {
        "ts": "2026-05-04T02:31:00.000Z",
        "event": "=HYPERLINK(1)",
        "conv": None,
        "turn": 1,
        "release": "@x",
        "facts": json.loads(json.dumps(dict(draft.facts))),
    }
    row = row_of(Source(Place(2026, 2), UUID(int=1), leaf, None, None, None, None))
    sample = Sample(
        {}, "a", datetime(2026, 5, 5, tzinfo=UTC), "s", 1, 1, "ab", "2026/2", "tightrope audit find", (Hit(row, "-1"),)
    )
    cells = list(csv.reader(io.StringIO(sampling.papers_csv(sample).decode("utf-8-sig"))))[1]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    assert "margin_eligibility=not_eligible" in " ".join(cells)
    assert json.loads(sampling.papers_json(sample))["sample"][0]["place"] == "2026/2"


def entry(draft) -> Entry:
    leaf = {
        "ts": "2026-05-04T02:31:00.000Z",
        "conv": str(UUID(int=2)),
        "host": "h",
        "build": "0.1.0",
        "release": "r-1",
        "facts": dict(draft.facts),
    }
    return Entry(
        UUID(int=1),
        Place(2026, 2),
        datetime(2026, 5, 4, 2, 31, tzinfo=UTC),
        str(draft.event),
        draft.turn,
        leaf,
        json.loads(payload_bytes(draft.payload)),
        None,
    )


def test_open_telemetrys_names():
    told = list(profiles.lines("otel-genai", entry(turn("1-2", 1, cited("fees", "v3")))))
    details = told[0]["attributes"]
    assert told[0]["event_name"] == "gen_ai.client.inference.operation.details"
    assert details["gen_ai.response.model"] == "qwen2.5-14b-instruct@3f9c"
    assert details["gen_ai.usage.output_tokens"] == 9
    assert details["gen_ai.input.messages"] == [{"role": "user", "parts": [{"type": "text", "content": "佣金多少"}]}]
    assert details["tightrope.audit.place"] == "2026/2"
    results = list(profiles.lines("otel-genai", entry(turn("1-2", 1, margin(date(2026, 5, 4), date(2024, 1, 10))))))
    assert {line["event_name"] for line in results} == {"gen_ai.evaluation.result"}
    assert results[-1]["attributes"]["gen_ai.evaluation.score.label"] == "not_eligible"


def test_ocsfs_names():
    (told,) = profiles.lines("ocsf", entry(turn("1-2", 1, cited("fees", "v3"))))
    assert (told["class_uid"], told["category_uid"], told["type_uid"]) == (6003, 6, 600399)
    assert told["ai_model"] == {
        "name": "qwen2.5-14b-instruct",
        "ai_provider": "Internal",
        "version": "3f9c",
    }
    assert told["message_context"]["prompt_tokens"] == 812
    (failed,) = profiles.lines(
        "ocsf", entry(turn("1-2", 1, margin(date(2026, 5, 4), date(2024, 1, 10)), failure="AssistantFailed"))
    )
    assert failed["status_id"] == 2
    assert "ai_model" not in failed


def test_masked_exports_need_no_right_and_unmasked_ones_do(settings):
    order = {"question": Question(), "target": Path("x")}
    assert refusal(settings, Order(**order, who="anybody")) is None
    assert refusal(settings, Order(**order, who="anybody", unmasked=True, reason="a good reason"))[0] == "no_right"
    granted = settings.model_copy(update={"audit_unmasked_readers": " chief ,second"})
    assert refusal(granted, Order(**order, who="chief", unmasked=True, reason="a good reason")) is None
    assert refusal(granted, Order(**order, who="chief", unmasked=True, reason="        "))[0] == "no_reason"


def _left_early(target: Path) -> None:
    with Bundle(target) as bundle:
        bundle.write("a/b", b"x")
        raise RuntimeError


def _overtaken(target: Path) -> None:
    with Bundle(target) as bundle:
        bundle.write("a", b"x")
        target.mkdir()
        bundle.finish({})


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_a_bundle_that_is_left_early_leaves_nothing(tmp_path: Path, name):
    with pytest.raises(RuntimeError):
        _left_early(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_a_bundle_does_not_take_a_place_that_was_taken_meanwhile(tmp_path: Path, name):
    with pytest.raises(ExportRefused, match="came to exist"):
        _overtaken(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert list((tmp_path / name).iterdir()) == []
