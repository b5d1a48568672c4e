"""What an insider with the superuser's rights can do to the log, and that verification names it."""

from __future__ import annotations

import hashlib
import json

import psycopg
import pytest
from audit_findings import found, one_segment

from tightrope.audit.errors import WrongMasterKey
from tightrope.audit.keyring import Keyring, generate_master_key
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.reading import show_conversation, turns
from tightrope.audit.recorder import Recorder
from tightrope.audit.verify import verify_log
from tightrope.infra.database import Role, conninfo
from tightrope.infra.secrets import write_secret

pytestmark = pytest.mark.integration


async def test_an_intact_log_passes_and_names_its_store(log, written):
    report = await verify_log(log)
    assert report.ok
    assert report.store == "local folder, not WORM"
    (root,) = report.heads.values()
    assert len(root) == 64
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


async def test_an_index_column_that_contradicts_the_leaf_is_named(log, written, insider):
    insider.execute("UPDATE audit.records SET event = 'gateway:turn:made', turn = 77 WHERE id = %s", (written[3],))
    assert found((await verify_log(log)).altered) == [("columns", 4), ("columns", 4)]


async def test_a_deleted_record_is_named(log, written, insider):
    insider.execute("DELETE FROM audit.records WHERE id = %s", (written[4],))
    report = await verify_log(log)
    assert found(report.missing) == [("record", 5)]
    assert report.missing[0].record_id == written[4]


async def test_a_conversation_deleted_with_its_entries_is_named_record_by_record(log, written, insider):
    insider.execute("DELETE FROM audit.leaves WHERE index BETWEEN 1 AND 3")
    insider.execute("DELETE FROM audit.records WHERE id = ANY(%s)", (written[:3],))
    report = await verify_log(log)
    assert {(finding.place.index, finding.record_id) for finding in report.missing} == {
        (1, written[0]),
        (2, written[1]),
        (3, written[2]),
    }
    assert "customer:message:received" in report.missing[0].detail


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
    assert found(report.missing) == [("key", index) for index in range(1, 7)]
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
    data = path.read_bytes().replace(b"C1001", b"C1002").replace(b'"count":7', b'"count":6')
    digest = hashlib.sha256(data).hexdigest()
    forged = path.with_name(f"000000000000-000000000006.{digest}.jsonl")
    forged.write_bytes(data)
    insider.execute(
        "UPDATE audit.segments SET key = %s, sha256 = %s", (f"seg/{forged.parent.name}/{forged.name}", bytes.fromhex(digest))
    )
    report = await verify_log(log)
    assert any("does not hold" in finding.detail for finding in report.segment_problems)


COLUMNS = {
    "records": "turn",
    "leaves": "sequenced_at",
    "checkpoints": "signed_at",
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
def test_a_writer_reads_no_record_and_writes_no_tree(log, role):
    with psycopg.connect(conninfo(log, role), autocommit=True) as conn:
        for attack in (
            "SELECT ct FROM audit.records",
            "SELECT data FROM audit.content",
            "SELECT 1 FROM audit.leaves",
            "INSERT INTO audit.leaves VALUES (2026, 1, gen_random_uuid(), '')",
            "INSERT INTO audit.checkpoints VALUES (2026, 1, '', '')",
            "SELECT audit.log_event(gen_random_uuid(), 'log:gap:declared', now(), '')",
            "DELETE FROM audit.pending",
            "UPDATE audit.sealer SET pid = 0",
            "UPDATE audit.shards SET size = 9",
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
        # Its own records can be of no other kind than the log's.
        with pytest.raises(psycopg.errors.CheckViolation):
            conn.execute(
                "SELECT audit.log_event(gen_random_uuid(), 'gateway:turn:made', now(), convert_to('{\"event\": \"gateway:turn:made\"}', 'UTF8'))"
            )


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
        assert {"records", "keys", "leaves", "segments", "pending", "sealer"} <= set(tables)
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
