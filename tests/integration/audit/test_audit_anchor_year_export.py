"""New Year from the record to the verifier: a real witness, a real tree, and an export whose last leaves of the old year are neither late nor unwitnessed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from anchor_points import through
from anchor_world import empty_tables
from audit_exports import exporter_of, lines, order, verified
from audit_turns import cited, message, turn

from tightrope.audit import sequencer, tree_repository
from tightrope.audit.anchors.at_work import _Report
from tightrope.audit.anchors.log_source import consistency_of, latest_of
from tightrope.audit.anchors.policy import AnchorPolicy
from tightrope.audit.anchors.service import AnchorRunner
from tightrope.audit.anchors.witness import WitnessAnchor
from tightrope.audit.export.outside import Outside
from tightrope.audit.export.service import Exporter
from tightrope.audit.log_keys import LogKeys
from tightrope.audit.tlog.keys import VerifierKey
from tightrope.audit.witness.api import create_app
from tightrope.audit.witness.state import Witness, init
from tightrope.infra.database import Role, open_pool

pytestmark = pytest.mark.integration

OLD = datetime.now(UTC).year
"""The year of the database's clock, which gives the first shard its name."""
NEW_YEAR = datetime(OLD + 1, 1, 1, tzinfo=UTC)


@pytest.fixture
def witness(log, clock, tmp_path: Path) -> WitnessAnchor:
    """Internal audit's witness, told both years' keys in time."""
    init(tmp_path / "w", "witness.example/audit")
    keys = LogKeys.from_settings(log)
    vkeys = [key for year in (OLD, OLD + 1) for key in keys.vkeys(f"tightrope.example/audit/{year}")]
    logs = "".join(f"log {vkey}\n" for vkey in vkeys)
    (tmp_path / "w" / "logs.txt").write_text(logs)
    state = Witness(tmp_path / "w", clock)
    (tmp_path / "policy.txt").write_text(f"{logs}witness w {state.vkey} http://anchor/\nquorum w\n")
    key, consistency = VerifierKey.parse(state.vkey), consistency_of(log)
    return WitnessAnchor(through(create_app(state, clock)), "http://anchor/", key, consistency, clock)


@pytest.fixture
async def runner(log, clock, superuser, witness: WitnessAnchor) -> AsyncIterator[AnchorRunner]:
    empty_tables(superuser)
    with superuser("tightrope") as conn:
        conn.execute("TRUNCATE audit_index.records; UPDATE audit_index.state SET shard = 0, next = 0, version = 0")
    async with open_pool(log, Role.SEALER, max_size=4) as pool:
        policy, report = AnchorPolicy((witness.name,), 1, timedelta(minutes=10)), _Report("r-0123456789abcdef")
        made = AnchorRunner(
            log, pool, [witness], policy, clock, latest=latest_of(pool), on_receipt=report.receipt, on_gap=report.gap
        )
        await made.prepare()
        yield made
    empty_tables(superuser)


def clocks_go_by(clock, monkeypatch) -> None:
    """Both clocks that the sequencer asks, the database's and the machine's, show the tests' time from here on."""

    class Tests(datetime):
        @classmethod
        def now(cls, tz=None):
            return clock.at

    async def now(conn) -> datetime:
        return clock.at

    monkeypatch.setattr(sequencer, "datetime", Tests)
    monkeypatch.setattr(tree_repository, "now", now)


def sizes(superuser) -> dict[int, int]:
    with superuser("tightrope") as conn:
        return dict(conn.execute("SELECT shard, size FROM audit.shards").fetchall())


def forget_receipt(superuser, shard: int, size: int) -> None:
    """As the rule before left it: nobody asked for this one."""
    with superuser("tightrope") as conn:
        conn.execute("ALTER TABLE audit.anchor_receipts DISABLE TRIGGER append_only")
        conn.execute("DELETE FROM audit.anchor_receipts WHERE shard = %s AND size = %s", (shard, size))
        conn.execute("ALTER TABLE audit.anchor_receipts ENABLE ALWAYS TRIGGER append_only")


async def test_an_export_over_new_year_is_witnessed_to_the_last_leaf_of_the_old_year(
    log, worker, recorder, seal, clock, superuser, auditor, keyring, runner, witness, monkeypatch, tmp_path
):
    async def write(*drafts) -> None:
        async with worker.connection() as conn:
            for draft in drafts:
                await recorder.record(conn, draft)
        await seal()

    async def anchor() -> None:
        await runner.choose()
        await runner.serve(witness)

    settings = log.model_copy(update={"audit_policy_file": tmp_path / "policy.txt"})
    made = exporter_of(log, auditor, keyring, recorder, clock)
    exporter = Exporter(replace(made._parts, settings=settings, outside=Outside(settings)))

    async def export(name: str) -> tuple[int, str]:
        await exporter.make(order(tmp_path, name, pdf=False))
        return verified(tmp_path / name, "--policy", str(tmp_path / "policy.txt"), "--strict")

    clock.at = NEW_YEAR - timedelta(seconds=40)
    await write(message("1-2", "佣金多少"))
    await anchor()
    clock.at = NEW_YEAR - timedelta(seconds=10)
    await write(
        turn("1-2", 1, cited("fees-brokerage", "v3"), text="佣金多少")
    )  # the last leaf of the year; no anchor has seen it

    clock.at = NEW_YEAR + timedelta(seconds=20)
    clocks_go_by(clock, monkeypatch)
    await write(message("1-2", "为什么"))
    assert sizes(superuser) == {OLD: 4, OLD + 1: 2}

    clock.at = NEW_YEAR + timedelta(seconds=60)
    await anchor()
    await seal()
    clock.at = NEW_YEAR + timedelta(seconds=120)
    await anchor()
    assert (await runner.judge()).met
    with superuser("tightrope") as conn:
        told = conn.execute(
            "SELECT l.shard FROM audit.leaves l JOIN audit.records r ON r.id = l.record_id WHERE r.event = 'log:anchor:received' ORDER BY r.ord"
        ).fetchall()
        receipts = conn.execute("SELECT shard, size FROM audit.anchor_receipts ORDER BY shard, size").fetchall()
    assert receipts == [(OLD, 2), (OLD, 4), (OLD + 1, 2), (OLD + 1, 4)]
    assert [shard for (shard,) in told] == [OLD, OLD + 1, OLD + 1], "the receipts are leaves of the new year"
    assert sizes(superuser)[OLD] == 4, "and the closed year stays closed"

    clock.at = NEW_YEAR + timedelta(hours=1)
    code, said = await export("out")
    assert code == 0, said
    assert "unwitnessed" not in said
    assert " late " not in said
    assert [(one["shard"], one["index"]) for one in lines(tmp_path / "out", "records.jsonl")] == [
        (OLD, 1),
        (OLD, 3),
        (OLD + 1, 1),
    ]
    anchors = json.loads((tmp_path / "out/anchors.json").read_text())
    assert [(one["shard"], one["size"]) for one in anchors] == [(OLD, 2), (OLD, 4), (OLD + 1, 2)]

    # What the mended rule keeps from happening: without its own receipt the old year's last leaf is named, though the new year's are there.
    forget_receipt(superuser, OLD, 4)
    code, said = await export("without")
    assert code == 1, said
    assert f"{OLD}/3..3  no outside anchor" in said
