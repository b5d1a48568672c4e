"""How the log's costs change with its size: sequencing, a checkpoint, the sealer's start, a proof, bytes on disk.

    python -m benchmarks.audit growth

Synthetic: records (real leaves and ciphertexts) and their places are copied into the tables and the frontier is folded as the sequencer does. Tiles,
checkpoint and segments are then written by the notary and the segment writer themselves.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from benchmarks.audit.drafts import copy_records
from benchmarks.audit.world import RELEASE, World
from tightrope.audit import tree_repository as repository
from tightrope.audit.keyring import Keyring
from tightrope.audit.log_keys import LogKeys
from tightrope.audit.notary import Notary
from tightrope.audit.segment_writer import SegmentWriter
from tightrope.audit.sequencer import BATCH, Sequencer
from tightrope.audit.stores.choice import store_from
from tightrope.audit.tlog.checkpoint import Checkpoint
from tightrope.audit.tlog.merkle import Frontier, check_inclusion, inclusion_proof
from tightrope.audit.tlog.note import Note
from tightrope.audit.tree_folder import TreeFolder
from tightrope.infra.settings import Settings

SIZES = (10_000, 100_000, 1_000_000)
FRESH = 10 * BATCH
"""Records that wait when the sequencing rate at a size is taken."""
SIGNED = 20
"""Checkpoints timed at each size, each over one batch of new leaves."""
PROOFS = 200
CHUNK = 50_000
TABLES = ("records", "leaves", "pending", "checkpoints", "segments", "keys", "conversations")


@dataclass(slots=True)
class Grown:
    """What was seen at one size. Times in seconds, sizes in bytes."""

    size: int
    rate: float = 0.0
    checkpoint: float = 0.0
    start: float = 0.0
    prove: float = 0.0
    check: float = 0.0
    laying: float = 0.0
    storing: float = 0.0
    tables: dict[str, int] = field(default_factory=dict)
    tiles: int = 0
    entries: int = 0
    segments: int = 0
    leaf: float = 0.0
    ct: float = 0.0


def measure(world: World, sizes: tuple[int, ...] = SIZES) -> tuple[list[Grown], TreeFolder]:
    """Grow one log from size to size; what was seen, and the folder of its tree."""
    keyring, found, shard = Keyring.from_settings(world.settings), list[Grown](), datetime.now(UTC).year
    asyncio.run(_opened(world.settings))
    made = 0
    for size in sizes:
        while made < size:
            count = min(CHUNK, size - made)
            _load(world, keyring, made, count, shard)
            made += count
            sys.stderr.write(f"  {made:,} leaves\n")
        with world.superuser() as conn:
            conn.execute("VACUUM ANALYZE audit.records, audit.leaves, audit.pending")
        found.append(asyncio.run(_at(world, keyring, size)))
        made += FRESH + SIGNED * BATCH
    return found, TreeFolder.of(world.settings, shard)


@contextmanager
def _insider(conn: psycopg.Connection, *tables: str) -> Iterator[None]:
    """The queue's trigger off: what is copied in with its place does not wait for one."""
    for table in tables:
        conn.execute(f"ALTER TABLE audit.{table} DISABLE TRIGGER enqueue")  # type: ignore[arg-type]
    try:
        yield
    finally:
        for table in tables:
            conn.execute(f"ALTER TABLE audit.{table} ENABLE ALWAYS TRIGGER enqueue")  # type: ignore[arg-type]


def _load(world: World, keyring: Keyring, first: int, count: int, shard: int) -> None:
    with world.superuser() as conn, _insider(conn, "records"):
        made = copy_records(world, keyring, first, count)
        row = conn.execute("SELECT size, frontier FROM audit.shards WHERE shard = %s", (shard,)).fetchone()
        assert row is not None, "the sequencer opened the shard"
        frontier = Frontier(row[0], repository.split(row[1]))
        with conn.transaction():
            with (
                conn.cursor() as cursor,
                cursor.copy("COPY audit.leaves (shard, index, record_id, leaf_hash) FROM STDIN (FORMAT binary)") as copy,
            ):
                copy.set_types(["int2", "int8", "uuid", "bytea"])
                for index, (record_id, hashed) in enumerate(made, frontier.size):
                    copy.write_row((shard, index, record_id, hashed))
            frontier.extend(hashed for _, hashed in made)
            conn.execute(
                "UPDATE audit.shards SET size = %s, frontier = %s WHERE shard = %s",
                (frontier.size, b"".join(frontier.hashes), shard),
            )


