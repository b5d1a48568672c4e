"""The whole way: a sealer, a witness as a process of its own, a time-stamp authority made by openssl, the chain's simulator, and the store."""

from __future__ import annotations

import asyncio
import base64
import http.client
import io
import json
import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path

import pytest
import uvicorn
from anchor_points import LEAVES, LOG, point
from anchor_world import empty_tables
from loopback import free_port
from rich.console import Console
from tsa import TestAuthority, serving
from witness_process import WitnessProcess

from tightrope.audit.anchors import repository
from tightrope.audit.anchors.at_work import run_anchors
from tightrope.audit.anchors.bundle import cosigned_checkpoint
from tightrope.audit.anchors.log_source import consistency_of, latest_of
from tightrope.audit.anchors.models import Receipt, Trust
from tightrope.audit.anchors.service import AnchorRunner, runner_from
from tightrope.audit.anchors.settings import trust_from
from tightrope.audit.anchors.verifying import verify
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.tlog.policy import Policy
from tightrope.cli.audit_anchors import show_anchors
from tightrope.infra.clock import SystemClock
from tightrope.infra.database import Role, open_pool
from tightrope.infra.settings import Settings
from tightrope.sandbox.chain import SimulatedChain, create_app

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("_no_receipts")]


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[WitnessProcess]:
    made = WitnessProcess(tmp_path / "witness", free_port())
    yield made
    made.kill()


