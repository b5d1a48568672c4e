"""Faults of RAGFlow and of what stands before it (A18, point 6 of the RAGFlow notes), around any knowledge server, for tests of our client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import Any

import httpx
import orjson


class Fault(Enum):
    """What happens to a retrieval."""

    EXCEPTION = "HTTP 200 with code 100 and the repr of an exception"
    SPURIOUS_401 = "HTTP 401 although the key is right: the error's text held 401"
    SLOW = "the answer comes, too late"
    DRIP = "the answer comes in crumbs, each in time"
    TRUNCATED = "JSON that breaks off"
    PROXY_PAGE = "a proxy's page in HTML with HTTP 200"
    OTHER_DATASET = "a chunk of a dataset that was not asked for"
    ALTERED_TEXT = "a chunk whose text was changed"
    NO_METADATA = "chunks without metadata"
    FILTER_OPEN = "the filter was lost on the way"


_CHANGES: dict[Fault, Callable[[dict[str, Any]], None]] = {
    Fault.OTHER_DATASET: lambda chunk: chunk.update(dataset_id="f" * 32),
    Fault.ALTERED_TEXT: lambda chunk: chunk.update(content=chunk["content"].replace("0", "9") + " "),
    Fault.NO_METADATA: lambda chunk: chunk.pop("document_metadata", None),
}


class _Crumbs(httpx.AsyncByteStream):
    def __init__(self, content: bytes, pause: float) -> None:
        self._content, self._pause = content, pause

    async def __aiter__(self) -> Any:
        for at in range(len(self._content)):
            await asyncio.sleep(self._pause)
            yield self._content[at : at + 1]


class Faulty(httpx.AsyncBaseTransport):
    """Passes requests on; the next retrievals meet the faults in `planned`, one each.

    Args:
        chunks: how many chunks of an answer are spoiled; None is all of them.
        pause: seconds of SLOW, and between the crumbs of DRIP.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, *planned: Fault, chunks: int | None = None, pause: float = 0.05) -> None:
        self._inner, self.planned, self._chunks, self._pause = inner, list(planned), chunks, pause
        self.paths: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See `Fault`."""
        self.paths.append(request.url.path)
        if not request.url.path.endswith("/retrieval") or not self.planned:
            return await self._inner.handle_async_request(request)
        fault = self.planned.pop(0)
        if fault is Fault.EXCEPTION:
            return httpx.Response(200, json={"code": 100, "message": "KeyError('value')"})
        if fault is Fault.SPURIOUS_401:
            return httpx.Response(401, json={"code": 401, "data": None, "message": "<document 401e… is not there>"})
        if fault is Fault.PROXY_PAGE:
            return httpx.Response(200, html="<html><h1>502 Bad Gateway</h1></html>")
        if fault is Fault.FILTER_OPEN:
            body = orjson.loads(await request.aread()) | {"metadata_condition": {}}
            headers = {key: value for key, value in request.headers.items() if key != "content-length"}
            request = httpx.Request(request.method, request.url, headers=headers, json=body)
            return await self._inner.handle_async_request(request)
        response = await self._inner.handle_async_request(request)
        content = await response.aread()
        if fault is Fault.SLOW:
            await asyncio.sleep(self._pause)
            raise httpx.ReadTimeout("slow", request=request)
        if fault is Fault.DRIP:
            return httpx.Response(200, stream=_Crumbs(content, self._pause), headers={"content-type": "application/json"})
        if fault is Fault.TRUNCATED:
            return httpx.Response(200, content=content[: len(content) // 2], headers={"content-type": "application/json"})
        answer = orjson.loads(content)
        for chunk in answer["data"]["chunks"][: self._chunks]:
            _CHANGES[fault](chunk)
        return httpx.Response(200, json=answer)
