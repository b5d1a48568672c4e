"""The demo's signing keys: made from words that everybody can read here, so they vouch for nothing. Production refuses them."""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tightrope.release.signing import key_id

DEMO_PEOPLE: Final = ("demo-maker", "demo-checker")


def demo_key(person: str) -> Ed25519PrivateKey:
    """The key of one of DEMO_PEOPLE; the same on every machine.

    Raises:
        ValueError: nobody of that name signs in the demo.
    """
    if person not in DEMO_PEOPLE:
        raise ValueError(f"{person!r} is not one of {', '.join(DEMO_PEOPLE)}")
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"tightrope demo key of {person}, not secret".encode()).digest())


DEMO_KEY_IDS: Final = frozenset(key_id(demo_key(person).public_key().public_bytes_raw()) for person in DEMO_PEOPLE)
