"""Which customer a conversation belongs to, for how long, and what ends it. Runs inside the caller's transaction."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import uuid4

from tightrope.identity import repository
from tightrope.identity.box import SecretBox
from tightrope.identity.errors import BindingEnded, IdentityError
from tightrope.identity.models import Binding, Bound, EndReason, IdentityEvent, Place, Proof, Standing, sha256
from tightrope.infra.clock import Clock
from tightrope.infra.database import Connection
from tightrope.infra.settings import Settings

_ENDED_SESSIONS_KEPT: Final = timedelta(hours=24)
_TRIES: Final = 3


class Bindings:
    """At most one live binding per conversation; what ends or begins comes back as events for the record."""

    def __init__(self, clock: Clock, box: SecretBox, minutes: int) -> None:
        self._clock = clock
        self._box = box
        self._life = timedelta(minutes=minutes)

    @classmethod
    def from_settings(cls, settings: Settings, clock: Clock) -> Bindings:
        """With the firm's key and `binding_minutes`."""
        return cls(clock, SecretBox.from_settings(settings), settings.binding_minutes)

    async def bind(self, conn: Connection, place: Place, proof: Proof, way: str) -> Bound:
        """Bind the proven customer to the conversation, ending what was bound before.

        Args:
            way: `portal_token` or `login_link`, for the record.

        Raises:
            BindingEnded: the provider's session was logged out meanwhile.
        """
        if not place.known:
            raise IdentityError("a binding needs a conversation with a known contact and source")
        now = self._clock.now()
        if proof.sid is not None:
            await repository.lock_session(conn, proof.sid)
            if await repository.was_used(conn, _session_key(proof.sid)):
                raise BindingEnded("this session was logged out")
        expires_at = min(now + self._life, proof.subject_token.expires_at or now + self._life)
        identifier = uuid4()
        new = Binding(
            id=identifier,
            conversation_id=place.conversation_id,
            contact_id=place.contact_id,
            source_hash=place.source_hash,
            customer_id=proof.customer_id,
            sid=proof.sid,
            acr=proof.acr,
            scopes=proof.scopes,
            auth_time=proof.auth_time,
            epoch=0,
            created_at=now,
            expires_at=expires_at,
        )
        box = self._box.seal(proof.subject_token.value, str(identifier))
        events: list[IdentityEvent] = []
        for _ in range(_TRIES):
            before = await repository.live_binding(conn, place.conversation_id)
            if before is not None:
                events += await self._end(conn, before, self._why_replaced(before, new))
            written = await repository.insert_binding(conn, new, box)
            if written is not None:
                events.append(IdentityEvent("bound", place.conversation_id, proof.customer_id, identifier, None, proof.acr, way))
                return Bound(written, tuple(events))
        raise IdentityError("others keep binding this conversation")

    async def current(self, conn: Connection, place: Place) -> Standing:
        """Who is bound now; ends a binding that expired, or whose contact or source is not Chatwoot's any more."""
        found = await repository.live_binding(conn, place.conversation_id)
        if found is None:
            return Standing(None)
        if found.expires_at <= self._clock.now():
            reason = EndReason.EXPIRED
        elif found.contact_id != place.contact_id:
            reason = EndReason.CONTACT_CHANGED
        elif found.source_hash != place.source_hash:
            reason = EndReason.SOURCE_CHANGED
        else:
            return Standing(found)
        return Standing(None, await self._end(conn, found, reason))

    async def end(self, conn: Connection, conversation_id: str, reason: EndReason) -> tuple[IdentityEvent, ...]:
        """End the conversation's binding, if it has one."""
        found = await repository.live_binding(conn, conversation_id)
        return await self._end(conn, found, reason) if found else ()

    async def end_by_session(self, conn: Connection, sid: str) -> tuple[IdentityEvent, ...]:
        """Log out: end every binding of the provider's session, and let no late token of it bind again."""
        now = self._clock.now()
        await repository.lock_session(conn, sid)
        await repository.use_token(conn, _session_key(sid), None, now, now + _ENDED_SESSIONS_KEPT)
        ended = await repository.end_session(conn, sid, now, EndReason.LOGOUT)
        return tuple(_ended(binding, EndReason.LOGOUT) for binding in ended)

    def _why_replaced(self, before: Binding, new: Binding) -> EndReason:
        if before.customer_id != new.customer_id:
            return EndReason.ANOTHER_CUSTOMER
        if before.contact_id != new.contact_id:
            return EndReason.CONTACT_CHANGED
        if before.source_hash != new.source_hash:
            return EndReason.SOURCE_CHANGED
        return EndReason.EXPIRED if before.expires_at <= self._clock.now() else EndReason.RENEWED

    async def _end(self, conn: Connection, binding: Binding, reason: EndReason) -> tuple[IdentityEvent, ...]:
        if await repository.end_binding(conn, binding.id, self._clock.now(), reason):
            return (_ended(binding, reason),)
        return ()


def _session_key(sid: str) -> bytes:
    return sha256(f"ended-session\x1f{sid}")


def _ended(binding: Binding, reason: EndReason) -> IdentityEvent:
    return IdentityEvent(
        "ended",
        binding.conversation_id,
        binding.customer_id,
        binding.id,
        reason,
        binding.acr,
        # The same customer again, in the same place, may go on where the talk stood; everybody else starts afresh.
        raise_epoch=reason is not EndReason.RENEWED,
    )
