"""Keys and signatures: one way for everything that a person vouches for (Ed25519, RFC 8032).

A signature vouches for a statement: JSON with sorted keys and no blanks, UTF-8. What the statement says is for its user: an acceptance run
(`tightrope/uat/signing.py`), a knowledge document (`tightrope/knowledge/publishing/approvals.py`).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


class SignatureInvalid(ValueError):
    """The signature does not vouch for what it lies beside; says why."""


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


def key_id(public: bytes) -> str:
    """How a key is named: the first 16 hex digits of the SHA-256 of its 32 raw bytes."""
    return hashlib.sha256(public).hexdigest()[:16]


def sign_statement(said: Mapping[str, Any], key: Ed25519PrivateKey) -> dict[str, Any]:
    """The statement with its signature, as JSON data."""
    public = key.public_key().public_bytes_raw()
    return {
        "statement": dict(said),
        "public_key": base64.b64encode(public).decode(),
        "key_id": key_id(public),
        "signature": base64.b64encode(key.sign(_text(said))).decode(),
    }


def open_statement(signed: Any, what: str) -> tuple[dict[str, Any], str]:
    """The statement and the id of the key that signed it, if the signature is good.

    The id is computed from the key, never read from the file.

    Args:
        what: what ought to have been signed, for the message: "an acceptance run".

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
        raise SignatureInvalid(f"this is no signature of {what}") from None
    return said, key_id(public)


def _text(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
