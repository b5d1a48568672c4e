"""Keys and encryption of payloads. Pure: the database edge is in repository.py.

The master key (secret file `audit_master_key`) wraps one data key for each customer (or conversation, while the customer is unknown), class and year, through
a wrapping key derived for each class and year. Destroying a wrapped data key later makes its payloads unreadable for good while the leaves,
which hold no personal data, still verify. Nothing in the tables tells who a key belongs to: they hold an HMAC under a key derived from the
master key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tightrope.audit.errors import MasterKeyInvalid, PayloadUnreadable, WrongMasterKey
from tightrope.audit.leaf import commitment
from tightrope.infra.settings import Settings

SECRET = "audit_master_key"  # noqa: S105 - the name of the secret file, not a secret
KEY_BYTES = 32
SALT_BYTES = 32
NONCE_BYTES = 12
CACHE_CAPACITY = 4096


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose key: a customer, a conversation of somebody unknown, or the system."""

    subject_hash: bytes
    cls: str
    year: int


@dataclass(frozen=True, slots=True, repr=False)
class DataKey:
    """A data key, ready for use, with its wrapped form as the table has it."""

    kid: UUID
    owner: Owner
    wrapped: bytes
    key: bytes

    def __repr__(self) -> str:
        return f"DataKey(kid={self.kid})"


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted payload: nonce and ciphertext as stored, and the commitment."""

    ct: bytes
    commit: bytes


def generate_master_key() -> str:
    """A new master key in the form of its secret file: 32 random bytes in base64."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode("ascii")


