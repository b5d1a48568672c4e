"""The keys that sign checkpoints.

The secret `audit_log_key` holds one Ed25519 seed a line (32 bytes, base64); every line signs, so that a key is replaced in the middle of a year by
adding the new one, waiting until all who verify know it, and removing the old one. Each shard has keys of its own, derived from the seed
and the shard's origin.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tightrope.audit.errors import LogKeyInvalid
from tightrope.audit.tlog.note import Ed25519Signer, Signer
from tightrope.infra.secrets import ensure_secret, new_key32
from tightrope.infra.settings import Settings

SECRET = "audit_log_key"  # noqa: S105 - the name of the secret file, not a secret
SEED_BYTES = 32


class LogKeys:
    """Signers and public keys of each shard."""

    def __init__(self, seeds: Sequence[bytes]) -> None:
        if not seeds or any(len(seed) != SEED_BYTES for seed in seeds):
            raise LogKeyInvalid(
                f"the secret {SECRET} holds one seed of {SEED_BYTES} bytes in base64 a line: `openssl rand -base64 32` makes one"
            )
        self._seeds = tuple(seeds)

    @classmethod
    def from_settings(cls, settings: Settings) -> LogKeys:
        """The keys of this installation.

        Raises:
            LogKeyInvalid: the secret does not hold seeds of 32 bytes in base64.
            SystemExit: the secret is missing (production; the demo makes one).
        """
        lines = ensure_secret(settings, SECRET, new_key32).get_secret_value().split()
        try:
            return cls([base64.b64decode(line, validate=True) for line in lines])
        except binascii.Error as error:
            raise LogKeyInvalid(f"the secret {SECRET} is no base64: {error}") from error

    def signers(self, origin: str) -> list[Signer]:
        """One signer for each seed."""
        return [Ed25519Signer.from_seed(origin, _derive(seed, origin)) for seed in self._seeds]

    def vkeys(self, origin: str) -> list[str]:
        """The public keys, as C2SP vkeys."""
        return [str(signer.vkey) for signer in self.signers(origin)]


def _derive(seed: bytes, origin: str) -> bytes:
    return HKDF(SHA256(), SEED_BYTES, None, b"audit-log-key-v1\x00" + origin.encode("utf-8")).derive(seed)
