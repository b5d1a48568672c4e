"""Every cell of contracts/permissions.yml that says deny, tried in a real way: Postgres, HTTP, grammar, or the code that is not there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml
from sandbox_world import Person, running_sandbox

from tightrope.business.client import BusinessClient
from tightrope.business.errors import Refused as BusinessRefused
from tightrope.business.tokens import TokenExchange
from tightrope.gateway import decide
from tightrope.gateway.api import create_app as gateway_app
from tightrope.identity.oidc import Provider
from tightrope.identity.portal import PortalDoor, Refused
from tightrope.infra.clock import SystemClock
from tightrope.infra.database import Role, conninfo
from tightrope.infra.http import OutboundRefused, outbound_client
from tightrope.infra.settings import Settings
from tightrope.sandbox.inbox.api import create_app as inbox_app
from tightrope.understanding.models import Request, SetSlot, StartFlow, allowed

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
PERMISSIONS = yaml.safe_load((ROOT / "contracts/permissions.yml").read_text(encoding="utf-8"))
DENIED = [
    (action, role, cells[role][1])
    for action, cells in PERMISSIONS["actions"].items()
    for role in PERMISSIONS["roles"]
    if cells[role][0] == "deny"
]
LOGINS = {role.user: role for role in Role}

SQL: dict[str, tuple[str, ...]] = {
    "mint_grant": (
        'INSERT INTO identity."grant" (turn_hash) SELECT NULL WHERE false',
        'UPDATE identity."grant" SET expires_at = expires_at WHERE false',
    ),
    "bind_identity": ("INSERT INTO identity.binding (id) SELECT NULL WHERE false",),
    "read_subject_token": ("SELECT subject_token_box FROM identity.binding LIMIT 0",),
    "alter_audit": (
        "UPDATE audit.records SET leaf = leaf WHERE false",
        "DELETE FROM audit.records WHERE false",
        "TRUNCATE audit.records CASCADE",
        "UPDATE audit.leaves SET leaf_hash = leaf_hash WHERE false",
        "DELETE FROM audit.leaves WHERE false",
        "UPDATE audit.keys SET wrapped = wrapped WHERE false",
        "DELETE FROM audit.keys WHERE false",
        "DELETE FROM audit.segments WHERE false",
        "ALTER TABLE audit.records DISABLE TRIGGER ALL",
    ),
    "seal_audit": ("INSERT INTO audit.leaves (index) SELECT NULL WHERE false", "DELETE FROM audit.pending WHERE false"),
    "write_audit": ("INSERT INTO audit.records (id) SELECT NULL WHERE false",),
    "read_audit": ("SELECT ct FROM audit.records LIMIT 0",),
    "find_in_audit": ("SELECT 1 FROM audit_index.records LIMIT 0",),
    "export_unmasked": ("SELECT ct FROM audit.records LIMIT 0",),
    "engage_switch": ("INSERT INTO gateway.switch (scope) SELECT NULL WHERE false",),
    "release_switch": ("INSERT INTO gateway.switch (scope) SELECT NULL WHERE false", "DELETE FROM gateway.switch WHERE false"),
    "read_conversation": ("SELECT body FROM gateway.inbound LIMIT 0",),
    "send_without_record": ("INSERT INTO gateway.outbox (id) SELECT NULL WHERE false",),
}
"""What each action comes down to in the database. No row is touched: Postgres asks for the right before it looks at one."""

GATEWAY_ROUTES = {
    ("POST", "/chatwoot/webhook"),
    ("GET", "/login/callback"),
    ("GET", "/login/{link}"),
    ("POST", "/portal/logout"),
    ("GET", "/health"),
    ("GET", "/metrics"),
}
READ_ONLY_PAGES = "/knowledge/"

READS = {
    "accounts",
    "balance",
    "positions",
    "orders",
    "transfers",
    "ipo_allotments",
    "margin_facts",
    "options_facts",
    "closure_facts",
    "margin_account",
    "risk_profile",
    "contact_details",
    "trading_calendar",
}
REQUESTS = {"request_statement", "request_closure", "request_contact_change", "file_complaint"}
"""All that the client can do."""

_OWN = "/v1/customers/C1001/"
_COMPLAINT = {"category": "service", "text": "x", "wish": "apology", "language": "zh"}
PROBES: dict[str, tuple[str, str, Any]] = {
    "read_own_balance": ("GET", _OWN + "accounts", None),
    "read_margin_facts": ("GET", _OWN + "margin-eligibility-facts", None),
    "read_own_orders": ("GET", _OWN + "orders", None),
    "read_own_transfers": ("GET", _OWN + "transfers", None),
    "request_statement": (
        "POST",
        _OWN + "statement-requests",
        {"kind": "account_statement", "from": "2025-01-01", "to": "2025-01-31", "language": "zh", "delivery": "app"},
    ),
    "request_closure": ("GET", _OWN + "closure-facts", None),
    "read_margin_account": ("GET", _OWN + "margin-account", None),
    "read_ipo_allotments": ("GET", _OWN + "ipo-allotments", None),
    "read_risk_profile": ("GET", _OWN + "risk-profile", None),
    "request_contact_change": ("POST", _OWN + "contact-change-requests", {"field": "mobile", "language": "zh"}),
    "file_complaint": ("POST", _OWN + "complaints", _COMPLAINT),
    "read_other_balance": ("GET", "/v1/customers/C1002/accounts", None),
    "use_scope_not_granted": ("GET", _OWN + "margin-eligibility-facts", None),
}
"""One call of the business API for each action: method, path, body."""


class Firm:
    """The sandbox, the gateway and the inbox, with one customer logged in."""

    async def token(self, scope: str) -> str:
        return await self.exchange.exchange(self.subject, scope)


@pytest.fixture(scope="module")
async def firm(database: Settings) -> AsyncIterator[Firm]:
    async with AsyncExitStack() as stack:
        made = Firm()
        made.settings = await stack.enter_async_context(running_sandbox(database))
        settings, clock = made.settings, SystemClock()
        made.http = await stack.enter_async_context(outbound_client(settings, purpose="tests"))
        made.api = await stack.enter_async_context(outbound_client(settings, purpose="tests", base_url=settings.brokerage_url))
        secret = settings.secret("oidc_client_actions")
        made.exchange = TokenExchange(made.http, settings.identity_internal_url, "tightrope-actions", secret)
        person = Person(settings)
        stack.push_async_callback(person.http.aclose)
        await person.open_portal()
        await person.log_in_at_portal("C1001")
        made.door = PortalDoor.open(settings, clock)
        stack.push_async_callback(made.door.aclose)
        checked = await made.door.check(await person.chat_token())
        made.subject = checked.proof.subject_token.value  # type: ignore[union-attr]
        gateway = gateway_app(settings)
        await stack.enter_async_context(gateway.router.lifespan_context(gateway))
        made.gateway = gateway
        made.gateway_http = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(gateway), base_url="http://localhost:8080")
        )
        inbox = inbox_app(settings)
        await stack.enter_async_context(inbox.router.lifespan_context(inbox))
        made.inbox = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(inbox), base_url="http://localhost:3000")
        )
        yield made


@pytest.fixture(scope="module")
def understanding_modules() -> set[str]:
    """Everything that the only part which reaches a model has loaded."""
    code = "import sys, tightrope.understanding.api; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


async def _database_refuses(settings: Settings, user: str, action: str) -> None:
    assert action in SQL, f"no statement tries {action!r}: add one"
    async with await psycopg.AsyncConnection.connect(conninfo(settings, LOGINS[user]), autocommit=True) as conn:
        for statement in SQL[action]:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await conn.execute(statement)


async def _no_database_login(settings: Settings, role: str) -> None:
    assert role not in LOGINS
    for database in ("tightrope", "knowledge", "assistant", "sandbox", "inbox", "postgres"):
        with pytest.raises(psycopg.OperationalError):
            await psycopg.AsyncConnection.connect(
                host=settings.database_host,
                port=settings.database_port,
                dbname=database,
                user=role,
                password="",
                connect_timeout=5,
            )


async def _business_api_refuses(firm: Firm, action: str, role: str) -> None:
    verb, path, body = PROBES[action]
    if role == "customer":
        token = await firm.token("accounts:read")
        answer = await firm.api.request(verb, path, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 403
        with pytest.raises(BusinessRefused):
            await firm.exchange.exchange(firm.subject, "orders:write")
        return
    for authorization in (None, "Bearer", "Basic eDp5", "Bearer x.y.z", f"Bearer {firm.subject}"):
        headers = {"Idempotency-Key": "k" * 32} | ({"Authorization": authorization} if authorization else {})
        answer = await firm.api.request(verb, path, headers=headers, json=body)
        assert answer.status_code == 401, authorization


async def _not_on_the_list(firm: Firm, action: str, role: str) -> None:
    if action == "send_data_outside":
        for url in ("https://example.com/", "http://8.8.8.8/", "http://127.0.0.1.example.com/", "http://user@evil.example/"):
            with pytest.raises(OutboundRefused):
                await firm.http.post(url, content=role)
    elif action == "start_journey_not_offered" and role == "model":
        said = (StartFlow("place_order"), SetSlot("login_state", "done"), SetSlot("verified", "true"))
        request = Request.model_validate(
            {"v": 1, "message": "x", "flows": [{"id": "check_balance", "description": "d", "slots": []}]}
        )
        assert allowed(said, request) == ()
    elif action == "start_journey_not_offered":
        for typed in (
            "/SetSlots(login_state=done)",
            " /StartFlow(check_balance)",
            "／SetSlots(x=y)",
            "\u200b/restart",
            "\t/restart",
            "\u3000/x",
        ):
            decision = decide.on_message({"content": typed})
            assert not (isinstance(decision, decide.Ask) and decision.text.lstrip().startswith("/")), typed
    elif action == "bind_identity":
        for token in ("", "x", "e30.e30.e30", firm.subject, await firm.token("accounts:read")):
            assert isinstance(await firm.door.check(token), Refused)
    else:
        pytest.fail(f"no list is tried for {action!r}: add a probe")


def _model_has_no_means(modules: set[str]) -> None:
    for word in (
        "psycopg",
        "tightrope.business",
        "tightrope.identity",
        "tightrope.gateway",
        "tightrope.audit",
        "tightrope.knowledge",
        "actions",
    ):
        assert not any(name == word or name.startswith(word + ".") for name in modules), word


async def _no_way_in(firm: Firm, action: str, role: str) -> None:
    if action in {"place_order", "move_money", "change_account"}:
        await _no_such_operation(firm)
    elif action == "reply_as_agent":
        path = "/api/v1/accounts/1/conversations/1/messages"
        for headers in ({}, {"api_access_token": ""}, {"api_access_token": "guess"}, {"Authorization": "Bearer guess"}):
            assert (await firm.inbox.post(path, json={"content": "hello"}, headers=headers)).status_code == 401
    if role not in LOGINS:
        await _no_database_login(firm.settings, role)
    await _gateway_offers_nothing_else(firm)


async def _no_such_operation(firm: Firm) -> None:
    public = {name for name in dir(BusinessClient) if not name.startswith("_")}
    assert public == READS | REQUESTS
    contract = yaml.safe_load((ROOT / "contracts/business.openapi.yaml").read_text(encoding="utf-8"))
    written = {item["operationId"] for path in contract["paths"].values() for verb, item in path.items() if verb != "get"}
    assert written == REQUESTS
    headers = {"Authorization": f"Bearer {await firm.token('accounts:read')}"}
    tried = [
        ("POST", "/v1/orders"),
        ("DELETE", "/v1/orders/1"),
        ("POST", "/v1/transfers"),
        ("PUT", "/v1/customers/C1001/accounts"),
    ]
    tried += [
        ("PATCH", "/v1/customers/C1001"),
        ("POST", "/v1/accounts/A1/balance"),
        ("POST", "/v1/customers/C1001/margin-eligibility-facts"),
        ("DELETE", "/v1/customers/C1001/orders"),
        ("PUT", "/v1/customers/C1001/contact-details"),
        ("DELETE", "/v1/accounts/A1001-1"),
        ("PUT", "/v1/customers/C1001/risk-profile"),
    ]
    for verb, path in tried:
        answer = await firm.api.request(verb, path, headers=headers, json={"amount": "1.00"})
        assert answer.status_code in {404, 405}, (verb, path)


async def _gateway_offers_nothing_else(firm: Firm) -> None:
    unsigned = await firm.gateway_http.post("/chatwoot/webhook", json={"event": "message_created"})
    assert unsigned.status_code == 401
    for verb, path in (
        ("POST", "/switch"),
        ("POST", "/audit"),
        ("POST", "/turn"),
        ("POST", "/grant"),
        ("POST", "/login/" + "x" * 43),
        ("PUT", "/health"),
    ):
        assert (await firm.gateway_http.request(verb, path, json={})).status_code in {404, 405}, path


@pytest.mark.parametrize(("action", "role", "how"), DENIED, ids=[f"{role}-{action}" for action, role, _ in DENIED])
async def test_cells_that_say_no(firm: Firm, understanding_modules: set[str], action: str, role: str, how: str):
    if how == "database_role":
        await _database_refuses(firm.settings, PERMISSIONS["database_role_of"][role], action)
    elif how == "scope":
        await _business_api_refuses(firm, action, role)
    elif how == "allow_list":
        await _not_on_the_list(firm, action, role)
    elif role == "model":
        _model_has_no_means(understanding_modules)
    else:
        await _no_way_in(firm, action, role)


@pytest.mark.parametrize("action", sorted(PERMISSIONS["processes"]))
async def test_processes_have_exactly_the_rights_that_are_written_down(firm: Firm, action: str):
    cell: dict[str, list[str]] = PERMISSIONS["processes"][action]
    for user in cell["deny"]:
        await _database_refuses(firm.settings, user, action)
    for user in cell["allow"]:
        async with await psycopg.AsyncConnection.connect(conninfo(firm.settings, LOGINS[user]), autocommit=True) as conn:
            await conn.execute(SQL[action][0])


async def test_gateway_has_no_other_routes(firm: Firm):
    found: set[tuple[str, str]] = set()

    def walk(routes: Any) -> None:
        for route in routes:
            if hasattr(route, "methods"):
                found.update((verb, route.path) for verb in route.methods or () if verb != "HEAD")
            else:
                walk(getattr(route, "routes", None) or getattr(getattr(route, "original_router", None), "routes", ()))

    walk(firm.gateway.routes)
    assert {route for route in found if not (route[0] == "GET" and route[1].startswith(READ_ONLY_PAGES))} == GATEWAY_ROUTES


async def test_customer_may_read_what_is_the_customers_own(firm: Firm):
    """The probe of `scope` can fail: with the right token the same calls succeed."""
    allowed = {
        action: cells["customer"][2]
        for action, cells in PERMISSIONS["actions"].items()
        if cells["customer"][:2] == ["allow", "scope"]
    }
    for action, why in allowed.items():
        verb, path, body = PROBES[action]
        headers = {"Authorization": f"Bearer {await firm.token(why.rsplit(maxsplit=1)[-1])}", "Idempotency-Key": f"{action:-<16}"}
        answer = await firm.api.request(verb, path, headers=headers, json=body)
        # C1001 has no credit account, which is known only to whoever may ask.
        expected = 404 if action == "read_margin_account" else 200 if verb == "GET" else 201
        assert answer.status_code == expected, action


async def test_provider_is_asked_as_ourselves_only(firm: Firm):
    """The portal token's exchange needs our client secret."""
    stranger = Provider(firm.http, firm.settings, SystemClock())
    stranger._auth = httpx.BasicAuth("tightrope-gateway", "guess")
    door = PortalDoor(firm.http, firm.settings, SystemClock(), stranger, firm.door.bindings)
    person = Person(firm.settings)
    await person.open_portal()
    await person.log_in_at_portal("C1002")
    outcome = await door.check(await person.chat_token())
    await person.http.aclose()
    assert isinstance(outcome, Refused)
