"""The master key: from a secret file, from the environment, or inside a hardware security module (PKCS#11), which it never leaves.

A master key does one thing: it derives a key from a label (RFC 5869 for a key in memory; HMAC-SHA256 inside the module, RFC 2104, for PKCS#11). Labels
that wrap data keys name, with a module, the one data key: whoever reads this process's memory gets the keys that it used, never the master.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tightrope.audit.errors import MasterKeyInvalid, MasterKeyUnavailable
from tightrope.infra.settings import Settings

SECRET = "audit_master_key"  # noqa: S105 - the name of the secret file, not a secret
OTHER_SECRET = "audit_master_key_other"  # noqa: S105
IDENTITY_SECRET = "audit_identity_key"  # noqa: S105
PIN_SECRET = "audit_pkcs11_pin"  # noqa: S105
KEY_BYTES = 32


class MasterKey(Protocol):
    """Where every other key of the log comes from."""

    def derive(self, label: bytes) -> bytes:
        """32 bytes that only this master key gives for this label.

        Raises:
            MasterKeyUnavailable: the module that holds the key does not answer.
        """

    def wrap_label(self, cls: str, year: int, kid: UUID) -> bytes:
        """The label of the key that wraps a data key."""


def generate_master_key() -> str:
    """A new master key in the form of its secret file: 32 random bytes in base64."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode("ascii")


class MemoryMaster:
    """A master key that this process holds: from a secret file or from the environment."""

    def __init__(self, key: bytes) -> None:
        """Raises `MasterKeyInvalid` unless the key has 32 bytes."""
        if len(key) != KEY_BYTES:
            raise MasterKeyInvalid(
                f"the audit master key is {len(key)} bytes long, not {KEY_BYTES}: `openssl rand -base64 32` makes one"
            )
        self._key = key

    @classmethod
    def from_text(cls, text: str, source: str) -> MemoryMaster:
        """From base64.

        Args:
            source: where the text was found, for the message.

        Raises:
            MasterKeyInvalid: it is not 32 bytes in base64.
        """
        return cls(decoded(text, source))

    def derive(self, label: bytes) -> bytes:
        """HKDF-SHA256 (RFC 5869) without salt."""
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=label).derive(self._key)

    def wrap_label(self, cls: str, year: int, kid: UUID) -> bytes:  # noqa: ARG002 - one wrapping key a class and year
        """One wrapping key for each class and year."""
        return f"audit-wrap-v1|{cls}|{year}".encode()

    def __repr__(self) -> str:
        return "MemoryMaster()"


class Pkcs11Master:
    """A master key that a PKCS#11 module holds: a generic secret, sensitive, not extractable, with CKA_SIGN for CKM_SHA256_HMAC."""

    def __init__(self, module: Path, token: str, label: str, pin: Callable[[], str]) -> None:
        self._module, self._token, self._label, self._pin = module, token, label, pin

    def derive(self, label: bytes) -> bytes:
        """HMAC-SHA256 of the label, computed inside the module; a lost login is renewed once."""
        key = self._key  # tells where the package is missing
        import pkcs11

        try:
            return _computed(key, label)
        except pkcs11.PKCS11Error:
            self.__dict__.pop("_key", None)
        try:
            return _computed(self._key, label)
        except pkcs11.PKCS11Error as error:
            self.__dict__.pop("_key", None)
            raise MasterKeyUnavailable(
                f"the PKCS#11 module {self._module} did not compute with the audit master key ({type(error).__name__}): is it connected, and may the "
                "key sign with SHA256_HMAC?"
            ) from error

    def wrap_label(self, cls: str, year: int, kid: UUID) -> bytes:
        """One wrapping key for each data key."""
        return f"audit-wrap-v2|{cls}|{year}|{kid}".encode()

    @cached_property
    def _key(self) -> Any:
        try:
            import pkcs11
        except ImportError:
            raise MasterKeyUnavailable(
                "the package python-pkcs11 is missing, which TIGHTROPE_AUDIT_PKCS11_MODULE needs: install the locked requirements"
            ) from None
        try:
            key = _session(self._module, self._token, self._pin()).get_key(
                object_class=pkcs11.ObjectClass.SECRET_KEY, label=self._label
            )
            if key[pkcs11.Attribute.EXTRACTABLE] or not key[pkcs11.Attribute.SENSITIVE]:
                raise MasterKeyInvalid(
                    f"the key {self._label} on the token {self._token} can leave the module: make one that is sensitive and not extractable"
                )
        except pkcs11.NoSuchKey:
            raise MasterKeyUnavailable(
                f"the token {self._token} holds no secret key {self._label}: `tightrope audit keys make-hsm-key` makes one"
            ) from None
        except (pkcs11.PKCS11Error, RuntimeError) as error:
            raise MasterKeyUnavailable(
                f"the PKCS#11 module {self._module} does not give the token {self._token} ({type(error).__name__}): check the path, that the token "
                f"is there, and the secret {PIN_SECRET}"
            ) from error
        return key

    def __repr__(self) -> str:
        return f"Pkcs11Master({self._module}, {self._token}, {self._label})"