class Keyring:
    """Makes, wraps and uses data keys; keeps at most `capacity` of them unwrapped in memory."""

    def __init__(self, master: bytes, *, capacity: int = CACHE_CAPACITY) -> None:
        if len(master) != KEY_BYTES:
            raise MasterKeyInvalid(
                f"the audit master key is {len(master)} bytes long, not {KEY_BYTES}: `openssl rand -base64 32` makes one"
            )
        self._master = master
        self._identity_key = self._derive(b"audit-identity-v1")
        self._capacity = capacity
        self._by_owner: OrderedDict[Owner, DataKey] = OrderedDict()
        self._by_kid: OrderedDict[UUID, DataKey] = OrderedDict()
        self._wrapping: dict[tuple[str, int], AESGCM] = {}

    @classmethod
    def from_settings(cls, settings: Settings) -> Keyring:
        """The keyring of this installation.

        Raises:
            MasterKeyInvalid: the secret file does not hold 32 bytes in base64.
            SystemExit: the secret file is missing.
        """
        try:
            master = base64.b64decode(settings.secret(SECRET).get_secret_value(), validate=True)
        except (binascii.Error, ValueError):
            raise MasterKeyInvalid(f"the secret {SECRET} is not base64: `openssl rand -base64 32` makes one") from None
        return cls(master)

    @property
    def check_value(self) -> bytes:
        """Tells one master key from another without telling the key; kept in `audit.master`."""
        return self._derive(b"audit-master-check-v1")[:16]

    def confirm(self, check_value: bytes) -> None:
        """Raises `WrongMasterKey` unless this log was begun with this master key."""
        if not hmac.compare_digest(check_value, self.check_value):
            raise WrongMasterKey(
                f"the secret {SECRET} is not the master key that this audit log was begun with: mount the right one "
                "(a log under two master keys would be unreadable in parts)"
            )

    def conv(self, conversation_id: str) -> UUID:
        """The random-looking id by which leaves name a conversation: stable, and without the master key it says nothing of the inbox's id."""
        return UUID(bytes=self._hmac("conv", conversation_id)[:16], version=4)

    def owner(self, *, conversation_id: str | None, subject: str | None, year: int) -> Owner:
        """Whose key encrypts a record, and of which class it is."""
        if subject is not None:
            return Owner(self._hmac("customer", subject), "conversation", year)
        if conversation_id is not None:
            return Owner(self._hmac("conversation", conversation_id), "conversation", year)
        return Owner(self._hmac("system", ""), "system", year)

    def new_key(self, owner: Owner) -> DataKey:
        """A new random data key, wrapped and kept in the cache."""
        kid, key, nonce = uuid4(), secrets.token_bytes(KEY_BYTES), secrets.token_bytes(NONCE_BYTES)
        wrapped = nonce + self._wrapper(owner).encrypt(nonce, key, _wrap_aad(kid, owner))
        return self._keep(DataKey(kid, owner, wrapped, key))

    def unwrap(self, kid: UUID, owner: Owner, wrapped: bytes) -> DataKey:
        """The data key that the table holds wrapped.

        Raises:
            WrongMasterKey: it does not open: another master key, or the row was altered.
        """
        try:
            key = self._wrapper(owner).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _wrap_aad(kid, owner))
        except (InvalidTag, ValueError):
            raise WrongMasterKey(
                f"the key {kid} does not open under this master key: wrong master key, or its row in audit.keys was altered"
            ) from None
        return self._keep(DataKey(kid, owner, wrapped, key))

    def cached(self, owner: Owner) -> DataKey | None:
        """The key in use for an owner, if it is in memory."""
        found = self._by_owner.get(owner)
        if found is not None:
            self._by_owner.move_to_end(owner)
        return found

    def cached_kid(self, kid: UUID) -> DataKey | None:
        """A key by its id, if it is in memory."""
        return self._by_kid.get(kid)

    def encrypt(self, key: DataKey, record_id: UUID, payload: bytes) -> Sealed:
        """Encrypt one payload; bound to its record, its key's id and its commitment."""
        salt, nonce = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(NONCE_BYTES)
        commit = commitment(salt, payload)
        return Sealed(nonce + AESGCM(key.key).encrypt(nonce, salt + payload, _aad(key.kid, record_id, commit)), commit)

    def decrypt(self, key: DataKey, record_id: UUID, commit: bytes, ct: bytes) -> bytes:
        """Open one payload and check it against its commitment.

        Raises:
            PayloadUnreadable: altered, of another record, or another text than was committed to.
        """
        return self.reveal(key, record_id, commit, ct)[1]

    def reveal(self, key: DataKey, record_id: UUID, commit: bytes, ct: bytes) -> tuple[bytes, bytes]:
        """Salt and payload, with which anybody can check the commitment; as `decrypt` otherwise."""
        try:
            opened = AESGCM(key.key).decrypt(ct[:NONCE_BYTES], ct[NONCE_BYTES:], _aad(key.kid, record_id, commit))
        except (InvalidTag, ValueError):
            raise PayloadUnreadable(
                "the ciphertext does not open under its key: it was altered, or belongs to another record"
            ) from None
        salt, payload = opened[:SALT_BYTES], opened[SALT_BYTES:]
        if not hmac.compare_digest(commitment(salt, payload), commit):
            raise PayloadUnreadable("the payload is not the one that the leaf committed to")
        return salt, payload

    def _derive(self, info: bytes) -> bytes:
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(self._master)

    def _hmac(self, kind: str, value: str) -> bytes:
        text = f"{kind}\x00{value}".encode("utf-8", "surrogatepass")
        return hmac.new(self._identity_key, text, hashlib.sha256).digest()

    def _wrapper(self, owner: Owner) -> AESGCM:
        place = (owner.cls, owner.year)
        if place not in self._wrapping:
            self._wrapping[place] = AESGCM(self._derive(f"audit-wrap-v1|{owner.cls}|{owner.year}".encode()))
        return self._wrapping[place]

    def _keep(self, key: DataKey) -> DataKey:
        self._by_owner[key.owner] = key
        self._by_kid[key.kid] = key
        while len(self._by_owner) > self._capacity:
            self._by_owner.popitem(last=False)
        while len(self._by_kid) > self._capacity:
            self._by_kid.popitem(last=False)
        return key


def _wrap_aad(kid: UUID, owner: Owner) -> bytes:
    return b"audit-wrap-v1\x00" + kid.bytes + owner.subject_hash + f"{owner.cls}|{owner.year}".encode()


def _aad(kid: UUID, record_id: UUID, commit: bytes) -> bytes:
    return kid.bytes + record_id.bytes + commit
