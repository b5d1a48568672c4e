"""Training lines, thresholds, the classifier's fingerprint and its cache."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from understanding_data import DATA

from tightrope.infra import encoder
from tightrope.infra.vectors import none
from tightrope.understanding import classifier, evaluate, fitting, training, vectors
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
    assert np.array_equal(first.intercept, second.intercept)


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
    before = training.fingerprint(small, None)
    (small / "heldout").mkdir()
    write(small / "heldout", "search", ["what is a share"])
    (small / "thresholds.json").write_text("{}")
    assert training.fingerprint(small, None) == before
    write(small, "search", ["what is a share"])
    assert training.fingerprint(small, None) != before


def test_a_second_start_takes_the_kept_classifier(small, tmp_path, monkeypatch):
    first = training.obtain(small, tmp_path / "cache")
    monkeypatch.setattr(training, "train", lambda *_: pytest.fail("trained again"))
    second = training.obtain(small, tmp_path / "cache")
    assert second.fingerprint == first.fingerprint
    assert second.probabilities("balance") == pytest.approx(first.probabilities("balance"), abs=0.01)


def test_changed_lines_are_trained_anew(small, tmp_path):
    first = training.obtain(small, tmp_path / "cache")
    write(small, "search", ["what is a share", "what is a fee", "what is it"])
    assert training.obtain(small, tmp_path / "cache").fingerprint != first.fingerprint


@pytest.mark.parametrize("spoiled", [b"", b"PK\x03\x04 not an archive", b"\x80\x04."])
def test_a_spoiled_cache_is_replaced(small, tmp_path, spoiled):
    made = training.obtain(small, tmp_path / "cache")
    path = next((tmp_path / "cache").iterdir())
    path.write_bytes(spoiled)
    assert training.obtain(small, tmp_path / "cache").probabilities("x") == pytest.approx(made.probabilities("x"), abs=0.01)
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
        '{"accept": 1, "clarify": 1}',
        '{"accept": 0.5, "second": 1, "clarify": 1}',
        '{"accept": 10001, "second": 1, "clarify": 1}',
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


def test_unseen_scores_become_probabilities_that_are_right_as_often_as_they_say():
    rng = np.random.default_rng(0)
    wanted = rng.integers(0, 2, 2000)
    right = rng.random(2000) < 0.7
    scores = np.where(np.eye(2, dtype=bool)[np.where(right, wanted, 1 - wanted)], 9.0, -9.0)
    turn, shift = fitting.calibrate(scores, wanted)
    assert classifier.softmax(scores @ turn + shift).max(axis=1).mean() == pytest.approx(right.mean(), abs=0.03)


def run_evaluation(monkeypatch, settings, arguments):
    monkeypatch.setattr(evaluate, "get_settings", lambda: settings)
    return evaluate.main(arguments)


def test_the_evaluation_prints_its_tables_and_errors(monkeypatch, settings, capsys, tmp_path):
    for path in (DATA / "development").glob("*.jsonl"):
        some = path.read_text(encoding="utf-8").splitlines(keepends=True)[-4:]
        (tmp_path / path.name).write_text("".join(some), encoding="utf-8")
    assert run_evaluation(monkeypatch, settings, ["--errors", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    for part in (
        "talk_to_agent.distress",
        "calibration error",
        "false starts",
        "95 % interval",
        "most frequent confusions",
        "worst errors",
    ):
        assert part in printed


def test_the_evaluation_refuses_lines_that_were_trained_on_and_an_empty_folder(monkeypatch, settings, tmp_path, capsys):
    for name in ("check_balance", "search"):
        shutil.copy(DATA / f"{name}.jsonl", tmp_path)
    assert run_evaluation(monkeypatch, settings, [str(tmp_path)]) == 1
    assert "training lines" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert run_evaluation(monkeypatch, settings, [str(tmp_path / "empty")]) == 2


@pytest.mark.parametrize(
    ("right", "total", "low", "high"), [(10, 10, 0.722, 1.0), (396, 400, 0.975, 0.996), (0, 10, 0.0, 0.278), (0, 0, 0.0, 1.0)]
)
def test_wilsons_interval_is_that_of_the_tables(right, total, low, high):
    assert evaluate.wilson(right, total) == pytest.approx((low, high), abs=0.001)


def test_the_kept_vectors_and_classifier_are_those_of_the_lines():
    """Fails after any change of lines or of the code that trains: `make understanding` builds both anew."""
    found = encoder.obtain()
    kept = vectors.load(DATA, found.name)
    assert kept.take(vectors.keys_of([example.text for example in training.lines(DATA)])) is not None
    assert classifier.load(DATA / training.MODEL, training.fingerprint(DATA, found), found, kept) is not None


def test_the_kept_files_stay_small():
    size = sum((DATA / name).stat().st_size for name in (training.MODEL, vectors.FILE))
    assert size < 440 * len(training.lines(DATA)), "bytes a training line"
    assert size < 10_000_000, (
        "every clone carries them, and each change of lines adds another: past this, keep fewer lines or fewer bits"
    )


class Letters:
    """An encoder for tests: counts letters."""

    name = "letters"
    dimensions = 26

    def __init__(self):
        self.asked = []

    def encode(self, texts, kind, *, cap=128):
        self.asked += texts
        rows = np.array([[text.count(chr(97 + i)) + 0.01 for i in range(26)] for text in texts], dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_vectors_that_are_kept_are_not_made_again(small):
    found = Letters()
    texts = [example.text for example in training.lines(small)]
    rows, missing = vectors.gather(texts, found, none("letters"))
    assert missing == len(texts) == len(found.asked)
    vectors.save(small, "letters", texts, rows)
    again, missing = vectors.gather([*texts[::-1], "new"], found, vectors.load(small, "letters"))
    assert missing == 1
    assert np.array_equal(again[:-1], rows[::-1])
    assert vectors.load(small, "other").take(vectors.keys_of(texts)) is None
    (small / vectors.FILE).write_bytes(b"PK spoiled")
    assert len(vectors.load(small, "letters").keys) == 0


def test_a_classifier_with_meaning_comes_back_as_it_was_kept(small, tmp_path):
    found = Letters()
    texts = [example.text for example in training.lines(small)]
    vectors.save(small, "letters", texts, vectors.gather(texts, found, none("letters"))[0])
    kept = vectors.load(small, "letters")
    made = training.train(training.lines(small), "x", found, kept)
    made.save(tmp_path / "kept.npz")
    loaded = classifier.load(tmp_path / "kept.npz", "x", found, kept)
    for text in ("my balance", "what is a share", "", "zzz"):
        assert loaded.probabilities(text) == pytest.approx(made.probabilities(text), abs=0.02)
    assert classifier.load(tmp_path / "kept.npz", "x", found, none("letters")) is None


def test_without_an_encoder_words_alone_decide(small, tmp_path):
    made = training.obtain(small, tmp_path / "cache", None)
    assert made.meaning is None
    assert made.fingerprint != training.fingerprint(small, Letters())
    assert made.probabilities("my balance please")["check_balance"] > 0.5


def test_what_leaving_out_a_block_gives_is_what_training_without_it_gives():
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(["balance", "fee", "share", "bond", "cash", "rate", "fund"], 3)) for _ in range(40)]
    labels = ["a" if "balance" in text or "cash" in text else "b" for text in texts]
    places = fitting._blocks(labels, ["en"] * 40)
    assert sorted(place for block in places for place in block.tolist()) == list(range(40))
    assert max(map(len, places)) <= 10
    gram = rng.normal(size=(40, 6)) @ rng.normal(size=(6, 40))
    gram = gram @ gram.T + np.eye(40)
    targets = rng.choice([-1.0, 1.0], size=(40, 2))
    inverse = np.linalg.inv(gram)
    found = fitting._left_out(inverse, targets, inverse @ targets, places)
    for block in places:
        rest = np.setdiff1d(np.arange(40), block)
        wanted = gram[np.ix_(block, rest)] @ np.linalg.solve(gram[np.ix_(rest, rest)], targets[rest])
        assert np.allclose(found[block], wanted)
