"""Who listens on the websocket: pubsub token -> connections, each with its own bounded queue."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import orjson

from tightrope.infra.logging import get_logger
from tightrope.sandbox.inbox.models import Broadcast

log = get_logger()

QUEUE_LIMIT = 2000
"""Frames a slow reader may be behind before it is cut off (it fetches again after reconnecting)."""


class Listener:
    """One websocket and its subscriptions (token -> the identifier that the client chose)."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[str | None] = asyncio.Queue(QUEUE_LIMIT)
        self.identifiers: dict[str, str] = {}
        self.cut_off = False

    def put(self, frame: str) -> None:
        """Queue a frame; a reader that is too far behind is cut off instead of holding the server's memory."""
        if self.cut_off:
            return
        try:
            self.frames.put_nowait(frame)
        except asyncio.QueueFull:
            self.cut_off = True
            while not self.frames.empty():
                self.frames.get_nowait()
            self.frames.put_nowait(None)
            log.warning("a websocket reader was too slow", action="cable_cut_off")


class Hub:
    """Sends pushes to whoever holds a token."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[Listener]] = defaultdict(set)

    def subscribe(self, listener: Listener, token: str, identifier: str) -> None:
        listener.identifiers[token] = identifier
        self._listeners[token].add(listener)

    def leave(self, listener: Listener, token: str | None = None) -> None:
        """End one subscription, or all."""
        for one in [token] if token is not None else list(listener.identifiers):
            listener.identifiers.pop(one, None)
            group = self._listeners.get(one)
            if group is not None:
                group.discard(listener)
                if not group:
                    del self._listeners[one]

    def send(self, broadcasts: list[Broadcast]) -> None:
        """Queue each push for each listener of its tokens."""
        for push in broadcasts:
            encoded: str | None = None
            for token in push.tokens:
                for listener in self._listeners.get(token, ()):
                    if encoded is None:
                        encoded = orjson.dumps({"event": push.event, "data": push.data}).decode()
                    identifier = orjson.dumps(listener.identifiers[token]).decode()
                    listener.put(f'{{"identifier":{identifier},"message":{encoded}}}')
