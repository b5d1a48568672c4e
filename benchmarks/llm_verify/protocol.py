"""What our client relies on, held against the real server: reference C5, C6, C7, C9."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import yaml
from pydantic import SecretStr

from benchmarks.llm_verify.server import IN_FLIGHT, KEY, NotServed, Served, copy_of
from tightrope.generation import ledger, prompts
from tightrope.generation.client import Completion, ModelClient
from tightrope.generation.errors import ModelError, ModelMismatch, ModelRejected, ModelUnavailable
from tightrope.generation.masking import mask
from tightrope.infra.settings import REPOSITORY

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["decision", "ids"],
    "properties": {
        "decision": {"type": "string", "enum": ["answer", "refuse"]},
        "ids": {"type": "array", "maxItems": 3, "items": {"enum": ["1.1", "1.2", "2.1"]}},
    },
}
OURS = frozenset({"--print", "--check", "--quiet", "--strict"})
"""Options in serve.sh that are its own or those of sha256sum."""
QUESTIONS = ("How long does a transfer take?", "融资融券需要多少资产？", "What does it cost?", "几点可以转账？")


@dataclass(frozen=True)
class Seen:
    """One check and what came of it."""

    name: str
    passed: bool
    seen: str


class Checks:
    """Runs against one served model, in order; each check says what it saw."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.http = httpx.AsyncClient(
            transport=served.transport(), base_url="http://model", timeout=60, headers={"authorization": f"Bearer {KEY}"}
        )

    async def ask(self, question: str = QUESTIONS[0], *, max_tokens: int = 120, **changes: object) -> Completion | ModelError:
        """One call of our client; the error if there was one."""
        client = ModelClient(self.served.settings(**changes), transport=self.served.transport())
        prompt = prompts.build(prompts.load(REPOSITORY / "prompts", "answer.v1"), question=mask(question))
        try:
            with ledger.opened():
                return await client.complete(prompt, SCHEMA, max_tokens=max_tokens)
        except ModelError as error:
            return error
        finally:
            await client.aclose()

    async def raw(self, **fields: Any) -> httpx.Response:
        body = {"model": self.served.manifest.served_name, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 20}
        return await self.http.post("/v1/chat/completions", json={**body, "temperature": 0, **fields})

    async def flags(self) -> Seen:
        """Each flag that any profile may send stands in the help of this vLLM."""
        sent = (
            set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", (REPOSITORY / "deploy/vllm/serve.sh").read_text(encoding="utf-8"))) - OURS
        )
        vllm = (self.served.venv / "bin" / "vllm").resolve()
        told = await asyncio.create_subprocess_exec(
            str(vllm), "serve", "--help=all", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            env={**self.served.environment(), "COLUMNS": "200"},
        )  # fmt: skip
        help_text = (await told.communicate())[0].decode(errors="replace")
        known = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", help_text))
        missing = sorted(sent - known)
        return Seen(
            "every flag of serve.sh is one of this vLLM's", bool(known) and not missing, f"{len(sent)} flags, missing: {missing}"
        )

    async def identity(self) -> Seen:
        models = (await self.http.get("/v1/models")).json()["data"]
        version = (await self.http.get("/version")).json()["version"]
        answer = await self.ask()
        good = isinstance(answer, Completion) and answer.call.fingerprint == self.served.manifest.sha256
        return Seen("served name and fingerprint are the manifest's", good and [one["id"] for one in models] == [self.served.manifest.served_name],
                    f"version {version}, {models[0]['id']}")  # fmt: skip

    async def request_id(self) -> Seen:
        answer = await self.http.post(
            "/v1/chat/completions", headers={"x-request-id": "abc-1"},
            json={"model": self.served.manifest.served_name, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 2},
        )  # fmt: skip
        return Seen("our request id is echoed", "abc-1" in answer.json()["id"], answer.json()["id"])

    async def constrained(self) -> Seen:
        answers = [
            await self.ask(question, model_constraint=form)
            for form in ("structured_outputs", "response_format")
            for question in QUESTIONS
        ]
        wrong = [str(one) for one in answers if isinstance(one, ModelError)]
        return Seen(
            "output holds to its schema, in both forms of asking",
            not wrong,
            f"{len(answers) - len(wrong)} of {len(answers)} {wrong[:1]}",
        )

    async def cut(self) -> Seen:
        answer = await self.ask(max_tokens=3)
        return Seen("an output that is cut short is refused", isinstance(answer, ModelError), repr(answer)[:120])

    async def misspelt(self) -> Seen:
        answer = await self.raw(guided_choice=["yes", "no"])
        text = answer.json()["choices"][0]["message"]["content"] if answer.status_code == 200 else ""
        return Seen("a constraint under an unknown name is ignored with 200 (why the client checks again)",
                    answer.status_code == 200 and text not in {"yes", "no"}, f"{answer.status_code}, {text[:30]!r}")  # fmt: skip

    async def refusals(self) -> Seen:
        both = await self.raw(structured_outputs={"choice": ["a"], "regex": "b"})
        wrong = {
            "wrong key": (await self.ask(model_key=SecretStr("no")), ModelRejected),
            "unknown model": (await self.ask(model_name="x@000000000000"), ModelRejected),
            "another fingerprint": (await self.ask(model_fingerprint="f" * 64), ModelMismatch),
            "too many tokens": (await self.ask(max_tokens=100_000), ModelRejected),
        }
        off = [name for name, (got, kind) in wrong.items() if not isinstance(got, kind)]
        return Seen("wrong key, name, fingerprint, length, constraint: refused as what they are", not off and both.status_code == 400,
                    "; ".join(str(got) for got, _ in wrong.values()))  # fmt: skip

    async def open_door(self) -> Seen:
        async with httpx.AsyncClient(transport=self.served.transport(), base_url="http://model", timeout=30) as nobody:
            answer = await nobody.post(
                "/invocations", json={"model": self.served.manifest.served_name, "prompt": "a", "max_tokens": 1}
            )
        return Seen(
            "/invocations runs without a key (why the proxy has an allow-list)",
            answer.status_code == 200,
            str(answer.status_code),
        )

    async def metrics(self) -> Seen:
        names = set(re.findall(r"vllm:\w+", (REPOSITORY / "deploy/vllm/alarms.yml").read_text(encoding="utf-8")))
        assert yaml.safe_load((REPOSITORY / "deploy/vllm/alarms.yml").read_text(encoding="utf-8"))
        told = (await self.http.get("/metrics")).text
        missing = sorted(name for name in names if name not in told)
        return Seen("every metric of the alarms exists", not missing, f"{len(names)} names, missing: {missing}")

    async def repeatable(self) -> Seen:
        texts = {one.call.output if isinstance(one, Completion) else str(one) for one in [await self.ask() for _ in range(5)]}
        return Seen("five times the same question, greedy", bool(texts), f"{len(texts)} different outputs")

    async def shedding(self) -> Seen:
        answers = await asyncio.gather(*(self.raw(max_tokens=150, ignore_eos=True) for _ in range(IN_FLIGHT * 3)))
        statuses = [one.status_code for one in answers]
        after = await self.ask()
        return Seen("beyond its bound the server sheds with 503 and serves on", statuses.count(503) > 0 and statuses.count(200) > 0
                    and set(statuses) == {200, 503} and isinstance(after, Completion),
                    f"{len(statuses)} at once against {IN_FLIGHT}: {statuses.count(200)} x 200, {statuses.count(503)} x 503")  # fmt: skip

    async def shed_to_client(self) -> Seen:
        busy = [asyncio.create_task(self.raw(max_tokens=400, ignore_eos=True)) for _ in range(IN_FLIGHT)]
        await asyncio.sleep(0.3)
        answer = await self.ask()
        await asyncio.gather(*busy)
        return Seen("our client calls a full server unavailable", isinstance(answer, ModelUnavailable), str(answer)[:100])

    async def time_out(self) -> Seen:
        late = await self.ask(model_seconds=0.01)
        after = await self.ask()
        return Seen(
            "a client that gave up leaves the server well",
            isinstance(late, ModelUnavailable) and isinstance(after, Completion),
            str(late),
        )

    async def restart(self) -> Seen:
        self.served.stop(signal.SIGKILL)
        down = await self.ask(model_seconds=2)
        seconds = self.served.start()
        up = await self.ask()
        return Seen("killed: unavailable; started again: answers", isinstance(down, ModelUnavailable) and isinstance(up, Completion),
                    f"down: {down}; up again in {seconds:.0f} s")  # fmt: skip

    async def drain(self) -> Seen:
        running = asyncio.create_task(self.raw(max_tokens=300, ignore_eos=True))
        await asyncio.sleep(0.5)
        seconds = await asyncio.to_thread(self.served.stop)
        answer = await running
        return Seen(
            "SIGTERM lets a running request end", answer.status_code == 200, f"{answer.status_code}, ended in {seconds:.1f} s"
        )

    async def altered(self) -> Seen:
        copy = copy_of(self.served.folder, self.served.work / "altered")
        weights = copy / "model.safetensors"
        raw = bytearray(weights.read_bytes())
        raw[-1] ^= 1
        weights.write_bytes(raw)
        other = Served.__new__(Served)
        other.__dict__.update({**self.served.__dict__, "folder": copy, "process": None})
        try:
            other.start()
        except NotServed as error:
            return Seen("one bit of the weights changed: not started", "files are altered" in str(error), "serve.sh refused")
        other.stop()
        return Seen("one bit of the weights changed: not started", False, "it was served")


def in_order(checks: Checks) -> list[Callable[[], Awaitable[Seen]]]:
    """What needs a running server first; what ends it last."""
    return [
        checks.flags, checks.identity, checks.request_id, checks.constrained, checks.cut, checks.misspelt, checks.refusals, checks.open_door,
        checks.metrics, checks.repeatable, checks.shedding, checks.shed_to_client, checks.time_out, checks.restart, checks.drain, checks.altered,
    ]  # fmt: skip


async def run(served: Served) -> list[Seen]:
    """Every check; one that raises has failed."""
    checks = Checks(served)
    seen = []
    for check in in_order(checks):
        try:
            one = await check()
        except Exception as error:
            one = Seen(check.__name__, False, f"{type(error).__name__}: {error}"[:200])
        print(f"  {'ok  ' if one.passed else 'FAIL'} {one.name}: {one.seen}", flush=True)
        seen.append(one)
    await checks.http.aclose()
    return seen
