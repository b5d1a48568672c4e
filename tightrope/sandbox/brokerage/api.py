"""HTTP edge of the brokerage: /brokerage/v1 (contracts/business.openapi.yaml) and the sandbox's fault orders."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from tightrope.infra.logging import get_logger
from tightrope.sandbox.brokerage.errors import Problem, unauthenticated
from tightrope.sandbox.brokerage.faults import GARBAGE, SLOW_SECONDS, STALE_DAYS, TIMEOUT_SECONDS, Fault, FaultBook, FaultOrder
from tightrope.sandbox.brokerage.service import MAX_PAGE, BrokerageService, Subject

log = get_logger()

Authorization = Annotated[str | None, Header()]
Read = Callable[[int], Awaitable[dict[str, Any]]]


def problem_response(problem: Problem) -> JSONResponse:
    """RFC 9457."""
    headers = {"Cache-Control": "no-store", **problem.headers}
    return JSONResponse(problem.body(), status_code=problem.status, media_type="application/problem+json", headers=headers)


def router(admin_token: str) -> APIRouter:
    """The routes below /brokerage; they find the service and the fault book in `app.state`."""
    routes = APIRouter(prefix="/brokerage")
    _add_reads(routes)
    _add_faults(routes, admin_token)
    return routes


def _add_reads(routes: APIRouter) -> None:
    @routes.get("/v1/customers/{customer_id}/accounts", operation_id="list_accounts")
    async def list_accounts(
        request: Request,
        customer_id: str,
        authorization: Authorization = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
        cursor: Annotated[str | None, Query(max_length=128)] = None,
    ) -> Response:
        service = _service(request)
        subject = await service.subject(authorization, "accounts:read")
        return await _with_fault(
            request,
            subject,
            "list_accounts",
            lambda days: service.accounts(subject, customer_id, limit=limit, cursor=cursor, days_old=days),
        )

    @routes.get("/v1/accounts/{account_id}/balance", operation_id="get_balance")
    async def get_balance(request: Request, account_id: str, authorization: Authorization = None) -> Response:
        service = _service(request)
        subject = await service.subject(authorization, "accounts:read")
        return await _with_fault(
            request, subject, "get_balance", lambda days: service.balance(subject, account_id, days_old=days)
        )

    @routes.get("/v1/customers/{customer_id}/margin-eligibility-facts", operation_id="get_margin_eligibility_facts")
    async def get_margin_eligibility_facts(request: Request, customer_id: str, authorization: Authorization = None) -> Response:
        service = _service(request)
        subject = await service.subject(authorization, "eligibility:read")
        return await _with_fault(
            request,
            subject,
            "get_margin_eligibility_facts",
            lambda days: service.margin_facts(subject, customer_id, days_old=days),
        )


def _add_faults(routes: APIRouter, admin_token: str) -> None:
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


async def _with_fault(request: Request, subject: Subject, operation: str, read: Read) -> Response:
    """The answer, or the fault that was ordered for it; a refusal comes first, so a fault never hides one."""
    fault = _book(request).take(subject.customer_id, operation)
    answer = await read(STALE_DAYS if fault is Fault.STALE else 0)
    if fault is Fault.SLOW:
        await asyncio.sleep(SLOW_SECONDS)
    elif fault is Fault.TIMEOUT:
        await asyncio.sleep(TIMEOUT_SECONDS)
    elif fault is Fault.ERROR_500:
        raise Problem(500, "internal", "Internal error", "Ordered by the sandbox.")
    elif fault is Fault.GARBAGE:
        return Response(GARBAGE, media_type="application/json")
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})


def _service(request: Request) -> BrokerageService:
    service: BrokerageService = request.app.state.brokerage
    return service


def _book(request: Request) -> FaultBook:
    book: FaultBook = request.app.state.faults
    return book
