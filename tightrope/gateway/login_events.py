"""What identity's events mean for the gateway: they go on the record, and logins and logouts become events of the conversation."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.gateway.intake import Intake
from tightrope.gateway.models import Arrival
from tightrope.identity.models import Bound, IdentityEvent, Reason
from tightrope.infra.database import Connection

_KINDS = {"bound": Event.BINDING_CREATED, "ended": Event.BINDING_ENDED}


async def record_identity(conn: Connection, recorder: Recorder, conversation_id: str, events: Iterable[IdentityEvent]) -> None:
    """Put identity's events on the record, in the caller's transaction."""
    for event in events:
        facts = {"reason": event.reason, "acr": event.acr, "way": event.way}
        kind = _KINDS.get(event.kind, Event.BINDING_REFUSED)
        await recorder.record(
            conn, RecordDraft(kind, conversation_id, subject=event.customer_id, facts=facts, payload=event.as_record())
        )


class LoginEvents:
    """What identity's routes tell the gateway, in their own transactions (`tightrope.identity.flow.Hooks`)."""

    def __init__(self, intake: Intake, recorder: Recorder) -> None:
        self._intake = intake
        self._recorder = recorder

    async def on_login(self, conn: Connection, conversation_id: str, bound: Bound) -> None:
        """A login is an event of the conversation and becomes a turn."""
        await record_identity(conn, self._recorder, conversation_id, bound.events)
        body = {"raise_epoch": bound.raise_epoch}
        await self._intake.own_event(conn, conversation_id, Arrival("login", f"{conversation_id}/login/{bound.binding.id}", body))

    async def on_refused(self, conn: Connection, conversation_id: str, reason: Reason) -> None:
        """A login that was refused is said in the chat, with a person offered."""
        event = IdentityEvent("refused", conversation_id, None, None, reason, way="login_link")
        await record_identity(conn, self._recorder, conversation_id, [event])
        key = f"{conversation_id}/refused/{uuid.uuid4()}"
        await self._intake.own_event(conn, conversation_id, Arrival("refused_login", key, {"reason": reason}))

    async def on_ended(self, conn: Connection, events: tuple[IdentityEvent, ...]) -> None:
        """After a logout the chat starts afresh."""
        for event in events:
            await record_identity(conn, self._recorder, event.conversation_id, [event])
            key = f"{event.conversation_id}/logout/{event.binding_id}"
            await self._intake.own_event(conn, event.conversation_id, Arrival("logout", key, {"reason": event.reason}))
