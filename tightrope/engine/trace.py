"""W3C trace context: what a caller sends with a message goes on to understanding and to the action server, unread."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar

_PARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x21-\x7e]*)?\Z")
_STATE = re.compile(r"[\x20-\x7e]{1,512}\Z")
_MAX_PARENT = 200
_NONE: Mapping[str, str] = {}
_HEADERS: ContextVar[Mapping[str, str]] = ContextVar("trace_headers", default=_NONE)


def take(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Remember the trace context of the request that this task answers; a malformed one is dropped, as the standard says."""
    found = {name: value.decode("latin-1") for name, value in headers if name in {b"traceparent", b"tracestate"}}
    parent, state = found.get(b"traceparent", ""), found.get(b"tracestate", "")
    if len(parent) > _MAX_PARENT or not _PARENT.match(parent):
        _HEADERS.set(_NONE)
        return
    _HEADERS.set({"traceparent": parent, "tracestate": state} if _STATE.match(state) else {"traceparent": parent})


def headers() -> Mapping[str, str]:
    """The headers to send on."""
    return _HEADERS.get()
