"""`/cable`: ActionCable's protocol, subprotocol actioncable-v1-json (app/channels/room_channel.rb)."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import orjson
from fastapi import WebSocket, WebSocketDisconnect

from tightrope.infra.clock import Clock
from tightrope.infra.database import Pool
from tightrope.sandbox.inbox import contacts
from tightrope.sandbox.inbox.directory import Directory
from tightrope.sandbox.inbox.edge import number
from tightrope.sandbox.inbox.hub import Hub, Listener
from tightrope.sandbox.inbox.models import Json

SUBPROTOCOL = "actioncable-v1-json"
PING_SECONDS = 3.0


class Cable:
    """Serves one websocket after another."""

    def __init__(self, hub: Hub, pool: Pool, directory: Directory, clock: Clock, *, ping_seconds: float = PING_SECONDS) -> None:
        self._hub = hub
        self._pool = pool
        self._directory = directory
        self._clock = clock
        self._ping_seconds = ping_seconds

    async def serve(self, socket: WebSocket) -> None:
        """Welcome, ping, and forward what the client subscribed to, until it goes."""
        offered = socket.scope.get("subprotocols") or []
        await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
        listener = Listener()
        listener.put('{"type":"welcome"}')
        tasks = [asyncio.create_task(self._write(socket, listener)), asyncio.create_task(self._ping(listener))]
        reader = asyncio.create_task(self._read(socket, listener))
        try:
            await asyncio.wait([reader, tasks[0]], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.leave(listener)
            for task in (*tasks, reader):
                task.cancel()
                with suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                    await task
            with suppress(RuntimeError, WebSocketDisconnect):
                await socket.close()

    async def _write(self, socket: WebSocket, listener: Listener) -> None:
        while (frame := await listener.frames.get()) is not None:
            await socket.send_text(frame)

    async def _ping(self, listener: Listener) -> None:
        while True:
            await asyncio.sleep(self._ping_seconds)
            listener.put(f'{{"type":"ping","message":{int(self._clock.now().timestamp())}}}')

    async def _read(self, socket: WebSocket, listener: Listener) -> None:
        while True:
            received = await socket.receive()
            if received["type"] == "websocket.disconnect":
                return
            text = received.get("text") or ""
            try:
                command = orjson.loads(text)
                identifier = command["identifier"]
                channel = orjson.loads(identifier)
            except (orjson.JSONDecodeError, KeyError, TypeError):
                continue
            token = channel.get("pubsub_token") if isinstance(channel, dict) else None
            if not isinstance(token, str) or not isinstance(identifier, str) or "\x00" in token:
                self._answer(listener, str(identifier), "reject_subscription")
            elif command.get("command") == "subscribe":
                await self._subscribe(listener, token, identifier, channel)
            elif command.get("command") == "unsubscribe":
                self._hub.leave(listener, token)

    async def _subscribe(self, listener: Listener, token: str, identifier: str, channel: Json) -> None:
        if await self._known(token, channel):
            self._hub.subscribe(listener, token, identifier)
            self._answer(listener, identifier, "confirm_subscription")
        else:
            self._answer(listener, identifier, "reject_subscription")

    async def _known(self, token: str, channel: Json) -> bool:
        if channel.get("channel") != "RoomChannel":
            return False
        if channel.get("user_id") is not None:
            named = number(channel["user_id"])
            agent = self._directory.agents.get(named) if named is not None else None
            return agent is not None and agent.pubsub_token == token
        async with self._pool.connection() as conn:
            return await contacts.visitor_by_pubsub(conn, token) is not None

    @staticmethod
    def _answer(listener: Listener, identifier: str, kind: str) -> None:
        listener.put(orjson.dumps({"identifier": identifier, "type": kind}).decode())
