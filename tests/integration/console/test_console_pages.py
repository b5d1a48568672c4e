"""The auditors' pages over HTTP, with the sandbox's identity provider: who gets in, what is recorded, what is escaped, proofs good and damaged."""

from __future__ import annotations

import asyncio
import base64
import re
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from console_world import OLD_NAME, Ahead, Auditor, ConsoleWorld, console_world

from tightrope.audit.models import Event
from tightrope.audit.tlog.checkpoint import Checkpoint
from tightrope.audit.tlog.merkle import check_inclusion, leaf_hash
from tightrope.audit.tlog.note import Note
from tightrope.console.search import PAGE
from tightrope.infra.settings import Settings

pytestmark = pytest.mark.integration

ATTACK = "<script>document.title='x'</script>\u202eniwde"


@pytest.fixture(scope="module")
def clock() -> Ahead:
    return Ahead()


@pytest.fixture(scope="module")
async def world(database: Settings, clock: Ahead, tmp_path_factory) -> AsyncIterator[ConsoleWorld]:
    async with console_world(database, tmp_path_factory.mktemp("log"), text=ATTACK, clock=clock) as made:
        yield made


@pytest.fixture
async def browser(world: ConsoleWorld, clock: Ahead) -> AsyncIterator[Auditor]:
    clock.by = timedelta()
    made = Auditor(world.settings)
    yield made
    await made.http.aclose()


@pytest.fixture
async def auditor(browser: Auditor) -> Auditor:
    answer = await browser.log_in("auditor-01")
    assert (answer.status_code, answer.headers["location"]) == (303, "/search")
    assert (await browser.say_why()).status_code == 303
    return browser


@pytest.mark.parametrize("path", ["/", "/search", "/conversations/1-9", "/purpose", "/export", "/exports/x"])
async def test_without_a_login_every_page_leads_to_it(browser, path):
    answer = await browser.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?back=")


@pytest.mark.parametrize(
    "path", ["/proof/2026/0", f"/flows/r-0123456789abcdef/{'ab' * 32}/check_balance.svg", "/exports/x/state"]
)
async def test_without_a_login_no_proof_and_no_picture(browser, path):
    assert (await browser.get(path)).status_code == 401


async def test_somebody_of_the_firm_without_the_role_is_refused(browser):
    answer = await browser.log_in("clerk-01")
    assert answer.status_code == 403
    assert "console_session" not in answer.cookies
    assert (await browser.get("/")).status_code == 303


async def test_a_customer_with_a_session_at_the_provider_is_refused(browser):
    await browser.person.open_portal()
    await browser.person.log_in_at_portal("C1001")
    start = await browser.get("/login/start")
    answer = await browser.http.get(start.headers["location"])
    callback = await browser.http.get(answer.headers["location"])
    assert callback.status_code == 403
    assert (await browser.get("/")).status_code == 303


async def test_a_customer_cannot_be_chosen_on_the_consoles_login_page(browser):
    start = await browser.get("/login/start")
    with pytest.raises(AssertionError):  # the provider shows its page again instead of a code
        await browser.person.pass_login_page(start.headers["location"], "C1001")


async def test_an_answer_for_another_browser_or_a_second_time_is_refused(browser, world):
    start = await browser.get("/login/start")
    query = await browser.person.pass_login_page(start.headers["location"], "auditor-01")
    other = Auditor(world.settings)
    assert (await other.http.get(f"{other.base}/login/callback", params=query)).status_code == 400
    await other.http.aclose()
    assert (await browser.http.get(f"{browser.base}/login/callback", params=query | {"state": "invented"})).status_code == 400
    assert (await browser.http.get(f"{browser.base}/login/callback", params=query)).status_code == 400  # the attempt is used up


async def test_a_silent_session_ends(auditor, clock):
    assert (await auditor.get("/")).status_code == 200
    clock.by = timedelta(minutes=auditor.settings.console_idle_minutes, seconds=1)
    assert (await auditor.get("/")).status_code == 303


