"""The assistant server over HTTP with a real Postgres."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.integration


async def test_a_flow_runs_over_the_rest_channel_with_an_action_and_its_envelope(server):
    server.neighbours.lines = {"多少钱": "start flow price"}
    replies = await server.say("多少钱", turn_id="t" * 43, language="zh")
    assert replies == [
        {"recipient_id": "cw-1-1-e0", "text": "价格 12.50。"},
        {"recipient_id": "cw-1-1-e0", "custom": {"envelope": {"v": 1, "kind": "journey"}}},
    ]
    [prompt] = server.neighbours.prompts
    assert prompt["message"] == "多少钱"
    assert prompt["flow"] is None
    assert {flow["id"] for flow in prompt["flows"]} == {"order", "hours", "price", "private", "paint"}
