"""`tightrope audit store` with the index in Postgres and the bucket on a real server."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from typer.testing import CliRunner

from tightrope.cli.store import store_app

pytestmark = [pytest.mark.integration, pytest.mark.long]


@pytest.fixture
def settings(database, account, tmp_path):
    for name, value in zip(("audit_s3_access_key", "audit_s3_secret_key"), account.keys, strict=True):
        (database.secrets_path / name).write_text(value)
    bucket = {"audit_s3_url": account.server.url, "audit_s3_bucket": account.place.bucket}
    return database.model_copy(update={**bucket, "secrets_dir": database.secrets_path, "state_dir": tmp_path})


@pytest.fixture
def command(settings, monkeypatch):
    monkeypatch.setattr("tightrope.infra.settings.get_settings", lambda: settings)
    return lambda *arguments: CliRunner().invoke(store_app, list(arguments), env={"COLUMNS": "200"})


@pytest.fixture
def indexed(account, superuser):
    """Three stored and indexed segments; the index is empty again afterwards."""

    def switch(verb: str) -> str:
        return f"ALTER TABLE audit.segments {verb} TRIGGER append_only;"

    receipts = [account.store().put(f"seg/2026/{n}", b"segment %d" % n) for n in range(3)]
    with superuser("tightrope") as conn:
        for n, receipt in enumerate(receipts):
            conn.execute(
                "INSERT INTO audit.segments (shard, first, last, key, sha256, bytes, frontier, receipt) VALUES (2026, %s, %s, %s, %s, %s, '', %s)",
                (n, n, receipt.key, bytes.fromhex(receipt.sha256), receipt.size, json.dumps(asdict(receipt))),
            )
        conn.commit()
        yield receipts
        conn.execute(switch("DISABLE") + "TRUNCATE audit.segments, audit.store_reads;" + switch("ENABLE ALWAYS"))


def read_at(superuser) -> dict[str, str]:
    with superuser("tightrope") as conn:
        return {row[0]: row[1] for row in conn.execute("SELECT key, read_at FROM audit.store_reads").fetchall()}


def test_the_sample_reads_what_the_index_names_notes_it_and_names_what_an_operator_removed(command, account, indexed, superuser):
    done = command("sample")
    assert done.exit_code == 0, done.output
    assert "3 versions in the bucket, 3 objects in the index; read 3 (0 of them were due)" in done.stdout
    assert "IN ORDER" in done.stdout
    before = read_at(superuser)
    assert sorted(before) == [receipt.key for receipt in indexed]
    bucket, gone = account.place.bucket, indexed[1]
    account.server.admin("object", "rm", "--bucket", bucket, "--object", gone.key, "--object-version", gone.version_id)
    done = command("sample", "--days", "0", "--seed", "5", "--json")
    report = json.loads(done.stdout)
    assert (done.exit_code, report["ok"], report["due"], report["seed"]) == (1, False, 2, 5)
    assert [(found["kind"], found["key"]) for found in report["findings"]] == [("missing", gone.key)]
    after = read_at(superuser)
    assert {key for key in after if after[key] > before[key]} == {indexed[0].key, indexed[2].key}
    assert "✗ missing: " + gone.key in command("sample").stdout


def test_check_passes_on_a_real_server_and_the_store_is_worm_from_then_on(command, settings):
    from tightrope.audit.stores.choice import store_from

    assert store_from(settings).describe().worm is False
    done = command("check")
    assert (done.exit_code, "WORM: every attempt" in done.stdout) == (0, True), done.output
    receipt = store_from(settings.model_copy(update={"audit_retention_days": 1})).put("seg/2026/x", b"x")
    assert receipt.worm is True
