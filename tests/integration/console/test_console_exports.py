"""Exports from the auditors' pages over HTTP: masked and unmasked, who may download, limits, failures in words, and what goes on the record."""

from __future__ import annotations

import asyncio
import io
import json
import re
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from audit_exports import verified
from audit_turns import BALANCE
from console_world import Ahead, Auditor, ConsoleWorld, console_world

from tightrope.audit.export import repository
from tightrope.infra.settings import Settings

pytestmark = pytest.mark.integration

REASON = "case 2026-17, ordered by the regulator"


@pytest.fixture(scope="module")
def clock() -> Ahead:
    return Ahead()


@pytest.fixture(scope="module")
async def world(database: Settings, clock: Ahead, tmp_path_factory) -> AsyncIterator[ConsoleWorld]:
    changes = {"audit_unmasked_readers": "auditor-02", "console_export_records": 20, "console_idle_minutes": 120}
    folder = tmp_path_factory.mktemp("log")
    async with console_world(database, folder, text="我叫林晓雯，手机13800138000", clock=clock, changes=changes) as made:
        yield made


async def _enter(world: ConsoleWorld, who: str) -> Auditor:
    auditor = Auditor(world.settings)
    assert (await auditor.log_in(who)).status_code == 303
    assert (await auditor.say_why()).status_code == 303
    return auditor


@pytest.fixture
async def first(world: ConsoleWorld, clock: Ahead) -> AsyncIterator[Auditor]:
    clock.by = timedelta()
    auditor = await _enter(world, "auditor-01")
    yield auditor
    await auditor.http.aclose()


@pytest.fixture
async def second(world: ConsoleWorld) -> AsyncIterator[Auditor]:
    auditor = await _enter(world, "auditor-02")
    yield auditor
    await auditor.http.aclose()


@pytest.fixture(autouse=True)
async def nothing_left(world: ConsoleWorld, clock: Ahead) -> AsyncIterator[None]:
    yield
    clock.by = timedelta()
    for who in ("auditor-01", "auditor-02"):  # what a test left lying is this person's, and the next test's too
        auditor = await _enter(world, who)
        for name in re.findall(r'href="/exports/([^"]+)"', (await auditor.get("/export?conversation=1-10")).text):
            await auditor.http.post(f"{auditor.base}/exports/{name}/discard", data={"csrf": await auditor.csrf()})
        await auditor.http.aclose()


async def begin(auditor: Auditor, **fields: str) -> httpx.Response:
    form = {"csrf": await auditor.csrf(), "conversation": "1-10", "language": "zh", "whole": "yes"} | fields
    return await auditor.http.post(f"{auditor.base}/exports", data={name: value for name, value in form.items() if value})


async def ended(auditor: Auditor, begun: httpx.Response) -> tuple[str, str]:
    """Where the export is, and how it ended."""
    assert begun.status_code == 303, begun.text
    path = urlsplit(begun.headers["location"]).path
    for _ in range(400):
        state = (await auditor.get(f"{path}/state")).json()["state"]
        if state != "running":
            return path, state
        await asyncio.sleep(0.05)
    raise AssertionError("the export does not end")


async def take(auditor: Auditor, path: str, **fields: str) -> httpx.Response:
    return await auditor.http.post(f"{auditor.base}{path}/download", data={"csrf": await auditor.csrf()} | fields)


def stages(world: ConsoleWorld, superuser) -> list[dict]:
    """What the log's leaves say of exports."""
    with superuser("tightrope") as conn:
        rows = conn.execute("SELECT leaf FROM audit.records WHERE event = 'audit:export:made' ORDER BY ord").fetchall()
    return [json.loads(bytes(row[0]))["facts"] for row in rows]


def left_over(world: ConsoleWorld) -> list[str]:
    folder = world.settings.console_exports
    assert folder is not None
    return sorted(path.name for path in folder.iterdir())


async def gone(world: ConsoleWorld) -> None:
    """The file goes when its last byte was given out, a moment after the browser has it."""
    for _ in range(100):
        if not left_over(world):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(left_over(world))


