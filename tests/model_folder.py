"""A model's folder of a few hundred bytes, with everything that an import looks at."""

from __future__ import annotations

import json
import struct
from pathlib import Path

REVISION = "cf98f3b3bbb457ad9e2bb7baf9a0125b6b88caa8"
APACHE = "                                 Apache License\n                           Version 2.0, January 2004\n"
CONFIG = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 5120, "num_hidden_layers": 48}


def safetensors(content: bytes = b"\x00" * 8) -> bytes:
    """A file of one tensor."""
    head = json.dumps({"w": {"dtype": "F32", "shape": [len(content) // 4], "data_offsets": [0, len(content)]}}).encode()
    return struct.pack("<Q", len(head)) + head + content


def make_folder(folder: Path, **changes: str | bytes | None) -> Path:
    """The folder; `changes` replace files by name, None leaves one out."""
    files: dict[str, str | bytes | None] = {
        "LICENSE": APACHE,
        "config.json": json.dumps(CONFIG),
        "generation_config.json": "{}",
        "tokenizer.json": "{}",
        "tokenizer_config.json": json.dumps({"chat_template": "{{ messages }}"}),
        "model.safetensors": safetensors(),
        **changes,
    }
    folder.mkdir(parents=True)
    for name, content in files.items():
        if content is not None:
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder
