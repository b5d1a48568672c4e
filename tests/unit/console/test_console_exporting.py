"""Exports under way in the pages' process: limits, owners, what is left behind, failures in words; without sockets and database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from tightrope.audit.errors import AuditError, ExportRefused, StoreError
from tightrope.audit.export.models import Counts, Made
from tightrope.audit.index.models import Question
from tightrope.console.errors import ExportBusy
from tightrope.console.exporting import AT_ONCE, KEPT_FOR, Exports, Wish, told
from tightrope.console.words import words
from tightrope.infra.clock import FixedClock

WISH = Wish(Question(conversation="1-9"), {"conversation": "1-9"}, "sample", unmasked=False, whole=True, pdf=False, language="zh")


class Maker:
    """Makes a file when it is let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.orders = []

    async def __call__(self, order, progress):
        self.orders.append(order)
        progress("records", 3, 9)
        await self.go.wait()
        order.target.write_bytes(b"PK" * 300_000)
        return Made(order.target, Counts(9, 1, 0), "ab" * 32, {})


@pytest.fixture
def clock():
    return FixedClock(datetime(2026, 11, 22, 9, tzinfo=UTC))


@pytest.fixture
def make():
    return Maker()


@pytest.fixture
def exports(make, clock, tmp_path):
    made = Exports(make, tmp_path / "exports", clock, most=7)
    made.open()
    return made


async def _ready(exports, make, person="auditor-01"):
    make.go.set()
    job = exports.begin(person, WISH, font=None)
    await job.task
    return job


async def test_progress_is_told_and_the_order_has_the_limit(exports, make):
    job = exports.begin("auditor-01", WISH, font=None)
    await asyncio.sleep(0)
    assert job.to_json() == {"state": "running", "stage": "records", "done": 3, "of": 9}
    (order,) = make.orders
    assert (order.who, order.reason, order.most, order.unmasked) == ("auditor-01", "sample", 7, False)
    make.go.set()
    await job.task
    assert (job.state, job.size) == ("ready", 600_000)


async def test_one_a_person_and_two_in_all(exports, make):
    exports.begin("auditor-01", WISH, font=None)
    with pytest.raises(ExportBusy) as own:
        exports.begin("auditor-01", WISH, font=None)
    assert own.value.code == "own"
    for number in range(AT_ONCE - 1):
        exports.begin(f"other-{number}", WISH, font=None)
    with pytest.raises(ExportBusy) as full:
        exports.begin("last", WISH, font=None)
    assert full.value.code == "all"
    await exports.close()
    assert exports.last("auditor-01") is None


async def test_a_download_that_breaks_off_leaves_the_file_and_a_whole_one_deletes_it(exports, make):
    job = await _ready(exports, make)
    broken = exports.sent(job)
    await anext(broken)
    await broken.aclose()
    assert exports.of("auditor-01", job.id) is job
    assert b"".join([chunk async for chunk in exports.sent(job)]) == b"PK" * 300_000
    assert exports.of("auditor-01", job.id) is None
    assert not job.path.exists()


async def test_nobody_elses_and_not_after_an_hour(exports, make, clock):
    job = await _ready(exports, make)
    assert exports.of("auditor-02", job.id) is None
    clock.advance(KEPT_FOR.total_seconds() - 1)
    assert exports.of("auditor-01", job.id) is job
    clock.advance(1)
    assert exports.of("auditor-01", job.id) is None
    assert not job.path.exists()


async def test_a_new_start_empties_the_folder_and_nobody_else_may_look_into_it(exports, make, clock, tmp_path):
    job = await _ready(exports, make)
    partial = tmp_path / "exports" / f".{job.path.name}.0a.partial"
    partial.mkdir()
    (partial / "events.jsonl").write_text("{}")
    Exports(make, tmp_path / "exports", clock, most=7).open()
    assert list((tmp_path / "exports").iterdir()) == []
    assert (tmp_path / "exports").stat().st_mode & 0o777 == 0o700


async def test_what_a_stopped_export_left_is_swept(exports, make, tmp_path):
    job = exports.begin("auditor-01", WISH, font=None)
    await asyncio.sleep(0)
    kept = tmp_path / "exports" / f".{job.path.name}.0a.partial"
    kept.mkdir()
    exports.sweep()
    assert kept.exists()
    await exports.discard(job)
    exports.sweep()
    assert not kept.exists()


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (ExportRefused("x", "no_right"), "export_no_right"),
        (ExportRefused("x", "no_reason"), "export_no_reason"),
        (ExportRefused("x", "nothing_found"), "export_nothing_found"),
        (ExportRefused("x", "too_large"), "export_too_large"),
        (ExportRefused("no checkpoint"), "export_unproven"),
        (StoreError("tile"), "export_unproven"),
        (AuditError("key"), "export_unproven"),
        (psycopg.OperationalError("x"), "export_database"),
        (PoolTimeout("x"), "export_database"),
        (OSError(28, "full"), "export_disk"),
        (ValueError("x"), "export_failed"),
    ],
)
def test_every_failure_has_words(error, word):
    failure, detail = told(error)
    assert failure == word
    assert failure in words("zh")
    assert (detail == "") is (word != "export_unproven")


def test_an_hour_is_an_hour():
    assert timedelta(hours=1) == KEPT_FOR