async def test_a_masked_export_is_made_taken_once_and_proves_itself(first, world, superuser, tmp_path):
    form = await first.get("/export?conversation=1-10&lang=en")
    assert "1-10" in form.text
    path, state = await ended(first, await begin(first))
    assert state == "ready"
    page = (await first.get(f"{path}?lang=en")).text
    assert "masked" in page
    assert re.search(r"[0-9a-f]{64}", page)
    answer = await take(first, path)
    assert answer.headers["content-type"] == "application/zip"
    assert re.fullmatch(r'attachment; filename="audit-export-[0-9-]+\.zip"', answer.headers["content-disposition"])
    bundle = tmp_path / "taken.zip"
    bundle.write_bytes(answer.content)
    code, said = verified(bundle)
    assert code == 0, said
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        assert json.loads(packed.read("manifest.json"))["masked"] is True
        everything = b"".join(packed.read(name) for name in packed.namelist() if name.endswith((".html", ".jsonl")))
    assert BALANCE.encode() not in everything
    await gone(world)
    assert (await take(first, path)).status_code == 404
    assert (await first.get(path)).status_code == 404
    begun, done = stages(world, superuser)[-2:]
    assert (begun["stage"], done["stage"], done["masked"]) == ("begun", "done", True)
    assert done["manifest_sha256"] in page


async def test_an_unmasked_export_without_the_right_is_refused_in_words_and_on_the_record(first, world, superuser):
    path, state = await ended(first, await begin(first, unmasked="yes", reason=REASON))
    assert state == "failed"
    assert "You may not make unmasked exports" in (await first.get(f"{path}?lang=en")).text
    assert stages(world, superuser)[-1] | {"selection_sha256": ""} == {
        "stage": "refused",
        "why": "no_right",
        "masked": False,
        "form": "zip",
        "selection_sha256": "",
    }
    assert left_over(world) == []


async def test_an_unmasked_export_needs_a_reason_of_its_own(second, world, superuser):
    path, state = await ended(second, await begin(second, unmasked="yes"))
    assert state == "failed"
    assert "needs a reason" in (await second.get(f"{path}?lang=en")).text
    assert stages(world, superuser)[-1]["why"] == "no_reason"


async def test_an_unmasked_export_with_right_and_reason(second, world, superuser):
    path, state = await ended(second, await begin(second, unmasked="yes", reason=REASON))
    assert state == "ready"
    answer = await take(second, path)
    assert "-unmasked.zip" in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        assert BALANCE in packed.read("events.jsonl").decode()
    done = stages(world, superuser)[-1]
    assert (done["stage"], done["masked"]) == ("done", False)


async def test_only_the_login_that_asked_may_see_take_or_delete_it(first, second):
    path, _ = await ended(first, await begin(first))
    assert (await second.get(path)).status_code == 404
    assert (await second.get(f"{path}/state")).status_code == 404
    assert (await take(second, path)).status_code == 404
    discard = await second.http.post(f"{second.base}{path}/discard", data={"csrf": await second.csrf()})
    assert discard.status_code == 404
    assert (await first.get(path)).status_code == 200


async def test_every_form_needs_the_sessions_token(first, world, superuser):
    before = len(stages(world, superuser))
    assert (await first.http.post(f"{first.base}/exports", data={"conversation": "1-10"})).status_code == 403
    assert len(stages(world, superuser)) == before
    path, _ = await ended(first, await begin(first))
    assert (await take(first, path, csrf="x")).status_code == 403
    assert (await first.http.post(f"{first.base}{path}/discard", data={"csrf": "x"})).status_code == 403
    assert (await first.get(f"{path}/download")).status_code in {404, 405}  # a link cannot take it
    assert (await first.get(path)).status_code == 200


async def test_after_an_hour_it_is_gone(first, world, clock):
    path, _ = await ended(first, await begin(first))
    assert len(left_over(world)) == 1
    clock.by = timedelta(hours=1, seconds=1)
    assert (await first.get(path)).status_code == 404
    assert left_over(world) == []


async def test_what_is_too_large_or_answers_nothing_is_told(first, world, superuser):
    for _ in range(25):
        await first.get("/conversations/1-9")
    path, state = await ended(first, await begin(first, conversation="1-9"))
    assert state == "failed"
    assert "Narrow it down" in (await first.get(f"{path}?lang=en")).text
    assert stages(world, superuser)[-1]["why"] == "too_large"
    path, state = await ended(first, await begin(first, conversation="1-404"))
    assert state == "failed"
    assert "No record answers this" in (await first.get(f"{path}?lang=en")).text
    assert stages(world, superuser)[-1]["why"] == "nothing_found"


