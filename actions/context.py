"""The parts that actions use, built once in the action server's event loop."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import httpx

from actions.repository import Switches, SwitchRepository
from actions.rule_data import RuleData, load_rule_data
from tightrope.business.client import BusinessClient
from tightrope.business.tokens import TokenExchange
from tightrope.identity.models import Caller
from tightrope.infra.clock import Clock, clock_from
from tightrope.infra.settings import Settings, get_settings

CLIENT_ID = "tightrope-actions"
"""The action server at the identity provider's token endpoint; its secret is named `oidc_client_actions`."""


class Identity(Protocol):
    """What the action server may ask of identity: who is behind a live turn, and that customer's token."""

    async def resolve(self, turn_id: str) -> Caller: ...

    async def subject_token(self, binding_id: UUID) -> str: ...


class Tokens(Protocol):
    """RFC 8693 token exchange."""

    async def exchange(self, subject_token: str, scope: str) -> str: ...


class Knowledge(Protocol):
    """Answers questions from approved passages."""

    async def answer(self, question: str, language: Any) -> Any: ...


@dataclass(frozen=True)
class Context:
    """Everything outside the tracker that actions touch."""

    switches: Switches
    identity: Identity
    tokens: Tokens
    business: BusinessClient
    knowledge: Knowledge
    clock: Clock
    rules: RuleData


class _Holder:
    def __init__(self) -> None:
        self.context: Context | None = None
        self.resources: AsyncExitStack | None = None
        self.lock: asyncio.Lock | None = None


_held = _Holder()


async def current() -> Context:
    """The context of this process, built at first use."""
    if _held.context is None:
        _held.lock = _held.lock or asyncio.Lock()
        async with _held.lock:
            if _held.context is None:
                resources = AsyncExitStack()
                try:
                    _held.context = await build(get_settings(), resources)
                except BaseException:
                    await resources.aclose()
                    raise
                _held.resources = resources
    return _held.context


def use(context: Context | None) -> None:
    """Put a context in place (tests), or take it away."""
    _held.context = context


async def close() -> None:
    """Close what `current` opened."""
    resources, _held.resources, _held.context, _held.lock = _held.resources, None, None, None
    if resources is not None:
        await resources.aclose()


async def build(
    settings: Settings,
    resources: AsyncExitStack,
    *,
    clock: Clock | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Context:
    """Open pool and clients; `resources` closes them.

    Args:
        clock: the settings' own, unless a run of acceptance cases moves the time.
        transport: what carries requests instead of sockets, to servers in this process.
    """
    from tightrope.identity.box import SecretBox
    from tightrope.identity.reader import IdentityReader
    from tightrope.infra.database import Role, open_pool
    from tightrope.infra.http import outbound_client
    from tightrope.knowledge.service import KnowledgeService

    clock = clock or clock_from(settings)
    enter = resources.enter_async_context
    pool = await enter(open_pool(settings, Role.ACTIONS, max_size=6))
    brokerage = await enter(
        outbound_client(settings, purpose="business API", base_url=settings.brokerage_url, transport=transport)
    )
    provider = await enter(outbound_client(settings, purpose="token exchange", transport=transport))
    knowledge = KnowledgeService.from_settings(settings, clock, transport=transport)
    resources.push_async_callback(knowledge.aclose)
    return Context(
        switches=SwitchRepository(pool),
        identity=IdentityReader(pool, clock, SecretBox.from_settings(settings)),
        tokens=TokenExchange(provider, settings.identity_internal_url, CLIENT_ID, settings.secret("oidc_client_actions")),
        business=BusinessClient(brokerage, clock),
        knowledge=knowledge,
        clock=clock,
        rules=load_rule_data(),
    )
