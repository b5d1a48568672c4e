"""deploy/vllm: every profile's command line, and the files around it, against the reference (C2, C3, C6, C8, C9)."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from vllm_files import FINGERPRINT, PROFILES, SITE, VLLM, env_of, flags_of, serve

from tightrope.generation.capacity.figures import published
from tightrope.generation.capacity.planning import memory

each = pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
PAIRINGS = {one.id: one for one in published().pairings}
FLAGS_OF_C2 = {
    "--served-model-name", "--tensor-parallel-size", "--max-model-len", "--gpu-memory-utilization", "--dtype", "--max-num-seqs",
    "--max-num-queued-reqs", "--generation-config", "--seed", "--structured-outputs-config", "--fingerprint-mode", "--fingerprint-value",
    "--enable-request-id-headers", "--enable-prompt-tokens-details", "--disable-fastapi-docs", "--max-logprobs", "--uds", "--shutdown-timeout",
}  # fmt: skip
METRICS_OF_C6 = {
    "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc", "vllm:request_success_total", "vllm:admission_rejections_total",
    "vllm:num_preemptions_total", "vllm:time_to_first_token_seconds_bucket", "vllm:e2e_request_latency_seconds_bucket",
}  # fmt: skip


def test_there_is_a_profile_for_each_size_of_the_issue() -> None:
    names = {path.stem for path in PROFILES}
    assert {"7b-a10", "14b-awq-a100-40", "14b-a100-80", "32b-2xa100-80", "72b-4xa100-80"} <= names
    assert all(env_of(path)["PROFILE"] == path.stem for path in PROFILES)


@each
def test_a_profile_has_the_flags_of_the_reference_and_no_other(profile: Path) -> None:
    flags, given = flags_of(profile), env_of(profile)
    assert flags.keys() == FLAGS_OF_C2
    assert flags["--served-model-name"] == f"{given['MODEL']}@{FINGERPRINT[:12]}"
    assert (flags["--fingerprint-mode"], flags["--fingerprint-value"]) == ("custom", FINGERPRINT)
    assert flags["--generation-config"] == "vllm"
    assert flags["--dtype"] == ("float16" if given["QUANTIZATION"] == "awq" else "bfloat16")
    assert flags["--uds"] == "/run/tightrope-model/0.sock"
    assert json.loads(flags["--structured-outputs-config"]) == {"backend": "xgrammar", "disable_any_whitespace": True}
    assert int(flags["--max-model-len"]) <= 32_768, "beyond the native length Qwen needs YaRN, which costs quality"
    assert int(flags["--max-num-queued-reqs"]) > int(flags["--max-num-seqs"]), "the bound counts running requests too"
    assert int(flags["--shutdown-timeout"]) > 0


@each
def test_a_profile_fits_its_gpus(profile: Path) -> None:
    given = env_of(profile)
    if given["PROFILE"] not in PAIRINGS:
        assert given["PROFILE"] == "72b-awq-2xa100-40"
        return
    pairing = PAIRINGS[given["PROFILE"]]
    assert int(given["GPUS"]) == pairing.gpus
    assert pairing.model.lower() == given["MODEL"]
    room = memory(pairing).kv_tokens
    assert room >= 4 * int(given["MAX_MODEL_LEN"])
    assert room >= int(given["MAX_NUM_SEQS"]) * 2_100, "all running requests of the planned length fit"


def test_a_misspelt_flag_would_be_found() -> None:
    """The reference's own list of what is gone or forbidden."""
    text = (VLLM / "serve.sh").read_text(encoding="utf-8")
    for gone in ("--rope-scaling", "--guided-decoding-backend", "--disable-log-requests", "--trust-remote-code", "--trust-request-chat-template",
                 "--api-key", "--host", "--enable-log-requests", "--kv-cache-dtype"):  # fmt: skip
        assert gone not in text, gone


@pytest.mark.parametrize(
    "missing", ["PROFILE", "MODEL", "QUANTIZATION", "GPUS", "MAX_IN_FLIGHT", "MODEL_DIR", "TIGHTROPE_MODEL_FINGERPRINT"]
)
def test_an_incomplete_profile_does_not_start(missing: str) -> None:
    given = {**env_of(PROFILES[0]), **SITE}
    del given[missing]
    done = serve("--print", **given)
    assert done.returncode == 2
    assert missing in done.stderr