@pytest.mark.parametrize("whole", ["yes", "no"])
async def test_a_question_that_everything_answers_brings_no_more_into_memory_than_shows_that_it_is_too_much(
    first, world, superuser, monkeypatch, whole
):
    """Ten million places would be read, kept and handed to the database again before the refusal."""
    for _ in range(70):
        await first.get("/conversations/1-9")
    seen = []
    real = repository.kids

    async def kids(conn, places):
        seen.append(len(places))
        return await real(conn, places)

    monkeypatch.setattr(repository, "kids", kids)
    _, state = await ended(first, await begin(first, conversation="", whole=whole))
    assert state == "failed"
    assert stages(world, superuser)[-1]["why"] == "too_large"
    assert seen == [21]


async def test_a_second_export_waits_for_the_first_and_replaces_it(first, world, monkeypatch):
    gate = asyncio.Event()
    real = repository.records

    async def held(*args, **kwargs):
        await gate.wait()
        return await real(*args, **kwargs)

    monkeypatch.setattr(repository, "records", held)
    begun = await begin(first, pdf="")
    refused = await begin(first)
    assert refused.status_code == 409
    assert 'role="alert"' in refused.text
    monkeypatch.undo()
    gate.set()
    path, state = await ended(first, begun)
    assert state == "ready"
    again, _ = await ended(first, await begin(first))
    assert (await first.get(path)).status_code == 404
    assert (await first.get(again)).status_code == 200
    assert len(left_over(world)) == 1


async def test_stopping_leaves_nothing_and_is_on_the_record(first, world, superuser, monkeypatch):
    async def forever(*_args, **_kwargs):
        await asyncio.sleep(60)

    monkeypatch.setattr("tightrope.audit.export.repository.records", forever)
    begun = await begin(first)
    path = urlsplit(begun.headers["location"]).path
    for _ in range(100):
        if (await first.get(f"{path}/state")).json()["stage"] == "records":
            break
        await asyncio.sleep(0.02)
    answer = await first.http.post(f"{first.base}{path}/discard", data={"csrf": await first.csrf()})
    assert answer.status_code == 303
    assert left_over(world) == []
    assert (stages(world, superuser)[-1]["stage"], stages(world, superuser)[-1]["why"]) == ("failed", "CancelledError")


@pytest.mark.parametrize(
    ("error", "words"),
    [(OSError(28, "No space left on device"), "could not be written on the server"), (RuntimeError("x"), "an error of ours")],
)
async def test_a_failure_is_told_in_words(first, world, monkeypatch, error, words):
    def broken(*_args, **_kwargs):
        raise error

    monkeypatch.setattr("tightrope.audit.export.bundle.Bundle.write", broken)
    path, state = await ended(first, await begin(first))
    assert state == "failed"
    page = (await first.get(f"{path}?lang=en")).text
    assert words in page
    assert "No space left" not in page
    assert left_over(world) == []


async def test_a_damaged_tree_is_no_export(first, world, monkeypatch):
    tree = world.settings.audit_tree
    assert tree is not None
    tiles = [path for path in tree.glob("*/tile/0/**/*") if path.is_file()]
    kept = {path: path.read_bytes() for path in tiles}
    try:
        for path, data in kept.items():
            path.write_bytes(bytes(byte ^ 1 for byte in data))
        path, state = await ended(first, await begin(first))
        assert state == "failed"
        assert "cannot be proven" in (await first.get(f"{path}?lang=en")).text
    finally:
        for place, data in kept.items():
            place.write_bytes(data)


async def test_by_customer_the_id_stands_in_no_address(first):
    form = {"csrf": await first.csrf(), "customer": "C1001"}
    answer = await first.http.post(f"{first.base}/search", data=form)
    alias = re.search(r"customer=([^&]+)", answer.headers["location"])[1]
    asked = await first.get(f"/export?customer={alias}")
    assert "C1001" in asked.text
    path, state = await ended(
        first, await begin(first, conversation="", customer=alias.replace("%7E", "~"), journey="check_margin_eligibility")
    )
    assert state == "ready"
    with zipfile.ZipFile(io.BytesIO((await take(first, path)).content)) as packed:
        selection = json.loads(packed.read("manifest.json"))["selection"]
    assert re.fullmatch(r"[0-9a-f]{64}", selection["customer"])


@pytest.mark.parametrize("query", ["customer=C1001", "input=x", "from=never"])
async def test_a_selection_that_cannot_be_asked(first, query):
    answer = await first.get(f"/export?{query}")
    assert answer.status_code == 400
    assert '<form method="post" action="/exports"' not in answer.text
    name, _, value = query.partition("=")
    assert (await begin(first, **{name: value})).status_code == 400
