"""Keys and encryption of payloads. Pure: the database edge is in repository.py.

The master key (tightrope/audit/master.py) wraps one data key for each customer (or conversation, while the customer is unknown), class and year, through
a wrapping key derived for each class and year (inside a hardware module: for each data key). Destroying a wrapped data key later makes its payloads
unreadable for good while the leaves, which hold no personal data, still verify. A restricted key has another layer inside, which takes two people
(custody/sharing.py). Nothing in the tables tells who a key belongs to: they hold an HMAC under the identity key, which is derived from the master
key and outlives its exchange.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tightrope.audit.errors import PayloadUnreadable, WrongMasterKey
from tightrope.audit.leaf import commitment
from tightrope.audit.master import (
    KEY_BYTES,
    SECRET,
    MasterKey,
    MemoryMaster,
    generate_master_key,
    identity_from,
    master_from,
    other_master_from,
)
from tightrope.infra.settings import Settings

__all__ = ["DataKey", "Keyring", "Owner", "Sealed", "generate_master_key"]

SALT_BYTES = 32
NONCE_BYTES = 12
CACHE_CAPACITY = 4096

_IDENTITY = b"audit-identity-v1"
_IDENTITY_WRAP = b"audit-identity-wrap-v1"
_CHECK = b"audit-master-check-v1"
_RESTRICTED = b"audit-restricted-v1\x00"
_CUSTODY = b"audit-custody-v1"
_BLOCK = 64
"""Bytes in a block of SHA-256; the pads of RFC 2104 are as long."""


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


class Keyring:
    """Makes, wraps and uses data keys; keeps at most `capacity` of them unwrapped in memory."""

    def __init__(
        self,
        master: bytes | MasterKey,
        *,
        other: MasterKey | None = None,
        identity: bytes | None = None,
        capacity: int = CACHE_CAPACITY,
    ) -> None:
        """Set up the keys of an installation.

        Args:
            master: wraps new data keys.
            other: opens data keys too, while the master key is exchanged.
            identity: the wrapped identity key, where the master key was exchanged (`carried_identity`).

        Raises:
            MasterKeyInvalid: a master key in bytes does not have 32.
            WrongMasterKey: the identity key does not open under either.
        """
        self._master = MemoryMaster(master) if isinstance(master, bytes) else master
        self._other = other
        self._identity_key = self._master.derive(_IDENTITY) if identity is None else self._open_identity(identity)
        self._capacity = capacity
        self._by_owner: OrderedDict[Owner, DataKey] = OrderedDict()
        self._by_kid: OrderedDict[UUID, DataKey] = OrderedDict()
        self._opened: dict[UUID, DataKey] = {}
        self._wrapping: OrderedDict[tuple[int, bytes], AESGCM] = OrderedDict()

    @classmethod
    def from_settings(cls, settings: Settings) -> Keyring:
        """The keyring of this installation.

        Raises:
            MasterKeyInvalid: the master key is not 32 bytes in base64.
            MasterKeyUnavailable: the module that holds it does not answer.
            SystemExit: the secret file is missing.
        """
        return cls(master_from(settings), other=other_master_from(settings), identity=identity_from(settings))

    @property
    def check_value(self) -> bytes:
        """Tells one master key from another without telling the key; kept in `audit.master`."""
        return self._master.derive(_CHECK)[:16]

    def confirm(self, accepted: bytes | Iterable[bytes]) -> None:
        """Raises `WrongMasterKey` unless this log is kept under this master key, or under the one that is being exchanged with it."""
        known = (accepted,) if isinstance(accepted, bytes) else tuple(accepted)
        mine = [self.check_value, *([self._other.derive(_CHECK)[:16]] if self._other is not None else [])]
        if not any(hmac.compare_digest(value, own) for value in known for own in mine):
            raise WrongMasterKey(
                f"the secret {SECRET} is not the master key that this audit log was begun with: mount the right one "
                "(a log under two master keys would be unreadable in parts)"
            )

    def carried_identity(self, successor: MasterKey) -> bytes:
        """The identity key wrapped under the next master key, so that the names of owners and conversations stay (secret `audit_identity_key`)."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + AESGCM(successor.derive(_IDENTITY_WRAP)).encrypt(nonce, self._identity_key, _IDENTITY)

    def _open_identity(self, wrapped: bytes) -> bytes:
        for master in (self._master, self._other):
            if master is None:
                continue
            try:
                return AESGCM(master.derive(_IDENTITY_WRAP)).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _IDENTITY)
            except (InvalidTag, ValueError):
                continue
        raise WrongMasterKey(
            "the secret audit_identity_key does not open under this master key: mount the pair that was made together"
        )

    def conv(self, conversation_id: str) -> UUID:
        """The random-looking id by which leaves name a conversation: stable, and without the master key it says nothing of the inbox's id."""
        return UUID(bytes=self._hmac("conv", conversation_id)[:16], version=4)

    def owner(self, *, conversation_id: str | None, subject: str | None, year: int) -> Owner:
        """Whose key encrypts a record, and of which class it is."""
        if subject is not None:
            return Owner(self.customer(subject), "conversation", year)
        if conversation_id is not None:
            return Owner(self.conversation(conversation_id), "conversation", year)
        return Owner(self._hmac("system", ""), "system", year)

    def custody_pads(self) -> tuple[bytes, bytes]:
        """The key of `vouch` as the database keeps it: joined with the inner and the outer pad (RFC 2104)."""
        key = self._custody_key().ljust(_BLOCK, b"\x00")
        return bytes(byte ^ 0x36 for byte in key), bytes(byte ^ 0x5C for byte in key)

    def vouch(self, act: str, *parts: bytes) -> bytes:
        """What shows the database that a holder of the master key asks for an act, and not only of a role's password (migration audit_0007).

        It comes from the identity key, so that it outlives an exchange of the master key.
        """
        message = act.encode() + b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.new(self._custody_key(), message, hashlib.sha256).digest()

    def _custody_key(self) -> bytes:
        return hmac.new(self._identity_key, _CUSTODY, hashlib.sha256).digest()

    def customer(self, subject: str) -> bytes:
        """How tables name a customer."""
        return self._hmac("customer", subject)

    def conversation(self, conversation_id: str) -> bytes:
        """How tables name the owner of what was said in a conversation before its customer was known."""
        return self._hmac("conversation", conversation_id)

    def new_key(self, owner: Owner) -> DataKey:
        """A new random data key, wrapped and kept in the cache."""
        kid, key = uuid4(), secrets.token_bytes(KEY_BYTES)
        return self._keep(DataKey(kid, owner, self._wrap(kid, owner, key, _wrap_aad(kid, owner)), key))

    def unwrap(self, kid: UUID, owner: Owner, wrapped: bytes) -> DataKey:
        """The data key that the table holds wrapped.

        Raises:
            WrongMasterKey: it does not open: another master key, or the row was altered.
        """
        return self._keep(DataKey(kid, owner, wrapped, self._unwrap(kid, owner, wrapped, _wrap_aad(kid, owner))[0]))

    def restrict(self, key: DataKey, two_person_key: bytes) -> bytes:
        """The wrapped form of a restricted key: the data key under the two-person key, and that under the master key."""
        nonce, bound = secrets.token_bytes(NONCE_BYTES), _wrap_aad(key.kid, key.owner)
        inner = nonce + AESGCM(two_person_key).encrypt(nonce, key.key, _RESTRICTED + bound)
        return self._wrap(key.kid, key.owner, inner, _RESTRICTED + bound)

    def lift(self, kid: UUID, owner: Owner, wrapped: bytes, two_person_key: bytes) -> DataKey:
        """The data key of a restricted one, in its active wrapped form; not kept in memory here.

        Raises:
            WrongMasterKey: the outer layer does not open.
            PayloadUnreadable: the two-person key is not this key's.
        """
        bound = _wrap_aad(kid, owner)
        inner, _ = self._unwrap(kid, owner, wrapped, _RESTRICTED + bound)
        try:
            key = AESGCM(two_person_key).decrypt(inner[:NONCE_BYTES], inner[NONCE_BYTES:], _RESTRICTED + bound)
        except (InvalidTag, ValueError):
            raise PayloadUnreadable(f"the two shares do not open the restricted key {kid}") from None
        return DataKey(kid, owner, self._wrap(kid, owner, key, bound), key)

    def rewrap(self, kid: UUID, owner: Owner, wrapped: bytes, *, restricted: bool) -> bytes | None:
        """The same key under the present master key; None if it is already.

        Raises:
            WrongMasterKey: it opens under neither master key.
        """
        aad = (_RESTRICTED if restricted else b"") + _wrap_aad(kid, owner)
        body, under = self._unwrap(kid, owner, wrapped, aad)
        return None if under is self._master else self._wrap(kid, owner, body, aad)

    def open_once(self, key: DataKey) -> None:
        """Use a restricted key, opened by two people, in this keyring only and for its life."""
        self._opened[key.kid] = key

    def forget(self, kid: UUID) -> None:
        """Drop a key from memory: it is no longer active."""
        found = self._by_kid.pop(kid, None)
        self._opened.pop(kid, None)
        if found is not None and (kept := self._by_owner.get(found.owner)) is not None and kept.kid == kid:
            del self._by_owner[found.owner]
        for owner in [owner for owner, kept in self._by_owner.items() if kept.kid == kid]:
            del self._by_owner[owner]

    @property
    def opened(self) -> frozenset[UUID]:
        """Restricted keys that two people opened for this keyring."""
        return frozenset(self._opened)

    def cached(self, owner: Owner) -> DataKey | None:
        """The key in use for an owner, if it is in memory."""
        found = self._by_owner.get(owner)
        if found is not None:
            self._by_owner.move_to_end(owner)
        return found

    def cached_kid(self, kid: UUID) -> DataKey | None:
        """A key by its id, if it is in memory."""
        return self._opened.get(kid) or self._by_kid.get(kid)

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

    def _hmac(self, kind: str, value: str) -> bytes:
        text = f"{kind}\x00{value}".encode("utf-8", "surrogatepass")
        return hmac.new(self._identity_key, text, hashlib.sha256).digest()

    def _wrap(self, kid: UUID, owner: Owner, body: bytes, aad: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._wrapper(self._master, kid, owner).encrypt(nonce, body, aad)

    def _unwrap(self, kid: UUID, owner: Owner, wrapped: bytes, aad: bytes) -> tuple[bytes, MasterKey]:
        """What is wrapped, and under which master key."""
        for master in (self._master, self._other):
            if master is None:
                continue
            try:
                return self._wrapper(master, kid, owner).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], aad), master
            except (InvalidTag, ValueError):
                continue
        raise WrongMasterKey(
            f"the key {kid} does not open under this master key: wrong master key, or its row in audit.keys was altered"
        )

    def _wrapper(self, master: MasterKey, kid: UUID, owner: Owner) -> AESGCM:
        place = (id(master), master.wrap_label(owner.cls, owner.year, kid))
        found = self._wrapping.get(place)
        if found is None:
            found = self._wrapping[place] = AESGCM(master.derive(place[1]))
            while len(self._wrapping) > self._capacity:
                self._wrapping.popitem(last=False)
        return found

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