@pytest.mark.parametrize("variable", ["PYTHONOPTIMIZE", "VLLM_SERVER_DEV_MODE", "VLLM_ALLOW_INSECURE_SERIALIZATION"])
def test_a_variable_that_removes_checks_stops_the_start(variable: str) -> None:
    done = serve("--print", **env_of(PROFILES[0]), **SITE, **{variable: "1"})
    assert done.returncode == 2
    assert variable in done.stderr


def test_a_short_fingerprint_is_none() -> None:
    done = serve("--print", **env_of(PROFILES[0]), **{**SITE, "TIGHTROPE_MODEL_FINGERPRINT": "3f9c1ab04e77"})
    assert done.returncode == 2


def test_nothing_is_fetched_and_nothing_reported() -> None:
    common = env_of(VLLM / "common.env")
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "VLLM_NO_USAGE_STATS", "DO_NOT_TRACK"):
        assert common[name] == "1"
    assert common["VLLM_HOST_IP"] == "127.0.0.1"
    assert "PYTHONOPTIMIZE" not in common
    assert "VLLM_SERVER_DEV_MODE" not in common


def test_the_unit_gives_what_serve_demands_and_opens_nothing() -> None:
    unit = (VLLM / "tightrope-model@.service").read_text(encoding="utf-8")
    for words in ("EnvironmentFile=/etc/tightrope-model/profile.env", "EnvironmentFile=/etc/tightrope-model/key", "IPAddressDeny=any",
                  "IPAddressAllow=localhost", "NoNewPrivileges=yes", "Restart=always"):  # fmt: skip
        assert words in unit
    stop = int(re.search(r"TimeoutStopSec=(\d+)", unit)[1])
    assert stop > int(flags_of(PROFILES[0])["--shutdown-timeout"])


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed here")
def test_systemd_can_read_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "tightrope-model@0.service"
    text = (VLLM / "tightrope-model@.service").read_text(encoding="utf-8")
    unit.write_text(text.replace("/opt/tightrope-model/serve.sh", "/bin/true"), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], check=False, capture_output=True, text=True, timeout=60
    )
    about_us = [line for line in done.stderr.splitlines() if "tightrope-model" in line]
    assert not about_us, about_us


def test_the_containers_model_has_no_network_and_mounts_read_only() -> None:
    services = yaml.safe_load((VLLM / "compose.yml").read_text(encoding="utf-8"))["services"]
    model = services["model"]
    assert model["network_mode"] == "none"
    assert not any("ports" in one for one in services.values())
    assert all(one["read_only"] and one["cap_drop"] == ["ALL"] for one in services.values())
    assert "${MODEL_DIR:?the imported folder}:/model:ro" in model["volumes"]
    demanded = set(re.search(r"for name in (PROFILE [A-Z_ ]+);", (VLLM / "serve.sh").read_text())[1].split())
    assert demanded <= model["environment"].keys()


def locations(text: str) -> dict[str, set[str]]:
    """Port -> paths that the proxy lets through."""
    servers = re.split(r"\n  server \{", text)[1:]
    return {re.search(r"listen (\S+);", one)[1]: set(re.findall(r"location = (\S+)", one)) for one in servers}


def test_the_proxy_lets_through_what_the_assistant_and_monitoring_need() -> None:
    text = (VLLM / "nginx.conf").read_text(encoding="utf-8")
    assert locations(text) == {
        "127.0.0.1:8000": {"/v1/chat/completions", "/v1/models"},
        "127.0.0.1:8001": {"/health", "/version", "/metrics"},
    }
    assert text.count("location / { return 404; }") == 2
    assert "$request_body" not in text
    assert "$request " not in text


def test_alarms_use_names_that_vllm_has() -> None:
    rules = yaml.safe_load((VLLM / "alarms.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    used = {name for rule in rules for name in re.findall(r"vllm:\w+", rule["expr"])}
    assert used == METRICS_OF_C6
    assert all(rule["annotations"]["do"] and rule["labels"]["severity"] in {"page", "warn"} for rule in rules)
