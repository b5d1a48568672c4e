"""The keys that sign checkpoints.

The file `audit_log_key` holds one Ed25519 secret a line (32 bytes, base64); every line signs, so that a key is replaced in the middle of a year by
adding the new one, waiting until all who verify know it, and removing the old one. Each shard has keys of its own, derived from the secret
and the shard's origin. With the setting `audit_sm` an SM2 key of the shard signs beside them, derived in the same way from the secret
`audit_sm2_key` (PEM): so the keys of many years stand in one trust policy, which may name no public key twice.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from tightrope.audit.errors import LogKeyInvalid
from tightrope.audit.tlog.note import Ed25519Signer, Signer, Sm2Signer
from tightrope.infra.secrets import ensure_secret, new_key32
from tightrope.infra.settings import Settings

SECRET = "audit_log_key"  # noqa: S105 - the name of the secret file, not a secret
SM2_SECRET = "audit_sm2_key"  # noqa: S105 - the name of the secret file
SEED_BYTES = 32


class LogKeys:
    """Signers and public keys of each shard."""

    def __init__(self, seeds: Sequence[bytes], sm2_pem: bytes | None = None) -> None:
        if not seeds or any(len(seed) != SEED_BYTES for seed in seeds):
            raise LogKeyInvalid(
                f"the secret {SECRET} holds one seed of {SEED_BYTES} bytes in base64 a line: `openssl rand -base64 32` makes one"
            )
        self._seeds = tuple(seeds)
        self._sm2_pem = sm2_pem
        self._sm2: dict[str, Sm2Signer] = {}  # by origin: making one starts `openssl` four times

    @classmethod
    def from_settings(cls, settings: Settings) -> LogKeys:
        """The keys of this installation.

        Raises:
            LogKeyInvalid: the secret does not hold seeds of 32 bytes in base64.
            SystemExit: the secret is missing (production; the demo makes one).
        """
        lines = ensure_secret(settings, SECRET, new_key32).get_secret_value().split()
        try:
            seeds = [base64.b64decode(line, validate=True) for line in lines]
        except binascii.Error as error:
            raise LogKeyInvalid(f"the secret {SECRET} is no base64: {error}") from error
        return cls(seeds, settings.secret(SM2_SECRET).get_secret_value().encode("ascii") if settings.audit_sm else None)

    def signers(self, origin: str) -> list[Signer]:
        """One signer for each key."""
        ours: list[Signer] = [Ed25519Signer.for_origin(origin, seed) for seed in self._seeds]
        if self._sm2_pem is None:
            return ours
        if origin not in self._sm2:
            self._sm2[origin] = Sm2Signer.for_origin(origin, self._sm2_pem)
        return [*ours, self._sm2[origin]]

    def vkeys(self, origin: str) -> list[str]:
        """The public keys, as C2SP vkeys."""
        return [signer.key.vkey for signer in self.signers(origin)]
