"""Who is logged in to the pages: kept in this process only, secrets of browsers by hash. A restart logs everybody out."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from tightrope.infra.clock import Clock

ATTEMPT_LIFE: Final = timedelta(minutes=10)
LONGEST: Final = timedelta(hours=9)
"""A working day: after it one logs in again, however busy one was."""
ATTEMPTS_KEPT: Final = 1000
"""Logins under way at a time; beyond that the oldest is forgotten, so that nobody can fill the memory."""
CUSTOMERS_KEPT: Final = 50
"""Customers that one session remembers by an alias; the oldest is forgotten first."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A login that is under way in one browser.

    Attributes:
        back: path of ours to go to afterwards.
    """

    state: str
    nonce: str
    verifier: str
    back: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who may read.

    Attributes:
        person: login name at the identity provider, as it goes on the record.
        purpose: why this person reads, in own words; goes on the record with every reading. Empty until it was said.
        csrf: token of this session's forms.
        customers: ids of customers that were asked for, by the alias that stands for them in addresses.
    """

    person: str
    name: str
    purpose: str
    csrf: str
    began: datetime
    seen: datetime
    customers: dict[str, str] = field(default_factory=dict)

    def alias_of(self, customer: str) -> str:
        """What stands for a customer's id in addresses of this session; an alias stands for itself."""
        if customer in self.customers:
            return customer
        known = next((alias for alias, one in self.customers.items() if one == customer), None)
        if known is not None:
            return known
        while len(self.customers) >= CUSTOMERS_KEPT:
            self.customers.pop(next(iter(self.customers)))
        alias = f"~{secrets.token_hex(4)}"
        self.customers[alias] = customer
        return alias

    def sent_by(self, token: str) -> bool:
        """Whether a form's token is this session's."""
        return hmac.compare_digest(self.csrf.encode(), token.encode())


class Sessions:
    """Logins under way and sessions.

    Args:
        idle: silence after which a session ends.
    """

    def __init__(self, clock: Clock, idle: timedelta) -> None:
        self._clock = clock
        self._idle = idle
        self._attempts: dict[bytes, Attempt] = {}
        self._sessions: dict[bytes, Session] = {}

    def begin(self, back: str) -> tuple[str, Attempt]:
        """A login in a new browser: its cookie, and what the provider is asked with."""
        now, cookie = self._clock.now(), secrets.token_urlsafe(32)
        self._attempts = {key: attempt for key, attempt in self._attempts.items() if attempt.until > now}
        while len(self._attempts) >= ATTEMPTS_KEPT:
            self._attempts.pop(next(iter(self._attempts)))
        attempt = Attempt(
            secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), local(back), now + ATTEMPT_LIFE
        )
        self._attempts[_hash(cookie)] = attempt
        return cookie, attempt

    def answered(self, cookie: str | None, state: str) -> Attempt | None:
        """The login that an answer belongs to, once; None for another browser's, an old or an invented one."""
        attempt = self._attempts.pop(_hash(cookie or ""), None)
        if (
            attempt is None
            or attempt.until <= self._clock.now()
            or not hmac.compare_digest(attempt.state.encode(), state.encode())
        ):
            return None
        return attempt

    def open(self, person: str, name: str) -> str:
        """A new session; its cookie."""
        now, cookie = self._clock.now(), secrets.token_urlsafe(32)
        self._sessions = {key: one for key, one in self._sessions.items() if self._lives(one, now)}
        self._sessions[_hash(cookie)] = Session(person, name, "", secrets.token_urlsafe(24), now, now)
        return cookie

    def of(self, cookie: str | None) -> Session | None:
        """The live session of a browser; looking at it keeps it alive."""
        key, now = _hash(cookie or ""), self._clock.now()
        session = self._sessions.get(key)
        if session is None:
            return None
        if not self._lives(session, now):
            del self._sessions[key]
            return None
        self._sessions[key] = replace(session, seen=now)
        return session

    def note_purpose(self, cookie: str | None, purpose: str) -> None:
        """Why this person reads, from now on."""
        key = _hash(cookie or "")
        if key in self._sessions:
            self._sessions[key] = replace(self._sessions[key], purpose=purpose)

    def end(self, cookie: str | None) -> None:
        """Log out."""
        self._sessions.pop(_hash(cookie or ""), None)

    def _lives(self, session: Session, now: datetime) -> bool:
        return now - session.seen < self._idle and now - session.began < LONGEST


def local(path: str) -> str:
    """The path if it leads to a page of ours, else the first page: nobody is sent elsewhere after a login."""
    fine = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if fine and len(path) <= 500 else "/"


def _hash(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()
