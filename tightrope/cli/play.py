"""`tightrope play`: scripted conversations through the customer's own API, with everything that decided each reply (docs/play.md)."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack, nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tightrope.audit import reading
from tightrope.audit.keyring import Keyring
from tightrope.cli.agent import Agent
from tightrope.cli.customer import Customer, CustomerStuck
from tightrope.cli.demo import running, temporary_demo
from tightrope.gateway.handoff import last_step
from tightrope.gateway.models import journey_told
from tightrope.infra.database import Pool, Role, open_pool
from tightrope.infra.settings import Settings, get_settings

TURN_SECONDS = 30.0
Json = dict[str, Any]


class ScriptInvalid(ValueError):
    """A script is not of the documented form; says where."""


def read_scripts(path: Path) -> list[Json]:
    """Scripts from JSON lines, all checked before the first is played.

    Raises:
        ScriptInvalid: names the line and what is wrong.
    """
    scripts: list[Json] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            script = json.loads(line)
        except ValueError as error:
            raise ScriptInvalid(f"{path}:{number}: not JSON ({error})") from error
        if not isinstance(script, dict) or not isinstance(script.get("id"), str) or not isinstance(script.get("turns"), list):
            raise ScriptInvalid(f"{path}:{number}: needs `id` and `turns`")
        session = script.setdefault("session", "guest")
        if not isinstance(session, str):
            raise ScriptInvalid(f"{path}:{number}: `session` is `guest`, `logged_in` or a customer id")
        for position, turn in enumerate(script["turns"]):
            _check_turn(turn, f"{path}:{number}: turn {position + 1}")
        scripts.append(script)
    return scripts


_STEPS = {"press", "login", "logout", "wait", "agent", "fault"}


def _check_turn(turn: Any, where: str) -> None:
    if isinstance(turn, str):
        return
    if not isinstance(turn, dict) or len(turn) != 1 or not turn.keys() <= _STEPS:
        raise ScriptInvalid(f"{where}: a turn is a text or one of {', '.join(sorted(_STEPS))}")
    (step, value) = next(iter(turn.items()))
    if step == "wait" and not (isinstance(value, int | float) and 0 <= value <= 10_000_000):
        raise ScriptInvalid(f"{where}: `wait` takes seconds")
    if step == "agent" and value not in ("reply", "resolve", "return") and not (isinstance(value, dict) and "reply" in value):
        raise ScriptInvalid(f"{where}: `agent` takes reply, resolve, return or {{'reply': text}}")
    if step == "fault" and not isinstance(value, dict):
        raise ScriptInvalid(f"{where}: `fault` takes {{customer?, operation?, fault, times?}}")


class Player:
    """Plays one script: does a turn, waits until everything it caused has settled, and collects what came of it."""

    def __init__(self, settings: Settings, pool: Pool, keyring: Keyring, script: Json) -> None:
        self._settings = settings
        self._pool = pool
        self._keyring = keyring
        self._script = script
        self._customer = Customer(settings)
        self._agent = Agent(settings)
        self._known_messages: set[int] = set()
        self._known_turns = 0
        session = script["session"]
        self._who = {"guest": None, "logged_in": "C1001"}.get(session, session)

    async def play(self) -> Json:
        """The transcript of the whole script; a turn that got stuck says so and the rest is not played."""
        turns: list[Json] = []
        result: Json = {"id": self._script["id"], "session": self._script["session"], "turns": turns}
        try:
            await self._customer.open_page()
            if self._who is not None:
                await self._customer.log_in(self._who)
            for number, turn in enumerate(self._script["turns"], 1):
                started = time.monotonic()
                done = await self._turn(turn)
                turns.append({"turn": number, "input": turn, "seconds": round(time.monotonic() - started, 3), **done})
        except CustomerStuck as error:
            result["stuck"] = str(error)
        finally:
            result["conversation"] = self._conversation_id()
            await self._customer.aclose()
            await self._agent.aclose()
        return result

    def _conversation_id(self) -> str | None:
        number = self._customer.conversation
        return None if number is None else f"{self._settings.inbox_account}-{number}"

    async def _turn(self, turn: Any) -> Json:
        before = await self._marks()
        if isinstance(turn, str):
            message = await self._customer.say(turn)
            await self._settled(lambda marks: message in marks["done"])
        else:
            (step, value) = next(iter(turn.items()))
            await getattr(self, f"_do_{step}")(value, before)
        return await self._outcome()

    async def _do_press(self, wanted: str, before: Json) -> None:
        for message in reversed(await self._customer.messages()):
            items = (message.get("content_attributes") or {}).get("items") or []
            for item in items:
                if item["title"] == wanted:
                    await self._customer.press(int(message["id"]), item)
                    await self._settled(lambda marks: marks["inbound"] > before["inbound"])
                    return
        raise CustomerStuck(f"no button reads {wanted!r}")

    async def _do_login(self, customer: Any, before: Json) -> None:
        who = customer if isinstance(customer, str) else (self._who or "C1001")
        link = next((m["content"] for m in reversed(await self._customer.messages()) if "/login/" in (m["content"] or "")), None)
        if link is None:
            await self._customer.log_in(who)
        else:
            await self._customer.follow_login_link(link, who)
        self._who = who
        if self._customer.conversation is not None:
            await self._settled(lambda marks: marks["inbound"] > before["inbound"])

    async def _do_logout(self, _value: Any, before: Json) -> None:
        await self._customer.log_out()
        if self._customer.conversation is not None:
            await self._settled(lambda marks: marks["inbound"] >= before["inbound"])

    async def _do_wait(self, seconds: float, _before: Json) -> None:
        path = self._settings.demo_clock
        if path is None:
            raise CustomerStuck("this demo has no demo clock: `wait` needs TIGHTROPE_DEMO_CLOCK")
        ahead = float(path.read_text() or 0) if path.exists() else 0.0
        path.write_text(str(ahead + seconds))
        await asyncio.sleep(0.05)

    async def _do_agent(self, what: Any, before: Json) -> None:
        if self._customer.conversation is None:
            raise CustomerStuck("there is no conversation for the agent yet")
        await self._agent.act(self._customer.conversation, what)
        await self._settled(lambda marks: marks["inbound"] > before["inbound"])

    async def _do_fault(self, fault: Json, _before: Json) -> None:
        await self._agent.order_fault({"customer": self._who, **fault})

    async def _marks(self) -> Json:
        conversation = self._conversation_id()
        if conversation is None:
            return {"inbound": 0, "pending": 0, "outbox": 0, "done": set()}
        async with self._pool.connection() as conn:
            cursor = await conn.execute(
                """SELECT count(*) AS inbound, count(*) FILTER (WHERE state = 'pending' AND kind <> 'note' AND kind <> 'changed'
                          AND kind <> 'system_message') AS pending,
                          coalesce(array_agg(message_id) FILTER (WHERE state = 'done'), '{}') AS done,
                          (SELECT count(*) FROM gateway.outbox WHERE conversation_id = %(c)s AND state IN ('pending', 'sending')) AS outbox
                   FROM gateway.inbound WHERE conversation_id = %(c)s""",
                {"c": conversation},
            )
            row = await cursor.fetchone() or {}
        return {**row, "done": set(row.get("done") or [])}

    async def _settled(self, enough: Any) -> None:
        """Wait until the event is handled and nothing is left to send."""
        end = time.monotonic() + TURN_SECONDS
        while time.monotonic() < end:
            marks = await self._marks()
            if enough(marks) and not marks["pending"] and not marks["outbox"]:
                return
            await asyncio.sleep(0.03)
        raise CustomerStuck(f"nothing came of it within {TURN_SECONDS:.0f} s")

    async def _outcome(self) -> Json:
        conversation = self._conversation_id()
        if conversation is None:
            return {"replies": [], "held_by": None}
        replies = []
        for message in await self._customer.messages():
            if int(message["id"]) in self._known_messages:
                continue
            self._known_messages.add(int(message["id"]))
            if message["message_type"] == 0:
                continue
            attributes = message.get("content_attributes") or {}
            buttons = [item["title"] for item in attributes.get("items") or []]
            sender = (message.get("sender") or {}).get("type")
            replies.append({"text": message["content"], "buttons": buttons, "from": "bot" if sender == "agent_bot" else "agent"})
        made = await reading.turns(self._settings, conversation, pool=self._pool, keyring=self._keyring)
        new, self._known_turns = made[self._known_turns :], len(made)
        async with self._pool.connection() as conn:
            cursor = await conn.execute("SELECT held_by FROM gateway.conversation WHERE conversation_id = %s", (conversation,))
            row = await cursor.fetchone()
        return {"replies": replies, "held_by": row["held_by"] if row else None, "turns": [_decided(turn) for turn in new]}


def _decided(turn: Json) -> Json:
    """What decided one turn, cut down from its record."""
    payload, facts = turn["payload"], turn["facts"]
    envelopes = payload.get("envelopes") or []
    flow = journey_told(envelopes)
    return {
        "record": turn["record_id"],
        "commands": payload.get("commands"),
        "understanding": payload.get("understanding"),
        "flow": flow,
        "step": last_step(payload.get("events") or [], flow) if flow else None,
        "outcomes": [{"action": e["action"], "outcome": e["outcome"]} for e in envelopes if e["kind"] == "evidence"],
        "citations": [c for e in envelopes if e["kind"] == "citations" for c in e["items"]],
        "handoff": facts.get("handoff"),
        "verified": facts.get("verified"),
        "latency_ms": facts.get("latency_ms"),
    }


async def play_all(settings: Settings, scripts: list[Json], parallel: int, done: Any) -> list[Json]:
    """Play scripts side by side; those that turn the clock go last, one at a time, since the clock is everybody's."""
    results: dict[int, Json] = {}
    gate = asyncio.Semaphore(parallel)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(settings, Role.AUDITOR, max_size=min(parallel + 1, 16)))
        keyring = Keyring.from_settings(settings)

        async def one(index: int) -> None:
            async with gate:
                results[index] = await Player(settings, pool, keyring, scripts[index]).play()
                done(results[index])

        turning = [i for i, s in enumerate(scripts) if any(isinstance(t, dict) and "wait" in t for t in s["turns"])]
        await asyncio.gather(*(one(i) for i in range(len(scripts)) if i not in turning))
        for index in turning:
            await one(index)
    return [results[i] for i in range(len(scripts))]


def play_scripts(path: Path, out: Path, parallel: int, console: Console) -> int:
    """The command: reads, plays, writes; 0 when no script got stuck."""
    try:
        scripts = read_scripts(path)
    except (ScriptInvalid, OSError) as error:
        console.print(f"[red]{error}[/red]", highlight=False)
        return 2
    settings = get_settings()
    settings = settings.model_copy(update={"demo_clock": settings.demo_clock or settings.state_dir / "clock"})
    use_running = running(settings)
    if not use_running:
        console.print("No demo is running: starting a temporary one …")
    with nullcontext() if use_running else temporary_demo() as demo:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("playing", total=len(scripts))
            results = asyncio.run(
                play_all(demo.settings if demo else settings, scripts, parallel, lambda _: progress.advance(task))
            )
    out.write_text("".join(json.dumps(result, ensure_ascii=False) + "\n" for result in results), encoding="utf-8")
    stuck = [result for result in results if "stuck" in result]
    for result in stuck:
        console.print(f"[red]stuck[/red] {result['id']}: {result['stuck']}", highlight=False)
    console.print(f"{len(results) - len(stuck)} of {len(results)} scripts played; transcript in {out}", highlight=False)
    return 1 if stuck else 0
