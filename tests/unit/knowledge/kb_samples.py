"""A knowledge base of one pair of documents in a folder, with two people who may sign it."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tightrope.knowledge.passages import read_documents
from tightrope.knowledge.publishing.approvals import approve
from tightrope.knowledge.publishing.signers import FILE, Duty, load_signers
from tightrope.release.signing import key_id

AT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
MAKER = Ed25519PrivateKey.from_private_bytes(b"m" * 32)
CHECKER = Ed25519PrivateKey.from_private_bytes(b"c" * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)

_TEXTS = {
    "zh": (
        "样例收费",
        "## 收费\n<!-- keywords: 多少钱 -->\n<!-- asked:\n做一笔要花多少\n-->\n样例业务的佣金为0.1%。\n样例业务每笔最低5元。\n",
    ),
    "en": (
        "Sample fees",
        "## Fees\n<!-- keywords: how much -->\n<!-- asked:\nwhat does one trade cost me\n-->\nThe sample commission is 0.1%.\n"
        "The sample minimum is CNY 5 per trade.\n",
    ),
}


def text(language: str, **fields: str) -> str:
    """One file; `fields` replace those of the front matter."""
    title, body = _TEXTS[language]
    head = {
        "id": "sample",
        "version": "v1",
        "language": language,
        "title": title,
        "topic": "fees",
        "audience": "public",
        "effective_from": "2026-09-01",
        "effective_to": "9999-12-31",
        "source": "own, 2026",
    } | fields
    lines = "".join(f"{key}: {value}\n" for key, value in head.items())
    return f"---\n{lines}---\n{body}"


def signer(private: Ed25519PrivateKey, person: str, *may: str, until: str | None = None) -> dict[str, object]:
    """An entry of signers.json."""
    public = private.public_key().public_bytes_raw()
    return {
        "key_id": key_id(public),
        "public_key": base64.b64encode(public).decode(),
        "person": person,
        "titles": {"zh": f"{person}职务", "en": f"title of {person}"},
        "may": list(may),
        "until": until,
    }


def write_signers(folder: Path, *rows: dict[str, object]) -> None:
    """Replace signers.json."""
    (folder / FILE).write_text(json.dumps({"signers": rows}), encoding="utf-8")


def base(folder: Path) -> Path:
    """The folder with the pair, unsigned, and its two signers."""
    folder.mkdir(parents=True, exist_ok=True)
    for language in ("zh", "en"):
        (folder / f"sample.{language}.md").write_text(text(language), encoding="utf-8")
    write_signers(folder, signer(MAKER, "li", "maker"), signer(CHECKER, "wang", "checker"))
    return folder


def sign(folder: Path, duty: Duty, private: Ed25519PrivateKey, key: str = "sample.v1", at: datetime = AT) -> None:
    """Sign as `tightrope kb approve` does."""
    signers = load_signers(folder / FILE, production=False)
    approve(folder, read_documents(folder), key, duty, private, signers, at)


def signed_base(folder: Path) -> Path:
    """The same, signed by both."""
    base(folder)
    sign(folder, "maker", MAKER)
    sign(folder, "checker", CHECKER)
    return folder
