"""What an insider can do to leaves, checkpoints, tiles and the database as a whole, and that it is named."""

from __future__ import annotations

import shutil

import psycopg
import pytest
from audit_findings import found, stopped

from tightrope.audit.errors import SealerRefused
from tightrope.audit.log_keys import LogKeys
from tightrope.audit.sealer import run_sealer
from tightrope.audit.tlog.checkpoint import Checkpoint, sign_checkpoint
from tightrope.audit.tlog.merkle import Frontier, leaf_hash
from tightrope.audit.verify import verify_log

pytestmark = pytest.mark.integration


async def test_a_flipped_byte_in_a_leaf_hash_is_named(log, written, insider):
    insider.execute("UPDATE audit.leaves SET leaf_hash = set_byte(leaf_hash, 5, get_byte(leaf_hash, 5) # 1) WHERE index = 4")
    report = await verify_log(log)
    assert ("leaf", 4) in found(report.altered)
    assert ("checkpoint", 6) in found(report.altered)
    assert [finding.place.index for finding in report.tree_problems] == [4]


async def test_a_tree_entry_that_names_another_record_is_named(log, written, insider):
    insider.execute("UPDATE audit.leaves SET record_id = gen_random_uuid() WHERE index = 4")
    report = await verify_log(log)
    assert ("record", 4) in found(report.missing)


async def test_a_leaf_and_its_hash_changed_together_are_named_by_checkpoint_tiles_and_segment(log, written, insider):
    (leaf,) = insider.execute("SELECT leaf FROM audit.records WHERE id = %s", (written[3],)).fetchone()
    changed = leaf.replace(b'"n":3', b'"n":9')
    insider.execute("UPDATE audit.records SET leaf = %s WHERE id = %s", (changed, written[3]))
    insider.execute("UPDATE audit.leaves SET leaf_hash = %s WHERE index = 4", (leaf_hash(changed),))
    report = await verify_log(log)
    assert ("checkpoint", 6) in found(report.altered)
    assert ("tree", 4) in found(report.altered)
    assert [finding.place.index for finding in report.tree_problems] == [4]


async def test_a_forged_checkpoint_is_named(log, written, insider):
    insider.execute(
        "UPDATE audit.checkpoints SET root = sha256(root), note = replace(convert_from(note, 'UTF8'), E'\n7\n', E'\n6\n')::bytea"
    )
    report = await verify_log(log)
    assert ["checkpoint" in finding.kind for finding in report.altered] == [True]


async def test_a_deleted_or_altered_tile_is_named(log, written):
    (tile,) = log.audit_tree.glob("*/tile/0/000.p/7")
    data = bytearray(tile.read_bytes())
    data[32 * 2] ^= 1
    tile.write_bytes(data)
    report = await verify_log(log)
    assert [finding.place.index for finding in report.tree_problems] == [2, 2]
    tile.unlink()
    assert "missing" in (await verify_log(log)).tree_problems[0].detail


async def test_an_altered_entry_bundle_is_named(log, written):
    (bundle,) = log.audit_tree.glob("*/tile/entries/000.p/7")
    bundle.write_bytes(bundle.read_bytes().replace(b'"n":2', b'"n":7'))
    report = await verify_log(log)
    assert [(f.place.index, "entry" in f.detail) for f in report.tree_problems] == [(3, True)]


async def test_a_cut_tail_is_named_and_stops_the_sealer(log, written, insider):
    insider.execute("DELETE FROM audit.leaves WHERE index >= 5")
    insider.execute("DELETE FROM audit.records WHERE id = ANY(%s)", (written[4:],))
    report = await verify_log(log)
    assert [(finding.kind, finding.place.index, finding.record_id) for finding in report.missing] == [
        ("tail", 5, written[4]),
        ("tail", 6, written[5]),
    ]
    with pytest.raises(SealerRefused, match="the tail was cut"):
        await run_sealer(log, stopped())