async def test_a_form_without_the_sessions_token_changes_nothing(auditor):
    for form in ({}, {"csrf": "x"}, {"csrf": "ü"}):
        assert (await auditor.http.post(f"{auditor.base}/logout", data=form)).status_code == 403
        assert (await auditor.http.post(f"{auditor.base}/purpose", data={"purpose": "other", **form})).status_code == 403
    page = await auditor.get("/")
    assert page.status_code == 200
    assert "sample" in page.text


async def test_logout_ends_the_session(auditor):
    cookie = auditor.http.cookies["console_session"]
    answer = await auditor.http.post(f"{auditor.base}/logout", data={"csrf": await auditor.csrf()})
    assert answer.headers["location"] == "/login"
    async with httpx.AsyncClient(headers={"Cookie": f"console_session={cookie}"}) as kept:
        assert (await kept.get(f"{auditor.base}/")).status_code == 303


async def test_a_login_leads_nowhere_else(browser):
    for back in ("https://evil.example/", "//evil.example", "/\\evil.example"):
        start = await browser.http.get(f"{browser.base}/login/start", params={"back": back, "fresh": True})
        query = await browser.person.pass_login_page(start.headers["location"], "auditor-01")
        answer = await browser.http.get(f"{browser.base}/login/callback", params=query)
        assert answer.headers["location"] == "/"


async def test_headers_and_cookies(browser):
    answer = await browser.log_in("auditor-01")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    page = await browser.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["cache-control"] == "no-store"
    for path in ("/", "/login", "/static/proof.js"):
        assert "<script>" not in (await browser.get(path)).text
        assert re.search(r'(src|href)="(https?:)?//', (await browser.get(path)).text) is None


async def test_nothing_is_read_before_the_purpose_is_said(browser):
    await browser.log_in("auditor-01")
    for path in ("/search", "/conversations/1-9", "/export?conversation=1-9"):
        assert (await browser.get(path)).headers["location"].startswith("/purpose?back=")
    assert (await browser.say_why("  ")).status_code == 400


async def test_a_conversation_is_shown_escaped_and_the_reading_recorded(auditor):
    page = await auditor.get("/conversations/1-9")
    assert page.status_code == 200
    assert "&lt;script&gt;document.title" in page.text
    assert "<script>document" not in page.text
    assert "\u202e" not in page.text
    assert "&lt;202e&gt;" in page.text
    again = await auditor.get("/conversations/1-9")
    assert Event.CONVERSATION_READ in again.text
    assert "auditor-01" in again.text


async def test_an_unknown_conversation_and_an_odd_name(auditor):
    for name in ("1-99999", "x" * 300, "%3Cscript%3E", "a%00b"):
        answer = await auditor.get(f"/conversations/{name}")
        assert answer.status_code == 404, name
        assert "<script>" not in answer.text


async def test_search_asks_the_index_and_is_recorded_with_login_and_purpose(auditor):
    await _place(auditor)
    found = await auditor.get("/search?conversation=1-9&event=gateway:turn:made")
    assert set(re.findall(r'href="/conversations/([^"]+)"', found.text)) == {"1-9"}
    assert (await auditor.get("/search?conversation=1-9&event=operator:")).text.count('class="hit"') == 0
    assert (await auditor.get("/search?from=2001-01-01&to=2001-01-02")).text.count('class="hit"') == 0
    assert Event.INDEX_QUERIED in (await auditor.get("/search?event=audit:index:queried")).text
    asked = await auditor.get("/search?event=audit:index:queried&agent=auditor-01")
    assert asked.text.count('class="hit"') > 0  # the index knows who asked
    assert (await auditor.get("/search?event=audit:index:queried&agent=somebody")).text.count('class="hit"') == 0


