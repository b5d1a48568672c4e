"""Everything that acceptance cases run against, in this process: databases, sandbox, knowledge, identity, actions, understanding, engine.

Nothing is stubbed but the clock, which a case sets, and the faults that it orders. What is left out is the road between the parts
(sockets), Chatwoot and the audit log: these have tests of their own (tests/acceptance, tests/crash).
"""

from __future__ import annotations

import hashlib
import re
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from actions import context as action_context
from actions.registry import ACTIONS
from tightrope.audit.keyring import Keyring
from tightrope.audit.recorder import Recorder
from tightrope.cli.neighbours import LocalUnderstanding
from tightrope.cli.supervisor import free_ports
from tightrope.cli.uat.wires import Wires
from tightrope.engine.inprocess import InProcessActions
from tightrope.engine.loader import load_project
from tightrope.engine.models import Project
from tightrope.engine.prompt import Prompt
from tightrope.gateway import switch
from tightrope.identity.bindings import Bindings
from tightrope.identity.grants import Grants
from tightrope.identity.models import Place
from tightrope.identity.portal import CustomerBound, PortalDoor
from tightrope.infra.clock import FixedClock
from tightrope.infra.database import Pool, Role, open_pool
from tightrope.infra.migrate import migrate
from tightrope.infra.postgres import EmbeddedPostgres
from tightrope.infra.secrets import ensure_demo_secrets, ensure_secret
from tightrope.infra.settings import Settings
from tightrope.knowledge.passages import load_release
from tightrope.knowledge.publish import publish
from tightrope.knowledge.publishing.record import Audited
from tightrope.knowledge.server.api import create_app as knowledge_app
from tightrope.release.manifest import release_id
from tightrope.sandbox.api import create_app as sandbox_app
from tightrope.sandbox.catalogue import CUSTOMERS
from tightrope.sandbox.model.api import create_app as model_app
from tightrope.uat.observed import CannotPlay

DATABASES = ("sandbox", "knowledge", "tightrope")


@dataclass
class World:
    """The parts, wired; one per worker process.

    Attributes:
        passages: id -> text of every passage of the knowledge base.
        model: the scripted model server, if the settings name a model; its state keeps what it was asked.
        browsers: customer -> a browser that logged in at the portal when a case of the time `logged_at` began.
    """

    settings: Settings
    project: Project
    clock: FixedClock
    wires: Wires
    sandbox: Any
    worker: Pool
    operator: Pool
    grants: Grants
    door: PortalDoor
    recorder: Recorder
    prompt: Prompt
    understanding: LocalUnderstanding
    actions: InProcessActions
    passages: dict[str, str]
    release: str
    logged_at: datetime
    model: Any = None
    browsers: dict[str, httpx.AsyncClient] = field(default_factory=dict)

    @property
    def bindings(self) -> Bindings:
        """The bindings behind the door."""
        return self.door.bindings

    async def bind(self, customer: str, place: Place) -> bool:
        """Log the customer in at the portal and let the page's token arrive in this conversation; whether a fresh session is due.

        Raises:
            CannotPlay: the login did not come through, since a part that it needs is down.
        """
        checked = await self.door.check(await self._chat_token(customer))
        async with self.worker.connection() as conn:
            outcome = await self.door.consume(conn, place, checked)
        if not isinstance(outcome, CustomerBound):
            raise CannotPlay(f"{customer} could not log in: {outcome}")
        return outcome.raise_epoch

    async def unbind(self, customer: str) -> None:
        """Log the customer out at the portal: every binding of that session ends, as the portal's logout token says."""
        browser = self.browsers.pop(customer, None)
        if browser is None:
            raise CannotPlay(f"{customer} is not logged in")
        await browser.post("/portal/logout", json={}, headers={"Origin": self.settings.portal_public_url})
        await browser.aclose()
        for token in self.wires.logout_tokens:
            claims = await self.door.check_logout(token)
            async with self.worker.connection() as conn:
                await self.door.logout(conn, claims)
        self.wires.logout_tokens.clear()

    async def turn_switch(self, scope: str, *, off: bool) -> None:
        """Turn the kill switch as the operator's command does."""
        journey = None if scope == "all" else scope
        await switch.turn(self.operator, self.recorder, off=off, journey=journey, reason="acceptance case", who="uat")

    async def forget_tickets(self) -> None:
        """Take back the requests that a case filed at the brokerage: the next case finds the firm as seeded."""
        async with self.sandbox.state.pool.connection() as conn:
            await conn.execute("DELETE FROM brokerage.ticket WHERE operation <> 'seeded'")

    async def _chat_token(self, customer: str) -> str:
        browser = self.browsers.get(customer)
        if browser is None:
            browser = await self._logged_in(customer)
        answer = await browser.post("/portal/chat-token", json={}, headers={"Origin": self.settings.portal_public_url})
        if answer.status_code == httpx.codes.OK and answer.json()["token"]:
            return str(answer.json()["token"])
        raise CannotPlay(f"the portal gave no token for {customer}: {answer.status_code}")

    async def _logged_in(self, customer: str) -> httpx.AsyncClient:
        """A browser that has logged in at the portal, by the pages that people see."""
        browser = httpx.AsyncClient(transport=self.wires, base_url=self.settings.portal_public_url)
        start = await browser.get("/portal/login", params={"customer": customer})
        page = await browser.get(start.headers["location"])
        code = re.search(r'data-one-time-code="(\d{6})"', page.text)
        form = re.search(r'name="page" value="([^"]+)"', page.text)
        if code is None or form is None:
            raise CannotPlay(f"the login page of {customer} did not come: {page.status_code}")
        filled = {"page": form[1], "customer": customer, "code": code[1], "do": "login"}
        back = await browser.post(f"{self.settings.identity_issuer}/login", data=filled)
        query = dict(parse_qsl(urlsplit(back.headers["location"]).query))
        await browser.get("/portal/callback", params=query)
        self.browsers[customer] = browser
        return browser

    async def forget_logins(self, *customers: str) -> None:
        """Close browsers (without names all of them): they logged in at a time that the next case does not have."""
        for customer in customers or tuple(self.browsers):
            browser = self.browsers.pop(customer, None)
            if browser is not None:
                await browser.aclose()


