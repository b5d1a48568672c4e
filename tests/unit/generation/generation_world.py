"""A scripted model server in this process and what asks it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from tightrope.generation import prompts
from tightrope.generation.client import ModelClient
from tightrope.generation.masking import mask
from tightrope.infra.settings import REPOSITORY, Settings
from tightrope.sandbox.model.api import create_app

MODEL = "qwen2.5-14b-instruct@3f9c1ab04e77"
FINGERPRINT = "3f9c1ab04e77"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["decision", "quotes"],
    "properties": {
        "decision": {"enum": ["answer", "refuse"]},
        "quotes": {
            "type": "array",
            "maxItems": 4,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["lead", "id"],
                "properties": {"lead": {"enum": ["", "另外，"]}, "id": {"enum": ["1.1", "1.2", "2.1"]}},
            },
        },
    },
}


@dataclass(frozen=True)
class Passage:
    """A published passage, cut."""

    title: str
    section: str
    sentences: Sequence[str]

    @property
    def text(self) -> str:
        return "\n".join(self.sentences)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


PASSAGES = (
    Passage("融资融券开通条件", "资产要求", ("申请前二十个交易日日均证券类资产不低于五十万元。", "从事证券交易满六个月。")),
    Passage("费用", "佣金", ("佣金按成交金额收取。",)),
)


def with_model(settings: Settings, **changes: Any) -> Settings:
    """Settings that name the scripted model."""
    named = {
        "model_url": "http://127.0.0.1:8000/v1",
        "model_name": MODEL,
        "model_fingerprint": FINGERPRINT,
        "model_key": SecretStr("k"),
        "model_seconds": 5.0,
    }
    return settings.model_copy(update={**named, **changes})


def server_and_client(settings: Settings, **changes: Any) -> tuple[FastAPI, ModelClient]:
    """A server with the expected name and a client whose settings differ by `changes`."""
    app = create_app(with_model(settings))
    return app, ModelClient(with_model(settings, **changes), transport=httpx.ASGITransport(app))


def prompt(question: str = "融资融券的资产要求是多少？") -> prompts.Prompt:
    """A prompt as the generative composer builds it."""
    return prompts.build(prompts.load(REPOSITORY / "prompts", "answer.v1"), question=mask(question), passages=PASSAGES)
