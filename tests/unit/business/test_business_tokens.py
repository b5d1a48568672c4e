"""Token exchange against a scripted identity provider."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs

import httpx
import pytest
from pydantic import SecretStr

from tightrope.business.errors import BusinessError, ClientRejected, Done, InvalidAnswer, NoAnswer, NotReached, Refused
from tightrope.business.tokens import TokenExchange
from tightrope.infra.http import OutboundRefused


def exchange_of(handler) -> TokenExchange:
    http = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    return TokenExchange(http, "http://127.0.0.1:8100/identity/", "tightrope-actions", SecretStr("s3cret"), timeout=0.5)


async def test_it_asks_for_one_scope_at_the_brokerage_as_our_client():
    seen: list[httpx.Request] = []

    def provider(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(
            200, json={"access_token": "narrow", "scope": "accounts:read", "token_type": "Bearer", "expires_in": 60}
        )

    assert await exchange_of(provider).exchange("subject", "accounts:read") == "narrow"
    request = seen[0]
    assert str(request.url) == "http://127.0.0.1:8100/identity/token"
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"tightrope-actions:s3cret").decode()
    assert parse_qs(request.content.decode()) == {
        "grant_type": ["urn:ietf:params:oauth:grant-type:token-exchange"],
        "subject_token": ["subject"],
        "subject_token_type": ["urn:ietf:params:oauth:token-type:access_token"],
        "requested_token_type": ["urn:ietf:params:oauth:token-type:access_token"],
        "audience": ["brokerage"],
        "scope": ["accounts:read"],
    }


@pytest.mark.parametrize(
    ("answer", "kind", "done"),
    [
        (httpx.Response(400, json={"error": "invalid_request"}), Refused, Done.NOT_DONE),
        (httpx.Response(401, json={"error": "invalid_client"}), ClientRejected, Done.NOT_DONE),
        (httpx.Response(500), NoAnswer, Done.UNKNOWN),
        (httpx.Response(302, headers={"location": "http://elsewhere"}), NoAnswer, Done.UNKNOWN),
        (httpx.Response(200, text="<html>"), InvalidAnswer, Done.DONE),
        (httpx.Response(200, json={"access_token": "wide", "scope": "accounts:read eligibility:read"}), InvalidAnswer, Done.DONE),
    ],
)
async def test_each_answer_has_its_error_and_no_error_holds_a_token(
    answer: httpx.Response, kind: type[BusinessError], done: Done
):
    with pytest.raises(kind) as caught:
        await exchange_of(lambda request: answer).exchange("subject-secret", "accounts:read")
    assert caught.value.done is done
    assert caught.value.receipt.operation == "token_exchange"
    assert "subject-secret" not in str(caught.value)
    assert "wide" not in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "kind", "attempts"),
    [(httpx.ConnectError, NotReached, 2), (OutboundRefused, NotReached, 1), (httpx.ReadTimeout, NoAnswer, 1)],
)
async def test_only_a_failed_connection_is_tried_once_more(
    fault: type[httpx.HTTPError], kind: type[BusinessError], attempts: int
):
    seen: list[int] = []

    def provider(request: httpx.Request) -> httpx.Response:
        seen.append(1)
        raise fault("broken")

    with pytest.raises(kind):
        await exchange_of(provider).exchange("subject", "accounts:read")
    assert len(seen) == attempts
