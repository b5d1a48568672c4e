"""Signs the demo's documents with the demo's keys. They vouch for nothing, are called so, and production refuses them."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from pathlib import Path

from tightrope.infra.files import write_atomically
from tightrope.knowledge.passages import read_documents
from tightrope.knowledge.publishing.approvals import approve, key_of
from tightrope.knowledge.publishing.signers import DUTIES, FILE, load_signers
from tightrope.release.demo_keys import DEMO_PEOPLE, demo_key
from tightrope.release.signing import key_id

_TITLES = (
    {"zh": "产品负责人（演示签名）", "en": "product owner (demo signature)"},
    {"zh": "合规审核（演示签名）", "en": "compliance reviewer (demo signature)"},
)


def demo_signers() -> str:
    """The text of `signers.json` for the demo."""
    rows = []
    for person, duty, titles in zip(DEMO_PEOPLE, DUTIES, _TITLES, strict=True):
        public = demo_key(person).public_key().public_bytes_raw()
        rows.append(
            {
                "key_id": key_id(public),
                "public_key": base64.b64encode(public).decode(),
                "person": person,
                "titles": titles,
                "may": [duty],
            }
        )
    return json.dumps({"signers": rows}, ensure_ascii=False, indent=2) + "\n"


def sign_demo(folder: Path, at: datetime) -> list[str]:
    """Sign every document of the folder that is not signed yet, as maker and as checker.

    Returns:
        The documents with versions that were signed.

    Raises:
        DocumentInvalid: a file breaks the rules.
    """
    if not (folder / FILE).exists():
        write_atomically(folder / FILE, demo_signers().encode())
    signers = load_signers(folder / FILE, production=False)
    done = []
    for person, duty in zip(DEMO_PEOPLE, DUTIES, strict=True):
        documents = read_documents(folder)
        for key in sorted({key_of(d) for d in documents if not any(a.duty == duty for a in d.approvals)}):
            approve(folder, documents, key, duty, demo_key(person), signers, at)
            done.append(key)
    return sorted(set(done))
