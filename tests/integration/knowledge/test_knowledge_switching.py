"""When publishing goes wrong, when two do it at once, when a release changes under an answer, and when midnight changes what is in force."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from event_schemas import faults
from loopback import free_port

from tightrope.audit import repository
from tightrope.audit.keyring import Keyring
from tightrope.infra.clock import FixedClock
from tightrope.infra.database import Role, open_pool
from tightrope.infra.settings import REPOSITORY, Settings
from tightrope.knowledge.errors import KnowledgeError, KnowledgeRejected, KnowledgeUnavailable, NotRecorded, PublishFailed
from tightrope.knowledge.models import SHANGHAI, Answer, NoAnswer
from tightrope.knowledge.publish import draft_release, ensure_published, publish, rollback, withdraw
from tightrope.knowledge.publishing.demo import sign_demo
from tightrope.knowledge.publishing.record import Audited, Unrecorded
from tightrope.knowledge.publishing.remote import DRAFT
from tightrope.knowledge.publishing.store import Store
from tightrope.knowledge.service import KnowledgeService

pytestmark = pytest.mark.integration
NOW = datetime(2026, 11, 20, 2, 31, tzinfo=UTC)
NAMES = ("trading-fees", "chinext", "settlement-cycle")
Hook = Callable[[httpx.Request], Awaitable[httpx.Response | None]]


class Meddling(httpx.AsyncBaseTransport):
    """Passes requests on to the server, unless `hook` answers or raises first."""

    def __init__(self, inner: httpx.AsyncBaseTransport, hook: Hook) -> None:
        self.inner, self.hook, self.sent = inner, hook, 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent += 1
        return await self.hook(request) or await self.inner.handle_async_request(request)


def write(project: Path, marker: str) -> None:
    """A project of three documents with a sentence that no other test publishes, signed."""
    folder = project / "knowledge_base"
    if not folder.exists():
        folder.mkdir(parents=True)
        shutil.copytree(REPOSITORY / "data/knowledge", project / "data/knowledge", ignore=shutil.ignore_patterns("*.npz"))
        shutil.copy(REPOSITORY / "knowledge_base/thresholds.json", folder)
    for name in NAMES:
        for language in ("zh", "en"):
            text = (REPOSITORY / f"knowledge_base/{name}.{language}.md").read_text(encoding="utf-8")
            text = text.replace(
                "A股证券交易印花税由卖出方缴纳，买入方不缴纳。", f"A股证券交易印花税由卖出方缴纳，买入方不缴纳（{marker}）。"
            )
            (folder / f"{name}.{language}.md").write_text(text, encoding="utf-8")
    sign_demo(folder, NOW)


@pytest.fixture
def project(database: Settings, tmp_path: Path) -> Settings:
    """A small project with a knowledge folder of its own."""
    write(tmp_path, tmp_path.name)
    return database.model_copy(update={"project_dir": tmp_path, "knowledge_dir": tmp_path / "kept"})


@pytest.fixture
def wire(server: Any) -> httpx.ASGITransport:
    return httpx.ASGITransport(server)


async def names(http: httpx.AsyncClient) -> set[str]:
    rows = (await http.get("/api/v1/datasets", params={"page_size": 100})).json()["data"]
    return {row["name"] for row in rows}


def active(settings: Settings) -> str | None:
    state = Store.from_settings(settings).state()
    return state.active if state else None


async def test_a_server_that_dies_in_mid_upload_changes_nothing_and_the_next_try_works(
    project: Settings, wire: httpx.ASGITransport, http: httpx.AsyncClient
):
    before = (await publish(project, witness=Unrecorded(), transport=wire)).release_id
    write(project.project_dir, "another")

    async def dies(request: httpx.Request) -> None:
        if meddling.sent > 20:
            raise httpx.ConnectError("connection refused", request=request)

    meddling = Meddling(wire, dies)
    with pytest.raises(KnowledgeUnavailable):
        await publish(project, witness=Unrecorded(), transport=meddling)
    assert active(project) == before
    left = draft_release(project).release_id + DRAFT
    assert left in await names(http)
    made = await publish(project, witness=Unrecorded(), transport=wire)
    assert active(project) == made.release_id != before
    assert {made.release_id, before} <= await names(http)
    assert left not in await names(http)


@pytest.mark.parametrize(
    ("path", "old", "new", "says"),
    [
        ("/chunks", "印花税", "印花水", "passages of trading-fees.zh.md differ"),
        ("/documents", '"audience":"public"', '"audience":"staff"', "metadata of"),
        ("", "印花税", "印花水", "stored file trading-fees.zh.md differs"),
    ],
)
async def test_what_reads_back_otherwise_is_not_put_into_use(
    project: Settings, wire: httpx.ASGITransport, http: httpx.AsyncClient, path: str, old: str, new: str, says: str
):
    async def alters(request: httpx.Request) -> httpx.Response | None:
        tail = "/" + request.url.path.rsplit("/", 1)[1]
        if request.method != "GET" or (tail != path if path else tail in {"/chunks", "/documents", "/datasets"}):
            return None
        answer = await wire.handle_async_request(request)
        return httpx.Response(answer.status_code, content=(await answer.aread()).replace(old.encode(), new.encode()))

    with pytest.raises(PublishFailed, match=says.replace(".", r"\.")):
        await publish(project, witness=Unrecorded(), transport=Meddling(wire, alters))
    assert active(project) is None
    assert draft_release(project).release_id not in await names(http)
    await publish(project, witness=Unrecorded(), transport=wire)


async def test_of_two_publishers_in_one_place_one_waits_its_turn(
    project: Settings, wire: httpx.ASGITransport, http: httpx.AsyncClient
):
    both = await asyncio.gather(
        *(publish(project, witness=Unrecorded(), transport=wire) for _ in range(2)), return_exceptions=True
    )
    failed = [one for one in both if isinstance(one, BaseException)]
    assert [str(one) for one in failed] == ["somebody else is publishing or rolling back here; wait until they are done"]
    assert active(project) in await names(http)


async def test_of_two_publishers_in_two_places_none_is_left_with_half_a_release(
    project: Settings, wire: httpx.ASGITransport, http: httpx.AsyncClient, tmp_path: Path
):
    elsewhere = project.model_copy(update={"knowledge_dir": tmp_path / "other"})

    other: list[asyncio.Task[Any]] = []

    async def second(request: httpx.Request) -> None:
        if meddling.sent == 15:  # in the middle of sending
            other.append(asyncio.create_task(publish(elsewhere, witness=Unrecorded(), transport=wire)))
        if other:
            await asyncio.shield(other[0])

    meddling = Meddling(wire, second)
    with pytest.raises(KnowledgeRejected):
        await publish(project, witness=Unrecorded(), transport=meddling)
    assert active(project) is None
    await other[0]
    assert active(elsewhere) in await names(http)
    made = await publish(project, witness=Unrecorded(), transport=wire)
    assert made.release_id == active(elsewhere) == active(project)


async def test_a_start_sends_nothing_that_is_there_and_puts_back_what_is_gone(
    project: Settings, wire: httpx.ASGITransport, http: httpx.AsyncClient
):
    made = await ensure_published(project, witness=Unrecorded(), transport=wire)

    async def reads(request: httpx.Request) -> None:
        assert request.method == "GET", f"{request.method} {request.url.path}"

    meddling = Meddling(wire, reads)
    assert (await ensure_published(project, witness=Unrecorded(), transport=meddling)).release_id == made.release_id
    assert meddling.sent <= 4
    row = (await http.get("/api/v1/datasets", params={"name": made.release_id})).json()["data"][0]
    await http.request("DELETE", "/api/v1/datasets", json={"ids": [row["id"]]})
    await ensure_published(project, witness=Unrecorded(), transport=wire)
    assert made.release_id in await names(http)


@asynccontextmanager
async def answering(
    settings: Settings, transport: httpx.AsyncBaseTransport, at: datetime = NOW
) -> AsyncIterator[KnowledgeService]:
    service = KnowledgeService.from_settings(settings, FixedClock(at), transport=transport)
    try:
        yield service
    finally:
        await service.aclose()


QUESTION = "查看资料：交易费用与税收：印花税"


async def test_a_rollback_while_an_answer_is_made_mixes_no_two_releases(project: Settings, wire: httpx.ASGITransport):
    first = await publish(project, witness=Unrecorded(), transport=wire)
    write(project.project_dir, "第二版")
    second = await publish(project, witness=Unrecorded(), transport=wire)

    async def rolls_back(request: httpx.Request) -> None:
        if request.url.path.endswith("/retrieval") and active(project) == second.release_id:
            await rollback(project, first.release_id, witness=Unrecorded(), transport=wire)

    async with answering(project, Meddling(wire, rolls_back)) as service:
        during = await service.answer(QUESTION, "zh")
        after = await service.answer(QUESTION, "zh")
    assert isinstance(during, Answer)
    assert isinstance(after, Answer)
    assert "第二版" in during.text
    assert {item.passage.sha256 for item in during.evidence} <= {passage.sha256 for passage in second.passages}
    assert "第二版" not in after.text
    assert active(project) == first.release_id


async def test_midnight_in_shanghai_puts_in_force_and_out_of_force_without_a_publish(
    project: Settings, wire: httpx.ASGITransport
):
    folder = project.project_dir / "knowledge_base"
    for language in ("zh", "en"):
        path = folder / f"trading-fees.{language}.md"
        text = path.read_text(encoding="utf-8")
        since = next(line for line in text.splitlines() if line.startswith("effective_to:"))
        path.write_text(text.replace(since, "effective_to: 2026-11-30"), encoding="utf-8")
        later = text.replace("version: v1", "version: v2").replace("0.05%", "0.04%")
        begins = next(line for line in later.splitlines() if line.startswith("effective_from:"))
        (folder / f"trading-fees.v2.{language}.md").write_text(
            later.replace(begins, "effective_from: 2026-12-01"), encoding="utf-8"
        )
        path = folder / f"settlement-cycle.{language}.md"
        path.write_text(
            path.read_text(encoding="utf-8").replace("effective_to: 9999-12-31", "effective_to: 2026-11-30"), encoding="utf-8"
        )
    sign_demo(folder, NOW)
    await publish(project, witness=Unrecorded(), transport=wire)
    midnight = datetime(2026, 12, 1, tzinfo=SHANGHAI)
    asked = {}
    for name, at in (("before", datetime(2026, 11, 30, 23, 59, 59, tzinfo=SHANGHAI)), ("after", midnight)):
        async with answering(project, wire, at) as service:
            asked[name] = (
                await service.answer("查看资料：交易费用与税收：印花税", "zh"),
                await service.answer("查看资料：清算与交收：A股什么时候交收", "zh"),
            )
    fee, settlement = asked["before"]
    assert isinstance(fee, Answer)
    assert isinstance(settlement, Answer)
    assert "0.05%" in fee.text
    fee, settlement = asked["after"]
    assert isinstance(fee, Answer)
    assert "0.04%" in fee.text
    assert "0.05%" not in fee.text
    assert isinstance(settlement, NoAnswer)


async def recorded(settings: Settings) -> list[dict[str, Any]]:
    """The audit records about knowledge, opened and held against their schema, oldest first."""
    keyring = Keyring.from_settings(settings)
    async with open_pool(settings, Role.AUDITOR, max_size=1) as pool, pool.connection() as connection:
        if begun := await repository.master_check(connection):
            keyring.confirm(begun)
        cursor = await connection.execute(
            "SELECT id, kid, leaf, ct FROM audit.records WHERE event LIKE 'operator:knowledge:%' ORDER BY ord"
        )
        rows = await cursor.fetchall()
        await repository.load_keys(connection, keyring, (row["kid"] for row in rows))
        found = []
        for row in rows:
            leaf, key = json.loads(row["leaf"]), keyring.cached_kid(row["kid"])
            assert key is not None
            payload = json.loads(keyring.decrypt(key, UUID(str(row["id"])), bytes.fromhex(leaf["commit"]), row["ct"]))
            entry = {"event": leaf["event"], "facts": leaf["facts"], "payload": payload}
            assert faults(**entry) == []
            kept = await connection.execute(
                "SELECT data FROM audit.content WHERE encode(sha256, 'hex') = %s", (leaf["content"].get("knowledge", ""),)
            )
            found.append(entry | {"file": ((await kept.fetchone()) or {"data": b""})["data"]})
    return found


async def test_publishing_rolling_back_and_withdrawing_are_on_the_record(project: Settings, wire: httpx.ASGITransport):
    witness = Audited(project, FixedClock(NOW))
    before = len(await recorded(project))
    first = await publish(project, witness=witness, transport=wire, by="li")
    write(project.project_dir, "第三版")
    second = await publish(project, witness=witness, transport=wire, by="li")
    await rollback(project, first.release_id, witness=witness, transport=wire, by="wang")
    await withdraw(project, "chinext", reason="规则已变", by="wang", witness=witness)
    made = (await recorded(project))[before:]
    assert [one["event"].rsplit(":")[-1] for one in made] == ["published", "published", "rolled_back", "withdrawn"]
    assert [(one["facts"]["knowledge"], one["facts"].get("before")) for one in made] == [
        (first.release_id, ""),
        (second.release_id, first.release_id),
        (first.release_id, second.release_id),
        (first.release_id, None),
    ]
    assert [one["payload"]["who"] for one in made] == ["li", "li", "wang", "wang"]
    assert {(one["document"], one["duty"]) for one in made[0]["payload"]["signatures"]} == {
        (f"{name}.v1", duty) for name in NAMES for duty in ("maker", "checker")
    }
    assert bytes(made[1]["file"]) == Store.from_settings(project).file(second.release_id)
    assert (made[3]["facts"]["document"], made[3]["facts"]["versions"], made[3]["payload"]["reason"]) == (
        "chinext",
        ["v1"],
        "规则已变",
    )


async def test_without_the_record_no_release_is_switched_but_a_withdrawal_stands(project: Settings, wire: httpx.ASGITransport):
    first = await publish(project, witness=Unrecorded(), transport=wire)
    nowhere = Audited(project.model_copy(update={"database_port": free_port()}), FixedClock(NOW))
    write(project.project_dir, "第四版")
    with pytest.raises(NotRecorded):
        await publish(project, witness=nowhere, transport=wire)
    assert active(project) == first.release_id

    class Silent:
        async def note(self, change: object) -> None:
            raise NotRecorded("the audit log cannot be written")

    with pytest.raises(NotRecorded):
        await withdraw(project, "chinext", reason="x", by="wang", witness=Silent())
    state = Store.from_settings(project).state()
    assert state is not None
    assert [item.document_id for item in state.withdrawn] == ["chinext"]
    assert issubclass(NotRecorded, KnowledgeError)
    before = len(await recorded(project))
    assert await withdraw(project, "chinext", reason="x", by="wang", witness=Audited(project, FixedClock(NOW))) == []
    assert len(await recorded(project)) == before + 1
