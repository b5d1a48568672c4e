"""A tiny random Qwen2 with a chat template, made in seconds: the real wire protocol and the real constrained decoding, without any knowledge.

    python tiny_qwen2.py FOLDER

Runs in the environment of `make llm-verify`, not in Tightrope's.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LINES = [
    '{"decision": "quote", "choices": [{"sentence": "1.1", "lead": ""}]}',
    '{"decision": "refuse", "choices": []}',
    "The settlement of shares bought on the Shanghai exchange takes place on the next trading day.",
    "How long does a transfer from the bank take? It takes one working day.",
    "在上海证券交易所买入的股票于下一个交易日完成交收。",
    "客户可以在交易日的九点到十五点之间转入资金。",
] * 20


def main(folder: Path) -> None:
    """Make tokenizer, configuration and weights; the same folder for the same versions."""
    byte_level = Tokenizer(models.BPE())
    byte_level.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    byte_level.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1500, special_tokens=SPECIALS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    byte_level.train_from_iterator(LINES, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=byte_level, eos_token=SPECIALS[2], pad_token=SPECIALS[0])
    tokenizer.chat_template = CHATML
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.convert_tokens_to_ids(SPECIALS[2]),
        pad_token_id=tokenizer.convert_tokens_to_ids(SPECIALS[0]),
    )
    Qwen2ForCausalLM(config).to(torch.float32).save_pretrained(folder, safe_serialization=True)
    (folder / "LICENSE").write_text("Made by tightrope's make llm-verify. Apache License, Version 2.0.\n", encoding="utf-8")
    print(json.dumps({"folder": str(folder), "vocabulary": len(tokenizer)}))  # noqa: T201 - a script's answer


if __name__ == "__main__":
    main(Path(sys.argv[1]))
