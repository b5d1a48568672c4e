"""The steps of a login by link, without HTTP (docs/wire-contracts.md, Login link)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from tightrope.identity import repository
from tightrope.identity.bindings import Bindings
from tightrope.identity.errors import BindingEnded, IdentityError, ProviderUnavailable
from tightrope.identity.models import Bound, IdentityEvent, Reason, sha256
from tightrope.identity.oidc import Provider, challenge
from tightrope.identity.pages import Language, PageName
from tightrope.infra.clock import Clock
from tightrope.infra.database import Connection, Pool
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings

log = get_logger()

LINK_LIFE: Final = timedelta(minutes=10)
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_CODE: Final = re.compile(r"[\x21-\x7e]{1,2048}")


class Hooks(Protocol):
    """What the gateway does about identity's events, in the same transaction."""

    async def on_login(self, conn: Connection, conversation_id: str, bound: Bound) -> None:
        """Store the login event, record `bound.events`, and raise the epoch if `bound.raise_epoch`."""
        ...

    async def on_refused(self, conn: Connection, conversation_id: str, reason: Reason) -> None:
        """Record it and offer a person."""
        ...

    async def on_ended(self, conn: Connection, events: tuple[IdentityEvent, ...]) -> None:
        """Record the events and raise the epoch of each `event.conversation_id`."""
        ...


async def create_link(
    conn: Connection, settings: Settings, clock: Clock, conversation_id: str, scopes: tuple[str, ...], journey: str | None
) -> str:
    """A new login link for the conversation, stored by its hash in the caller's transaction."""
    link, now = secrets.token_urlsafe(32), clock.now()
    await repository.insert_link(conn, sha256(link), conversation_id, scopes, journey, now, now + LINK_LIFE)
    return f"{settings.gateway_public_url.rstrip('/')}/login/{link}"


@dataclass(frozen=True)
class Redirect:
    """Send the browser to the provider; `attempt` is the value of the attempt's cookie."""

    url: str
    attempt: str


@dataclass(frozen=True)
class Show:
    """Show a page."""

    page: PageName
    status: int


class LoginFlow:
    """The two steps of a login. Network calls are made outside transactions.

    The attempt's cookie holds one secret, from which nonce and PKCE verifier are derived: the database never holds
    anything that could finish a login.
    """

    def __init__(self, pool: Pool, clock: Clock, provider: Provider, bindings: Bindings, hooks: Hooks) -> None:
        self._pool = pool
        self._clock = clock
        self._provider = provider
        self._bindings = bindings
        self._hooks = hooks

    async def start(self, link: str, browser_cookie: str | None, language: Language) -> Redirect | Show:
        """Open a link. The same browser may open it again until a login came of it; only the newest attempt counts."""
        if not _SECRET.fullmatch(link):
            return Show("expired", 410)
        async with self._pool.connection() as conn:
            refused = await self._refusal(conn, await repository.link(conn, sha256(link)), browser_cookie)
        if refused is not None:
            return refused
        state, attempt = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        try:
            url = await self._provider.authorization_url(
                state=state,
                nonce=_derived(attempt, "nonce"),
                code_challenge=challenge(_derived(attempt, "verifier")),
                language=language,
            )
        except IdentityError as error:
            log.warning("login cannot start", action="login_unavailable", error=str(error))
            return Show("unavailable", 503)
        async with self._pool.connection() as conn:
            if not await repository.begin_attempt(conn, sha256(link), sha256(state), sha256(attempt)):
                return Show("used", 410)
        return Redirect(url, attempt)

    async def finish(self, query: dict[str, str], attempt: str | None, browser_cookie: str | None) -> Show:
        """The provider's answer: checks the attempt and the browser again, redeems the code, binds, tells the gateway."""
        state, code = query.get("state", ""), query.get("code", "")
        if not _SECRET.fullmatch(state) or attempt is None or not _SECRET.fullmatch(attempt):
            log.warning("callback without an attempt of ours", action="login_refused", reason=Reason.STATE_UNKNOWN)
            return Show("expired", 400)
        async with self._pool.connection() as conn:
            row = await repository.link_of_state(conn, sha256(state))
            if row is None or not hmac.compare_digest(bytes(row["attempt_hash"]), sha256(attempt)):
                if row is not None and await repository.refuse_link(conn, bytes(row["link_hash"]), self._clock.now()):
                    await self._hooks.on_refused(conn, row["conversation_id"], Reason.STATE_UNKNOWN)
                return Show("expired", 400)
            refused = await self._refusal(conn, row, browser_cookie)
        if refused is not None:
            return refused
        if "error" in query or not _CODE.fullmatch(code):
            log.info("login not completed at the provider", action="login_declined")
            return Show("declined", 200)
        try:
            proof = await self._provider.redeem(
                code=code, verifier=_derived(attempt, "verifier"), nonce=_derived(attempt, "nonce"), answered_by=query.get("iss")
            )
        except ProviderUnavailable as error:
            log.warning("login cannot finish", action="login_unavailable", error=str(error))
            return Show("unavailable", 503)
        except IdentityError as error:
            log.warning("login refused", action="login_refused", reason=Reason.LOGIN_FAILED, error=str(error))
            async with self._pool.connection() as conn:
                await self._refuse(conn, row, Reason.LOGIN_FAILED)
            return Show("declined", 400)
        try:
            return await self._bind(row, attempt, state, browser_cookie, proof)
        except BindingEnded:
            return Show("declined", 400)

    async def _bind(self, row: dict[str, Any], attempt: str, state: str, browser_cookie: str | None, proof: Any) -> Show:
        async with self._pool.connection() as conn:
            held_by = await repository.browser(conn, row["conversation_id"])
            if held_by is None or not _same_browser(held_by.browser_hash, browser_cookie):
                await self._refuse(conn, row, Reason.OTHER_BROWSER)
                return Show("mismatch", 403)
            if not await repository.use_link(conn, sha256(state), sha256(attempt), self._clock.now()):
                return Show("used", 410)
            bound = await self._bindings.bind(conn, held_by.place, proof, "login_link")
            await self._hooks.on_login(conn, row["conversation_id"], bound)
        log.info("customer logged in", action="login_done", conversation=row["conversation_id"], binding=str(bound.binding.id))
        return Show("done", 200)

    async def _refusal(self, conn: Connection, row: dict[str, Any] | None, browser_cookie: str | None) -> Show | None:
        now: datetime = self._clock.now()
        if row is None or row["expires_at"] <= now:
            return Show("expired", 410)
        held_by = await repository.browser(conn, row["conversation_id"])
        if held_by is None or not _same_browser(held_by.browser_hash, browser_cookie):
            await self._refuse(conn, row, Reason.OTHER_BROWSER)
            return Show("mismatch", 403)
        return Show("used", 410) if row["used_at"] is not None else None

    async def _refuse(self, conn: Connection, row: dict[str, Any], reason: Reason) -> None:
        # Once per link: a link that is opened a thousand times must not fill the record.
        if await repository.refuse_link(conn, bytes(row["link_hash"]), self._clock.now()):
            await self._hooks.on_refused(conn, row["conversation_id"], reason)


def _derived(attempt: str, purpose: str) -> str:
    digest = hmac.new(attempt.encode(), purpose.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _same_browser(expected: bytes, cookie: str | None) -> bool:
    return cookie is not None and 0 < len(cookie) <= 255 and hmac.compare_digest(expected, sha256(cookie))
