"""A project replaced while conversations go on: by PUT /model, by SIGHUP, by another server of the same database; and broken ones."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path

import httpx
import pytest
from engine_bench import SHOP, Neighbours, answering, serving

from tightrope.engine import service

pytestmark = pytest.mark.integration


@pytest.fixture
def project(tmp_path, superuser) -> Path:
    with superuser("assistant") as connection:
        connection.execute("TRUNCATE engine.conversation CASCADE; TRUNCATE engine.release")
    return shutil.copytree(SHOP, tmp_path / "shop")


@pytest.fixture
async def server(database, clock, project):
    neighbours = Neighbours()
    neighbours.lines = {
        "几点": "start flow hours",
        "下单": "start flow order",
        "大": "set slot size large",
        "多少钱": "start flow price",
    }
    async with serving(database, clock, neighbours, project) as made:
        yield made


def reword(project: Path, old: str = "九点开门。", new: str = "十点开门。") -> None:
    path = project / "domain" / "domain.yml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


async def put(server, **kwargs) -> httpx.Response:
    return await server.client.put("/model", params={"token": server.token}, **kwargs)


async def texts(server, text: str, sender: str = "cw-1-1-e0") -> list[str]:
    return [reply["text"] for reply in await server.say(text, sender)]


class TestPutModel:
    async def test_the_next_turn_runs_on_the_files_as_they_are_now(self, server, project):
        assert await texts(server, "几点") == ["九点开门。"]
        reword(project)
        assert await texts(server, "几点") == ["九点开门。"]
        before = (await server.client.get("/status", params={"token": server.token})).json()["model_id"]
        answer = await put(server)
        assert (answer.status_code, answer.content) == (204, b"")
        assert await texts(server, "几点") == ["十点开门。"]
        assert (await server.client.get("/status", params={"token": server.token})).json()["model_id"] != before

    @pytest.mark.parametrize("body", [None, {}, {"model_file": None}, "root"])
    async def test_the_body_may_name_the_project_that_runs(self, server, project, body):
        answer = await put(server, json={"model_file": str(project)} if body == "root" else body)
        assert answer.status_code == 204

    @pytest.mark.parametrize(
        "body", [{"model_file": "/etc"}, {"model_server": {"url": "http://evil.example"}}, {"remote_storage": "aws"}, [], "x", 5]
    )
    async def test_nothing_else_can_be_loaded(self, server, body):
        answer = await put(server, json=body)
        assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")

    @pytest.mark.parametrize(
        ("file", "text"),
        [
            ("data/flows.yml", "flows:\n  hours: {description: x, steps: [{action: utter_gone}]}\n"),
            ("data/flows.yml", "flows: [this is no yaml"),
            ("data/more.yml", "flows:\n  hours: {description: again, steps: [{action: utter_hours}]}\n"),
            ("domain/more.yml", "slots:\n  size: {type: telepathy}\n"),
            ("prompts/command.jinja2", "{% if %}"),
            ("config.yml", "pipeline: {"),
        ],
    )
    async def test_a_broken_project_is_refused_with_its_problems_and_the_old_one_goes_on(self, server, project, file, text):
        await texts(server, "下单")
        (project / file).write_text(text)
        answer = await put(server)
        assert answer.status_code == 400
        assert answer.json()["details"]["problems"][0]["message"]
        assert await texts(server, "大") == ["要几件？"]
        assert await texts(server, "几点", "cw-1-2-e0") == ["九点开门。"]

    async def test_all_problems_are_told_at_once(self, server, project):
        (project / "data" / "more.yml").write_text(
            "flows:\n  a: {description: x, steps: [{action: utter_a}]}\n  b: {description: y, steps: [{action: utter_b}]}\n"
        )
        problems = (await put(server)).json()["details"]["problems"]
        assert {problem["file"] for problem in problems} == {"data/more.yml"}
        assert len(problems) == 2
        assert all(problem["line"] > 1 and problem["message"] for problem in problems)

    async def test_a_project_that_was_deleted_is_refused(self, server, project):
        shutil.rmtree(project)
        assert (await put(server)).status_code == 400
        assert await texts(server, "几点") == ["九点开门。"]

    async def test_a_turn_under_way_finishes_on_the_project_it_began_with(self, server, project):
        asked, go_on = asyncio.Event(), asyncio.Event()

        async def slow(_request: httpx.Request) -> httpx.Response:
            asked.set()
            await go_on.wait()
            return answering(responses=[{"response": "utter_price", "price": "12.50"}])

        server.app.assistant.serving.actions._http._poster._transport._inner.handler = slow
        reword(project, "价格 {price}。", "新价格 {price}。")
        waiting = asyncio.create_task(texts(server, "多少钱"))
        await asyncio.wait_for(asked.wait(), 5)
        assert (await put(server)).status_code == 204
        go_on.set()
        assert await waiting == ["价格 12.50。"]
        assert await texts(server, "多少钱") == ["新价格 12.50。"]

    async def test_many_turns_and_reloads_at_once_lose_nothing(self, server, project):
        async def talk(number: int) -> None:
            for _ in range(6):
                assert (await texts(server, "几点", f"cw-1-{number}-e0"))[0] in {"九点开门。", "十点开门。"}

        async def reload() -> None:
            for turn in range(4):
                reword(project, *(("九点开门。", "十点开门。") if turn % 2 == 0 else ("十点开门。", "九点开门。")))
                assert (await put(server)).status_code == 204

        await asyncio.gather(*(talk(number) for number in range(8)), reload())
        for number in range(8):
            events = (await server.tracker(f"cw-1-{number}-e0"))["events"]
            assert sum(event["event"] == "user" for event in events) == 6

    async def test_files_that_change_while_they_are_read_are_not_loaded_half(self, server, project, monkeypatch):
        from tightrope.engine import serving as module

        real = module.load_project

        def changing(*args):
            reword(project)
            return real(*args)

        monkeypatch.setattr(module, "load_project", changing)
        answer = await put(server)
        assert answer.status_code == 400
        assert "changed while" in answer.json()["message"]
        assert await texts(server, "几点") == ["九点开门。"]


class TestSignal:
    async def test_sighup_loads_the_project_anew_and_a_broken_one_is_left(self, server, project):
        reword(project)
        await self._hang_up(server)
        assert await texts(server, "几点") == ["十点开门。"]
        (project / "data" / "flows.yml").write_text("flows: [")
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0.5)
        assert await texts(server, "几点") == ["十点开门。"]

    @staticmethod
    async def _hang_up(server) -> None:
        before = server.app.assistant.serving
        os.kill(os.getpid(), signal.SIGHUP)
        for _ in range(200):
            if server.app.assistant.serving is not before:
                return
            await asyncio.sleep(0.02)
        raise AssertionError("nothing was loaded in four seconds")


class TestSeveralServers:
    async def test_a_server_follows_when_another_one_of_the_same_files_was_told(self, server, database, clock, project):
        async with serving(database, clock, server.neighbours, project) as other:
            reword(project)
            assert (await put(other)).status_code == 204
            assert await texts(server, "几点") == ["九点开门。"]
            for _ in range(200):
                if await texts(server, "几点") == ["十点开门。"]:
                    return
                await asyncio.sleep(0.02)
        raise AssertionError("the other server did not follow")

    async def test_a_server_of_other_files_looks_now_and_then_and_stays(
        self, server, database, clock, project, tmp_path, monkeypatch
    ):
        looks = 0
        real = service.Assistant._look

        async def counted(self) -> None:
            nonlocal looks
            looks += 1
            await real(self)

        monkeypatch.setattr(service.Assistant, "_look", counted)
        newer = shutil.copytree(project, tmp_path / "newer")
        reword(newer)
        async with serving(database, clock, server.neighbours, newer) as other:
            for _ in range(5):
                assert await texts(server, "几点", "cw-1-3-e0") == ["九点开门。"]
                assert await texts(other, "几点", "cw-1-3-e0") == ["十点开门。"]
        assert looks == 1

    async def test_a_conversation_that_hops_between_two_releases_is_told_once_and_answered_always(
        self, server, database, clock, project, tmp_path
    ):
        newer = shutil.copytree(project, tmp_path / "newer")
        flows = newer / "data" / "flows.yml"
        flows.write_text(
            flows.read_text().replace("      - collect: count\n", "      - collect: colour\n      - collect: count\n")
        )
        await texts(server, "下单", "cw-1-4-e0")
        async with serving(database, clock, server.neighbours, newer) as other:
            said = []
            for _ in range(4):
                for each in (other, server):
                    said.append(await texts(each, "大", "cw-1-4-e0"))
        told = "刚更新"
        assert [any(told in text for text in turn) for turn in said] == [True, *[False] * 7]
        assert all(turn[-1] in {"什么颜色？", "要几件？"} for turn in said)
        replayed = await server.client.get("/conversations/cw-1-4-e0/replay", params={"token": server.token})
        result = replayed.json()["result"]
        assert (result["same"], result["other_model"], result["differences"]) == (5, 4, [])
