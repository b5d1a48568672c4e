"""Training lines, thresholds, the classifier's fingerprint and its cache."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from understanding_data import DATA

from tightrope.understanding import classifier, evaluate, training
from tightrope.understanding.errors import TrainingDataError
from tightrope.understanding.features import features

FLOW_CLASSES = ["check_balance", "check_margin_eligibility", "decline_investment_advice", "explain_verdict"]


def write(folder, name, texts, lang="en"):
    (folder / f"{name}.jsonl").write_text("".join(json.dumps({"text": t, "lang": lang}) + "\n" for t in texts), encoding="utf-8")


@pytest.fixture
def small(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    write(folder, "check_balance", ["my balance", "show balance", "the balance please", "balance now"])
    write(folder, "search", ["what is a fee", "what is an etf", "what is a bond", "what is a fund"])
    return folder


def test_every_class_has_the_lines_it_needs_in_both_languages():
    counts = {}
    for example in training.lines(DATA):
        name = example.label.partition(".")[0]
        counts[name, example.lang] = counts.get((name, example.lang), 0) + 1
    for lang in ("zh", "en"):
        for name in [*FLOW_CLASSES, "talk_to_agent", "out_of_scope"]:
            assert counts[name, lang] >= 59, (name, lang)
        assert counts["search", lang] >= 150


def test_no_line_is_written_twice():
    seen = [example.text.lower() for example in training.lines(DATA)]
    assert len(seen) == len(set(seen))


def test_training_twice_gives_the_same_classifier(small):
    examples = training.lines(small)
    first, second = training.train(examples, "x"), training.train(examples, "x")
    assert np.array_equal(first.weights, second.weights)
    assert first.temperature == second.temperature


def test_a_small_classifier_tells_its_classes_apart(small):
    made = training.train(training.lines(small), "x")
    assert made.probabilities("balance of mine")["check_balance"] > 0.5
    assert made.probabilities("what is a share")["search"] > 0.5


@pytest.mark.parametrize("text", ["", "ünknown", "很久很久以前", "…", "balance " * 500])
def test_probabilities_add_up_to_one_for_any_text(small, text):
    found = training.train(training.lines(small), "x").probabilities(text)
    assert sum(found.values()) == pytest.approx(1)
    assert all(0 <= p <= 1 for p in found.values())


def test_the_fingerprint_changes_with_the_lines_and_with_nothing_else(small):
    before = training.fingerprint(small)
    (small / "heldout").mkdir()
    write(small / "heldout", "search", ["what is a share"])
    (small / "thresholds.json").write_text("{}")
    assert training.fingerprint(small) == before
    write(small, "search", ["what is a share"])
    assert training.fingerprint(small) != before


def test_a_second_start_takes_the_kept_classifier(small, tmp_path, monkeypatch):
    first = training.obtain(small, tmp_path / "cache")
    monkeypatch.setattr(training, "train", lambda *_: pytest.fail("trained again"))
    second = training.obtain(small, tmp_path / "cache")
    assert second.fingerprint == first.fingerprint
    assert second.probabilities("balance") == first.probabilities("balance")


def test_changed_lines_are_trained_anew(small, tmp_path):
    first = training.obtain(small, tmp_path / "cache")
    write(small, "search", ["what is a share", "what is a fee", "what is it"])
    assert training.obtain(small, tmp_path / "cache").fingerprint != first.fingerprint


@pytest.mark.parametrize("spoiled", [b"", b"PK\x03\x04 not an archive", b"\x80\x04."])
def test_a_spoiled_cache_is_replaced(small, tmp_path, spoiled):
    made = training.obtain(small, tmp_path / "cache")
    path = next((tmp_path / "cache").iterdir())
    path.write_bytes(spoiled)
    assert training.obtain(small, tmp_path / "cache").probabilities("x") == made.probabilities("x")
    assert classifier.load(path, made.fingerprint) is not None


def test_a_classifier_of_another_fingerprint_or_shape_is_not_loaded(small, tmp_path):
    made = training.train(training.lines(small), "one")
    path = tmp_path / "kept.npz"
    made.save(path)
    assert classifier.load(path, "one") is not None
    assert classifier.load(path, "two") is None
    assert classifier.load(tmp_path / "missing.npz", "one") is None
    crooked = training.train(training.lines(small), "one")
    object.__setattr__(crooked, "weights", crooked.weights[:-1])
    crooked.save(path)
    assert classifier.load(path, "one") is None


def test_a_cache_that_cannot_be_written_does_not_stop_the_start(small, tmp_path):
    (tmp_path / "cache").write_text("a file, not a folder")
    assert training.obtain(small, tmp_path / "cache").classes == ("check_balance", "search")


@pytest.mark.parametrize(
    "bad",
    [
        "not json",
        "[]",
        '{"text": "x"}',
        '{"text": 5, "lang": "en"}',
        '{"text": " ", "lang": "en"}',
        '{"text": "x", "lang": "fr"}',
    ],
)
def test_a_bad_line_is_named_with_its_file_and_number(small, bad):
    with (small / "search.jsonl").open("a") as out:
        out.write(bad + "\n")
    with pytest.raises(TrainingDataError, match=r"search\.jsonl:5"):
        training.lines(small)


def test_one_class_alone_is_refused(tmp_path):
    write(tmp_path, "search", ["what is a fee"])
    with pytest.raises(TrainingDataError, match="two classes"):
        training.lines(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"accept": 1, "advice": 1, "distress": 1}',
        '{"accept": 0.5, "advice": 1, "distress": 1, "clarify": 1}',
        '{"accept": 10001, "advice": 1, "distress": 1, "clarify": 1}',
    ],
)
def test_bad_thresholds_are_refused(tmp_path, content):
    with pytest.raises(TrainingDataError, match=r"thresholds\.json"):
        training.thresholds(tmp_path)
    (tmp_path / "thresholds.json").write_text(content)
    with pytest.raises(TrainingDataError, match=r"thresholds\.json"):
        training.thresholds(tmp_path)


def test_figures_are_never_features():
    found = features("我的账号是6222021234567890，余额1234.56 and 600519")
    assert not any(char.isdigit() for piece in found for char in piece)
    assert features("转账100元") == features("转账99999元")


def test_overconfident_scores_get_a_temperature_above_that_of_honest_ones():
    wanted = np.array([0, 1] * 50)
    right = np.where(np.eye(2, dtype=bool)[wanted], 1.0, -1.0)
    half = right.copy()
    half[:50] = half[:50, ::-1]
    assert training.calibrate(half, wanted) > training.calibrate(right, wanted)


def run_evaluation(monkeypatch, settings, arguments):
    monkeypatch.setattr(evaluate, "get_settings", lambda: settings)
    return evaluate.main(arguments)


def test_the_evaluation_prints_its_table_and_errors(monkeypatch, settings, capsys):
    assert run_evaluation(monkeypatch, settings, ["--errors"]) == 0
    printed = capsys.readouterr().out
    assert "talk_to_agent.distress" in printed
    assert "calibration error" in printed


def test_the_evaluation_refuses_lines_that_were_trained_on(monkeypatch, settings, tmp_path, capsys):
    copied = settings.model_copy(update={"project_dir": tmp_path / "project"})
    folder = copied.project_dir / "data" / "understanding"
    shutil.copytree(DATA, folder)
    shutil.copy(folder / "check_balance.jsonl", folder / "heldout" / "check_balance.jsonl")
    assert run_evaluation(monkeypatch, copied, []) == 1
    assert "training lines" in capsys.readouterr().err
