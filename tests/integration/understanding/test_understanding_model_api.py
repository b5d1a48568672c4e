"""A model behind the understanding server, over the wire: the same answer for both engines, and a record that the contracts take."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from tightrope.engine.clients import MAX_UNDERSTOOD
from tightrope.infra.settings import REPOSITORY
from tightrope.sandbox.model.api import create_app as model_app
from tightrope.sandbox.model.faults import Fault
from tightrope.understanding.api import MODEL, create_app

pytestmark = pytest.mark.integration

DOUBTFUL = "账户那个事帮我弄一下"
FLOWS = [
    {"id": "check_trading_calendar", "description": "交易日历", "slots": []},
    {"id": "check_balance", "description": "查余额", "slots": []},
    {"id": "calculate_trading_cost", "description": "算费用", "slots": []},
]


def contract() -> Draft202012Validator:
    files = [json.loads(path.read_text(encoding="utf-8")) for path in (REPOSITORY / "contracts" / "turn").glob("*.json")]
    registry: Registry[Any] = Registry().with_resources((one["$id"], Resource.from_contents(one)) for one in files)
    schema = next(one for one in files if one["$id"].endswith("understanding.schema.json"))
    return Draft202012Validator(schema, registry=registry)


@pytest.fixture(scope="session")
def understanding_state(tmp_path_factory):
    return tmp_path_factory.mktemp("understanding_model")


@pytest.fixture
async def parts(settings, understanding_state):
    """The understanding server's client, and the model behind it."""
    asking = settings.model_copy(
        update={
            "state_dir": understanding_state,
            "model_url": "http://127.0.0.1:8000/v1",
            "model_name": "m@1",
            "model_fingerprint": "1",
            "commands_from_model": True,
            "commands_need_agreement": False,
        }
    )
    model = model_app(asking)
    model.state.script = lambda messages, schema: '{"command":"start flow check_trading_calendar"}'
    app = create_app(asking, model_transport=httpx.ASGITransport(model))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://understanding") as client:
        yield client, model


async def complete(client, message=DOUBTFUL, flow=None, flows=FLOWS):
    content = json.dumps({"v": 1, "message": message, "language": None, "flow": flow, "flows": flows}, ensure_ascii=False)
    asked = {"model": MODEL, "messages": [{"role": "user", "content": content}], "temperature": 0}
    answer = await client.post("/v1/chat/completions", json=asked)
    assert answer.status_code == 200
    assert len(answer.content) < MAX_UNDERSTOOD
    body = answer.json()
    contract().validate(body["tightrope"])
    return body["choices"][0]["message"]["content"], body["tightrope"]


async def test_the_record_says_that_the_model_chose_and_how(parts):
    client, _ = parts
    text, record = await complete(client)
    assert text == "start flow check_trading_calendar"
    assert (record["source"], record["proposal"]) == ("model", "used")
    (call,) = record["models"]
    assert (call["fingerprint"], call["output"]) == ("1", '{"command":"start flow check_trading_calendar"}')
    assert len(call["prompt_sha256"]) == 64
    assert DOUBTFUL in call["messages"][-1]["content"]
    assert call["parameters"]["response_format"]["json_schema"]["schema"]["properties"]["command"]["enum"][-1] == "none"


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault not in {Fault.HANG, Fault.SLOW}])
async def test_a_record_of_each_failure_is_within_the_contract(parts, fault):
    client, model = parts
    model.state.faults.order(fault)
    text, record = await complete(client)
    assert text != "start flow check_trading_calendar"
    assert record["source"] != "model"
    assert record["proposal"] == record["models"][0]["outcome"]


async def test_a_rule_has_no_part_of_a_model_in_its_record(parts):
    client, model = parts
    _, record = await complete(client, "我不想活了")
    assert record["source"] == "rule"
    assert not {"models", "proposal"} & record.keys()
    assert not model.state.seen


async def test_health_says_how_it_stands_with_the_model(parts):
    client, model = parts
    assert (await client.get("/health")).json()["model"] == "asked"
    model.state.faults.order(Fault.WRONG_FINGERPRINT)
    await complete(client)
    assert (await client.get("/health")).json()["model"] == "resting"
    assert (await complete(client))[1]["proposal"] == "resting"


async def test_the_longest_list_and_the_longest_output_fit_into_an_answer(parts):
    client, model = parts
    flows = [{"id": f"flow_{n}", "description": "说明" * 300, "slots": []} for n in range(900)]
    _, record = await complete(client, flows=[*FLOWS, *flows])
    assert record["proposal"] == "used"
    model.state.script = lambda messages, schema: "废" * 200_000
    _, record = await complete(client, flows=[*FLOWS, *flows])
    assert record["proposal"] == "invalid"


async def test_the_engines_client_takes_commands_and_record(parts, settings):
    from tightrope.engine.clients import UnderstandingClient
    from tightrope.engine.loader import load_project
    from tightrope.engine.prompt import Prompt
    from tightrope.engine.state import State

    client, _ = parts
    project = load_project(REPOSITORY)
    asking = UnderstandingClient(settings, "http://127.0.0.1:8010/v1", MODEL, Prompt.load(project), transport=client._transport)
    found = await asking.understand(State("s"), DOUBTFUL, list)
    assert [str(command) for command in found.commands]
    assert found.record["source"] == "model"
    contract().validate(dict(found.record))
