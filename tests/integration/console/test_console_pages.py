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
from console_world import console_world
from sandbox_world import Person

from tightrope.audit.models import Event
from tightrope.audit.tlog.checkpoint import Checkpoint
from tightrope.audit.tlog.merkle import check_inclusion, leaf_hash
from tightrope.audit.tlog.note import Note
from tightrope.infra.clock import SystemClock
from tightrope.infra.settings import Settings

pytestmark = pytest.mark.integration

ATTACK = "<script>document.title='x'</script>\u202eniwde"


class Auditor:
    """A browser at the pages."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.base = settings.console_public_url
        self.person = Person(settings)
        self.http = self.person.http

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(self.base + path)

    async def log_in(self, who: str) -> httpx.Response:
        start = await self.get("/login/start?back=/search")
        query = await self.person.pass_login_page(start.headers["location"], who)
        return await self.http.get(f"{self.base}/login/callback", params=query)

    async def csrf(self) -> str:
        return re.search(r'name="csrf" value="([^"]+)"', (await self.get("/")).text)[1]  # type: ignore[index]

    async def say_why(self, purpose: str = "sample") -> httpx.Response:
        form = {"csrf": await self.csrf(), "purpose": purpose, "back": "/search"}
        return await self.http.post(f"{self.base}/purpose", data=form)


class Ahead(SystemClock):
    """A clock that can be put forward."""

    def __init__(self) -> None:
        super().__init__()
        self.by = timedelta()

    def now(self):
        return super().now() + self.by


@pytest.fixture(scope="module")
def clock() -> Ahead:
    return Ahead()


@pytest.fixture(scope="module")
async def world(database: Settings, clock: Ahead, tmp_path_factory) -> AsyncIterator[Settings]:
    async with console_world(database, tmp_path_factory.mktemp("log"), text=ATTACK, clock=clock) as made:
        yield made.settings


@pytest.fixture
async def browser(world: Settings, clock: Ahead) -> AsyncIterator[Auditor]:
    clock.by = timedelta()
    made = Auditor(world)
    yield made
    await made.http.aclose()


@pytest.fixture
async def auditor(browser: Auditor) -> Auditor:
    answer = await browser.log_in("auditor-01")
    assert (answer.status_code, answer.headers["location"]) == (303, "/search")
    assert (await browser.say_why()).status_code == 303
    return browser


@pytest.mark.parametrize("path", ["/", "/search", "/conversations/1-9", "/purpose"])
async def test_without_a_login_every_page_leads_to_it(browser, path):
    answer = await browser.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?back=")


@pytest.mark.parametrize("path", ["/proof/2026/0", "/flows/check_balance.svg"])
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
    other = Auditor(world)
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
    for path in ("/search", "/conversations/1-9"):
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


async def test_search_finds_by_conversation_and_event_and_is_recorded(auditor):
    found = await auditor.get("/search?conversation=1-9&event=gateway:turn:made")
    assert found.text.count('class="hit"') == 1
    assert (await auditor.get("/search?conversation=1-9&event=operator:")).text.count('class="hit"') == 0
    assert (await auditor.get("/search?from=2001-01-01&to=2001-01-02")).text.count('class="hit"') == 0
    assert Event.INDEX_QUERIED in (await auditor.get("/search?event=audit:index:queried")).text


@pytest.mark.parametrize("query", ["event=nonsense", "from=yesterday", "before=-1", "to=0001-01-01", "conversation=a%00b"])
async def test_a_question_that_cannot_be_asked(auditor, query):
    assert (await auditor.get(f"/search?{query}")).status_code == 400


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


async def test_flow_pictures_show_the_way_and_nothing_unknown(auditor):
    drawn = await auditor.get("/flows/check_balance.svg?path=begin,tell_balance")
    assert drawn.headers["content-type"].startswith("image/svg+xml")
    assert "sandbox" in drawn.headers["content-security-policy"]
    assert "tf-on" in drawn.text
    for bad in ("/flows/nothing.svg", "/flows/check_balance.svg?path=no_step", "/flows/..%2f..%2fetc.svg"):
        assert (await auditor.get(bad)).status_code == 404


async def test_the_status_page_says_what_the_store_is(auditor):
    page = await auditor.get("/?lang=en")
    assert "not WORM" in page.text
    assert "tightrope.example/audit/" in page.text


async def test_health_needs_no_login(browser):
    answer = await browser.get("/health")
    assert (answer.status_code, answer.json()["part"]) == (200, "console")
    assert urlsplit(str(answer.url)).path == "/health"
