"""The notary: reads the sequenced leaves back, folds them itself, lays them into the tree's folder and signs what it finds there.

It shares no state with the sequencer: a checkpoint is signed only where the records as stored now, the leaf hashes as sequenced, the sequencer's own
frontier and the tiles read back from the disk give one root. Where they differ nothing more is signed and health tells why; receipts go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import psycopg

from tightrope.audit import tree_repository as repository
from tightrope.audit.errors import NoteInvalid, SealerRefused, StoreError, TileInvalid, TreeBroken
from tightrope.audit.tlog.checkpoint import Checkpoint, sign_checkpoint
from tightrope.audit.tlog.merkle import Frontier, leaf_hash
from tightrope.audit.tlog.note import Note, Signer
from tightrope.audit.tree_folder import TreeFolder
from tightrope.audit.tree_repository import Conn, Shard
from tightrope.infra.logging import get_logger

log = get_logger()

LAY = 4096
"""Leaves laid down at a time."""
RETRY_SECONDS = 2.0
SLICE = 128
"""Leaves read back and hashed at a time before the sequencer may have its turn: a millisecond."""
PAUSE_SECONDS = 0.002
"""How long then, where no more than one lot waits."""

_TROUBLE = (StoreError, TileInvalid, TreeBroken)
"""What is an alarm and is tried again; all else ends the sealer."""

Signers = Callable[[str], Sequence[Signer]]
"""The keys that sign an origin's checkpoints."""


class Notary:
    """Signs the checkpoints of every shard, on a connection of its own."""

    def __init__(self, conn: Conn, folder: Callable[[int], TreeFolder], signers: Signers, *, seconds: float) -> None:
        """`seconds`: how often a checkpoint is signed while the tree grows."""
        self._conn = conn
        self._folder = folder
        self._signers = signers
        self._seconds = seconds
        self._laid: dict[int, Frontier] = {}

    async def start(self) -> None:
        """Hold the folders against the database, and lay down what they lack.

        Raises:
            SealerRefused: a folder shows a checkpoint that the database does not have: it was set back.
        """
        for shard in await repository.shards(self._conn):
            signed = await repository.checkpoint(self._conn, shard.shard)
            await self._conn.commit()
            folder = self._folder(shard.shard)
            try:
                self._laid[shard.shard] = await asyncio.to_thread(self._compare, folder, signed)
            except (StoreError, TileInvalid, NoteInvalid) as error:
                # The folder is made again from its first leaf: everything it holds is in the database.
                log.error("the tree's folder is damaged and is made again", action="audit_tree_damaged", reason=str(error))
                self._laid[shard.shard] = Frontier()

    async def run(self, stop: asyncio.Event) -> None:
        """Sign as the tree grows, until `stop`."""
        while not stop.is_set():
            pause = self._seconds
            try:
                await self.sign_all()
            except _TROUBLE as error:
                await self._alarm(error)
                pause = max(RETRY_SECONDS, self._seconds)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)

    async def flush(self) -> None:
        """Sign what is left, on the way out."""
        try:
            await self.sign_all()
        except _TROUBLE as error:
            await self._alarm(error)

    async def sign_all(self) -> None:
        """Sign every shard that has grown.

        Raises:
            SealerRefused: somebody else signs this log.
            TreeBroken: the roots differ; nothing is signed.
            StoreError, TileInvalid: the folder did not take or give a file.
        """
        shards = await repository.shards(self._conn)
        await self._conn.commit()
        for shard in shards:
            if shard.size > 0:
                await self._sign(shard)

    async def _sign(self, shard: Shard) -> None:
        signed = await repository.checkpoint(self._conn, shard.shard)
        await self._conn.commit()
        laid = self._laid.get(shard.shard, Frontier())
        if signed is not None and signed[0] == shard.size and laid.size == shard.size:
            return
        folder = self._folder(shard.shard)
        laid = await self._lay(shard, laid, folder)
        self._laid[shard.shard] = laid
        if laid.root() != shard.frontier().root():
            raise TreeBroken(_differ(shard, "the records as stored now do not lead to the root of the sequencer"))
        if (await asyncio.to_thread(folder.frontier, shard.size)).root() != laid.root():
            raise TreeBroken(_differ(shard, "the tiles as read back do not lead to the root of the records"))
        if signed is not None and signed[0] == shard.size:
            note = signed[2]
        else:
            checkpoint = Checkpoint(shard.origin, shard.size, laid.root())
            note = await asyncio.to_thread(sign_checkpoint, checkpoint, self._signers(shard.origin))
            await self._keep(shard, checkpoint, note)
        await asyncio.to_thread(folder.publish, note)
        await repository.note_trouble(self._conn, tree="")
        await self._conn.commit()

    async def _lay(self, shard: Shard, laid: Frontier, folder: TreeFolder) -> Frontier:
        """Read the leaves after `laid` back and lay them into the folder."""
        after = Frontier(laid.size, laid.hashes)
        pause = PAUSE_SECONDS if shard.size - laid.size <= LAY else 0.0  # where much waits, throughput counts
        while after.size < shard.size:
            before, end = after.size, min(shard.size, after.size + LAY)
            leaves = list[bytes]()
            hashes = list[bytes]()
            while after.size < end:
                rows = await repository.leaf_texts(self._conn, shard.shard, after.size, min(SLICE, end - after.size))
                if not rows:
                    raise TreeBroken(_differ(shard, f"entry {after.size} is missing"))
                for index, hashed, leaf in rows:
                    if index != after.size or leaf is None or leaf_hash(leaf) != hashed:
                        raise TreeBroken(_differ(shard, f"entry {after.size} is missing or not as it was sequenced"))
                    leaves.append(leaf)
                    hashes.append(hashed)
                    after.append(hashed)
                await asyncio.sleep(pause)
            await self._conn.commit()
            await asyncio.to_thread(folder.grow, before, leaves, hashes)
        return after

    async def _keep(self, shard: Shard, checkpoint: Checkpoint, note: bytes) -> None:
        try:
            await repository.insert_checkpoint(self._conn, shard.shard, checkpoint, note)
            await self._conn.commit()
        except psycopg.errors.UniqueViolation as error:
            await self._conn.rollback()
            raise SealerRefused(_differ(shard, "somebody else signed a tree of this size")) from error

    @staticmethod
    def _compare(folder: TreeFolder, signed: tuple[int, bytes, bytes] | None) -> Frontier:
        note = folder.checkpoint()
        if note is None:
            return Frontier()
        shown = Checkpoint.parse(Note.parse(note).text)
        if signed is None or shown.size > signed[0] or (shown.size == signed[0] and shown.root != signed[1]):
            raise SealerRefused(
                f"the tree's folder shows a checkpoint of {shown.size} leaves in {shown.origin}, the database signed "
                f"{signed[0] if signed else 0}: the database was set back; run `tightrope audit verify`"
            )
        frontier = folder.frontier(shown.size)
        if frontier.root() != shown.root:
            raise TileInvalid(f"the tiles of {shown.origin} do not lead to its checkpoint")
        return frontier

    async def _alarm(self, error: Exception) -> None:
        log.error("checkpoints are behind", action="checkpoints_behind", reason=str(error))
        await self._conn.rollback()
        await repository.note_trouble(self._conn, tree=str(error))
        await self._conn.commit()


def _differ(shard: Shard, what: str) -> str:
    return f"nothing is signed in {shard.origin}: {what}; run `tightrope audit verify`"
