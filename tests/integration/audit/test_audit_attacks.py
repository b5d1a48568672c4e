"""What an insider with the superuser's rights can do to the log, and that verification names it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import psycopg
import pytest

from tightrope.audit.errors import SealerRefused, WrongMasterKey
from tightrope.audit.keyring import Keyring, generate_master_key
from tightrope.audit.leaf import GENESIS, chain_hash, leaf_hash
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.reading import show_conversation, turns
from tightrope.audit.recorder import Recorder
from tightrope.audit.sealer import run_sealer
from tightrope.audit.verify import verify_log
from tightrope.infra.database import Role, conninfo
from tightrope.infra.secrets import write_secret

pytestmark = pytest.mark.integration


@pytest.fixture
async def written(log, worker, recorder, seal):
    """Six records of two conversations, sealed and stored in segments; their ids in order."""
    ids = []
    async with worker.connection() as conn:
        digest = await recorder.store_content(conn, "flows", b"flows: {}")
        for number in range(6):
            conversation = f"1-{number // 3}"
            draft = RecordDraft(
                Event.CUSTOMER_MESSAGE_RECEIVED,
                conversation,
                "C1001",
                number,
                {"n": number},
                {"content": f"问题{number}"},
                {"flows": digest},
            )
            ids.append(await recorder.record(conn, draft))
            await conn.commit()
    await seal()
    report = await verify_log(log)
    assert report.ok
    assert (report.sealed, report.unsealed, report.segments) == (6, 0, 1)
    return ids


def found(findings) -> list[tuple[str, int | None]]:
    return [(finding.kind, finding.seq) for finding in findings]


def one_segment(log) -> Path:
    (path,) = (log.audit_store / "seg" / "main").iterdir()
    return path


async def test_an_intact_log_passes_and_names_its_store(log, written):
    report = await verify_log(log)
    assert report.ok
    assert report.store == "local folder, not WORM"
    assert len(report.head_hash) == 64
    assert report.contents == 1


async def test_a_flipped_byte_in_a_leaf_is_named(log, written, insider):
    insider.execute("UPDATE audit.records SET leaf = set_byte(leaf, 40, get_byte(leaf, 40) # 1) WHERE id = %s", (written[2],))
    report = await verify_log(log)
    assert ("leaf", 3) in found(report.altered)
    assert report.altered[0].record_id == written[2]
    assert not report.missing


async def test_a_changed_fact_in_a_leaf_is_named(log, written, insider):
    insider.execute(
        """UPDATE audit.records SET leaf = convert_to(replace(convert_from(leaf, 'UTF8'), '"n":2', '"n":9'), 'UTF8')"""
    )
    assert found((await verify_log(log)).altered) == [("leaf", 3)]


async def test_a_flipped_byte_in_a_ciphertext_is_named_and_unreadable(log, written, insider):
    insider.execute("UPDATE audit.records SET ct = set_byte(ct, 30, get_byte(ct, 30) # 1) WHERE id = %s", (written[1],))
    assert found((await verify_log(log)).altered) == [("ciphertext", 2)]
    view = await show_conversation(log, "1-0", reader="auditor")
    assert [entry.problem is not None for entry in view.entries] == [False, True, False]
    assert view.entries[1].payload is None


async def test_swapped_ciphertexts_are_named(log, written, insider):
    insider.execute(
        "UPDATE audit.records r SET ct = (SELECT o.ct FROM audit.records o WHERE o.id = CASE r.id WHEN %(a)s THEN %(b)s ELSE %(a)s END) "
        "WHERE r.id IN (%(a)s, %(b)s)",
        {"a": written[0], "b": written[4]},
    )
    assert found((await verify_log(log)).altered) == [("ciphertext", 1), ("ciphertext", 5)]


@pytest.mark.parametrize("column", ["leaf_hash", "hash", "prev"])
async def test_a_flipped_byte_in_the_chain_is_named(log, written, insider, column):
    insider.execute(f"UPDATE audit.chain SET {column} = set_byte({column}, 5, get_byte({column}, 5) # 1) WHERE seq = 4")
    report = await verify_log(log)
    assert ("chain", 4) in found(report.altered)
    assert not any(finding.seq in {1, 2, 3, 6} for finding in report.altered)


async def test_a_chain_entry_that_names_another_record_is_named(log, written, insider):
    insider.execute("UPDATE audit.chain SET record_id = gen_random_uuid() WHERE seq = 4")
    report = await verify_log(log)
    assert ("record", 4) in found(report.missing)


async def test_an_index_column_that_contradicts_the_leaf_is_named(log, written, insider):
    insider.execute("UPDATE audit.records SET event = 'gateway:turn:made', turn = 77 WHERE id = %s", (written[3],))
    assert found((await verify_log(log)).altered) == [("columns", 4), ("columns", 4)]


async def test_a_deleted_record_is_named(log, written, insider):
    insider.execute("DELETE FROM audit.records WHERE id = %s", (written[4],))
    report = await verify_log(log)
    assert found(report.missing) == [("record", 5)]
    assert report.missing[0].record_id == written[4]


async def test_a_conversation_deleted_with_its_chain_entries_is_named_record_by_record(log, written, insider):
    insider.execute("DELETE FROM audit.chain WHERE seq <= 3")
    insider.execute("DELETE FROM audit.records WHERE id = ANY(%s)", (written[:3],))
    report = await verify_log(log)
    assert {(finding.seq, finding.record_id) for finding in report.missing} == {(1, written[0]), (2, written[1]), (3, written[2])}
    assert "customer:message:received" in report.missing[0].detail


async def test_a_cut_tail_is_named_and_stops_the_sealer(log, written, insider):
    insider.execute("DELETE FROM audit.chain WHERE seq >= 5")
    insider.execute("DELETE FROM audit.records WHERE id = ANY(%s)", (written[4:],))
    report = await verify_log(log)
    assert [(finding.kind, finding.seq, finding.record_id) for finding in report.missing] == [
        ("tail", 5, written[4]),
        ("tail", 6, written[5]),
    ]
    with pytest.raises(SealerRefused, match="6 was its head"):
        await run_sealer(log, _stopped())


async def test_a_database_set_back_behind_the_store_is_named_and_stops_the_sealer(log, written, insider):
    insider.execute("DELETE FROM audit.chain WHERE seq >= 5")
    insider.execute("DELETE FROM audit.records WHERE id = ANY(%s)", (written[4:],))
    insider.execute("DELETE FROM audit.segments")
    insider.execute("UPDATE audit.sealer SET head_seq = 4, head_hash = (SELECT hash FROM audit.chain WHERE seq = 4)")
    report = await verify_log(log)
    assert any("ahead of the database" in finding.detail for finding in report.segment_problems)
    assert [(finding.seq, finding.record_id) for finding in report.missing] == [(5, written[4]), (6, written[5])]
    with pytest.raises(SealerRefused, match="ahead of the database"):
        await run_sealer(log, _stopped())


async def test_a_chain_rewritten_from_its_first_entry_is_found_by_the_segments(log, written, insider):
    rows = insider.execute(
        "SELECT c.seq, r.id, r.leaf, r.turn FROM audit.chain c JOIN audit.records r ON r.id = c.record_id ORDER BY seq"
    ).fetchall()
    before = GENESIS
    for seq, record, leaf, _ in rows:
        changed = leaf.replace(b'"n":1', b'"n":8')
        hashed = leaf_hash(changed)
        entry = chain_hash(seq, before, hashed)
        insider.execute("UPDATE audit.records SET leaf = %s WHERE id = %s", (changed, record))
        insider.execute(
            "UPDATE audit.chain SET leaf_hash = %s, prev = %s, hash = %s WHERE seq = %s", (hashed, before, entry, seq)
        )
        before = entry
    insider.execute("UPDATE audit.sealer SET head_hash = %s", (before,))
    report = await verify_log(log)
    assert found(report.altered) == [("chain", seq) for seq in range(2, 7)]
    assert "rewritten" in report.altered[0].detail


async def test_a_record_taken_out_of_the_chain_with_the_chain_closed_up_is_named(log, written, insider):
    insider.execute("DELETE FROM audit.chain WHERE seq = 6")
    insider.execute("UPDATE audit.sealer SET head_seq = 5, head_hash = (SELECT hash FROM audit.chain WHERE seq = 5)")
    report = await verify_log(log)
    assert {finding.record_id for finding in report.missing} == {written[5]}
    assert any("neither sealed nor waiting" in finding.detail for finding in report.missing)


async def test_a_record_deleted_before_its_seal_is_named_and_never_sealed(log, worker, recorder, seal, insider):
    async with worker.connection() as conn:
        record = await recorder.record(conn, RecordDraft(Event.CUSTOMER_MESSAGE_RECEIVED, "1-1"))
    insider.execute("DELETE FROM audit.records")
    report = await verify_log(log)
    assert [finding.record_id for finding in report.missing] == [record]
    await seal()
    assert insider.execute("SELECT reason FROM audit.refused").fetchone() == ("the record vanished before it was sealed",)
    assert [finding.record_id for finding in (await verify_log(log)).missing] == [record]


async def test_a_record_altered_before_its_seal_is_never_released(log, worker, recorder, seal, insider):
    async with worker.connection() as conn:
        bad = await recorder.record(conn, RecordDraft(Event.TURN_MADE, "1-1", payload={"said": "a"}))
        good = await recorder.record(conn, RecordDraft(Event.TURN_MADE, "1-1", payload={"said": "b"}))
    insider.execute("UPDATE audit.records SET ct = set_byte(ct, 20, get_byte(ct, 20) # 1) WHERE id = %s", (bad,))
    await seal()
    released = insider.execute("SELECT audit.released(%s), audit.released(%s)", (bad, good)).fetchone()
    assert released == (False, True)
    report = await verify_log(log)
    assert ("refused", None) in found(report.altered)


async def test_a_deleted_key_is_named(log, written, insider):
    insider.execute("DELETE FROM audit.keys")
    report = await verify_log(log)
    assert found(report.missing) == [("key", seq) for seq in range(1, 7)]
    assert "missing" in ((await show_conversation(log, "1-0", reader="a")).entries[0].problem or "")


async def test_altered_and_missing_content_is_named(log, written, insider):
    digest = hashlib.sha256(b"flows: {}").hexdigest()
    insider.execute("ALTER TABLE audit.content DROP CONSTRAINT content_check")
    try:
        insider.execute("UPDATE audit.content SET data = 'flows: {evil: 1}'")
        assert found((await verify_log(log)).altered) == [("content", None)]
        insider.execute("DELETE FROM audit.content")
        report = await verify_log(log)
        assert [digest in finding.detail for finding in report.missing] == [True]
    finally:
        insider.execute("DELETE FROM audit.content")
        insider.execute("ALTER TABLE audit.content ADD CONSTRAINT content_check CHECK (sha256 = pg_catalog.sha256(data))")


async def test_a_flipped_byte_in_a_stored_segment_is_named(log, written):
    path = one_segment(log)
    data = bytearray(path.read_bytes())
    data[700] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    report = await verify_log(log)
    assert any("altered in the store" in finding.detail for finding in report.segment_problems)
    assert not report.altered
    assert not report.missing


async def test_a_deleted_segment_is_named(log, written):
    one_segment(log).unlink()
    report = await verify_log(log)
    assert ["missing from the store" in finding.detail for finding in report.segment_problems] == [True]


async def test_a_segment_forged_with_its_own_hashes_is_named(log, written, insider):
    path = one_segment(log)
    data = path.read_bytes().replace(b"C1001", b"C1002").replace(b'"count":6', b'"count":5')
    digest = hashlib.sha256(data).hexdigest()
    forged = path.with_name(f"000000000001-000000000006.{digest}.jsonl")
    forged.write_bytes(data)
    insider.execute("UPDATE audit.segments SET key = %s, sha256 = %s", (f"seg/main/{forged.name}", bytes.fromhex(digest)))
    report = await verify_log(log)
    assert any("does not hold" in finding.detail for finding in report.segment_problems)


COLUMNS = {
    "records": "turn",
    "chain": "seq",
    "content": "kind",
    "conversations": "conversation_id",
    "segments": "bytes",
    "refused": "reason",
    "master": "created_at",
    "keys": "state",
}


@pytest.mark.parametrize("role", [Role.GATEWAY, Role.WORKER, Role.OPERATOR, Role.ACTIONS, Role.AUDITOR, Role.SEALER])
def test_no_role_may_change_or_delete(log, role):
    with psycopg.connect(conninfo(log, role), autocommit=True) as conn:
        for table, column in COLUMNS.items():
            for attack in (
                f"UPDATE audit.{table} SET {column} = {column}",
                f"DELETE FROM audit.{table}",
                f"TRUNCATE audit.{table}",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute(attack)


@pytest.mark.parametrize("replica", [False, True])
def test_the_triggers_hold_even_the_superuser(log, superuser, replica):
    with superuser("tightrope") as conn:
        if replica:
            conn.execute("SET session_replication_role = replica")
        for table in set(COLUMNS) - {"keys"}:
            for attack in (
                f"UPDATE audit.{table} SET {COLUMNS[table]} = NULL",
                f"DELETE FROM audit.{table}",
                f"TRUNCATE audit.{table}",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only grows"):
                    conn.execute(attack)


@pytest.mark.parametrize("role", [Role.GATEWAY, Role.WORKER, Role.OPERATOR, Role.ACTIONS])
def test_a_writer_reads_no_record_and_writes_no_chain(log, role):
    with psycopg.connect(conninfo(log, role), autocommit=True) as conn:
        for attack in (
            "SELECT ct FROM audit.records",
            "SELECT data FROM audit.content",
            "SELECT 1 FROM audit.chain",
            "INSERT INTO audit.chain VALUES (1, gen_random_uuid(), '', '', '')",
            "DELETE FROM audit.pending",
            "UPDATE audit.sealer SET head_seq = 0",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(attack)


def test_the_sealer_can_neither_read_keys_nor_write_records(log):
    with psycopg.connect(conninfo(log, Role.SEALER), autocommit=True) as conn:
        for attack in (
            "SELECT 1 FROM audit.keys",
            "SELECT 1 FROM audit.conversations",
            "INSERT INTO audit.records DEFAULT VALUES",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(attack)


async def test_the_wrong_master_key_is_refused_by_writers_and_readers(log, written, worker, clock, tmp_path):
    foreign = log.model_copy(update={"secrets_dir": tmp_path / "secrets"})
    foreign.secrets_path.mkdir()
    for path in log.secrets_path.iterdir():
        write_secret(foreign, path.name, path.read_text())
    write_secret(foreign, "audit_master_key", generate_master_key())
    recorder = Recorder(foreign, Keyring.from_settings(foreign), clock, "r-0123456789abcdef")
    async with worker.connection() as conn:
        with pytest.raises(WrongMasterKey, match="audit_master_key"):
            await recorder.record(conn, RecordDraft(Event.TURN_MADE, "1-0"))
        await conn.rollback()
    with pytest.raises(WrongMasterKey):
        await show_conversation(foreign, "1-0", reader="auditor")
    with pytest.raises(WrongMasterKey):
        await turns(foreign, "1-0")


async def test_personal_data_of_the_payload_shows_in_no_leaf_and_no_table(log, worker, recorder, seal, superuser):
    secrets = ["张伟强", "13912345678", "110105194912310021", "zhang@example.cn", "C77009", "6222021234567890", "1-909"]
    async with worker.connection() as conn:
        await recorder.record(
            conn,
            RecordDraft(
                Event.TURN_MADE,
                "1-909",
                "C77009",
                1,
                {"lang": "zh"},
                {"said": " ".join(secrets), "identity": {"customer_id": "C77009"}},
            ),
        )
    await seal()
    with superuser("tightrope") as conn:
        tables = [
            row[0]
            for row in conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'audit' AND tablename <> 'conversations'")
        ]
        assert {"records", "keys", "chain", "segments", "pending", "sealer"} <= set(tables)
        for table in tables:
            for (row,) in conn.execute(f"SELECT to_jsonb(t) FROM audit.{table} t").fetchall():
                clear = json.dumps(row, ensure_ascii=False) + "".join(
                    bytes.fromhex(value[2:]).decode("utf-8", "replace")
                    for value in row.values()
                    if isinstance(value, str) and value.startswith("\\x")
                )
                assert not [text for text in secrets if text in clear], table
    segment = one_segment(log).read_text(encoding="utf-8")
    assert not [text for text in secrets if text in segment]


def _stopped():
    import asyncio

    stop = asyncio.Event()
    stop.set()
    return stop
