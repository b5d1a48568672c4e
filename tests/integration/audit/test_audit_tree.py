"""The sequencer, the notary and the tree on disk: years, keys, gaps, crashes between any two steps, a folder that fails."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from datetime import UTC, datetime
from itertools import pairwise

import psycopg
import pytest
from audit_findings import stopped

from tightrope.audit import notary as notary_module
from tightrope.audit import sequencer as sequencer_module
from tightrope.audit import tree_repository
from tightrope.audit.errors import LogKeyInvalid, SealerRefused, StoreError
from tightrope.audit.health import sealer_health
from tightrope.audit.log_keys import LogKeys
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.sealer import run_sealer
from tightrope.audit.tlog.checkpoint import open_checkpoint
from tightrope.audit.tlog.keys import VerifierKey
from tightrope.audit.tlog.merkle import check_consistency, check_inclusion, consistency_proof, inclusion_proof, leaf_hash
from tightrope.audit.tree_folder import TreeFolder
from tightrope.audit.verify import verify_log
from tightrope.infra.secrets import new_key32, write_secret

pytestmark = pytest.mark.integration


class Crash(BaseException):
    """Stands for kill -9: nothing catches it."""


async def write(worker, recorder, count: int) -> list:
    async with worker.connection() as conn:
        return [await recorder.record(conn, RecordDraft(Event.TURN_MADE, "1-1", turn=n)) for n in range(count)]


def leaves(superuser, event: str = "%") -> list[dict]:
    with superuser("tightrope") as conn:
        rows = conn.execute(
            "SELECT r.leaf FROM audit.leaves l JOIN audit.records r ON r.id = l.record_id WHERE r.event LIKE %s ORDER BY l.shard, l.index",
            (event,),
        ).fetchall()
    return [json.loads(leaf) for (leaf,) in rows]


def year() -> int:
    return datetime.now(UTC).year


def published(log, shard: int | None = None):
    folder = TreeFolder.of(log, shard or year())
    note = folder.checkpoint()
    assert note is not None
    origin = f"tightrope.example/audit/{shard or year()}"
    return folder, open_checkpoint(note, [VerifierKey.parse(key) for key in LogKeys.from_settings(log).vkeys(origin)]).checkpoint


async def test_every_record_is_proven_by_the_published_tree(log, worker, recorder, seal, superuser):
    await write(worker, recorder, 300)
    await seal()
    folder, checkpoint = published(log)
    assert checkpoint.size == 301
    with superuser("tightrope") as conn:
        rows = conn.execute(
            "SELECT l.index, r.leaf FROM audit.leaves l JOIN audit.records r ON r.id = l.record_id ORDER BY l.index"
        ).fetchall()
    node = folder.nodes(checkpoint.size)
    for index, leaf in rows:
        check_inclusion(leaf_hash(leaf), index, 301, inclusion_proof(index, 301, node), checkpoint.root)


async def test_each_checkpoint_is_consistent_with_the_one_before(log, worker, recorder, seal, superuser):
    for count in (3, 254, 1, 300):
        await write(worker, recorder, count)
        await seal()
    with superuser("tightrope") as conn:
        signed = conn.execute("SELECT size, root FROM audit.checkpoints ORDER BY size").fetchall()
    assert [size for size, _ in signed] == [4, 258, 259, 559]
    node = published(log)[0].nodes(559)
    for (old, old_root), (new, new_root) in pairwise(signed):
        check_consistency(old, old_root, new, new_root, consistency_proof(old, new, node))
    assert (await verify_log(log)).ok


async def test_the_first_leaf_names_the_log_and_its_keys(log, seal, superuser):
    await seal()
    (leaf,) = leaves(superuser)
    assert leaf["event"] == "log:shard:opened"
    assert leaf["facts"]["origin"] == f"tightrope.example/audit/{year()}"
    assert leaf["facts"]["vkeys"] == LogKeys.from_settings(log).vkeys(leaf["facts"]["origin"])
    assert leaf["facts"]["before"] is None


async def test_a_new_year_has_a_tree_of_its_own_that_names_the_last(log, worker, recorder, seal, superuser, monkeypatch):
    await write(worker, recorder, 2)
    await seal()
    last = published(log)[1]

    class NextYear(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz).replace(year=year() + 1, month=1, day=1)

    async def next_year(conn):
        return NextYear.now(UTC)

    await write(worker, recorder, 1)
    monkeypatch.setattr(sequencer_module, "datetime", NextYear)
    await seal()
    assert len(leaves(superuser, "log:shard:opened")) == 1, "one clock alone must not close a year"
    monkeypatch.setattr(tree_repository, "now", next_year)
    await write(worker, recorder, 1)
    await seal()
    _, checkpoint = published(log, year() + 1)
    assert checkpoint.size == 2
    before = leaves(superuser, "log:shard:opened")[1]["facts"]["before"]
    final = published(log)[1]
    assert before == {"origin": final.origin, "size": final.size, "root": final.root.hex()}
    assert (last.size, final.size) == (3, 4)
    report = await verify_log(log)
    assert report.ok
    assert sorted(report.heads) == [year(), year() + 1]


async def test_a_clock_that_is_set_back_a_year_stays_in_the_tree_that_grows(log, worker, recorder, seal, monkeypatch, superuser):
    await seal()

    async def last_year(conn):
        return datetime.now(UTC).replace(year=year() - 1, month=6, day=1)

    monkeypatch.setattr(tree_repository, "now", last_year)
    await write(worker, recorder, 1)
    await seal()
    assert len(leaves(superuser, "log:shard:opened")) == 1
    assert published(log)[1].size == 2


async def test_heartbeats_stand_in_the_tree_and_silence_is_declared(log, sealer_at_work, superuser):
    beating = log.model_copy(update={"audit_beat_seconds": 0.1})
    async with sealer_at_work(beating):
        await asyncio.sleep(0.8)
    beats = leaves(superuser, "log:sequencer:beat")
    assert len(beats) >= 2
    assert set(beats[0]["facts"]) == {"size", "drift_ms", "database_ms", "mono_ms"}
    assert leaves(superuser, "log:gap:declared") == []
    await asyncio.sleep(0.5)
    async with sealer_at_work(beating):
        await asyncio.sleep(0.3)
    (gap,) = leaves(superuser, "log:gap:declared")
    assert set(gap["facts"]) == {"from", "to", "seconds", "reason"}


async def test_a_key_is_replaced_in_the_middle_of_a_year(log, worker, recorder, seal, superuser, tmp_path):
    origin = f"tightrope.example/audit/{year()}"
    secrets = tmp_path / "secrets"
    shutil.copytree(log.secrets_path, secrets)
    log = log.model_copy(update={"secrets_dir": secrets})
    old = new_key32()
    write_secret(log, "audit_log_key", old)
    await run(log, worker, recorder)
    both = new_key32()
    write_secret(log, "audit_log_key", f"{old}\n{both}")
    await run(log, worker, recorder)
    write_secret(log, "audit_log_key", both)
    await run(log, worker, recorder)
    (added,) = leaves(superuser, "log:key:added")
    assert added["facts"]["vkey"] == LogKeys([base64.b64decode(both)]).vkeys(origin)[0]
    report = await verify_log(log)
    assert report.ok
    # In the overlap, whoever knows only one of the keys can check.
    with superuser("tightrope") as conn:
        notes = [note for (note,) in conn.execute("SELECT note FROM audit.checkpoints ORDER BY size").fetchall()]
    signatures = [note.count(b"\n\xe2\x80\x94 ") for note in notes]
    assert sorted(set(signatures)) == [1, 2]
    for key in (old, both):
        open_checkpoint(
            notes[signatures.index(2)], [VerifierKey.parse(vkey) for vkey in LogKeys([base64.b64decode(key)]).vkeys(origin)]
        )


async def run(log, worker, recorder) -> None:
    """Write a record and seal it under these settings."""
    await write(worker, recorder, 1)
    stop = asyncio.Event()
    task = asyncio.create_task(run_sealer(log, stop))
    await asyncio.sleep(0.4)
    stop.set()
    await task


@pytest.mark.parametrize("secret", ["", "AAAA", "no base64!", f"{base64.b64encode(bytes(range(32))).decode()} AAAA"])
def test_a_log_key_that_is_none_is_refused_by_name(log, tmp_path, secret):
    foreign = log.model_copy(update={"secrets_dir": tmp_path / "secrets"})
    write_secret(foreign, "audit_log_key", secret)
    with pytest.raises((LogKeyInvalid, SystemExit), match="audit_log_key"):
        LogKeys.from_settings(foreign)


@pytest.mark.parametrize("step", ["insert_shard", "insert_log_event", "insert_leaves", "insert_checkpoint", "checkpoint"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_between_any_two_steps_the_tree_goes_on_whole(
    log, worker, recorder, seal, superuser, monkeypatch, step, when
):
    ids = await write(worker, recorder, 5)
    real = getattr(tree_repository, step)

    async def dies(*args, **kwargs):
        if when == "after":
            await real(*args, **kwargs)
        raise Crash

    monkeypatch.setattr(tree_repository, step, dies)
    with pytest.raises(Crash):
        await run_sealer(log, asyncio.Event())
    monkeypatch.undo()
    await asyncio.sleep(0.3)  # the database ends the dead one's connections, and with them its lease
    await seal()
    with superuser("tightrope") as conn:
        rows = conn.execute("SELECT index, record_id FROM audit.leaves WHERE index > 0 ORDER BY index").fetchall()
    assert rows == list(enumerate(ids, 1))
    assert published(log)[1].size == 6
    assert (await verify_log(log)).ok


@pytest.mark.parametrize("step", ["grow", "publish"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_around_the_files_of_the_tree_nothing_is_signed_twice(log, worker, recorder, seal, monkeypatch, step, when):
    await write(worker, recorder, 260)
    real = getattr(TreeFolder, step)

    def dies(*args, **kwargs):
        if when == "after":
            real(*args, **kwargs)
        raise Crash

    monkeypatch.setattr(TreeFolder, step, dies)
    with pytest.raises(Crash):
        await run_sealer(log, asyncio.Event())
    monkeypatch.undo()
    await write(worker, recorder, 3)
    await seal()
    assert published(log)[1].size == 264
    assert (await verify_log(log)).ok


async def test_with_a_full_disk_receipts_go_on_and_health_says_checkpoints_lag(
    log, worker, recorder, superuser, sealer_at_work, monkeypatch
):
    monkeypatch.setattr(notary_module, "RETRY_SECONDS", 0.05)
    real = TreeFolder.grow

    def full(*args):
        raise StoreError("no space left on device")

    monkeypatch.setattr(TreeFolder, "grow", full)
    async with sealer_at_work(log):
        ids = await write(worker, recorder, 2)
        health = None
        for _ in range(200):
            await asyncio.sleep(0.02)
            health = await sealer_health(log)
            if health and "checkpoints" in health:
                break
        assert health == "checkpoints are behind: no space left on device"
        with superuser("tightrope") as conn:
            assert conn.execute("SELECT bool_and(audit.released(id)) FROM unnest(%s::uuid[]) AS id", (ids,)).fetchone() == (True,)
        monkeypatch.setattr(TreeFolder, "grow", real)
        for _ in range(200):
            await asyncio.sleep(0.02)
            if await sealer_health(log) is None:
                break
    assert published(log)[1].size == 3


@pytest.mark.parametrize("damage", ["removed", "the last tile removed", "the last tile altered", "the checkpoint garbled"])
async def test_a_lost_or_damaged_folder_is_made_again_from_the_database(log, worker, recorder, seal, damage):
    await write(worker, recorder, 300)
    await seal()
    folder, checkpoint = published(log)
    tile = folder.path / "tile/0/001.p/45"
    if damage == "removed":
        shutil.rmtree(folder.path)
    elif damage == "the last tile removed":
        tile.unlink()
    elif damage == "the last tile altered":
        tile.write_bytes(bytes(45 * 32))
    else:
        (folder.path / "checkpoint").write_text("x")
    await seal()
    assert published(log)[1] == checkpoint
    assert (await verify_log(log)).ok


@pytest.mark.parametrize("damage", ["removed", "altered"])
async def test_a_damaged_inner_tile_is_named_and_the_folder_moved_away_is_made_again(log, worker, recorder, seal, damage):
    await write(worker, recorder, 300)
    await seal()
    tile = published(log)[0].path / "tile/0/000"
    if damage == "removed":
        tile.unlink()
    else:
        tile.write_bytes(bytes(8192))
    report = await verify_log(log)
    assert not report.ok
    assert report.tree_problems
    assert not report.altered
    log.audit_tree.rename(log.audit_tree.with_name("moved-away"))
    await seal()
    assert (await verify_log(log)).ok


async def test_a_record_altered_between_receipt_and_checkpoint_is_never_signed(log, worker, recorder, insider, sealer_at_work):
    slow = log.model_copy(update={"audit_checkpoint_seconds": 60.0, "audit_segment_seconds": 60.0})
    async with sealer_at_work(slow):
        await asyncio.sleep(0.4)
        (record,) = await write(worker, recorder, 1)
        for _ in range(100):
            await asyncio.sleep(0.02)
            if insider.execute("SELECT audit.released(%s)", (record,)).fetchone() == (True,):
                break
        insider.execute("UPDATE audit.records SET leaf = leaf || ' ' WHERE id = %s", (record,))
    assert insider.execute("SELECT max(size) FROM audit.checkpoints").fetchone() == (1,)
    assert "run `tightrope audit verify`" in (await sealer_health(log) or "")


async def test_another_who_signs_the_same_size_stops_the_sealer(log, worker, recorder, seal, superuser):
    await seal()
    await write(worker, recorder, 1)
    with superuser("tightrope") as conn:
        conn.execute("INSERT INTO audit.checkpoints SELECT shard, 2, root, note FROM audit.checkpoints")
    with pytest.raises(SealerRefused):
        await run_sealer(log, asyncio.Event())


async def test_what_the_chain_had_sealed_becomes_the_beginning_of_the_tree(log, worker, recorder, seal, insider):
    await write(worker, recorder, 3)
    await seal()
    # As the migration leaves it: leaves with their order, and nothing else.
    shutil.rmtree(log.audit_tree)
    shutil.rmtree(log.audit_store)
    insider.execute("DELETE FROM audit.shards; DELETE FROM audit.checkpoints; DELETE FROM audit.segments")
    await write(worker, recorder, 1)
    await seal()
    assert published(log)[1].size == 5
    assert (await verify_log(log)).ok


async def test_a_sealer_that_stops_at_once_leaves_a_whole_log(log, worker, recorder):
    await write(worker, recorder, 1)
    await run_sealer(log, stopped())
    assert published(log)[1].size == 2


def test_the_sealers_role_cannot_rewrite_a_shard(log):
    from tightrope.infra.database import Role, conninfo

    with psycopg.connect(conninfo(log, Role.SEALER), autocommit=True) as conn:
        for attack in (
            "UPDATE audit.shards SET origin = 'x'",
            "DELETE FROM audit.shards",
            "UPDATE audit.checkpoints SET root = ''",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(attack)
