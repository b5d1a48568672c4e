"""Signed runs: who vouches for which run of which cases on which release (Ed25519, RFC 8032).

What is signed is a statement: the release, the hash of the flows, the hash of every case with its verdict, the counts, and the hash of the
whole run. `verify` recomputes all of it from the run; with the case files it also says which of them have changed since.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tightrope.uat import results
from tightrope.uat.models import Case

KIND: Final = "tightrope-acceptance-run/1"


class SignatureInvalid(ValueError):
    """The signature does not vouch for this run; says why."""


def new_key(path: Path) -> Ed25519PrivateKey:
    """A new signing key, written to a file that only its owner can read.

    Raises:
        FileExistsError: there is a file of that name; a key is never overwritten.
        OSError: it cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.parent.mkdir(parents=True, exist_ok=True)
    place = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(place, "wb") as file:
        file.write(pem)
    return key


def load_key(path: Path) -> Ed25519PrivateKey:
    """A signing key in PEM.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no Ed25519 key.
    """
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path} is no Ed25519 key")  # noqa: TRY004 - callers tell a wrong file, whatever is wrong with it
    return key


def statement(run: Mapping[str, Any], signer: str, at: str) -> dict[str, Any]:
    """What a signature vouches for.

    Args:
        signer: who signs, in words.
        at: when, ISO 8601 with zone.
    """
    return {
        "kind": KIND,
        "release": run["release"],
        "model": run["model"],
        "started": run["started"],
        "passed": run["passed"],
        "failed": run["failed"],
        "cases": {case["id"]: [case["digest"], "passed" if case["passed"] else "failed"] for case in run["cases"]},
        "run": results.digest(run),
        "signer": signer,
        "signed": at,
    }


def sign(run: Mapping[str, Any], key: Ed25519PrivateKey, signer: str, at: str) -> dict[str, Any]:
    """The signed statement, as JSON data."""
    said = statement(run, signer, at)
    public = _raw(key.public_key())
    return {
        "statement": said,
        "public_key": base64.b64encode(public).decode(),
        "key_id": key_id(public),
        "signature": base64.b64encode(key.sign(_text(said))).decode(),
    }


def verify(run: Mapping[str, Any], signed: Mapping[str, Any], trusted: Iterable[str] = ()) -> dict[str, Any]:
    """The statement, if the signature is good and the run is the one that was signed.

    Args:
        trusted: key ids that may sign; empty: any key, and the caller says which it was.

    Raises:
        SignatureInvalid: it is not.
    """
    try:
        said = dict(signed["statement"])
        public = base64.b64decode(signed["public_key"], validate=True)
        key = Ed25519PublicKey.from_public_bytes(public)
        key.verify(base64.b64decode(signed["signature"], validate=True), _text(said))
    except InvalidSignature:
        raise SignatureInvalid("the signature does not fit the statement: it was changed, or another key signed it") from None
    except (KeyError, TypeError, ValueError):
        raise SignatureInvalid("this is no signature of an acceptance run") from None
    names = set(trusted)
    if names and key_id(public) not in names:
        raise SignatureInvalid(f"the key {key_id(public)} is none that was named: {', '.join(sorted(names))}")
    if said != statement(run, said.get("signer", ""), said.get("signed", "")):
        raise SignatureInvalid("the run is not the one that was signed")
    return said


def changed(said: Mapping[str, Any], cases: Iterable[Case]) -> list[str]:
    """Ids of cases that are new, gone or different since the statement was signed."""
    then = {name: digest for name, (digest, _) in said["cases"].items()}
    now = {case.id: case.digest for case in cases}
    return sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))


def key_id(public: bytes) -> str:
    """How a key is named: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def _text(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
