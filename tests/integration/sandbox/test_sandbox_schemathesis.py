"""The contract attacks the sandbox: Schemathesis makes requests from contracts/business.openapi.yaml, good and bad, and judges every answer.

Not asked is whether everything that fits the schema is accepted: a cursor can have the right form and not be ours, a period can end before it begins.
What it found once stands in test_sandbox_findings.py as tests of their own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from sandbox_world import running_sandbox
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from tightrope.business.operations import SCOPES
from tightrope.infra.settings import Settings
from tightrope.sandbox.tokens import SigningKey

pytestmark = [pytest.mark.integration, pytest.mark.long]

CONTRACT = Path(__file__).parents[3] / "contracts" / "business.openapi.yaml"
SECONDS = 18
"""For each of the two runs; what is under way is still finished."""
CHECKS = {
    name: {"enabled": True}
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
        "missing_required_header",
        "unsupported_method",
        "ignored_auth",
        "allow_header_conformance",
        "object_level_authorization",
    )
}


@pytest.fixture(scope="module")
async def sandbox(database: Settings) -> AsyncIterator[Settings]:
    async with running_sandbox(database) as settings:
        yield settings


def attack(settings: Settings, parameters: dict[str, Any]) -> tuple[list[str], int]:
    """What was found, and how many requests it took."""
    now = int(time.time())
    claims = {
        "iss": settings.identity_issuer,
        "sub": "C1012",
        "aud": "brokerage",
        "scope": " ".join(dict.fromkeys(SCOPES.values())),
        "client_id": "tightrope-actions",
        "jti": "j",
        "iat": now,
        "exp": now + 600,
    }
    token = SigningKey.from_settings(settings, "idp_signing_key").sign(claims, typ="at+jwt")
    config = SchemathesisConfig.from_dict(
        {
            "headers": {"Authorization": f"Bearer {token}"},
            "base-url": settings.brokerage_url,
            "parameters": parameters,
            "checks": {"enabled": False} | CHECKS,
            "generation": {"max-examples": 5, "deterministic": True},
            "phases": {"stateful": {"enabled": False}},
            "max-time": SECONDS,
        }
    )
    schema = schemathesis.openapi.from_path(CONTRACT, config=config)
    found: list[str] = []
    requests = 0
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            requests += len(event.recorder.interactions)
            for checks in event.recorder.checks.values():
                for check in checks:
                    if check.failure_info is not None:
                        info = check.failure_info
                        found.append(
                            f"{event.recorder.label}: {check.name}: {info.failure.title}: {info.failure.message}\n{info.code_sample}"
                        )
        elif isinstance(event, events.NonFatalError | events.FatalError):
            found.append(str(getattr(event, "info", None) or event.exception))
    return found, requests


async def test_own_things_asked_for_in_every_way(sandbox: Settings):
    found, requests = await asyncio.to_thread(attack, sandbox, {"path.customer_id": "C1012", "path.account_id": "A1012-1"})
    assert not found, "\n\n".join(found[:12])
    assert requests > 50


async def test_anything_asked_for_in_every_way(sandbox: Settings):
    found, requests = await asyncio.to_thread(attack, sandbox, {})
    assert not found, "\n\n".join(found[:12])
    assert requests > 50