def new_place() -> Place:
    """A conversation that no other case has."""
    number = secrets.randbelow(10**9) + 1
    return Place.of(f"1-{number}", number, hashlib.sha256(str(number).encode()).hexdigest())


def owners() -> dict[str, str]:
    """Account id -> customer id of the sandbox's customers."""
    return {account.account_id: one.customer_id for one in CUSTOMERS for account in one.accounts}


def belongings() -> dict[str, frozenset[str]]:
    """What only one customer may see: name, customer id, account ids and numbers, and amounts that are no round sums."""
    out = {}
    for one in CUSTOMERS:
        things = {one.customer_id, one.name_zh, one.name_en}
        for account in one.accounts:
            things |= {account.account_id, account.number}
            for amount in (account.cash_available, account.cash_frozen, account.cash_withdrawable, account.market_value):
                whole, _, cents = amount.partition(".")
                if len(whole) > 4 and cents.strip("0"):
                    things.add(f"{int(whole):,}.{cents}")
        out[one.customer_id] = frozenset(things)
    return out


@asynccontextmanager
async def open_world(settings: Settings, clock: FixedClock) -> AsyncIterator[World]:
    """A world of its own with a database of its own, gone at the end.

    Args:
        settings: of the project; its state folder keeps the trained classifier, nothing else is written there.

    Raises:
        PostgresFailed, ProjectError, TrainingDataError: a part cannot start.
    """
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tightrope-uat-"))
        own = _database(settings, Path(folder), stack)
        project = load_project(settings.project_dir)
        wires = Wires(own, owners())
        understanding = LocalUnderstanding(settings, project, clock, model_transport=wires)
        stack.push_async_callback(understanding.aclose)
        sandbox = sandbox_app(own, clock=clock, outbound=wires)
        await stack.enter_async_context(sandbox.router.lifespan_context(sandbox))
        knowledge = knowledge_app(own, clock=clock)
        await stack.enter_async_context(knowledge.router.lifespan_context(knowledge))
        wires.lead(own.brokerage_url, sandbox)
        wires.lead(own.knowledge_url, knowledge)
        model = model_app(own) if own.model_url else None
        if model is not None:
            wires.lead(own.model_url, model)
        await publish(own, witness=Audited(own, clock), transport=wires)
        context = await action_context.build(own, stack, clock=clock, transport=wires)
        action_context.use(context)
        stack.callback(action_context.use, None)
        door = PortalDoor.open(own, clock, transport=wires)
        stack.push_async_callback(door.aclose)
        release = release_id(settings)
        world = World(
            settings=own,
            project=project,
            clock=clock,
            wires=wires,
            sandbox=sandbox,
            worker=await stack.enter_async_context(open_pool(own, Role.WORKER, max_size=2)),
            operator=await stack.enter_async_context(open_pool(own, Role.OPERATOR, max_size=1)),
            grants=Grants(clock),
            door=door,
            recorder=Recorder(own, Keyring.from_settings(own), clock, release),
            prompt=Prompt.load(project),
            understanding=understanding,
            logged_at=clock.at,
            model=model,
            actions=InProcessActions(project, "actions", ACTIONS),
            passages={item.passage_id: item.text for item in load_release(settings.project_dir / "knowledge_base").passages},
            release=release,
        )
        stack.push_async_callback(world.forget_logins)
        yield world


def _database(settings: Settings, folder: Path, stack: AsyncExitStack) -> Settings:
    """A Postgres for this run alone; settings that lead to it."""
    own = settings.model_copy(
        update={"state_dir": folder, "secrets_dir": None, "database_port": free_ports(1)[0], "demo_clock": None}
    )
    ensure_demo_secrets(own)
    for name in ("bot_access_token", "bot_webhook_secret"):
        ensure_secret(own, name)
    server = EmbeddedPostgres(own)
    server.start()
    stack.callback(server.stop, mode="immediate")
    with server.superuser() as conn:
        # Nothing here has to survive a power cut.
        conn.execute("ALTER SYSTEM SET fsync = off")
        conn.execute("ALTER SYSTEM SET synchronous_commit = off")
        conn.execute("SELECT pg_reload_conf()")
    for name in DATABASES:
        migrate(name, server.superuser_conninfo(name))
    return own
