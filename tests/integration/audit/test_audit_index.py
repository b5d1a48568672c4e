"""The auditor's index on a real Postgres: each question, rebuilding, keys that close, and the record of every question."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime

import psycopg
import pytest
from audit_findings import SET_KEYS
from audit_turns import agent_message, cited, margin, message, turn
from event_schemas import faults

from tightrope.audit.errors import QuestionInvalid, WrongMasterKey
from tightrope.audit.index import sampling
from tightrope.audit.index.finding import Finder
from tightrope.audit.index.models import Question
from tightrope.audit.index.query import condition, moment, month, place
from tightrope.audit.index.service import Indexer
from tightrope.audit.keyring import Keyring
from tightrope.audit.models import Event, Place, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.infra.database import Role, open_pool

pytestmark = pytest.mark.integration

OLD, NEW = date(2024, 1, 10), date(2026, 3, 1)


@pytest.fixture
async def told(log, worker, recorder, clock, seal, auditor, keyring, superuser):
    """Five conversations over April, May and June 2026, sealed and indexed."""
    with superuser("tightrope") as conn:
        conn.execute("TRUNCATE audit_index.records; UPDATE audit_index.state SET shard = 0, next = 0, version = 0")

    def at(month: int, day: int) -> date:
        clock.at = datetime(2026, month, day, 2, 31, tzinfo=UTC)
        return clock.at.date()

    async with worker.connection() as conn:
        drafts = [
            (4, 30, lambda today: turn("1-1", 1, margin(today, OLD), customer="C1001")),
            (5, 4, lambda today: message("1-2", "我能开通融资融券吗")),
            (5, 4, lambda today: turn("1-2", 1, margin(today, OLD), customer="C1001")),
            (5, 6, lambda today: turn("1-3", 1, margin(today, NEW, level="C2"), customer="C1002")),
            (5, 7, lambda today: turn("1-4", 1, margin(today, NEW), customer="C1003")),
            (5, 8, lambda today: turn("1-5", 1, cited("fees-brokerage", "v3"))),
            (5, 8, lambda today: turn("1-5", 2, cited("fees-brokerage", "v2"))),
            (5, 9, lambda today: turn("1-5", 3, cited("fees-brokerage", "v3", used=False))),
            (5, 9, lambda today: agent_message("1-5", "您好")),
            (5, 10, lambda today: RecordDraft(Event.SWITCH_ENGAGED, facts={"scope": "all"}, payload={"reason": "drill", "who": "ops1"})),
            (6, 1, lambda today: turn("1-6", 1, margin(today, OLD), customer="C1001")),
        ]  # fmt: skip
        for month_, day, draft in drafts:
            await recorder.record(conn, draft(at(month_, day)))
    await seal()
    indexer = Indexer(auditor, keyring, clock)
    await indexer.catch_up()
    return indexer


@pytest.fixture
def finder(auditor, keyring, recorder, clock) -> Finder:
    return Finder(auditor, keyring, recorder, clock, who="auditor1")


async def ask(finder: Finder, **question) -> list[str]:
    found = await finder.find(Question(**question))
    return [f"{hit.conversation_id}/{hit.row.turn}" for hit in found.hits]


def may() -> dict:
    start, end = month(2026, 5)
    return {"start": start, "end": end}


async def test_all_margin_refusals_in_may_with_a_risk_assessment_older_than_a_year(told, finder):
    asked = {"journey": "check_margin_eligibility", "verdict": "refused", "inputs": (condition("risk_assessment_age>365d"),)}
    assert await ask(finder, **asked, **may()) == ["1-2/1"]
    assert await ask(finder, **asked) == ["1-1/1", "1-2/1", "1-6/1"]
    assert await ask(finder, **(asked | {"inputs": ()}), **may()) == ["1-2/1", "1-3/1"]
    assert await ask(finder, journey="check_margin_eligibility", verdict="granted", **may()) == ["1-4/1"]


async def test_every_answer_that_cited_document_d_version_3(told, finder):
    assert await ask(finder, cited="fees-brokerage@3") == ["1-5/1"]
    assert await ask(finder, cited="fees-brokerage@v3") == ["1-5/1"]
    assert await ask(finder, cited="fees-brokerage") == ["1-5/1", "1-5/2"]
    assert await ask(finder, cited="fees") == []


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ({"rule": "margin_eligibility.risk_level", "verdict": "not_met"}, ["1-3/1"]),
        ({"rule": "margin_eligibility", "verdict": "not_met"}, []),
        ({"agent": "7"}, ["1-5/None"]),
        ({"agent": "agent:7"}, ["1-5/None"]),
        ({"agent": "ops1"}, ["None/None"]),
        ({"customer": "C1001"}, ["1-1/1", "1-2/1", "1-6/1"]),
        ({"customer": "C10"}, []),
        ({"conversation": "1-5"}, ["1-5/1", "1-5/2", "1-5/3", "1-5/None"]),
        ({"event": "operator:"}, ["None/None"]),
        ({"event": "customer:message:received"}, ["1-2/None"]),
        ({"release": "r-0123456789abcdef", "cited": "fees-brokerage@2"}, ["1-5/2"]),
        ({"release": "r-ffffffffffffffff"}, []),
        ({"model": "fp-1", "cited": "fees-brokerage@3"}, ["1-5/1"]),
        ({"response": "utter_margin_eligible"}, ["1-4/1"]),
        ({"outcome": "action_search=nothing"}, ["1-5/3"]),
        ({"outcome": "action_search:nothing"}, ["1-5/3"]),
        ({"lang": "zh", "cited": "fees-brokerage@3"}, ["1-5/1"]),
        ({"inputs": (condition("risk_level.level=C2"),)}, ["1-3/1"]),
        ({"inputs": (condition("level=C2"), condition("risk_assessment_age<=1y"))}, ["1-3/1"]),
        ({"inputs": (condition("sk_level.level=C2"),)}, []),
        ({"inputs": (condition("level>1"),)}, []),
        ({"start": moment("2026-06-01"), "event": "gateway:"}, ["1-6/1"]),
        ({"end": moment("2026-05-01")}, ["1-1/1"]),
    ],
)
async def test_each_question_finds_what_it_names(told, finder, question, expected):
    assert await ask(finder, **question) == expected


async def test_a_question_counts_records_conversations_and_customers(told, finder):
    found = await finder.find(Question(journey="check_margin_eligibility"), limit=1)
    assert (found.records, found.conversations, found.customers, len(found.hits)) == (5, 5, 3, 1)
    assert found.position.behind == 0


async def test_nothing_found_is_an_answer(told, finder):
    found = await finder.find(Question(journey="close_account"))
    assert (found.records, found.hits) == (0, ())


@pytest.mark.parametrize(
    "bad",
    [
        {"event": "nothing:of:ours"},
        {"event": "x:"},
        {"start": moment("2026-06-01"), "end": moment("2026-05-01")},
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(told, finder, bad):
    with pytest.raises(QuestionInvalid):
        await finder.find(Question(**bad))


@pytest.mark.parametrize("evil", ["'; DROP TABLE audit_index.records; --", "%", "_", "\\", '"', "{}", "x' OR '1'='1"])
async def test_what_is_asked_is_never_run_as_sql(told, finder, evil):
    for name in (
        "journey",
        "verdict",
        "rule",
        "cited",
        "agent",
        "customer",
        "conversation",
        "release",
        "model",
        "reason",
        "lang",
    ):
        assert await ask(finder, **{name: evil}) == [], name
    assert await ask(finder, conversation="1-4") == ["1-4/1"]


async def test_every_question_is_on_the_record_before_its_answer(told, finder, log, seal, auditor, keyring, clock):
    await finder.find(Question(customer="C1001", **may()), reason="suitability review")
    await seal()
    await told.catch_up()
    found = await finder.find(Question(event="audit:index:queried"))
    assert [hit.row.people for hit in found.hits] == [("auditor1",)]
    async with auditor.connection() as conn:
        rows = await (
            await conn.execute(
                "SELECT id, kid, leaf, ct FROM audit.records WHERE event = 'audit:index:queried' ORDER BY ord LIMIT 1"
            )
        ).fetchall()
        leaf = json.loads(rows[0]["leaf"])
        assert leaf["facts"]["records"] == 1
        opened = json.loads(
            keyring.decrypt(keyring.cached_kid(rows[0]["kid"]), rows[0]["id"], bytes.fromhex(leaf["commit"]), rows[0]["ct"])
        )
    assert faults("audit:index:queried", leaf["facts"], opened) == []
    assert opened["reason"] == "suitability review"
    assert "C1001" not in json.dumps(opened)


async def test_no_answer_where_the_question_cannot_be_recorded(told, auditor, keyring, clock, log):
    class Broken(Recorder):
        async def record(self, *args, **kwargs):
            raise psycopg.OperationalError("disk full")

    finder = Finder(auditor, keyring, Broken(log, keyring, clock, "r-0123456789abcdef"), clock, who="a")
    with pytest.raises(psycopg.OperationalError):
        await finder.find(Question())
    with pytest.raises(psycopg.OperationalError):
        await finder.sample(Question(), 1, "s")


async def dump(auditor) -> list[str]:
    async with auditor.connection() as conn:
        found = await (await conn.execute("SELECT i::text AS row FROM audit_index.records i ORDER BY shard, index")).fetchall()
    return [row["row"] for row in found]


async def test_rebuilding_gives_the_same_rows_byte_for_byte(told, auditor, log, clock):
    before = await dump(auditor)
    assert len(before) >= 12  # eleven records and the shard's opening
    assert await told.rebuild() == len(before)
    assert await dump(auditor) == before
    assert await Indexer(auditor, Keyring.from_settings(log), clock).rebuild() == len(before)
    assert await dump(auditor) == before


async def test_nothing_new_writes_nothing(told, auditor):
    before = await dump(auditor)
    assert await told.catch_up() == 0
    assert await dump(auditor) == before


async def test_two_indexers_at_once_write_each_row_once(told, auditor, log, clock):
    async with auditor.connection() as conn:
        await conn.execute("TRUNCATE audit_index.records")
        await conn.execute("UPDATE audit_index.state SET shard = 0, next = 0")
    others = [Indexer(auditor, Keyring.from_settings(log), clock) for _ in range(2)]
    await asyncio.gather(*(other.catch_up() for other in others))
    assert len(await dump(auditor)) >= 12
    assert (await told.position()).behind == 0


async def test_another_version_of_the_rules_makes_the_index_again(told, auditor):
    before = await dump(auditor)
    async with auditor.connection() as conn:
        await conn.execute("UPDATE audit_index.records SET journeys = '{old}'")
        await conn.execute("UPDATE audit_index.state SET version = 0")
    await told.catch_up()
    assert await dump(auditor) == before


async def test_an_index_ahead_of_a_log_that_was_set_back_is_made_again(told, auditor):
    before = await dump(auditor)
    async with auditor.connection() as conn:
        await conn.execute("UPDATE audit_index.records SET journeys = '{old}'")
        await conn.execute("UPDATE audit_index.state SET next = next + 1000")
    assert await told.catch_up() == len(before)
    assert await dump(auditor) == before


@pytest.mark.parametrize("state", ["restricted", "destroyed"])
async def test_a_closed_key_takes_with_it_what_the_index_knew(told, finder, auditor, superuser, log, clock, state):
    with superuser("tightrope") as conn:
        conn.execute(
            SET_KEYS + "WHERE kid IN (SELECT kid FROM audit_index.records WHERE customer IS NOT NULL AND conv IN "
            "(SELECT conv FROM audit.conversations WHERE conversation_id = '1-2'))",
            {"state": state},
        )
    assert await told.catch_up() > 0
    assert await ask(finder, customer="C1001") == []
    assert await ask(finder, inputs=(condition("risk_assessment_age>365d"),), **may()) == []
    assert "1-2/1" in await ask(finder, journey="check_margin_eligibility", verdict="refused")
    found = await finder.find(Question(journey="check_margin_eligibility", inputs=(condition("risk_assessment_age>365d"),)))
    assert found.unreadable == 3
    now = await dump(auditor)
    await Indexer(auditor, Keyring.from_settings(log), clock).rebuild()
    assert await dump(auditor) == now


async def test_an_opened_key_is_indexed_again(told, finder, auditor, superuser):
    before = await dump(auditor)
    for state in ("restricted", "active"):
        with superuser("tightrope") as conn:
            conn.execute(SET_KEYS, {"state": state})
        await told.catch_up()
    assert await dump(auditor) == before


async def test_only_the_auditor_reads_and_writes_the_index(told, log):
    for role in (Role.GATEWAY, Role.WORKER, Role.OPERATOR, Role.SEALER):
        async with open_pool(log, role, max_size=1) as pool:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                async with pool.connection() as conn:
                    await conn.execute("SELECT 1 FROM audit_index.records")


async def test_an_indexer_with_another_master_key_refuses(told, auditor, clock):
    with pytest.raises(WrongMasterKey):
        await Indexer(auditor, Keyring(b"x" * 32), clock).catch_up()


async def test_a_sample_can_be_drawn_again_and_proves_its_population(told, finder, seal, worker, recorder, clock):
    question = Question(journey="check_margin_eligibility")
    first = await finder.sample(question, 2, "20260501", reason="test of controls")
    assert (first.population, len(first.hits)) == (5, 2)
    async with worker.connection() as conn:
        await recorder.record(conn, turn("1-9", 1, margin(date(2026, 6, 2), OLD), customer="C1001"))
    await seal()
    await told.catch_up()
    later = await finder.sample(question, 2, "20260501")
    assert later.population == 6
    again = await finder.sample(Question(journey="check_margin_eligibility", up_to=place(first.up_to)), 2, "20260501")
    assert [hit.row.place for hit in again.hits] == [hit.row.place for hit in first.hits]
    assert again.population_sha256 == first.population_sha256
    assert f"--up-to {first.up_to}" in first.command
    papers = json.loads(sampling.papers_json(first))
    assert papers["population"] == 5
    assert papers["seed"] == "20260501"
    lines = sampling.papers_csv(first).decode("utf-8-sig").splitlines()
    assert len(lines) == 3
    assert lines[0].endswith("tested_by,tested_on,result,remarks")


async def test_the_indexer_keeps_up_until_it_is_stopped(told, worker, recorder, seal, auditor):
    stop = asyncio.Event()
    task = asyncio.create_task(told.run(stop))
    async with worker.connection() as conn:
        await recorder.record(conn, message("1-8", "x"))
    await seal()
    for _ in range(50):
        if (await told.position()).behind == 0:
            break
        await asyncio.sleep(0.1)
    assert (await told.position()).behind == 0
    stop.set()
    await asyncio.wait_for(task, 5)


def test_places_are_read_strictly():
    assert place("2026/17") == Place(2026, 17)
    for bad in ("2026", "26/1", "2026/-1", "2026/x", ""):
        with pytest.raises(QuestionInvalid):
            place(bad)