def make_hsm_key(settings: Settings) -> None:
    """Make the master key inside the module, once.

    Raises:
        MasterKeyInvalid: there is one of that name already, or no module is set.
        MasterKeyUnavailable: the module or the token does not answer.
    """
    master = hsm_from(settings)
    if master is None:
        raise MasterKeyInvalid("no module is set: TIGHTROPE_AUDIT_PKCS11_MODULE and TIGHTROPE_AUDIT_PKCS11_TOKEN name it")
    import pkcs11

    try:
        pin = settings.secret(PIN_SECRET).get_secret_value()
        with _session(settings.audit_pkcs11_module, settings.audit_pkcs11_token, pin, rw=True) as session:
            if list(
                session.get_objects(
                    {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY, pkcs11.Attribute.LABEL: settings.audit_pkcs11_key}
                )
            ):
                raise MasterKeyInvalid(
                    f"the token holds a key {settings.audit_pkcs11_key} already; a master key is never overwritten"
                )
            session.generate_key(
                pkcs11.KeyType.GENERIC_SECRET,
                KEY_BYTES * 8,
                label=settings.audit_pkcs11_key,
                store=True,
                capabilities=pkcs11.MechanismFlag.SIGN,
                mechanism=pkcs11.Mechanism.GENERIC_SECRET_KEY_GEN,
                template={pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False},
            )
    except (pkcs11.PKCS11Error, RuntimeError) as error:
        raise MasterKeyUnavailable(f"the PKCS#11 module did not make the key ({type(error).__name__})") from error


def _computed(key: Any, label: bytes) -> bytes:
    import pkcs11

    found: bytes = key.sign(b"tightrope\x00" + label, mechanism=pkcs11.Mechanism.SHA256_HMAC)
    return found


def _session(module: Path | None, token: str, pin: str, *, rw: bool = False) -> Any:
    import pkcs11

    place = pkcs11.lib(str(module)).get_token(token_label=token)
    try:
        return place.open(rw=rw, user_pin=pin)
    except pkcs11.UserAlreadyLoggedIn:  # a login holds for the whole process
        return place.open(rw=rw)


def hsm_from(settings: Settings) -> Pkcs11Master | None:
    """The master key inside the module that the settings name, if they name one."""
    if settings.audit_pkcs11_module is None or not settings.audit_pkcs11_key:
        return None
    return Pkcs11Master(
        settings.audit_pkcs11_module,
        settings.audit_pkcs11_token,
        settings.audit_pkcs11_key,
        lambda: settings.secret(PIN_SECRET).get_secret_value(),
    )


def master_from(settings: Settings) -> MasterKey:
    """The master key in use: the module's if one is set, else the environment's, else the secret file's.

    Raises:
        MasterKeyInvalid: what is found is not 32 bytes in base64.
        SystemExit: the secret file is missing.
    """
    hsm = hsm_from(settings)
    if hsm is not None:
        return hsm
    if settings.audit_master_key is not None:
        return MemoryMaster.from_text(settings.audit_master_key.get_secret_value(), "TIGHTROPE_AUDIT_MASTER_KEY")
    return MemoryMaster.from_text(settings.secret(SECRET).get_secret_value(), f"the secret {SECRET}")


def other_master_from(settings: Settings) -> MasterKey | None:
    """While the master key is exchanged: the one before or after (secret `audit_master_key_other`), which still opens data keys.

    Raises:
        MasterKeyInvalid: the secret is not 32 bytes in base64.
    """
    text = settings.optional_secret(OTHER_SECRET)
    if text is not None:
        return MemoryMaster.from_text(text.get_secret_value(), f"the secret {OTHER_SECRET}")
    if settings.audit_pkcs11_other_key:
        hsm = hsm_from(settings.model_copy(update={"audit_pkcs11_key": settings.audit_pkcs11_other_key}))
        if hsm is not None:
            return hsm
    return None


def identity_from(settings: Settings) -> bytes | None:
    """The identity key that an exchanged master key took over (secret `audit_identity_key`), still wrapped; None while it is the master's own.

    Raises:
        MasterKeyInvalid: the secret is not base64.
    """
    text = settings.optional_secret(IDENTITY_SECRET)
    return decoded(text.get_secret_value(), f"the secret {IDENTITY_SECRET}") if text is not None else None


def decoded(text: str, source: str) -> bytes:
    """Bytes from base64.

    Raises:
        MasterKeyInvalid: it is no base64; names the source.
    """
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise MasterKeyInvalid(f"{source} is not base64: `openssl rand -base64 32` makes one") from None
