"""Identity against the sandbox's real portal and provider, over HTTP: both ways in, the way out, and business calls between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI
from identity_world import RecordingHooks, World
from loopback import free_port
from sandbox_world import Person, running_sandbox, served

from tightrope.business.client import BusinessClient
from tightrope.business.errors import Refused as BusinessRefused
from tightrope.business.tokens import TokenExchange
from tightrope.identity.bindings import Bindings
from tightrope.identity.box import SecretBox
from tightrope.identity.errors import BindingEnded
from tightrope.identity.grants import Grants
from tightrope.identity.login import create_link, login_router
from tightrope.identity.models import SCOPES, Anonymous, Customer, EndReason, Place
from tightrope.identity.portal import BrowserBound, CustomerBound, PortalDoor, Refused
from tightrope.identity.reader import IdentityReader
from tightrope.infra.clock import SystemClock
from tightrope.infra.database import Role, open_pool
from tightrope.infra.http import outbound_client
from tightrope.infra.settings import Settings

pytestmark = pytest.mark.integration


class Our:
    """Our side: the gateway's routes on a real port, a worker's pool, the action server's reader and clients."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = SystemClock()
        self.hooks = RecordingHooks()
        self.grants = Grants(self.clock)

    async def show(self, person: Person, place: Place):
        checked = await self.door.check(await person.chat_token())
        async with self.worker.connection() as conn:
            return await self.door.consume(conn, place, checked)

    async def link(self, place: Place) -> str:
        async with self.worker.connection() as conn:
            return await create_link(conn, self.settings, self.clock, place.conversation_id, SCOPES, "check_balance")

    async def turn(self, place: Place) -> str:
        turn_id = "t" * 30 + place.conversation_id.rjust(13, "0")
        async with self.worker.connection() as conn:
            standing = await self.bindings.current(conn, place)
            await self.grants.open(conn, turn_id, place.conversation_id, standing.binding)
        return turn_id

    async def balance(self, turn_id: str):
        caller = await self.reader.resolve(turn_id)
        assert isinstance(caller, Customer)
        token = await self.exchange.exchange(await self.reader.subject_token(caller.binding_id), "accounts:read")
        return (await self.business.accounts(token, caller.customer_id)).value


@pytest.fixture(scope="module")
async def our(database: Settings) -> AsyncIterator[Our]:
    async with AsyncExitStack() as stack:
        port = free_port()
        gateway = {"gateway_url": f"http://127.0.0.1:{port}", "gateway_public_url": f"http://localhost:{port}"}
        settings = await stack.enter_async_context(running_sandbox(database.model_copy(update=gateway)))
        our = Our(settings)
        our.door = PortalDoor.open(settings, our.clock)
        stack.push_async_callback(our.door.aclose)
        our.bindings = Bindings.from_settings(settings, our.clock)
        our.worker = await stack.enter_async_context(open_pool(settings, Role.WORKER, max_size=2))
        edge = await stack.enter_async_context(open_pool(settings, Role.GATEWAY, max_size=2))
        actions = await stack.enter_async_context(open_pool(settings, Role.ACTIONS, max_size=2))
        our.reader = IdentityReader(actions, our.clock, SecretBox.from_settings(settings))
        http = await stack.enter_async_context(outbound_client(settings, purpose="tests"))
        api = await stack.enter_async_context(outbound_client(settings, purpose="tests", base_url=settings.brokerage_url))
        our.exchange = TokenExchange(
            http, settings.identity_internal_url, "tightrope-actions", settings.secret("oidc_client_actions")
        )
        our.business = BusinessClient(api, our.clock)
        app = FastAPI()
        app.include_router(login_router(settings, edge, our.clock, our.hooks, our.door))
        await stack.enter_async_context(served(app, port))
        yield our


@pytest.fixture
async def person(our: Our) -> AsyncIterator[Person]:
    made = Person(our.settings)
    yield made
    await made.http.aclose()


async def test_customer_of_the_portal_is_verified_without_another_login(our: Our, person: Person):
    place = World.place()
    await person.open_portal()
    await person.log_in_at_portal("C1001")
    outcome = await our.show(person, place)
    assert isinstance(outcome, CustomerBound)
    assert outcome.binding.customer_id == "C1001"
    accounts = await our.balance(await our.turn(place))
    assert accounts.customer_id == "C1001"
    assert accounts.items


