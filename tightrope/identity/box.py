"""AES-256-GCM for the few secrets that must rest in the database."""

from __future__ import annotations

import base64
import binascii
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tightrope.identity.errors import BoxBroken
from tightrope.infra.settings import Settings

_VERSION = b"\x01"
_NONCE = 12
_KEY = 32


class SecretBox:
    """Seals a text under one key, tied to the row that it belongs to.

    Args:
        key: 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != _KEY:
            raise BoxBroken(f"the key has {len(key)} bytes, not {_KEY}: identity_box_key must be the base64 of 32 random bytes")
        self._aead = AESGCM(key)

    @classmethod
    def from_settings(cls, settings: Settings) -> SecretBox:
        """The box of the secret `identity_box_key` (base64 of 32 bytes).

        Raises:
            BoxBroken: the secret has another form.
        """
        try:
            return cls(base64.b64decode(settings.secret("identity_box_key").get_secret_value(), validate=True))
        except binascii.Error as error:
            raise BoxBroken("identity_box_key is not base64") from error

    def seal(self, text: str, owner: str) -> bytes:
        """`text` encrypted; opens only with the same `owner` (the row's id)."""
        nonce = secrets.token_bytes(_NONCE)
        return _VERSION + nonce + self._aead.encrypt(nonce, text.encode(), owner.encode())

    def open(self, box: bytes, owner: str) -> str:
        """The text.

        Raises:
            BoxBroken: not made with this key for this owner, or altered.
        """
        try:
            if box[:1] != _VERSION:
                raise BoxBroken("unknown box version")
            return self._aead.decrypt(box[1 : 1 + _NONCE], box[1 + _NONCE :], owner.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise BoxBroken("the box does not open") from error
