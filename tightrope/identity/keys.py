"""The public keys of an issuer, fetched through the allow-list and kept for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar

import httpx

from tightrope.identity.errors import ProviderUnavailable
from tightrope.identity.tokens import KeyRing, KeyUnknown
from tightrope.infra.clock import Clock
from tightrope.infra.logging import get_logger

log = get_logger()

FRESH: Final = timedelta(minutes=10)
STALE: Final = timedelta(hours=1)
"""How long known keys still serve when their source is down."""
BETWEEN: Final = timedelta(seconds=10)
"""Least time between two fetches, so that tokens with invented key ids cannot make us ask without end."""

T = TypeVar("T")


class Jwks:
    """One issuer's key set at `url`."""

    def __init__(self, http: httpx.AsyncClient, url: str, clock: Clock) -> None:
        self._http = http
        self._url = url
        self._clock = clock
        self._ring: KeyRing | None = None
        self._fetched: datetime | None = None
        self._lock = asyncio.Lock()

    async def verified(self, check: Callable[[KeyRing], T]) -> T:
        """`check` with the keys; once more with newly fetched ones if it names a key that is not known.

        Raises:
            TokenRefused: as `check` does.
            ProviderUnavailable: no keys could be had.
        """
        ring = await self._get(FRESH)
        try:
            return check(ring)
        except KeyUnknown:
            return check(await self._get(BETWEEN))

    async def _get(self, age: timedelta) -> KeyRing:
        async with self._lock:
            now = self._clock.now()
            if self._ring is not None and self._fetched is not None and now - self._fetched < age:
                return self._ring
            try:
                answer = await self._http.get(self._url)
                answer.raise_for_status()
                self._ring, self._fetched = KeyRing.from_jwks(answer.json()), now
            except (httpx.HTTPError, ValueError) as error:
                log.warning("keys could not be fetched", action="keys_unavailable", url=self._url, error=type(error).__name__)
                if self._ring is None or self._fetched is None or now - self._fetched > STALE:
                    raise ProviderUnavailable(f"no keys from {self._url}") from error
            return self._ring
