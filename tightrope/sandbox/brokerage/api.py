"""HTTP edge of the brokerage: /brokerage/v1 (contracts/business.openapi.yaml) and what the sandbox alone has: faults to order."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from tightrope.infra.logging import get_logger
from tightrope.sandbox.brokerage.access import Subject
from tightrope.sandbox.brokerage.errors import Problem, bad_request, internal, too_large, unauthenticated
from tightrope.sandbox.brokerage.faults import (
    GARBAGE,
    SLOW_SECONDS,
    STALE_DAYS,
    TIMEOUT_SECONDS,
    Fault,
    FaultBook,
    FaultOrder,
    inconsistent,
)
from tightrope.sandbox.brokerage.requests import RequestDesk
from tightrope.sandbox.brokerage.service import MAX_PAGE, BrokerageService, PageOf

log = get_logger()

Authorization = Annotated[str | None, Header()]
Read = Callable[[int], Awaitable[dict[str, Any]]]
Fact = Callable[[BrokerageService, Subject, str, int], Awaitable[dict[str, Any]]]

MAX_BODY_BYTES: Final = 16_384
_NO_STORE: Final = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Listed:
    """A list: where it is, and the scope that it needs."""

    path: str
    scope: str


LISTS: Final[Mapping[str, Listed]] = {
    "list_accounts": Listed("/v1/customers/{customer_id}/accounts", "accounts:read"),
    "list_positions": Listed("/v1/accounts/{account_id}/positions", "accounts:read"),
    "list_orders": Listed("/v1/customers/{customer_id}/orders", "orders:read"),
    "list_transfers": Listed("/v1/customers/{customer_id}/transfers", "transfers:read"),
    "list_ipo_allotments": Listed("/v1/customers/{customer_id}/ipo-allotments", "ipo:read"),
}

FACTS: Final[Mapping[str, tuple[str, str, Fact]]] = {
    "get_balance": ("/v1/accounts/{account_id}/balance", "accounts:read", BrokerageService.balance),
    "get_margin_eligibility_facts": (
        "/v1/customers/{customer_id}/margin-eligibility-facts",
        "eligibility:read",
        BrokerageService.margin_facts,
    ),
    "get_options_eligibility_facts": (
        "/v1/customers/{customer_id}/options-eligibility-facts",
        "eligibility:read",
        BrokerageService.options_facts,
    ),
    "get_closure_facts": ("/v1/customers/{customer_id}/closure-facts", "closure:request", BrokerageService.closure_facts),
    "get_margin_account": ("/v1/customers/{customer_id}/margin-account", "margin:read", BrokerageService.margin_account),
    "get_risk_profile": ("/v1/customers/{customer_id}/risk-profile", "risk:read", BrokerageService.risk_profile),
    "get_contact_details": ("/v1/customers/{customer_id}/contact-details", "contact:request", BrokerageService.contact_details),
}

REQUESTS: Final[Mapping[str, Listed]] = {
    "request_statement": Listed("/v1/customers/{customer_id}/statement-requests", "statements:request"),
    "request_closure": Listed("/v1/customers/{customer_id}/closure-requests", "closure:request"),
    "request_contact_change": Listed("/v1/customers/{customer_id}/contact-change-requests", "contact:request"),
    "file_complaint": Listed("/v1/customers/{customer_id}/complaints", "complaints:write"),
}


def problem_response(problem: Problem) -> JSONResponse:
    """RFC 9457."""
    headers = {**_NO_STORE, **problem.headers}
    return JSONResponse(problem.body(), status_code=problem.status, media_type="application/problem+json", headers=headers)


def router(admin_token: str) -> APIRouter:
    """The routes below /brokerage; they find the service and the fault book in `app.state`."""
    routes = APIRouter(prefix="/brokerage")
    for operation, listed in LISTS.items():
        routes.add_api_route(listed.path, _list_route(operation, listed.scope), methods=["GET"], operation_id=operation)
    for operation, (path, scope, fact) in FACTS.items():
        routes.add_api_route(path, _fact_route(operation, scope, fact), methods=["GET"], operation_id=operation)
    for operation, listed in REQUESTS.items():
        routes.add_api_route(listed.path, _request_route(operation, listed.scope), methods=["POST"], operation_id=operation)
    routes.add_api_route("/v1/trading-calendar/{market}", _trading_days, methods=["GET"], operation_id="list_trading_days")
    _add_admin(routes, admin_token)
    return routes


def _list_route(operation: str, scope: str) -> Callable[..., Awaitable[Response]]:
    async def read(
        request: Request,
        authorization: Authorization = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
        cursor: Annotated[str | None, Query(min_length=1, max_length=128)] = None,
    ) -> Response:
        service = _service(request)
        subject = await service.access.subject(authorization, scope)

        async def page(days: int) -> dict[str, Any]:
            asked = PageOf(limit, cursor, days)
            if operation == "list_accounts":
                return await service.accounts(subject, _owner(request), asked)
            return await service.listed(subject, operation, _owner(request), asked)

        return await _with_fault(request, subject, operation, page)

    return read


def _fact_route(operation: str, scope: str, fact: Fact) -> Callable[..., Awaitable[Response]]:
    async def read(request: Request, authorization: Authorization = None) -> Response:
        service = _service(request)
        subject = await service.access.subject(authorization, scope)
        return await _with_fault(request, subject, operation, lambda days: fact(service, subject, _owner(request), days))

    return read


def _request_route(operation: str, scope: str) -> Callable[..., Awaitable[Response]]:
    async def file(request: Request, authorization: Authorization = None) -> Response:
        subject = await _service(request).access.subject(authorization, scope)
        desk: RequestDesk = request.app.state.desk
        owner = _owner(request)
        await desk.owner(subject, owner)
        content = await _body(request)
        fault = _book(request).take(subject.customer_id, operation)
        key = request.headers.get("idempotency-key")
        answer = await desk.file(owner, operation, key, content, fail=fault is Fault.ERROR_500)
        if fault is Fault.INCONSISTENT:
            answer = json.dumps(inconsistent(json.loads(answer))).encode()
        await _wait(fault)
        if fault is Fault.LOST_ANSWER:
            raise internal()
        return Response(
            GARBAGE if fault is Fault.GARBAGE else answer, status_code=201, media_type="application/json", headers=_NO_STORE
        )

    return file


async def _trading_days(
    request: Request, market: str, first: Annotated[str, Query(alias="from")], last: Annotated[str, Query(alias="to")]
) -> Response:
    return JSONResponse(_service(request).trading_days(market, _day("from", first), _day("to", last)))


def _day(name: str, text: str) -> date:
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise bad_request(f"Not valid: {name} has to be a day, as 2026-11-20.")


def _add_admin(routes: APIRouter, admin_token: str) -> None:
    def admin(authorization: str | None) -> None:
        if not hmac.compare_digest((authorization or "").encode(), f"Bearer {admin_token}".encode()):
            raise unauthenticated("admin")

    @routes.post("/_sandbox/faults", status_code=201)
    async def order_fault(request: Request, order: FaultOrder, authorization: Authorization = None) -> dict[str, Any]:
        admin(authorization)
        _book(request).order(order)
        log.info("fault ordered", action="sandbox_fault_ordered", fault=order.fault.value, times=order.times)
        return {"pending": [asdict(item) for item in _book(request).pending()]}

    @routes.get("/_sandbox/faults")
    async def list_faults(request: Request, authorization: Authorization = None) -> dict[str, Any]:
        admin(authorization)
        return {"pending": [asdict(item) for item in _book(request).pending()]}

    @routes.delete("/_sandbox/faults", status_code=204)
    async def forget_faults(request: Request, authorization: Authorization = None) -> Response:
        admin(authorization)
        _book(request).clear()
        return Response(status_code=204)

    @routes.delete("/_sandbox/requests")
    async def forget_requests(request: Request, authorization: Authorization = None) -> dict[str, int]:
        admin(authorization)
        return {"forgotten": await _service(request).repository.forget_tickets()}


async def _with_fault(request: Request, subject: Subject, operation: str, read: Read) -> Response:
    """The answer, or the fault that was ordered for it; a refusal comes first, so a fault never hides one."""
    fault = _book(request).take(subject.customer_id, operation)
    answer = await read(STALE_DAYS if fault is Fault.STALE else 0)
    await _wait(fault)
    if fault in {Fault.ERROR_500, Fault.LOST_ANSWER}:
        raise internal()
    if fault is Fault.GARBAGE:
        return Response(GARBAGE, media_type="application/json")
    if fault is Fault.INCONSISTENT:
        answer = inconsistent(answer)
    return JSONResponse(answer, headers=_NO_STORE)


async def _wait(fault: Fault | None) -> None:
    if fault is Fault.SLOW:
        await asyncio.sleep(SLOW_SECONDS)
    elif fault is Fault.TIMEOUT:
        await asyncio.sleep(TIMEOUT_SECONDS)


async def _body(request: Request) -> bytes:
    """The body, and not a byte more than may be.

    Raises:
        Problem: 400 for another media type, 413.
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise bad_request("Content-Type has to be application/json.")
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY_BYTES:
            raise too_large()
    return content


def _owner(request: Request) -> str:
    """The one customer or account that the path names."""
    (owner,) = request.path_params.values()
    return str(owner)


def _service(request: Request) -> BrokerageService:
    service: BrokerageService = request.app.state.brokerage
    return service


def _book(request: Request) -> FaultBook:
    book: FaultBook = request.app.state.faults
    return book