@pytest.mark.parametrize(
    ("query", "conversation"),
    [
        ("journey=check_margin_eligibility", "1-10"),
        ("rule=margin_eligibility&verdict=refused", "1-10"),
        ("verdict=refused&input=risk_assessment_age>365d", "1-10"),
        ("verdict=refused&input=risk_assessment_age＞365d；level=C4", "1-10"),
        ("cited=fees-brokerage@3", "1-11"),
        ("agent=7", "1-11"),
    ],
)
async def test_the_questions_of_find_are_those_of_the_page(auditor, query, conversation):
    await _place(auditor)
    found = (await auditor.get(f"/search?{query}")).text
    assert set(re.findall(r'href="/conversations/([^"]+)"', found)) == {conversation}
    assert (await auditor.get("/search?journey=check_margin_eligibility&verdict=granted")).text.count('class="hit"') == 0


async def test_a_customers_id_stands_in_no_address_and_not_on_the_record(auditor, superuser, world):
    await _place(auditor)
    form = {"csrf": await auditor.csrf(), "customer": "C1001", "journey": "check_margin_eligibility"}
    answer = await auditor.http.post(f"{auditor.base}/search", data=form)
    assert answer.status_code == 303
    assert "C1001" not in answer.headers["location"]
    found = await auditor.get(answer.headers["location"])
    assert set(re.findall(r'href="/conversations/([^"]+)"', found.text)) == {"1-10"}
    assert 'value="C1001"' in found.text  # the form shows what was typed
    assert "C1001" not in re.search(r'href="(/export[^"]*)"', found.text)[1]
    for raw in ("C1001", "~00000000"):
        assert (await auditor.get(f"/search?customer={raw}")).status_code == 400
    with superuser("tightrope") as conn:
        leaves = conn.execute("SELECT leaf FROM audit.records WHERE event = 'audit:index:queried'").fetchall()
    assert all(b"C1001" not in bytes(leaf) for (leaf,) in leaves)


async def test_the_search_form_needs_the_sessions_token(auditor):
    assert (await auditor.http.post(f"{auditor.base}/search", data={"customer": "C1001"})).status_code == 403


async def test_a_long_answer_is_read_page_by_page_newest_first(auditor, world):
    for _ in range(PAGE):
        await auditor.get("/conversations/1-9")
    seen: list[str] = []
    path = "/search?event=audit:conversation:read"
    for _ in range(20):
        text = (await auditor.get(path)).text
        seen += re.findall(r'<span class="pill">(\d+/\d+)</span>', text)
        following = re.search(r'class="button" href="(/search[^"]*)"', text)
        if following is None:
            break
        path = following[1].replace("&amp;", "&")
    assert len(seen) == len(set(seen)) >= PAGE
    assert seen == sorted(seen, key=lambda place: int(place.split("/")[1]), reverse=True)


async def test_what_the_index_has_not_read_yet_is_told(auditor, monkeypatch):
    async def nothing(_self, *, seconds=None):
        return 0

    await _place(auditor)
    monkeypatch.setattr("tightrope.audit.index.service.Indexer.catch_up", nothing)
    for _ in range(100):
        page = await auditor.get("/search?lang=en&event=gateway:turn:made")
        if "are not in it yet" in page.text:
            break
        await asyncio.sleep(0.05)  # the record of the last question is not sealed yet
    assert "are not in it yet" in page.text
    assert "gaps among them are not listed" in (await auditor.get("/?lang=en")).text


@pytest.mark.parametrize(
    "query",
    [
        "event=nonsense",
        "event=operat",
        "from=yesterday",
        "before=-1",
        "to=0001-01-01",
        "from=2026-02-01&to=2026-01-01",
        "conversation=a%00b",
        "input=age",
        "input=" + ";".join(["a=1"] * 9),
        "journey=" + "x" * 121,
        "lang=en&rule=%E2%80%AE",
    ],
)
async def test_a_question_that_cannot_be_asked(auditor, query):
    answer = await auditor.get(f"/search?{query}")
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text


