"""Maker and checker: two people sign the files of a document, and a changed byte voids both signatures.

Signatures of version v1 of the document x are in `approvals/x.v1.json` beside the documents. Each vouches for the hashes of all files of
that version, so that a translation cannot change after approval either. They are the only truth about approvals.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tightrope.infra.files import write_atomically
from tightrope.knowledge.errors import ApprovalRefused, DocumentInvalid
from tightrope.knowledge.models import SHANGHAI, Approval, Document
from tightrope.knowledge.publishing.signers import DUTIES, Duty, Signer
from tightrope.release.signing import SignatureInvalid, key_id, open_statement, sign_statement

KIND: Final = "tightrope-knowledge-approval/1"
FOLDER = "approvals"

Approvals = Mapping[str, Sequence[Any]]
"""Signed statements by `<document>.<version>`, as read from the files and not yet believed."""


@dataclass(frozen=True)
class Void:
    """A signature that does not count, and why."""

    key: str
    """`<document>.<version>`."""
    reason: str


def key_of(document: Document) -> str:
    """What the signatures of a document's version are filed under."""
    return f"{document.document_id}.{document.version}"


def statement(files: Mapping[str, str], key: str, duty: Duty, person: str, at: datetime) -> dict[str, Any]:
    """What a signature vouches for.

    Args:
        files: file name -> SHA-256 of all files of this version of the document.
        at: when, with zone.
    """
    return {
        "kind": KIND,
        "document": key,
        "files": dict(files),
        "duty": duty,
        "person": person,
        "signed": at.isoformat(timespec="seconds"),
    }


def files_of(documents: Iterable[Document]) -> dict[str, dict[str, str]]:
    """File names and hashes by document and version."""
    found: dict[str, dict[str, str]] = {}
    for document in documents:
        found.setdefault(key_of(document), {})[document.file_name] = document.sha256
    return found


def read_approvals(folder: Path) -> dict[str, list[Any]]:
    """Every file of `approvals/` below the folder; nothing is checked yet.

    Raises:
        DocumentInvalid: a file is not JSON or holds no list.
    """
    found: dict[str, list[Any]] = {}
    for path in sorted((folder / FOLDER).glob("*.json")):
        try:
            rows = json.loads(path.read_bytes())["approvals"]
        except (KeyError, TypeError, ValueError):
            rows = None
        if not isinstance(rows, list):
            raise DocumentInvalid(f"{FOLDER}/{path.name}: not a file of signatures; delete it and sign again") from None
        found[path.stem] = rows
    return found


def signed(
    documents: Sequence[Document], approvals: Approvals, signers: Mapping[str, Signer]
) -> tuple[list[Document], list[Void]]:
    """The documents with the approvals that count, and the signatures that do not."""
    files = files_of(documents)
    good: dict[str, list[tuple[Signer, Duty, datetime]]] = {}
    void: list[Void] = []
    for key, rows in approvals.items():
        if key not in files:
            void.append(Void(key, "there is no such document or version"))
            continue
        for row in rows:
            try:
                good.setdefault(key, []).append(_counted(row, key, files[key], signers))
            except SignatureInvalid as error:
                void.append(Void(key, str(error)))
    return [replace(document, approvals=_approvals(good.get(key_of(document), ()), document)) for document in documents], void


def _approvals(found: Iterable[tuple[Signer, Duty, datetime]], document: Document) -> tuple[Approval, ...]:
    return tuple(
        Approval(duty, signer.person, signer.titles[document.language], at.astimezone(SHANGHAI).date(), signer.key_id)
        for signer, duty, at in sorted(found, key=lambda item: (DUTIES.index(item[1]), item[2]))
    )


def _counted(row: Any, key: str, files: Mapping[str, str], signers: Mapping[str, Signer]) -> tuple[Signer, Duty, datetime]:
    said, signed_by = open_statement(row, "a document")
    if said.get("kind") != KIND or said.get("document") != key:
        raise SignatureInvalid("it was given for something else")
    signer = signers.get(signed_by)
    if signer is None:
        raise SignatureInvalid(f"the key {signed_by} may not sign here (signers.json; production refuses demo keys)")
    duty = next((duty for duty in DUTIES if duty == said.get("duty")), None)
    if duty is None or duty not in signer.may or said.get("person") != signer.person:
        raise SignatureInvalid(f"{signer.person} does not sign as {said.get('duty')}")
    if said.get("files") != files:
        raise SignatureInvalid(f"the files have changed since {signer.person} signed as {duty}")
    try:
        at = datetime.fromisoformat(str(said.get("signed")))
    except ValueError:
        raise SignatureInvalid("it has no time") from None
    if at.tzinfo is None:
        raise SignatureInvalid("its time has no zone")
    if signer.until is not None and at.astimezone(SHANGHAI).date() > signer.until:
        raise SignatureInvalid(f"{signer.person} signs no more since {signer.until}")
    return signer, duty, at


def approve(
    folder: Path,
    documents: Sequence[Document],
    key: str,
    duty: Duty,
    private: Ed25519PrivateKey,
    signers: Mapping[str, Signer],
    at: datetime,
) -> Path:
    """Sign one version of a document and keep the signature beside it; signatures that no longer count are dropped.

    Args:
        documents: all documents of the folder with the approvals that count (`signed`).

    Returns:
        The file of signatures.

    Raises:
        ApprovalRefused: no such document, a key that may not sign this, the same person twice, or a checker before the maker.
    """
    mine = [document for document in documents if key_of(document) == key]
    if not mine:
        raise ApprovalRefused(f"there is no document {key}")
    signer = signers.get(key_id(private.public_key().public_bytes_raw()))
    if signer is None:
        raise ApprovalRefused("this key is not in signers.json, or is a demo key in production; it may not sign")
    if duty not in signer.may:
        raise ApprovalRefused(f"{signer.person} may sign as {' or '.join(sorted(signer.may))}, not as {duty}")
    if signer.until is not None and at.astimezone(SHANGHAI).date() > signer.until:
        raise ApprovalRefused(f"{signer.person} signs no more since {signer.until}")
    before = mine[0].approvals
    if any(approval.duty == duty for approval in before):
        raise ApprovalRefused(f"{key} is signed by a {duty} already")
    if any(approval.person == signer.person for approval in before):
        raise ApprovalRefused(f"{signer.person} has signed {key} as the other; maker and checker are two people")
    if duty == "checker" and not before:
        raise ApprovalRefused(f"{key} has no maker's signature that counts; the maker signs first")
    files = files_of(mine)[key]
    path = folder / FOLDER / f"{key}.json"
    kept = [row for row in _rows(path) if _counts(row, key, files, signers)]
    made = sign_statement(statement(files, key, duty, signer.person, at), private)
    text = json.dumps({"approvals": [*kept, made]}, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    write_atomically(path, text.encode())
    return path


def _rows(path: Path) -> list[Any]:
    try:
        rows = json.loads(path.read_bytes())["approvals"]
    except (OSError, KeyError, TypeError, ValueError):
        return []
    return rows if isinstance(rows, list) else []


def _counts(row: Any, key: str, files: Mapping[str, str], signers: Mapping[str, Signer]) -> bool:
    try:
        _counted(row, key, files, signers)
    except SignatureInvalid:
        return False
    return True