def set_back(insider, size: int) -> None:
    """A database restored from a backup in which the tree had `size` leaves."""
    frontier = Frontier()
    for (hashed,) in insider.execute("SELECT leaf_hash FROM audit.leaves WHERE index < %s ORDER BY index", (size,)).fetchall():
        frontier.append(hashed)
    insider.execute("DELETE FROM audit.records WHERE id IN (SELECT record_id FROM audit.leaves WHERE index >= %s)", (size,))
    insider.execute("DELETE FROM audit.leaves WHERE index >= %s", (size,))
    insider.execute("DELETE FROM audit.checkpoints WHERE size > %s", (size,))
    insider.execute("DELETE FROM audit.segments WHERE last >= %s", (size,))
    insider.execute("UPDATE audit.shards SET size = %s, frontier = %s", (size, b"".join(frontier.hashes)))


async def test_a_database_set_back_behind_tree_and_store_is_named_and_stops_the_sealer(log, written, insider):
    set_back(insider, 5)
    report = await verify_log(log)
    assert any("ahead of the database" in finding.detail for finding in report.segment_problems)
    assert {(finding.place.index, finding.record_id) for finding in report.missing} >= {(5, written[4]), (6, written[5])}
    assert any("the tree's folder is ahead" in finding.detail for finding in report.tree_problems)
    with pytest.raises(SealerRefused, match="the database was set back"):
        await run_sealer(log, stopped())


@pytest.mark.parametrize("left", ["tree", "store"])
async def test_a_database_set_back_is_noticed_by_the_tree_alone_and_by_the_store_alone(log, written, insider, left):
    set_back(insider, 5)
    shutil.rmtree(log.audit_store if left == "tree" else log.audit_tree)
    assert not (await verify_log(log)).ok
    with pytest.raises(SealerRefused, match="the database was set back"):
        await run_sealer(log, stopped())


async def test_a_database_emptied_whole_is_noticed(log, written, insider):
    insider.execute("TRUNCATE audit.records, audit.leaves, audit.checkpoints, audit.segments, audit.shards, audit.pending")
    report = await verify_log(log)
    assert any("the database has none" in finding.detail for finding in report.missing)
    with pytest.raises(SealerRefused, match="the database was set back"):
        await run_sealer(log, stopped())


async def test_a_tree_rewritten_from_its_first_leaf_with_the_log_key_is_found_by_the_segments_and_tiles(log, written, insider):
    rewritten = Frontier()
    for index, record, leaf in insider.execute(
        "SELECT l.index, r.id, r.leaf FROM audit.leaves l JOIN audit.records r ON r.id = l.record_id ORDER BY index"
    ).fetchall():
        changed = leaf.replace(b'"n":1', b'"n":8')
        insider.execute("UPDATE audit.records SET leaf = %s WHERE id = %s", (changed, record))
        insider.execute("UPDATE audit.leaves SET leaf_hash = %s WHERE index = %s", (leaf_hash(changed), index))
        rewritten.append(leaf_hash(changed))
    (origin,) = insider.execute("SELECT origin FROM audit.shards").fetchone()
    note = sign_checkpoint(Checkpoint(origin, 7, rewritten.root()), LogKeys.from_settings(log).signers(origin))
    insider.execute("UPDATE audit.checkpoints SET root = %s, note = %s", (rewritten.root(), note))
    insider.execute("UPDATE audit.shards SET frontier = %s", (b"".join(rewritten.hashes),))
    report = await verify_log(log)
    assert found(report.altered) == [("tree", 2)]
    assert "rewritten" in report.altered[0].detail
    assert [finding.place.index for finding in report.tree_problems] == [2]


async def test_a_record_taken_out_of_the_tree_with_the_tree_closed_up_is_named(log, written, insider):
    insider.execute("DELETE FROM audit.leaves WHERE index = 6")
    report = await verify_log(log)
    assert {finding.record_id for finding in report.missing} >= {written[5]}
    assert any("neither sealed nor waiting" in finding.detail for finding in report.missing)


@pytest.mark.parametrize(
    "attack", ["UPDATE audit.shards SET size = size - 1", "UPDATE audit.shards SET origin = 'x'", "DELETE FROM audit.shards"]
)
async def test_a_shard_never_shrinks_or_vanishes(log, written, superuser, attack):
    with superuser("tightrope") as conn:
        conn.execute("SET session_replication_role = replica")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only grows"):
            conn.execute(attack)