async def test_anonymous_customer_logs_in_by_link_and_comes_back(our: Our, person: Person):
    place = World.place()
    await person.open_portal()
    assert isinstance(await our.show(person, place), BrowserBound)
    assert await our.reader.resolve(await our.turn(place)) == Anonymous(place.conversation_id)
    start = await person.http.get(await our.link(place))
    assert start.status_code == 302, start.text
    query = await person.pass_login_page(start.headers["location"], "C1002")
    done = await person.http.get(f"{our.settings.gateway_public_url}/login/callback", params=query)
    assert done.status_code == 200
    assert our.settings.portal_public_url in done.text
    assert our.hooks.logins[-1][0] == place.conversation_id
    assert (await our.balance(await our.turn(place))).customer_id == "C1002"


async def test_relayed_link_binds_nothing_with_real_browsers(our: Our, person: Person):
    place = World.place()
    await person.open_portal()
    await our.show(person, place)
    victim = Person(our.settings)
    await victim.open_portal()
    answer = await victim.http.get(await our.link(place), headers={"accept-language": "zh-CN"})
    assert answer.status_code == 403
    assert "如果这个链接是别人发给您的，请不要登录" in answer.text
    await victim.http.aclose()
    assert await our.reader.resolve(await our.turn(place)) == Anonymous(place.conversation_id)


async def test_logout_at_the_portal_reaches_us_and_ends_everything(our: Our, person: Person):
    place = World.place()
    await person.open_portal()
    await person.log_in_at_portal("C1003")
    outcome = await our.show(person, place)
    assert isinstance(outcome, CustomerBound)
    turn_id = await our.turn(place)
    subject = await our.reader.subject_token(outcome.binding.id)
    await person.log_out_at_portal()
    assert our.hooks.ended[-1].reason is EndReason.LOGOUT
    assert await our.reader.resolve(turn_id) == Anonymous(place.conversation_id)
    with pytest.raises(BindingEnded):
        await our.reader.subject_token(outcome.binding.id)
    with pytest.raises(BusinessRefused):
        await our.exchange.exchange(subject, "accounts:read")


async def test_portal_token_of_a_logged_out_session_is_not_confirmed(our: Our, person: Person):
    await person.open_portal()
    await person.log_in_at_portal("C1004")
    token = await person.chat_token()
    await person.log_out_at_portal()
    checked = await our.door.check(token)
    assert isinstance(checked, Refused)
    assert checked.reason == "not_confirmed"


async def test_second_customer_at_the_same_browser_replaces_the_first(our: Our, person: Person):
    place = World.place()
    await person.open_portal()
    await person.log_in_at_portal("C1001")
    await our.show(person, place)
    await person.log_out_at_portal()
    await person.log_in_at_portal("C1002")
    outcome = await our.show(person, place)
    assert isinstance(outcome, CustomerBound)
    assert (await our.balance(await our.turn(place))).customer_id == "C1002"


async def test_code_redeemed_twice_at_the_provider_binds_once(our: Our, person: Person):
    place = World.place()
    await person.open_portal()
    await our.show(person, place)
    start = await person.http.get(await our.link(place))
    query = await person.pass_login_page(start.headers["location"], "C1001")
    url = f"{our.settings.gateway_public_url}/login/callback"
    attempt = person.http.cookies["tr_login"]
    assert (await person.http.get(url, params=query)).status_code == 200
    person.http.cookies.set("tr_login", attempt, path="/login")
    assert (await person.http.get(url, params=query)).status_code == 410


async def test_login_pages_are_sealed_against_frames_scripts_and_caches(our: Our, person: Person):
    answer = await person.http.get(f"{our.settings.gateway_public_url}/login/{'x' * 43}")
    assert answer.status_code == 410
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


async def test_cookie_of_the_attempt_is_for_the_login_alone(our: Our, person: Person):
    place = World.place()
    await person.open_portal()
    await our.show(person, place)
    answer = await person.http.get(await our.link(place))
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "path=/login" in cookie
    assert "samesite=lax" in cookie
    assert urlsplit(answer.headers["location"]).path == "/identity/authorize"
    assert isinstance(answer, httpx.Response)
