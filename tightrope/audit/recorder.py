"""Writes records: one statement, in the caller's transaction, so that what happened and its record are kept or lost together."""

from __future__ import annotations

import hashlib
import socket
from datetime import UTC
from uuid import UUID, uuid4

import tightrope
from tightrope.audit import repository
from tightrope.audit.errors import FactsRefused, WrongMasterKey
from tightrope.audit.keyring import DataKey, Keyring, Owner
from tightrope.audit.leaf import PayloadRef, build_leaf, check_content, check_facts, payload_bytes, retention
from tightrope.audit.models import CUSTODY, RecordDraft
from tightrope.audit.repository import Conn
from tightrope.audit.tlog.sm2 import sm3
from tightrope.infra.clock import Clock
from tightrope.infra.settings import Settings

CONTENT_LIMIT = 64 * 1024 * 1024
"""Largest piece of content, in bytes."""
CIPHERTEXT_LIMIT = 16 * 1024 * 1024
"""Longest ciphertext of a record, in bytes; the database holds others to it too (migration audit_0012)."""


class Recorder:
    """The one way to write into the audit log."""

    def __init__(self, settings: Settings, keyring: Keyring, clock: Clock, release_id: str) -> None:
        """`settings` is kept for the drivers that need it; keys come from `keyring`, the time from `clock`."""
        self._settings = settings
        self._keyring = keyring
        self._clock = clock
        self._release = release_id
        self._host = socket.gethostname()
        self._master_confirmed = False

    async def record(self, conn: Conn, draft: RecordDraft, *, record_id: UUID | None = None) -> UUID:
        """Write one record in the caller's transaction; commits nothing.

        Args:
            record_id: a fresh random id, where the caller had to name the record before writing it (a message that carries it).

        Returns:
            The record's id; `audit.released(id)` turns true soon after the caller's commit.

        Raises:
            FactsRefused: facts could hold personal data or are no codes, or the payload is too long.
            CanonError: facts or payload are no JSON of the profile.
            WrongMasterKey: the master key is not the log's.
            psycopg.Error: the database refused; the caller's transaction cannot commit then.
        """
        at = self._clock.now()
        self._check(draft)
        payload = payload_bytes(draft.payload)
        await self._confirm_master(conn)
        owner = self._keyring.owner(conversation_id=draft.conversation_id, subject=draft.subject, year=at.astimezone(UTC).year)
        key = await self._key(conn, owner)
        record_id = record_id or uuid4()
        conv = self._keyring.conv(draft.conversation_id) if draft.conversation_id is not None else None
        sealed = self._keyring.encrypt(key, record_id, payload)
        if len(sealed.ct) > CIPHERTEXT_LIMIT:
            raise FactsRefused(f"a payload of {len(payload)} bytes is more than a record holds: keep what is long as content")
        leaf = build_leaf(
            record_id=record_id,
            at=at,
            host=self._host,
            build=tightrope.__version__,
            release=self._release,
            event=str(draft.event),
            conv=conv,
            turn=draft.turn,
            payload=PayloadRef(
                kid=key.kid,
                ct_sha256=hashlib.sha256(sealed.ct).digest(),
                commit=sealed.commit,
                ct_sm3=sm3(sealed.ct) if self._settings.audit_sm else None,
            ),
            cls=owner.cls,
            facts=draft.facts,
            content=draft.content,
            years=retention(self._settings.audit_retention_file),
        )
        if draft.event in CUSTODY:
            await self._vouch(conn, record_id, leaf)
        still_active = await repository.insert_record(
            conn,
            record_id=record_id,
            conv=conv,
            conversation_id=draft.conversation_id,
            event=str(draft.event),
            turn=draft.turn,
            at=at,
            key=key,
            leaf=leaf,
            ct=sealed.ct,
        )
        if not still_active:
            self._keyring.forget(key.kid)  # restricted meanwhile: this record shares its fate, the next takes a new key
        return record_id

    def vouch(self, act: str, *parts: bytes) -> bytes:
        """See Keyring.vouch."""
        return self._keyring.vouch(act, *parts)

    async def _vouch(self, conn: Conn, record_id: UUID, leaf: bytes) -> None:
        if not await repository.begin_custody(conn, self._keyring):
            raise WrongMasterKey(
                "the database knows holders of the master key by another key than this log's: somebody gave it one before the first "
                "process of this installation did; see docs/custody.md, Whoever has a role's password"
            )
        await repository.vouch_record(conn, self._keyring.vouch("record", record_id.bytes, leaf))

    async def store_content(self, conn: Conn, kind: str, data: bytes) -> str:
        """Keep the content behind a version, once; in the caller's transaction.

        Args:
            kind: what it is: `flows`, `domain`, `prompt`, `passage`, `rules`, ….

        Returns:
            SHA-256 in hex, for `RecordDraft.content`.

        Raises:
            FactsRefused: more than 64 MiB.
        """
        if len(data) > CONTENT_LIMIT:
            raise FactsRefused(f"content of {len(data)} bytes is more than {CONTENT_LIMIT}")
        digest = hashlib.sha256(data)
        if not await repository.has_content(conn, digest.digest()):
            await repository.insert_content(conn, digest.digest(), kind, data)
        return digest.hexdigest()

    @staticmethod
    def _check(draft: RecordDraft) -> None:
        forbidden = set()
        if draft.subject:
            forbidden.add(draft.subject)
        if draft.conversation_id:
            forbidden.add(f"cw-{draft.conversation_id}")
        check_facts(draft.facts, forbidden=frozenset(forbidden))
        check_content(draft.content)

    async def _confirm_master(self, conn: Conn) -> None:
        if self._master_confirmed:
            return
        found = await repository.master_check(conn)
        if found is None:
            # Not noted as confirmed: this transaction may be rolled back, and another process may begin the log.
            await repository.begin_log(conn, self._keyring.check_value)
            found = await repository.master_check(conn)
            if found is not None:
                self._keyring.confirm(found)
                await repository.begin_custody(conn, self._keyring)
            return
        self._keyring.confirm(found)
        await repository.begin_custody(conn, self._keyring)  # as early as can be, so that nobody else is first
        self._master_confirmed = True

    async def _key(self, conn: Conn, owner: Owner) -> DataKey:
        return (
            self._keyring.cached(owner) or await repository.active_key(conn, self._keyring, owner) or self._keyring.new_key(owner)
        )
