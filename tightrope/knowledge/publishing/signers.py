"""Who may sign documents: `knowledge_base/signers.json`. Demo keys are trusted in the demo and nowhere else."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal, get_args

from tightrope.knowledge.errors import DocumentInvalid
from tightrope.knowledge.models import LANGUAGES, Language
from tightrope.release.demo_keys import DEMO_KEY_IDS
from tightrope.release.signing import key_id

Duty = Literal["maker", "checker"]
"""The maker answers for the wording, the checker that somebody else has read it against the rules it cites."""
DUTIES: tuple[Duty, ...] = get_args(Duty)
FILE = "signers.json"


@dataclass(frozen=True)
class Signer:
    """Somebody whose key counts."""

    key_id: str
    person: str
    """The same for every key of one person: maker and checker must be two people, not two keys."""
    titles: Mapping[Language, str]
    """What readers of the page see instead of a name."""
    may: frozenset[Duty]
    until: date | None
    """Last Shanghai day on which this key signed; None while the person is in office. Documents signed before stay approved."""

    @property
    def demo(self) -> bool:
        """Whether everybody can sign with this key."""
        return self.key_id in DEMO_KEY_IDS


def load_signers(path: Path, *, production: bool) -> dict[str, Signer]:
    """The signers by the id of their key.

    Args:
        production: leave out demo keys, whatever the file says.

    Raises:
        DocumentInvalid: there is no such file or it is not of this form.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["signers"]
        signers = [_signer(row) for row in rows]
    except FileNotFoundError:
        raise DocumentInvalid(f"{path.name}: missing; it names the keys that may sign (knowledge_base/README.md)") from None
    except (KeyError, TypeError, ValueError) as error:
        raise DocumentInvalid(f"{path.name}: {error}; its form is in knowledge_base/README.md") from None
    return {signer.key_id: signer for signer in signers if not (production and signer.demo)}


def _signer(row: Any) -> Signer:
    named = key_id(base64.b64decode(row["public_key"], validate=True))
    duties = frozenset(row["may"])
    if row["key_id"] != named:
        raise ValueError(f"the public key of {row['person']!r} has the id {named}, not {row['key_id']}")
    if not duties or not duties <= set(DUTIES):
        raise ValueError(f"{row['person']!r} may be maker or checker, found {sorted(duties)}")
    if not isinstance(row["person"], str) or not row["person"].strip():
        raise ValueError("a signer has no person")
    until = date.fromisoformat(row["until"]) if row.get("until") else None
    return Signer(named, row["person"], {language: str(row["titles"][language]) for language in LANGUAGES}, duties, until)
