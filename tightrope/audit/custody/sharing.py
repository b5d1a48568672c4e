"""The two-person key: what restricts a data key, held by two offices and by neither alone. Pure.

For each restricted data key a fresh key of 32 bytes is split into two shares: one is random, the other is the key XOR the first, so that a single share
tells nothing about the key, whatever the computing power. The first office's custodians each get the first share, the second office's the second, sealed
to their own public key with HPKE (RFC 9180: X25519, HKDF-SHA256, AES-256-GCM). The key itself is kept nowhere.

To open, a custodian unseals the share of the own office and seals it anew to the custodians of the other office, bound to the proposal. The second
custodian unseals both. No private key leaves its owner.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Iterable, Mapping
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from tightrope.audit.custody.custodians import Custodian, box_of
from tightrope.audit.errors import CustodyRefused

SHARE_BYTES = 32
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def split() -> tuple[bytes, bytes, bytes]:
    """A fresh two-person key and its two shares."""
    first, second = secrets.token_bytes(SHARE_BYTES), secrets.token_bytes(SHARE_BYTES)
    return join(first, second), first, second


def join(first: bytes, second: bytes) -> bytes:
    """The two-person key of two shares."""
    return bytes(a ^ b for a, b in zip(first, second, strict=True))


def seal_shares(kid: UUID, first: tuple[bytes, Iterable[Custodian]], second: tuple[bytes, Iterable[Custodian]]) -> dict[str, str]:
    """Each office's share, sealed to each of its custodians: key id -> base64."""
    return {
        custodian.key_id: _seal(share, custodian, _info(kid, None))
        for share, custodians in (first, second)
        for custodian in custodians
    }


def hand_over(kid: UUID, proposal_id: UUID, share: bytes, to: Iterable[Custodian]) -> dict[str, str]:
    """A share sealed to the custodians of the other office, for one proposal: key id -> base64."""
    return {custodian.key_id: _seal(share, custodian, _info(kid, proposal_id)) for custodian in to}


def unseal(
    kid: UUID, proposal_id: UUID | None, sealed: Mapping[str, str], custodian: Custodian, private: Ed25519PrivateKey
) -> bytes:
    """The share that was sealed to a custodian.

    Args:
        proposal_id: None for the custodian's own share; the proposal's id for a share handed over.

    Raises:
        CustodyRefused: there is none for this custodian, or it was made for another key, proposal or person.
    """
    try:
        share = _SUITE.decrypt(
            base64.b64decode(sealed[custodian.key_id], validate=True), box_of(private), info=_info(kid, proposal_id)
        )
    except KeyError:
        raise CustodyRefused(
            "no_share",
            f"there is no share of the key {kid} for {custodian.person}, who became a custodian after it was restricted; somebody else of the "
            f"office {custodian.office} has to act, and an opening gives all present custodians their shares",
        ) from None
    except (InvalidTag, ValueError, binascii.Error):
        raise CustodyRefused(
            "share_invalid",
            f"the share of the key {kid} does not open for {custodian.person}: it was altered, or made for something else",
        ) from None
    if len(share) != SHARE_BYTES:
        raise CustodyRefused("share_invalid", f"the share of the key {kid} is not {SHARE_BYTES} bytes long")
    return share


def _seal(share: bytes, custodian: Custodian, info: bytes) -> str:
    public = X25519PublicKey.from_public_bytes(custodian.box_key)
    return base64.b64encode(_SUITE.encrypt(share, public, info=info)).decode()


def _info(kid: UUID, proposal_id: UUID | None) -> bytes:
    return b"tightrope-custody-share-v1\x00" + kid.bytes + (proposal_id.bytes if proposal_id is not None else b"")
