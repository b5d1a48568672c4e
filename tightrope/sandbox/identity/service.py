"""The provider's logins: pages, sessions and codes. Tokens are in tokens.py."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tightrope.infra.clock import Clock
from tightrope.infra.logging import get_logger
from tightrope.sandbox.catalogue import BY_ID
from tightrope.sandbox.identity.errors import LoginRefused
from tightrope.sandbox.identity.models import ACR, CONSOLE, STAFF, AuthorizationRequest, LoginAttempt, Session, sha256
from tightrope.sandbox.identity.repository import Identities

log = get_logger()

LOGIN_PAGE_LIFE: Final = timedelta(minutes=10)
SESSION_LIFE: Final = timedelta(hours=8)
CODE_LIFE: Final = timedelta(seconds=60)
MAX_ATTEMPTS: Final = 5


def new_secret() -> str:
    """32 random bytes, base64url."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class LoginPage:
    """What the login page needs."""

    page_id: str
    one_time_code: str
    request: AuthorizationRequest


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A finished login: the code for the client and the browser's new session secret."""

    request: AuthorizationRequest
    code: str
    cookie: str
    session: Session


class Logins:
    """Logins and the codes that clients get for them."""

    def __init__(self, repository: Identities, clock: Clock) -> None:
        self._repository = repository
        self._clock = clock

    async def session(self, cookie: str | None) -> Session | None:
        """The browser's live session."""
        return await self._repository.session_of_cookie(sha256(cookie), self._clock.now()) if cookie else None

    async def open_page(self, request: AuthorizationRequest, browser: str) -> LoginPage:
        """A login page for this browser only, with a fresh one-time code (shown on it, this being a demo)."""
        page_id, one_time_code = new_secret(), f"{secrets.randbelow(1_000_000):06}"
        expires_at = self._clock.now() + LOGIN_PAGE_LIFE
        await self._repository.open_login(sha256(page_id), sha256(browser), request, one_time_code, expires_at)
        return LoginPage(page_id, one_time_code, request)

    async def page(self, page_id: str, browser: str | None) -> LoginAttempt:
        """The open page, to show it again or to leave it.

        Raises:
            LoginRefused: `expired`, also when it is another browser's.
        """
        attempt = await self._repository.look_at_login(sha256(page_id), sha256(browser or ""), self._clock.now())
        if attempt is None:
            raise LoginRefused("expired")
        return attempt

    async def log_in(self, page_id: str, browser: str | None, customer_id: str, typed: str, cookie: str | None) -> LoggedIn:
        """Check the form; on success the browser's former session ends, a new one starts, and the client gets its code.

        Raises:
            LoginRefused: `expired`, `attempts`, `customer` or `code`.
        """
        now = self._clock.now()
        attempt = await self._repository.try_login(sha256(page_id), sha256(browser or ""), now)
        if attempt is None:
            raise LoginRefused("expired")
        if attempt.attempts > MAX_ATTEMPTS:
            raise LoginRefused("attempts")
        if customer_id not in (STAFF if attempt.request.client_id == CONSOLE else BY_ID):
            raise LoginRefused("customer")
        if not hmac.compare_digest(typed.strip().encode(), attempt.one_time_code.encode()):
            raise LoginRefused("code")
        if not await self._repository.close_login(sha256(page_id)):
            raise LoginRefused("expired")
        # Always a new session, also for the same customer: what an earlier login allowed does not outlive a fresh one.
        session = Session(secrets.token_urlsafe(16), customer_id, ACR, now.replace(microsecond=0), now + SESSION_LIFE)
        new_cookie = new_secret()
        await self._repository.start_session(session, sha256(new_cookie), replaces=sha256(cookie) if cookie else None)
        log.info("customer logged in", action="idp_login", client=attempt.request.client_id)
        return LoggedIn(attempt.request, await self.code(attempt.request, session), new_cookie, session)

    async def code(self, request: AuthorizationRequest, session: Session) -> str:
        """A one-time code for the request's client."""
        code = new_secret()
        await self._repository.add_code(sha256(code), request, session.sid, self._clock.now() + CODE_LIFE)
        return code

    async def leave(self, page_id: str, browser: str | None) -> AuthorizationRequest:
        """Give a login up.

        Raises:
            LoginRefused: `expired`.
        """
        attempt = await self.page(page_id, browser)
        await self._repository.close_login(sha256(page_id))
        return attempt.request

    async def end(self, sid: str) -> None:
        """End a session: its codes and tokens are worth nothing from now on."""
        if await self._repository.end_session(sid, self._clock.now()):
            log.info("session ended", action="idp_session_ended")

    def now(self) -> datetime:
        return self._clock.now()
