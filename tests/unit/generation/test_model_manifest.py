"""Import of a model: what is refused, what its manifest says, and that nothing can change afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_folder import APACHE, CONFIG, REVISION, make_folder, safetensors
from typer.testing import CliRunner

from tightrope.cli.main import app
from tightrope.generation import model_files
from tightrope.generation.manifest import ModelManifest, ModelRefused, read_sums, sums

QWEN = "Qwen LICENSE AGREEMENT\n\nQwen LICENSE AGREEMENT Release Date: September 19, 2024"
RESEARCH = "Qwen RESEARCH LICENSE AGREEMENT\n\nfor NON-COMMERCIAL PURPOSES ONLY"
NAMES = {"name": "qwen2.5-14b-instruct", "repository": "Qwen/Qwen2.5-14B-Instruct", "revision": REVISION}
INDEX = json.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})


def imported(folder: Path, **names: str) -> ModelManifest:
    return model_files.make(folder, model_files.survey(folder), **{**NAMES, **names})


def test_the_same_files_give_the_same_name_anywhere(tmp_path: Path) -> None:
    one, other = make_folder(tmp_path / "a"), make_folder(tmp_path / "b" / "c")
    assert imported(one) == imported(other)
    assert imported(one).served_name == f"qwen2.5-14b-instruct@{imported(one).sha256[:12]}"


def test_an_imported_folder_is_what_it_was(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "m")
    made = imported(folder)
    for expected in ("", made.sha256, made.sha256[:12]):
        assert model_files.check(folder, model_files.survey(folder), expected) == made


@pytest.mark.parametrize("expected", ["0" * 64, "0" * 12, "abc"])
def test_another_model_than_expected_is_refused(tmp_path: Path, expected: str) -> None:
    folder = make_folder(tmp_path / "m")
    made = imported(folder)
    with pytest.raises(ModelRefused, match="not the expected model"):
        model_files.check(folder, model_files.survey(folder), expected)
    with pytest.raises(ModelRefused, match="not the expected model"):
        model_files.check(folder, model_files.survey(folder), made.sha256[:11])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"LICENSE": RESEARCH}, "research only"),
        ({"LICENSE": "All rights reserved."}, "nobody here has read"),
        ({"LICENSE": None}, "no LICENSE file"),
        ({"LICENSE": b"\xff\xfe"}, "not text"),
        ({"config.json": json.dumps({**CONFIG, "hidden_size": 2048, "num_hidden_layers": 36})}, "Qwen2.5 3B"),
        ({"config.json": json.dumps({**CONFIG, "auto_map": {"AutoModel": "modeling.X"}})}, "auto_map"),
        ({"config.json": None}, "config.json is missing"),
        ({"config.json": "{"}, "config.json is not JSON"),
        ({"config.json": "[]"}, "config.json is not an object"),
        ({"tokenizer_config.json": "{}"}, "no chat template"),
        ({"tokenizer_config.json": None}, "tokenizer_config.json is missing"),
        ({"model.safetensors": None}, "no weights"),
        ({"model.safetensors": safetensors()[:-1]}, "should have"),
        ({"model.safetensors": safetensors() + b"x"}, "should have"),
        ({"model.safetensors": b"PK\x03\x04"}, "no safetensors file"),
        ({"pytorch_model.bin": b"\x80\x04"}, "may run code"),
        ({"modeling_qwen.py": "import os"}, "may run code"),
        ({".gitattributes": "x"}, "no model needs"),
        ({"model.safetensors.index.json": INDEX}, "weights are missing: model-1"),
        (
            {
                "model.safetensors.index.json": INDEX,
                "model-1.safetensors": safetensors(),
                "model-2.safetensors": safetensors(),
            },
            "does not name: model.safetensors",
        ),
    ],
)
def test_what_is_not_imported(tmp_path: Path, changes: dict[str, str | bytes | None], says: str) -> None:
    folder = make_folder(tmp_path / "m", **changes)
    with pytest.raises(ModelRefused, match=says):
        imported(folder)
    assert not model_files.has_manifest(folder)


@pytest.mark.parametrize(
    ("names", "says"),
    [({"name": "Qwen 14B"}, "name has"), ({"name": "../x"}, "name has"), ({"revision": "main"}, "full commit hash")],
)
def test_names_and_revisions_have_a_form(tmp_path: Path, names: dict[str, str], says: str) -> None:
    with pytest.raises(ModelRefused, match=says):
        imported(make_folder(tmp_path / "m"), **names)


def test_the_licence_of_the_72b_is_let_through_with_a_notice(tmp_path: Path) -> None:
    found = imported(make_folder(tmp_path / "m", LICENSE=QWEN), name="qwen2.5-72b-instruct").licence
    assert found.name == "Qwen License"
    assert "100 million" in found.notice


@pytest.mark.parametrize(("text", "name"), [(APACHE, "Apache-2.0"), ("MIT License\n\nCopyright", "MIT")])
def test_free_licences_need_no_notice(tmp_path: Path, text: str, name: str) -> None:
    found = imported(make_folder(tmp_path / "m", LICENSE=text)).licence
    assert (found.name, found.notice) == (name, "")


def test_a_template_in_a_file_of_its_own_counts(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "m", **{"tokenizer_config.json": "{}", "chat_template.jinja": "{{ messages }}"})
    same = make_folder(tmp_path / "n")
    assert imported(folder).chat_template_sha256 == imported(same).chat_template_sha256


def test_int4_weights_are_named_in_the_manifest(tmp_path: Path) -> None:
    config = json.dumps({**CONFIG, "quantization_config": {"quant_method": "awq", "bits": 4}})
    assert imported(make_folder(tmp_path / "m", **{"config.json": config})).quantization == "awq"


def test_links_are_not_followed(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "m")
    (folder / "extra.json").symlink_to("/etc/hostname")
    with pytest.raises(ModelRefused, match="link"):
        model_files.survey(folder)


def test_every_change_after_the_import_is_seen(tmp_path: Path) -> None:
    names = sorted(path.name for path in make_folder(tmp_path / "names").iterdir())
    for name in names:
        for change in ("altered", "gone"):
            folder = make_folder(tmp_path / f"{name}-{change}")
            imported(folder)
            path = folder / name
            if change == "gone":
                path.unlink()
            else:
                raw = path.read_bytes()
                path.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
            with pytest.raises(ModelRefused, match=name):
                model_files.check(folder, model_files.survey(folder))


@pytest.mark.parametrize("field", ["bytes", "files", "architecture", "quantization", "sums_sha256", "chat_template_sha256"])
def test_a_manifest_that_claims_something_else_is_refused(tmp_path: Path, field: str) -> None:
    folder = make_folder(tmp_path / "m")
    imported(folder)
    path = folder / "tightrope-model.json"
    data = json.loads(path.read_text())
    data[field] = 7 if isinstance(data[field], int) else "x"
    path.write_text(json.dumps(data, indent=2, sort_keys=True) + "\n")
    with pytest.raises(ModelRefused, match="does not say what lies there"):
        model_files.check(folder, model_files.survey(folder))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": 1, "repository": "", "revision": ""}', "not json"])
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    folder = make_folder(tmp_path / "m")
    imported(folder)
    (folder / "tightrope-model.json").write_text(text)
    with pytest.raises(ModelRefused, match="not one of ours"):
        model_files.check(folder, model_files.survey(folder))


def test_a_folder_without_its_list_is_refused(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "m")
    imported(folder)
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(ModelRefused, match="SHA256SUMS is missing"):
        model_files.check(folder, model_files.survey(folder))


names = st.text("abcXYZ019._-", min_size=1, max_size=20).map("m".__add__)
digests = st.integers(0, 2**256 - 1).map("{:064x}".format)


@settings(deadline=None)
@given(st.dictionaries(names, digests, max_size=20))
def test_the_list_reads_as_it_was_written(hashes: dict[str, str]) -> None:
    assert read_sums(sums(hashes)) == hashes


@pytest.mark.parametrize(
    "line", ["x  a", f"{'0' * 64} a", f"{'0' * 64}  ../a", f"{'0' * 64}  a\n{'0' * 64}  a", f"{'0' * 64}  /etc/passwd"]
)
def test_a_line_of_another_form_is_refused(line: str) -> None:
    with pytest.raises(ModelRefused, match="none of its own"):
        read_sums(line)


runner = CliRunner()


def command(folder: Path, *more: str):
    return runner.invoke(app, ["model", "import", str(folder), *more])


def test_the_command_imports_and_checks(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "qwen2.5-72b-instruct", LICENSE=QWEN)
    made = command(folder, "--repository", "Qwen/x", "--revision", REVISION)
    assert made.exit_code == 0, made.output
    assert "TIGHTROPE_MODEL_NAME=qwen2.5-72b-instruct@" in made.output
    assert "100 million" in made.output
    fingerprint = made.output.split("TIGHTROPE_MODEL_FINGERPRINT=")[1][:64]
    assert "Checked" in command(folder, "--expect", fingerprint).output
    assert command(folder, "--expect", "0" * 64).exit_code == 1
    (folder / "config.json").write_text("{}")
    spoilt = command(folder)
    assert spoilt.exit_code == 1
    assert "config.json" in spoilt.output


def test_the_command_says_what_it_needs(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "m")
    assert "--revision" in command(folder).output
    assert "no manifest yet" in command(folder, "--expect", "0" * 64).output
    assert command(tmp_path / "nowhere", "--repository", "x", "--revision", REVISION).exit_code == 1
