"""The assistant's two neighbours in one process, both scripted: `python -m benchmarks.engine.neighbours PORT`.

Understanding starts the flow that the message names; the action server sets one slot.
"""

from __future__ import annotations

import sys

import orjson
import uvloop

from benchmarks.engine.wire import serve

ACTED = orjson.dumps({"events": [{"event": "slot", "name": "figure", "value": "12.50", "timestamp": None}], "responses": []})


def answer(path: bytes, body: bytes) -> bytes:
    """Both protocols."""
    if path == b"/webhook":
        return ACTED
    prompt: str = orjson.loads(body)["messages"][-1]["content"]
    start = prompt.index('"message": "') + 12
    said = prompt[start : prompt.index('"', start)]
    return orjson.dumps(
        {
            "choices": [{"message": {"role": "assistant", "content": f"start flow {said}"}}],
            "tightrope": {"source": "rule", "rule": "bench", "candidates": [], "threshold": 6000, "classifier": "none"},
        }
    )


async def _main(port: int) -> None:
    async with await serve(port, answer) as server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1])))
