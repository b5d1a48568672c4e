"""The custody commands as people type them."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from tightrope.audit.keyring import Keyring
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.cli.main import app
from tightrope.infra.clock import FixedClock
from tightrope.infra.database import Role, open_pool

pytestmark = pytest.mark.integration
LONG_AGO = datetime(2001, 3, 4, 5, 6, tzinfo=UTC)
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.fixture
def firm(database, superuser, monkeypatch):
    """The demo's custodians, and one message of 2001 and one of today of the customer K1."""

    def clean() -> None:
        with superuser("tightrope") as conn:
            conn.execute(
                "ALTER TABLE audit.records DISABLE TRIGGER append_only; ALTER TABLE audit.conversations DISABLE TRIGGER append_only"
            )
            conn.execute(
                "TRUNCATE audit.holds, audit.proposals, audit.master_rotations, audit.records, audit.conversations, audit.keys, audit.pending CASCADE"
            )
            conn.execute(
                "ALTER TABLE audit.records ENABLE ALWAYS TRIGGER append_only; ALTER TABLE audit.conversations ENABLE ALWAYS TRIGGER append_only"
            )

    clean()

    async def write() -> None:
        for at, text in ((LONG_AGO, "of long ago"), (datetime.now(UTC), "of today")):
            recorder = Recorder(database, Keyring.from_settings(database), FixedClock(at), "r-0123456789abcdef")
            async with open_pool(database, Role.WORKER, max_size=1) as pool, pool.connection() as conn:
                draft = RecordDraft(Event.CUSTOMER_MESSAGE_RECEIVED, "9-9", "K1", payload={"content": text})
                await recorder.record(conn, draft)

    asyncio.run(write())
    monkeypatch.setattr("tightrope.infra.settings.get_settings", lambda: database)
    monkeypatch.setenv("COLUMNS", "200")
    yield database
    clean()


def say(*words: str, code: int = 0) -> str:
    found = CliRunner().invoke(app, ["audit", *words])
    assert found.exit_code == code, found.output
    return " ".join(found.output.split())


BY = ("--reason", "request 12", "--key")


def test_from_a_deletion_request_to_a_reading_by_two(firm):
    assert "Restricted: 2 keys" in say("keys", "restrict", "K1", *BY, "demo-maker")
    shown = say("keys", "show", "K1")
    assert shown.count(" restricted ") == 2
    assert "restricted: the statutory period has not ended: storage and protection only (PIPL art. 47" in shown
    assert "already" in say("keys", "restrict", "K1", *BY, "demo-maker", code=1)
    proposed = say("keys", "open", "K1", *BY, "demo-maker")
    proposal = UUID.search(proposed)[0]
    assert proposal in say("keys", "proposals")
    assert "other office" in say("keys", "approve", proposal, "--key", "demo-maker", "--yes", code=1)
    read = say("keys", "approve", proposal, "--key", "demo-checker", "--yes")
    assert "of long ago" in read
    assert "of today" in read
    assert "Nothing waits" in say("keys", "proposals")
    assert "2 restricted" in say("keys", "check")


def test_from_expiry_to_destruction_past_a_hold(firm):
    kid = UUID.search(say("keys", "expired"))[0]
    held = say("hold", "place", "--customer", "K1", "--case", "2026-5", *BY, "demo-checker")
    assert "case 2026-5" in say("keys", "expired")
    assert "is held: case 2026-5" in say("keys", "propose-destruction", kid, *BY, "demo-maker", code=1)
    assert "free of holds" in say("keys", "propose-destruction", "--all-expired", *BY, "demo-maker", code=1)
    lifting = UUID.search(say("hold", "lift", UUID.search(held)[0], *BY, "demo-maker"))[0]
    assert "lifted" in say("keys", "approve", lifting, "--key", "demo-checker", "--yes")
    assert "in force" not in say("hold", "list")
    say("keys", "propose-destruction", "--all-expired", *BY, "demo-maker")
    assert "1 key destroyed, for good" in say("keys", "approve", kid, "--key", "demo-checker", "--yes")
    assert "No key's period is over" in say("keys", "expired")
    assert "destroyed" in say("keys", "show", "K1")
    assert "1 destroyed; 0 problems" in say("keys", "check")
    assert "0 keys destroyed again, 1 were" in say("keys", "replay")
    assert "no proposal" in say("keys", "approve", kid, "--key", "demo-checker", "--yes", code=1)


def test_a_period_is_made_longer(firm):
    assert "2 keys kept until 2099-01-01" in say("keys", "extend", "K1", "--until", "2099-01-01", *BY, "demo-maker")
    assert "No key's period is over" in say("keys", "expired")
    assert "only ever made longer" in say("keys", "extend", "K1", "--until", "2098-01-01", *BY, "demo-maker", code=1)


def test_what_is_typed_wrong_is_said(firm, tmp_path):
    assert "name a customer" in say("keys", "show", code=1)
    assert "no key of K2" in say("keys", "show", "K2", code=1)
    assert "Name one of" in say("hold", "place", "--case", "1", *BY, "demo-maker", code=2)
    assert "cannot be used" in say("keys", "restrict", "K1", *BY, str(tmp_path / "none.pem"), code=2)
    assert "no ground" in say("keys", "restrict", "K1", "--ground", "because", *BY, "demo-maker", code=1)
    stranger = tmp_path / "stranger.pem"
    assert CliRunner().invoke(app, ["audit", "keys", "key", "--out", str(stranger)]).exit_code == 0
    assert "not in the file of custodians" in say("keys", "restrict", "K1", *BY, str(stranger), code=1)
    entry = json.loads(
        CliRunner().invoke(app, ["audit", "keys", "custodian", "--key", str(stranger), "--person", "Eve", "--office", "x"]).output
    )
    assert entry["person"] == "Eve"


def test_a_key_row_that_was_altered_is_found(firm, superuser):
    with superuser("tightrope") as conn:
        conn.execute("UPDATE audit.keys SET wrapped = set_byte(wrapped, 20, get_byte(wrapped, 20) # 1) WHERE year = 2001")
    assert "1 problems" in say("keys", "check", code=1)


def test_the_next_master_key_is_prepared_once(firm, tmp_path):
    folder = tmp_path / "next"
    say("keys", "exchange", "--to", str(folder))
    assert sorted(path.name for path in folder.iterdir()) == ["audit_identity_key", "audit_master_key"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())
    assert "never overwritten" in say("keys", "exchange", "--to", str(folder), code=2)
    assert "already" in say("keys", "rewrap", code=1)