async def _opened(settings: Settings) -> None:
    async with repository.connection(settings) as conn:
        await conn.set_autocommit(True)
        await _sequencer(settings, conn).start()


def _sequencer(settings: Settings, conn: repository.Conn) -> Sequencer:
    keys = LogKeys.from_settings(settings)
    return Sequencer(conn, log_name=settings.audit_log_name, vkeys=keys.vkeys, release=RELEASE, beat_seconds=0.0)


async def _at(world: World, keyring: Keyring, size: int) -> Grown:
    settings, seen = world.settings, Grown(size)
    async with (
        repository.connection(settings) as work,
        repository.connection(settings) as sign,
        repository.connection(settings) as store,
    ):
        await work.set_autocommit(True)
        notary, writer, sequencer = _parts(settings, work, sign, store)
        await notary.start()
        began = time.perf_counter()
        await notary.sign_all()
        seen.laying = time.perf_counter() - began
        began = time.perf_counter()
        await writer.start()
        await writer.flush()
        seen.storing = time.perf_counter() - began
        # Only now, over a log that is whole on the disk: what a sealer does before its first receipt.
        notary, writer, sequencer = _parts(settings, work, sign, store)
        began = time.perf_counter()
        await notary.start()
        await writer.start()
        await sequencer.start()
        seen.start = time.perf_counter() - began
        await asyncio.to_thread(copy_records, world, keyring, size, FRESH)
        began = time.perf_counter()
        while await sequencer.sequence_batch() == BATCH:
            pass
        seen.rate = FRESH / (time.perf_counter() - began)
        await notary.sign_all()
        times = []
        for number in range(SIGNED):
            await asyncio.to_thread(copy_records, world, keyring, size + FRESH + number * BATCH, BATCH)
            await sequencer.sequence_batch()
            began = time.perf_counter()
            await notary.sign_all()
            times.append(time.perf_counter() - began)
        seen.checkpoint = statistics.median(times)
        await writer.flush()
        _proofs(TreeFolder.of(settings, sequencer.year), seen)
    _bytes(world, seen)
    return seen


def _parts(
    settings: Settings, work: repository.Conn, sign: repository.Conn, store: repository.Conn
) -> tuple[Notary, SegmentWriter, Sequencer]:
    keys = LogKeys.from_settings(settings)
    notary = Notary(sign, lambda shard: TreeFolder.of(settings, shard), keys.signers, seconds=settings.audit_checkpoint_seconds)
    return notary, SegmentWriter(store, store_from(settings), seconds=settings.audit_segment_seconds), _sequencer(settings, work)


def _proofs(folder: TreeFolder, seen: Grown) -> None:
    note = folder.checkpoint()
    assert note is not None, "the notary has signed"
    shown = Checkpoint.parse(Note.parse(note).text)
    proving, checking = [], []
    for number in range(PROOFS):
        index = number * (shown.size - 1) // (PROOFS - 1)
        hashed = folder.nodes(shown.size)(0, index)
        began = time.perf_counter()
        proof = inclusion_proof(index, shown.size, folder.nodes(shown.size))  # a new reader: nothing cached
        proved = time.perf_counter()
        check_inclusion(hashed, index, shown.size, proof, shown.root)
        proving.append(proved - began)
        checking.append(time.perf_counter() - proved)
    seen.prove, seen.check = statistics.median(proving), statistics.median(checking)


