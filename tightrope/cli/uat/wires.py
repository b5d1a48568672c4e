"""What carries requests between the parts of an acceptance run: to applications in this process, watched, and cut where a case says so."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

import httpx
from fastapi import FastAPI

from tightrope.infra.settings import Settings
from tightrope.uat.observed import Call

PARTS: Final = {"brokerage_down": "/brokerage", "identity_down": "/identity", "knowledge_down": "/api/v1"}
"""Faults that take a whole part down, and where its addresses begin."""
_CUSTOMER: Final = re.compile(r"/customers/([^/]+)")
_FIGURE: Final = re.compile(r'"(?:amount|price|quantity|[a-z_]*shares|[a-z_]*ratio)":\s*"?(\d[\d.]*)"?')


class Wires(httpx.AsyncBaseTransport):
    """Leads by port into the sandbox and the knowledge server; remembers what went over it since `forget`.

    The portal tells the gateway of logouts; `logout_tokens` keeps them for whoever stands for the gateway.

    Attributes:
        down: address beginnings that take no connection.
        calls: requests to the business API. `figures`: amounts in its answers. `refused`: hosts that nothing here serves.
    """

    def __init__(self, settings: Settings, owners: Mapping[str, str]) -> None:
        self._apps: dict[int, httpx.ASGITransport] = {}
        self._owners = owners
        self._gateway = httpx.URL(settings.gateway_url).port
        self.down: set[str] = set()
        self.calls: list[Call] = []
        self.figures: list[str] = []
        self.refused: list[str] = []
        self.logout_tokens: list[str] = []

    def lead(self, url: str, app: FastAPI) -> None:
        """Serve the port of an address by an application."""
        self._apps[httpx.URL(url).port or 80] = httpx.ASGITransport(app)

    def forget(self) -> None:
        """Begin a new step."""
        self.calls, self.figures, self.refused = [], [], []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if any(path.startswith(begin) for begin in self.down):
            raise httpx.ConnectError("this part is down", request=request)
        app = self._apps.get(request.url.port or 80)
        if path == "/portal/logout" and request.url.port == self._gateway:
            self.logout_tokens += parse_qs(request.content.decode()).get("logout_token", [])
            return httpx.Response(200, request=request)
        if app is None:
            self.refused.append(request.url.host)
            raise httpx.ConnectError("nobody is there", request=request)
        response = await app.handle_async_request(request)
        if path.startswith("/brokerage/v1"):
            await self._note(request, path.removeprefix("/brokerage"), response)
        return response

    async def _note(self, request: httpx.Request, path: str, response: httpx.Response) -> None:
        body = await response.aread()
        self.figures += _FIGURE.findall(body.decode(errors="replace"))
        self.calls.append(
            Call(
                request.method,
                path,
                subject_of(request.headers.get("authorization", "")),
                self._owner(path),
                response.status_code,
            )
        )

    def _owner(self, path: str) -> str:
        """Whose data was asked for. What an answer says of itself is the client's to check: a fault may make it another's."""
        if match := _CUSTOMER.search(path):
            return match[1]
        return next((customer for account, customer in self._owners.items() if f"/{account}/" in path), "")


def subject_of(authorization: str) -> str:
    """The customer in a bearer token, unchecked: for looking only."""
    parts = authorization.removeprefix("Bearer ").split(".")
    try:
        return str(json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))).get("sub", ""))
    except (IndexError, ValueError):
        return ""
