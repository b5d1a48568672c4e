"""`make rasa-verify` without a licence: says plainly that it did not run, and succeeds."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from tightrope.infra.settings import REPOSITORY

SCRIPT = REPOSITORY / "deploy" / "rasa" / "verify.sh"


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if key not in {"RASA_LICENSE", "RASA_PRO_LICENSE"}}
    return subprocess.run([SCRIPT], env=clean | environment, capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.parametrize("environment", [{}, {"RASA_LICENSE": ""}], ids=["unset", "empty"])
def test_without_a_licence_it_says_that_it_did_not_run_and_succeeds(environment: dict[str, str]) -> None:
    done = run(**environment)
    assert done.returncode == 0
    assert "DID NOT RUN" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("name", ["RASA_LICENSE", "RASA_PRO_LICENSE"])
def test_with_either_licence_it_does_run_and_fails_when_it_cannot(name: str, tmp_path: os.PathLike[str]) -> None:
    done = run(**{name: "not-a-key", "PYTHON": "/bin/false", "RASA_VERIFY_VENV": str(tmp_path)})
    assert done.returncode != 0
    assert "DID NOT RUN" not in done.stderr


def test_its_lock_pins_the_version_whose_schemas_are_checked_with_hashes() -> None:
    import rasa_schemas

    lock = (SCRIPT.parent / "requirements.lock").read_text(encoding="utf-8")
    assert f"rasa-pro=={rasa_schemas.VERSION} " in lock
    pins = re.findall(r"^[a-z0-9._-]+(?:\[[a-z,]+\])?==", lock, re.MULTILINE)
    assert len(pins) > 50
    assert lock.count("--hash=sha256:") >= len(pins)
