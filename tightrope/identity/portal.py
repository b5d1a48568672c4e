"""Way in 1: the token that the page hands over through Chatwoot, consumed once (docs/wire-contracts.md, Portal token)."""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx

from tightrope.identity import repository
from tightrope.identity.bindings import Bindings
from tightrope.identity.errors import BindingEnded, ProviderInvalid, ProviderRefused, ProviderUnavailable, TokenRefused
from tightrope.identity.keys import Jwks
from tightrope.identity.models import Binding, Bound, EndReason, IdentityEvent, Place, Proof, Reason, sha256
from tightrope.identity.oidc import Provider
from tightrope.identity.tokens import LogoutClaims, PortalClaims, verify_logout_token, verify_portal_token
from tightrope.infra.clock import Clock
from tightrope.infra.database import Connection
from tightrope.infra.http import outbound_client
from tightrope.infra.settings import Settings


@dataclass(frozen=True)
class Checked:
    """A token that is genuine and, where it names a customer, confirmed by the provider. Not yet consumed."""

    claims: PortalClaims
    proof: Proof | None = field(repr=False)


@dataclass(frozen=True)
class BrowserBound:
    """The conversation is held by this browser; nobody is logged in by it."""

    events: tuple[IdentityEvent, ...] = ()

    @property
    def raise_epoch(self) -> bool:
        """Whether a bound customer left because another browser came."""
        return any(event.raise_epoch for event in self.events)


@dataclass(frozen=True)
class CustomerBound:
    """The customer is bound, and the browser with it."""

    bound: Bound

    @property
    def binding(self) -> Binding:
        """The new binding."""
        return self.bound.binding

    @property
    def events(self) -> tuple[IdentityEvent, ...]:
        """What ended and what began."""
        return self.bound.events

    @property
    def raise_epoch(self) -> bool:
        """Whether another customer was bound before."""
        return self.bound.raise_epoch


@dataclass(frozen=True)
class Repeated:
    """This conversation consumed the token before: webhooks repeat the attribute. Nothing happens, nothing to record."""

    events: tuple[IdentityEvent, ...] = ()
    raise_epoch: bool = False


@dataclass(frozen=True)
class Refused:
    """The token is not taken."""

    reason: Reason
    conversation_id: str = ""
    raise_epoch: bool = False

    @property
    def events(self) -> tuple[IdentityEvent, ...]:
        """The refusal, for the record."""
        return (IdentityEvent("refused", self.conversation_id, None, None, self.reason, way="portal_token"),)


Outcome = BrowserBound | CustomerBound | Repeated | Refused


class PortalDoor:
    """Two steps: `check` asks keys and provider and must run outside any transaction; `consume` only writes.

    Args:
        http: made by `outbound_client`; asks the portal for its keys.
    """

    def __init__(self, http: httpx.AsyncClient, settings: Settings, clock: Clock, provider: Provider, bindings: Bindings) -> None:
        self.issuer = settings.portal_public_url.rstrip("/")
        self._jwks = Jwks(http, settings.portal_internal_url.rstrip("/") + "/.well-known/jwks.json", clock)
        self._clock = clock
        self._http = http
        self.provider = provider
        self.bindings = bindings

    @classmethod
    def open(cls, settings: Settings, clock: Clock, *, transport: httpx.AsyncBaseTransport | None = None) -> PortalDoor:
        """A door with its own client, provider and bindings; close it with `aclose`."""
        http = outbound_client(settings, purpose="identity", transport=transport)
        return cls(http, settings, clock, Provider(http, settings, clock), Bindings.from_settings(settings, clock))

    async def aclose(self) -> None:
        """Close the client."""
        await self._http.aclose()

    async def check(self, token: object) -> Checked | Refused:
        """Verify the token and have the provider confirm its customer. Network; no database."""
        now = self._clock.now()
        try:
            claims = await self._jwks.verified(lambda ring: verify_portal_token(token, ring, issuer=self.issuer, now=now))
            if claims.customer_id is None:
                return Checked(claims, None)
            return Checked(claims, await self.provider.confirm(str(token), claims))
        except TokenRefused as error:
            return Refused(Reason(error.reason))
        except (ProviderRefused, ProviderInvalid):
            return Refused(Reason.NOT_CONFIRMED)
        except ProviderUnavailable:
            return Refused(Reason.UNAVAILABLE)

    async def consume(self, conn: Connection, place: Place, checked: Checked | Refused) -> Outcome:
        """Take the token for this place, once, in the caller's transaction. Roll back on any error and ask again."""
        if isinstance(checked, Refused):
            return Refused(checked.reason, place.conversation_id)
        if not place.known:
            return Refused(Reason.PLACE_UNKNOWN, place.conversation_id)
        claims, now = checked.claims, self._clock.now()
        if claims.expires_at <= now:
            return Refused(Reason.EXPIRED, place.conversation_id)
        key = sha256(f"portal\x1f{claims.issuer}\x1f{claims.jti}")
        before = await repository.use_token(conn, key, place, now, claims.expires_at)
        if before is not None:
            return Repeated() if before == place else Refused(Reason.REPLAYED, place.conversation_id)
        if checked.proof is not None:
            try:
                bound = await self.bindings.bind(conn, place, checked.proof, "portal_token")
            except BindingEnded:
                return Refused(Reason.NOT_CONFIRMED, place.conversation_id)
            await repository.set_browser(conn, place, claims.browser_hash, now)
            return CustomerBound(bound)
        held_by = await repository.browser(conn, place.conversation_id)
        events: tuple[IdentityEvent, ...] = ()
        if held_by is not None and held_by.browser_hash != claims.browser_hash:
            events = await self.bindings.end(conn, place.conversation_id, EndReason.BROWSER_CHANGED)
        await repository.set_browser(conn, place, claims.browser_hash, now)
        return BrowserBound(events)

    async def check_logout(self, token: object) -> LogoutClaims:
        """Verify a logout token. Network; no database.

        Raises:
            TokenRefused: with the reason.
            ProviderUnavailable: the portal's keys could not be had.
        """
        now = self._clock.now()
        return await self._jwks.verified(lambda ring: verify_logout_token(token, ring, issuer=self.issuer, now=now))

    async def logout(self, conn: Connection, claims: LogoutClaims) -> tuple[IdentityEvent, ...]:
        """End the session's bindings, in the caller's transaction; a token that was used before ends nothing."""
        key = sha256(f"logout\x1f{claims.issuer}\x1f{claims.jti}")
        if await repository.use_token(conn, key, None, self._clock.now(), claims.expires_at) is not None:
            return ()
        return await self.bindings.end_by_session(conn, claims.sid)
