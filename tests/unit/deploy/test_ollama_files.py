"""deploy/ollama: nothing but loopback, nothing fetched."""

from __future__ import annotations

from vllm_files import VLLM, env_of

OLLAMA = VLLM.parent / "ollama"


def test_it_listens_on_loopback_and_sheds() -> None:
    given = env_of(OLLAMA / "ollama.env")
    assert given["OLLAMA_HOST"].startswith("127.0.0.1:")
    assert int(given["OLLAMA_MAX_QUEUE"]) <= 64
    unit = (OLLAMA / "tightrope-ollama.service").read_text(encoding="utf-8")
    assert "IPAddressDeny=any\nIPAddressAllow=localhost" in unit


def test_the_model_comes_from_a_file() -> None:
    lines = (OLLAMA / "Modelfile.7b").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("FROM")] == ["FROM ./model.gguf"]
    assert "PARAMETER temperature 0" in lines
