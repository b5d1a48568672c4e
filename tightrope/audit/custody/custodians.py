"""Who may act on keys and holds: the file of custodians. Demo keys are trusted in the demo and nowhere else.

There are two offices, such as compliance and data protection, and every custodian belongs to one. What takes two people takes one of each: so neither
two keys of one person nor two people under one head are two people. A restricted key is split between the offices (sharing.py).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tightrope.audit.errors import CustodiansInvalid, CustodyRefused
from tightrope.release.demo_keys import DEMO_KEY_IDS
from tightrope.release.signing import key_id

OFFICES: Final = 2
_BOX = b"tightrope-custody-box-v1"


@dataclass(frozen=True, slots=True)
class Custodian:
    """Somebody who may act on keys and holds.

    Attributes:
        public_key: Ed25519, 32 raw bytes; signs.
        box_key: X25519, 32 raw bytes; receives shares. Made from the same private key.
        person: the same for every key of one person.
        until: last day of office; None while in office. What was signed before stays valid.
    """

    key_id: str
    public_key: bytes
    box_key: bytes
    person: str
    office: str
    until: date | None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the public key in hex: how the clear part of a record names the custodian. It begins with the key id."""
        return hashlib.sha256(self.public_key).hexdigest()

    def in_office(self, day: date) -> bool:
        """Whether the key counts on that day."""
        return self.until is None or day <= self.until

    @property
    def demo(self) -> bool:
        """Whether everybody has this key."""
        return self.key_id in DEMO_KEY_IDS


@dataclass(frozen=True, slots=True)
class Custodians:
    """All custodians, by key id, and the SHA-256 of the file that names them."""

    by_key: Mapping[str, Custodian]
    digest: str = ""

    @property
    def offices(self) -> tuple[str, str]:
        """The two offices, in the order of their names."""
        first, second = sorted({custodian.office for custodian in self.by_key.values()})
        return first, second

    def of(self, private: Ed25519PrivateKey, day: date) -> Custodian:
        """The custodian whose key this is.

        Raises:
            CustodyRefused: nobody's, or of somebody out of office.
        """
        return self.known(key_id(private.public_key().public_bytes_raw()), day)

    def known(self, name: str, day: date) -> Custodian:
        """The custodian with a key id.

        Raises:
            CustodyRefused: nobody's, or of somebody out of office.
        """
        found = self.by_key.get(name)
        if found is None:
            raise CustodyRefused("unknown_key", f"the key {name} is not in the file of custodians; it may not act here")
        if not found.in_office(day):
            raise CustodyRefused("out_of_office", f"{found.person} acts no more since {found.until}")
        return found

    def others(self, office: str, day: date) -> tuple[Custodian, ...]:
        """Those of the other office who are in office."""
        return tuple(item for item in self.by_key.values() if item.office != office and item.in_office(day))

    def at(self, office: str, day: date) -> tuple[Custodian, ...]:
        """Those of an office who are in office."""
        return tuple(item for item in self.by_key.values() if item.office == office and item.in_office(day))


def box_of(private: Ed25519PrivateKey) -> X25519PrivateKey:
    """The key that opens shares, made from the signing key (HKDF, RFC 5869), so that a custodian keeps one file."""
    seed = HKDF(algorithm=SHA256(), length=32, salt=None, info=_BOX).derive(private.private_bytes_raw())
    return X25519PrivateKey.from_private_bytes(seed)


def entry(private: Ed25519PrivateKey, person: str, office: str) -> dict[str, Any]:
    """A custodian's entry for the file, made from the private key; it holds nothing secret."""
    public = private.public_key().public_bytes_raw()
    return {
        "key_id": key_id(public),
        "public_key": base64.b64encode(public).decode(),
        "box_key": base64.b64encode(box_of(private).public_key().public_bytes_raw()).decode(),
        "person": person,
        "office": office,
    }


def load_custodians(path: Path, *, production: bool) -> Custodians:
    """Read the file.

    Args:
        production: leave out demo keys, whatever the file says.

    Raises:
        CustodiansInvalid: there is no such file, it is not of its form, it does not name two offices, or one person is in both.
    """
    try:
        data = path.read_bytes()
        rows = json.loads(data)["custodians"]
        found = [_custodian(row) for row in rows]
    except OSError:
        raise CustodiansInvalid(
            f"there is no file of custodians at {path}: it names who may act on keys and holds (docs/custody.md)"
        ) from None
    except (KeyError, TypeError, ValueError) as error:
        raise CustodiansInvalid(f"{path.name}: {error}; its form is in docs/custody.md") from None
    found = [item for item in found if not (production and item.demo)]
    offices = {item.office for item in found}
    if len(offices) != OFFICES:
        refused = " (demo keys do not count in production)" if production else ""
        raise CustodiansInvalid(f"{path.name}: custodians of exactly two offices are needed, found {sorted(offices)}{refused}")
    homes: dict[str, str] = {}
    for item in found:
        name = " ".join(item.person.casefold().split())
        if homes.setdefault(name, item.office) != item.office:
            raise CustodiansInvalid(
                f"{path.name}: {item.person!r} is in both offices; two people are needed, not two keys of one"
            )
    if len({item.key_id for item in found}) != len(found) or len({item.box_key for item in found}) != len(found):
        raise CustodiansInvalid(f"{path.name}: a key is named twice")
    return Custodians({item.key_id: item for item in found}, hashlib.sha256(data).hexdigest())


def _custodian(row: Any) -> Custodian:
    public, box = (base64.b64decode(row[name], validate=True) for name in ("public_key", "box_key"))
    X25519PublicKey.from_public_bytes(box)
    person, office = row["person"], row["office"]
    if row["key_id"] != key_id(public):
        raise ValueError(f"the public key of {person!r} has the id {key_id(public)}, not {row['key_id']}")
    for text in (person, office):
        if not isinstance(text, str) or not text.strip():
            raise ValueError("a custodian has no person or no office")
    until = date.fromisoformat(row["until"]) if row.get("until") else None
    return Custodian(key_id(public), public, box, person, office, until)
