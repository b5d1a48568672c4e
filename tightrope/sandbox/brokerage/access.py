"""Whose token it is, and whether he may: the checks that come before everything else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import httpx

from tightrope.infra.clock import Clock
from tightrope.infra.logging import get_logger
from tightrope.sandbox.brokerage.errors import Problem, insufficient_scope, not_permitted, unauthenticated
from tightrope.sandbox.tokens import ACCESS_TYP, RemoteKeys, TokenInvalid, verify

log = get_logger()

AUDIENCE: Final = "brokerage"
IDENTIFIER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose token it is and which client acts for him."""

    customer_id: str
    actor: str


class Access:
    """Checks bearer tokens of the identity provider."""

    def __init__(self, keys: RemoteKeys, issuer: str, clock: Clock) -> None:
        self._keys = keys
        self._issuer = issuer
        self._clock = clock

    async def subject(self, authorization: str | None, scope: str) -> Subject:
        """The customer of a bearer token that is good here and has exactly the operation's scope among its scopes.

        Raises:
            Problem: 401 for the token, 403 for the scope, 503 when the issuer's keys cannot be had.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthenticated("missing")
        try:
            keys = await self._keys.for_token(token)
            claims = verify(
                token,
                keys,
                issuer=self._issuer,
                audience=AUDIENCE,
                now=self._clock.now(),
                typ=ACCESS_TYP,
                require=("sub", "scope", "client_id", "jti"),
            )
        except TokenInvalid as error:
            log.warning("token refused", action="brokerage_token_refused", reason=error.reason)
            raise unauthenticated(error.reason) from None
        except httpx.HTTPError as error:
            raise Problem(503, "keys-unavailable", "Keys unavailable", "The issuer's keys cannot be fetched.") from error
        if scope not in claims["scope"].split():
            raise insufficient_scope(scope)
        return Subject(claims["sub"], claims["client_id"])


def own(subject: Subject, customer_id: str) -> None:
    """Refuse what is not the token's customer's.

    Raises:
        Problem: 403 `not-permitted`.
    """
    if subject.customer_id != customer_id:
        log.warning("owner check refused", action="brokerage_owner_refused", actor=subject.actor)
        raise not_permitted()
