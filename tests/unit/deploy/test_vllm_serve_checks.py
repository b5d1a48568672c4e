"""serve.sh starts only what was imported: attacks on the folder between import and start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from model_folder import REVISION, make_folder
from vllm_files import PROFILES, env_of, serve

from tightrope.generation import model_files

PROFILE = next(path for path in PROFILES if path.stem == "14b-a100-80")


@pytest.fixture
def imported(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A folder as `tightrope model import` leaves it, and the environment that starts it; vLLM is a command that says its arguments."""
    folder = make_folder(tmp_path / "model")
    found = model_files.survey(folder)
    manifest = model_files.make(
        folder, found, name="qwen2.5-14b-instruct", repository="Qwen/Qwen2.5-14B-Instruct", revision=REVISION
    )
    site = {
        "MODEL_DIR": str(folder),
        "TIGHTROPE_MODEL_FINGERPRINT": manifest.sha256,
        "VLLM_API_KEY": "key-of-a-test",
        "VLLM": "/bin/echo",
        "SOCKET": str(tmp_path / "model.sock"),
    }
    return folder, {**env_of(PROFILE), **site}


def test_the_imported_model_is_served(imported: tuple[Path, dict[str, str]]) -> None:
    folder, environment = imported
    done = serve(**environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        f"serve {folder} --served-model-name qwen2.5-14b-instruct@{environment['TIGHTROPE_MODEL_FINGERPRINT'][:12]}"
    )
    assert "key-of-a-test" not in done.stdout + done.stderr


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


def relist(folder: Path) -> None:
    """Other weights, and a list that names them: the manifest still names the old list."""
    flip(folder / "model.safetensors")
    (folder / "SHA256SUMS").write_text(
        "".join(f"{digest}  {name}\n" for name, digest in sorted(model_files.survey(folder).hashes.items())), encoding="utf-8"
    )


def exchange(folder: Path) -> None:
    """Everything made anew: it is a good import, of another model."""
    flip(folder / "model.safetensors")
    model_files.make(folder, model_files.survey(folder), name="qwen2.5-14b-instruct", repository="x/y", revision=REVISION)


def link(folder: Path) -> None:
    (folder / "config.json").rename(folder.parent / "config.json")
    (folder / "config.json").symlink_to(folder.parent / "config.json")


ATTACKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a bit of the weights": (lambda folder: flip(folder / "model.safetensors"), "files are altered"),
    "the chat template": (lambda folder: grow(folder / "tokenizer_config.json"), "files are altered"),
    "a file more": (lambda folder: (folder / "modeling.py").write_text("import os"), "missing or too many"),
    "a file more in a folder": (
        lambda folder: ((folder / "x").mkdir(), (folder / "x" / "SHA256SUMS").write_text("")),
        "missing or too many",
    ),
    "a file less": (lambda folder: (folder / "generation_config.json").unlink(), "missing or too many"),
    "a link": (link, "links"),
    "weights and list": (relist, "SHA256SUMS is not the manifest's"),
    "all of it": (exchange, "another hash"),
    "a manifest by hand": (lambda folder: grow(folder / "tightrope-model.json"), "another hash"),
    "no manifest": (lambda folder: (folder / "tightrope-model.json").unlink(), "not the approved model|No such file"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_anything_else_is_not_served(imported: tuple[Path, dict[str, str]], attack: str) -> None:
    folder, environment = imported
    change, says = ATTACKS[attack]
    change(folder)
    done = serve(**environment)
    assert done.returncode != 0
    assert done.stdout == ""
    assert any(one in done.stderr for one in says.split("|")), done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("MODEL", "qwen2.5-7b-instruct", "which the profile"),
        ("QUANTIZATION", "awq", "weights are not of the profile's form"),
        ("MODEL_DIR", "/nowhere", "no such folder"),
        ("VLLM_API_KEY", "", "VLLM_API_KEY"),
    ],
)
def test_a_profile_for_another_model_is_not_started(
    imported: tuple[Path, dict[str, str]], variable: str, value: str, says: str
) -> None:
    done = serve(**{**imported[1], variable: value})
    assert done.returncode != 0
    assert done.stdout == ""
    assert says in done.stderr