async def _place(auditor: Auditor) -> tuple[str, str]:
    for _ in range(100):
        page = (await auditor.get("/conversations/1-9")).text
        found = re.search(r'data-shard="(\d+)" data-index="(\d+)"', page)
        if found and (await auditor.get(f"/proof/{found[1]}/{found[2]}")).status_code == 200:
            return found[1], found[2]
        await asyncio.sleep(0.05)
    raise AssertionError("the record was not covered by a checkpoint")


async def test_the_proof_leads_to_the_signed_root(auditor):
    shard, index = await _place(auditor)
    given = (await auditor.get(f"/proof/{shard}/{index}")).json()
    checkpoint = Checkpoint.parse(Note.parse(given["checkpoint"].encode()).text)
    leaf, path = base64.b64decode(given["leaf"]), [base64.b64decode(one) for one in given["proof"]]
    check_inclusion(leaf_hash(leaf), int(index), checkpoint.size, path, checkpoint.root)
    assert given["origin"] == checkpoint.origin


async def test_a_damaged_tree_is_told(auditor):
    shard, index = await _place(auditor)
    tiles = auditor.settings.audit_tree / shard / "tile"
    away = tiles.with_name("away")
    shutil.copytree(tiles, away)
    try:
        shutil.rmtree(tiles / "0")
        answer = await auditor.get(f"/proof/{shard}/{index}")
        assert answer.status_code == 409
        assert answer.json()["wrong"] is True
    finally:
        shutil.copytree(away, tiles, dirs_exist_ok=True)
        shutil.rmtree(away)


@pytest.mark.parametrize("place", ["2026/999999999", "0/0", "2026/9007199254740993", "99999/0"])
async def test_a_place_that_is_not_there(auditor, place):
    answer = await auditor.get(f"/proof/{place}")
    assert answer.status_code == 409
    assert answer.json()["wrong"] is False


async def test_a_flow_is_drawn_from_the_release_on_record(auditor, world):
    page = (await auditor.get("/conversations/1-12?lang=zh")).text
    assert OLD_NAME in page
    assert world.release in page
    address = re.search(r'<img loading="lazy" src="([^"]+)"', page)[1].replace("&amp;", "&")
    drawn = await auditor.get(address)
    assert drawn.headers["content-type"].startswith("image/svg+xml")
    assert "sandbox" in drawn.headers["content-security-policy"]
    assert "tf-on" in drawn.text
    assert OLD_NAME in drawn.text
    assert "tell_balance_long_ago" in drawn.text
    folder = f"/flows/{world.release}/{world.manifest}"
    assert (await auditor.get(f"{folder}/check_balance.svg?path=begin")).status_code == 200
    for bad in ("nothing.svg", "check_balance.svg?path=tell_balance", "..%2f..%2fetc.svg"):
        assert (await auditor.get(f"{folder}/{bad}")).status_code == 404, bad


async def test_where_the_log_lacks_the_release_nothing_is_drawn_and_the_page_says_so(auditor, world):
    page = (await auditor.get("/conversations/1-13?lang=en")).text
    assert "lacks this release" in page
    assert "tell_balance_long_ago" in page  # the steps as they are on record
    assert "<img loading" not in page
    other = world.manifest
    for bad in (f"r-0123456789abcdef/{'ab' * 32}", f"r-0123456789abcdef/{other}", f"{world.release}/x", f"x/{other}"):
        assert (await auditor.get(f"/flows/{bad}/check_balance.svg?path=begin")).status_code == 404, bad


async def test_the_status_page_says_what_the_store_is(auditor):
    page = await auditor.get("/?lang=en")
    assert "not WORM" in page.text
    assert "tightrope.example/audit/" in page.text


async def test_health_needs_no_login(browser):
    answer = await browser.get("/health")
    assert (answer.status_code, answer.json()["part"]) == (200, "console")
    assert urlsplit(str(answer.url)).path == "/health"