def _bytes(world: World, seen: Grown) -> None:
    with world.superuser() as conn:
        for table in TABLES:
            row = conn.execute("SELECT pg_total_relation_size(%s::regclass)", (f"audit.{table}",)).fetchone()
            seen.tables[table] = row[0] if row else 0
        row = conn.execute("SELECT max(index) + 1 FROM audit.leaves").fetchone()
        sizes = conn.execute(
            "SELECT avg(octet_length(leaf))::float8, avg(octet_length(ct))::float8 FROM audit.records"
        ).fetchone()
    assert row is not None
    assert sizes is not None
    seen.size, (seen.leaf, seen.ct) = row[0], sizes
    tree = TreeFolder.of(world.settings, datetime.now(UTC).year).path
    seen.entries = _disk(tree / "tile" / "entries")
    seen.tiles = _disk(tree) - seen.entries
    seen.segments = _disk(world.settings.audit_store or world.settings.state_dir / "audit-segments")


def _disk(folder: Path) -> int:
    """Bytes as `du` counts them: blocks, not lengths."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*")) if folder.exists() else 0


def report(found: list[Grown]) -> list[str]:
    """The section of the report."""
    heads = " | ".join(f"{each.size:,}" for each in found)

    def row(name: str, values: list[str]) -> str:
        return f"| {name} | {' | '.join(values)} |"

    def per(values: list[int]) -> list[str]:
        return [f"{value / each.size:,.0f}" for value, each in zip(values, found, strict=True)]

    others = [sum(size for name, size in each.tables.items() if name not in {"records", "leaves"}) for each in found]
    whole = [sum(each.tables.values()) + each.tiles + each.entries + each.segments for each in found]
    return [
        "## Growth with the log's size",
        "",
        "Synthetic logs: records with real leaves and ciphertexts and their places copied into the tables, the frontier folded as the sequencer does; tiles,",
        f"checkpoint and segments written by notary and segment writer. Then {FRESH:,} fresh records are sequenced, and {SIGNED} checkpoints signed over",
        f"{BATCH} new leaves each. Start: what a sealer does before its first receipt, over a log that is whole on the disk. Proofs: medians of {PROOFS},",
        "nothing cached in the program.",
        "",
        f"| leaves | {heads} |",
        f"| --- |{' --- |' * len(found)}",
        row("sequenced a second, nothing else at work", [f"{each.rate:,.0f}" for each in found]),
        row(
            "a checkpoint: read back, fold, write tiles, read back, sign (ms, median)",
            [f"{each.checkpoint * 1000:.0f}" for each in found],
        ),
        row("start of the sealer (ms)", [f"{each.start * 1000:.0f}" for each in found]),
        row("an inclusion proof from the tiles (µs)", [f"{each.prove * 1e6:.0f}" for each in found]),
        row("its check (µs)", [f"{each.check * 1e6:.0f}" for each in found]),
        row("the tree folder made anew or caught up (s)", [f"{each.laying:.1f}" for each in found]),
        row("segments caught up (s)", [f"{each.storing:.1f}" for each in found]),
        "",
        "Bytes an event on the disk:",
        "",
        f"| leaves | {heads} |",
        f"| --- |{' --- |' * len(found)}",
        row("leaf and ciphertext themselves", [f"{each.leaf:,.0f} + {each.ct:,.0f}" for each in found]),
        row("`audit.records` with indexes", per([each.tables["records"] for each in found])),
        row("`audit.leaves` with indexes", per([each.tables["leaves"] for each in found])),
        row("other tables", per(others)),
        row("tree folder: entry bundles", per([each.entries for each in found])),
        row("tree folder: tiles and checkpoint", per([each.tiles for each in found])),
        row("segments", per([each.segments for each in found])),
        row("**all**", per(whole)),
    ]


def publish_policy(settings: Settings, folder: TreeFolder) -> None:
    """Lay beside a published log what the verifier apart wants: the log's keys, and that there are no witnesses and no anchors."""
    keys = LogKeys.from_settings(settings)
    vkeys = keys.vkeys(f"{settings.audit_log_name}/{folder.path.name}")
    folder.path.parent.joinpath("policy.txt").write_text("".join(f"log {vkey}\n" for vkey in vkeys) + "quorum none\n")
    folder.path.parent.joinpath("anchors.json").write_text("[]")