@contextmanager
def chain_at(folder: Path) -> Iterator[str]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(create_app(SimulatedChain(folder, SystemClock())), port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def _no_receipts(superuser) -> Iterator[None]:
    empty_tables(superuser)
    yield
    empty_tables(superuser)


@asynccontextmanager
async def running(settings: Settings, store) -> AsyncIterator[AnchorRunner]:
    stop = asyncio.Event()
    async with open_pool(settings, Role.SEALER, max_size=4) as pool:
        runner = runner_from(
            settings, pool, SystemClock(), store=store, latest=latest_of(pool), consistency=consistency_of(settings)
        )  # fmt: skip
        task = asyncio.create_task(runner.run(stop))
        try:
            yield runner
        finally:
            stop.set()
            await task


async def until_covered(settings: Settings, runner: AnchorRunner, seconds: float = 20) -> tuple[int, int]:
    """Wait until the policy covers the log's newest checkpoint of now."""
    async with open_pool(settings, Role.AUDITOR, max_size=1) as pool:
        async with pool.connection() as conn:
            newest = await repository.newest_checkpoint(conn)
        assert newest is not None
        for _ in range(int(seconds / 0.1)):
            found = await runner.judge()
            if found.covered and (found.covered.shard, found.covered.size) >= newest[:2]:
                return newest[:2]
            await asyncio.sleep(0.1)
        async with pool.connection() as conn:
            raise AssertionError([(state.anchor, state.problem) for state in await repository.states(conn)])


async def log_lines(log: Settings) -> str:
    """The log's keys as `log` lines, once it has signed something."""
    async with open_pool(log, Role.AUDITOR, max_size=1) as pool:
        for _ in range(100):
            async with pool.connection() as conn:
                keys = await repository.log_keys(conn)
                if await repository.newest_checkpoint(conn) is not None:
                    return "".join(f"log {key}\n" for of_shard in keys.values() for key in of_shard)
            await asyncio.sleep(0.1)
    raise AssertionError("nothing was signed")


def verify_given(folder: Path, trust: Trust, authority: TestAuthority) -> set[str]:
    """Check every receipt of anchors.json by the policy beside it, time stamps also by openssl; returns the kinds."""
    given = json.loads((folder / "anchors.json").read_text())
    trust = Trust(Policy.parse((folder / "policy.txt").read_bytes()), trust.tsa, trust.chain)
    for one in given:
        body, note = base64.b64decode(one["body"]), one["checkpoint"].encode()
        asserted = datetime.fromisoformat(one["asserted"]) if one["asserted"] else None
        receipt = Receipt(
            one["anchor"], one["kind"], one["shard"], one["size"], datetime.fromisoformat(one["received"]), asserted, body
        )
        verdict = verify(note, receipt, trust)
        assert verdict.ok, (one["anchor"], verdict)
        assert one["kind"] != "rfc3161" or authority.openssl_verifies(note, body)
    return {one["kind"] for one in given}


async def test_from_the_record_to_the_verifier(
    log: Settings, worker, recorder, store, sealer_at_work, witness: WitnessProcess, tmp_path: Path
) -> None:
    async def write(count: int) -> None:
        async with worker.connection() as conn:
            for _ in range(count):
                await recorder.record(
                    conn, RecordDraft(Event.CUSTOMER_MESSAGE_RECEIVED, "1-1", "C1001", payload={"text": "hello"})
                )

    vkey = witness.init()
    authority = TestAuthority(tmp_path / "tsa")
    (tmp_path / "tsa.pem").write_bytes(authority.root)
    with serving(authority) as tsa_url, chain_at(tmp_path / "chain") as chain_url:
        async with sealer_at_work(log):
            await write(20)
            logs = await log_lines(log)
            (witness.folder / "logs.txt").write_text(logs)
            witness.start()
            policy_file = tmp_path / "policy.txt"
            policy_file.write_text(f"{logs}witness internal-audit {vkey} {witness.url}\nquorum internal-audit\n")
            settings = log.model_copy(
                update={
                    "audit_policy_file": policy_file,
                    "audit_tsa_url": tsa_url,
                    "audit_tsa_certificates": tmp_path / "tsa.pem",
                    "audit_chain_url": chain_url,
                    "audit_chain_nodes": tmp_path / "chain" / "nodes.txt",
                    "audit_anchor_need": 3,
                    "audit_anchor_seconds": 0.3,
                    "audit_witness_seconds": 0.1,
                }
            )
            async with running(settings, store) as runner:
                await until_covered(settings, runner)
                assert runner.health() is None
                # The witness is killed without warning and comes back with its memory.
                witness.kill()
                await write(20)
                await asyncio.sleep(0.5)
                witness.start()
                shard, size = await until_covered(settings, runner, 40)
                assert size >= 40
            async with open_pool(settings, Role.AUDITOR, max_size=1) as pool, pool.connection() as conn:
                trust = trust_from(settings)
                assert trust.log is not None
                cosigned = await cosigned_checkpoint(conn, trust.log, shard)
            assert cosigned is not None
            assert cosigned[0].size >= 40
            trust.log.check(cosigned[1])

    out = Console(width=400, record=True, file=io.StringIO())
    code = await asyncio.to_thread(show_anchors, settings, out, folder=None, as_json=False)
    text = out.export_text()
    assert code == 0, text
    assert text.count("holds:") == 4
    assert "worm (does not count)" in text
    assert "chain simulator.tightrope.example" in text

    code = await asyncio.to_thread(show_anchors, settings, out, folder=tmp_path / "bundle", as_json=False)
    assert code == 0
    kinds = verify_given(tmp_path / "bundle", trust, authority)
    assert kinds == {"witness-c2sp", "rfc3161", "chain-http", "worm-folder"}


async def test_nothing_configured_is_one_folder_and_says_so(log: Settings, worker, recorder, store, sealer_at_work) -> None:
    async with sealer_at_work(log), running(log, store) as runner:
        async with worker.connection() as conn:
            await recorder.record(conn, RecordDraft(Event.CUSTOMER_MESSAGE_RECEIVED, "1-1", "C1001", payload={"text": "hello"}))
        for _ in range(100):
            if (await runner.judge()).covered is not None:
                break
            await runner.choose()
            await asyncio.sleep(0.1)
    out = Console(width=400, record=True, file=io.StringIO())
    assert await asyncio.to_thread(show_anchors, log, out, folder=None, as_json=False) == 0
    text = out.export_text()
    assert "worm-folder" in text
    assert "it proves nothing against whoever owns the disk" in text
    assert list(store.keys("checkpoint/2026")) or list(store.keys(f"checkpoint/{datetime.now().year}"))  # noqa: DTZ005
    assert await asyncio.to_thread(show_anchors, log, out, folder=None, as_json=True) == 0
    unfit = log.model_copy(update={"audit_anchor_need": 2})
    assert await asyncio.to_thread(show_anchors, unfit, out, folder=None, as_json=False) == 2
    assert "TIGHTROPE_AUDIT_ANCHOR_NEED" in out.export_text()


async def test_receipts_and_gaps_are_leaves_of_the_log(log: Settings, worker, recorder, store, sealer_at_work) -> None:
    """Also that a release with anchors misconfigured goes on sealing."""

    async def events() -> list[dict]:
        async with open_pool(log, Role.AUDITOR, max_size=1) as pool, pool.connection() as conn:
            rows = await conn.execute(
                "SELECT r.leaf FROM audit.records r JOIN audit.leaves l ON l.record_id = r.id WHERE r.event LIKE 'log:anchor:%' ORDER BY r.ord"
            )
            return [json.loads(bytes(row["leaf"])) for row in await rows.fetchall()]

    settings = log.model_copy(update={"audit_anchor_seconds": 0.2, "audit_anchor_minutes": 1e-6})
    stop = asyncio.Event()
    async with sealer_at_work(log):
        unfit = asyncio.create_task(run_anchors(log.model_copy(update={"audit_anchor_need": 9}), stop, store=store))
        task = asyncio.create_task(run_anchors(settings, stop, store=store))
        found: list[dict] = []
        for _ in range(100):
            found = await events()
            states = [one["facts"].get("state") for one in found]
            if {"open", "covered"} <= set(states) and len(found) > 3:
                break
            await asyncio.sleep(0.1)
        assert not unfit.done()
        stop.set()
        await asyncio.gather(task, unfit)
    received = [one for one in found if one["event"] == "log:anchor:received"]
    assert received[0]["facts"]["anchor"] == "worm"
    assert received[0]["facts"]["size"] > 0
    gaps = [one["facts"]["state"] for one in found if one["event"] == "log:anchor:late"]
    assert gaps[:2] == ["open", "covered"]


def test_the_witness_over_a_bare_connection(witness: WitnessProcess) -> None:
    """The bytes of the specification, without any client of ours; the answers' status, type and body as they are on the wire."""
    witness.init()
    (witness.folder / "logs.txt").write_text(f"log {LOG.vkey}\n")
    witness.start()
    connection = http.client.HTTPConnection("127.0.0.1", witness.port, timeout=10)

    def post(head: str, size: int) -> tuple[int, str | None, str]:
        connection.request("POST", "/add-checkpoint", body=head.encode() + b"\n" + point(size).note)
        answer = connection.getresponse()
        return answer.status, answer.getheader("content-type"), answer.read().decode()

    try:
        status, _, body = post("old 0\n", 1)
        assert status == 200
        assert re.fullmatch(r"— audit\.example/witness [A-Za-z0-9+/]{100,}=*\n", body)
        assert post("old 0\n", 2) == (409, "text/x.tlog.size", "1\n")
        # The tree of two leaves is H(1 || leaf 0 || leaf 1), so the proof from one leaf to two is the second leaf's hash.
        proof = base64.b64encode(LEAVES[1]).decode()
        assert post(f"old 1\n{proof}\n", 2)[0] == 200
        assert post(f"old 2\n{proof}\n", 3)[0] == 422
        assert post("old 5\n", 3)[0] == 400
        connection.request("GET", "/add-checkpoint")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 405
    finally:
        connection.close()
