"""Clients of Chatwoot, the assistant and the release check, over a transport that is a function."""

from collections.abc import Callable

import httpx
import pytest

from tightrope.gateway.assistant import Assistant
from tightrope.gateway.chatwoot import Chatwoot
from tightrope.gateway.errors import AssistantFailed, ChatwootRejected, ChatwootUnknown, ReleaseDiffers
from tightrope.gateway.release_watch import ReleaseWatch
from tightrope.infra.http import OutboundRefused, outbound_client
from tightrope.infra.settings import Settings

Handler = Callable[[httpx.Request], httpx.Response]


def chatwoot(settings: Settings, handler: Handler) -> Chatwoot:
    return Chatwoot(settings, transport=httpx.MockTransport(handler))


async def test_message_is_posted_with_bot_token_and_source_id(settings: Settings) -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"id": 77})

    assert await chatwoot(settings, handler).post_message(5, {"content": "hi"}, "tr-1") == 77
    assert seen[0].url.path == "/api/v1/accounts/1/conversations/5/messages"
    assert seen[0].headers["api_access_token"] == settings.secret("bot_access_token").get_secret_value()
    assert b'"source_id":"tr-1"' in seen[0].content


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(404, json={"error": "Resource could not be found"}), ChatwootRejected),
        (httpx.Response(422, json={"error": "Too many messages"}), ChatwootRejected),
        (httpx.Response(429, text="Retry later"), ChatwootUnknown),
        (httpx.Response(500), ChatwootUnknown),
        (httpx.Response(200, text="<html>proxy</html>"), ChatwootUnknown),
        (httpx.Response(200, json={}), ChatwootUnknown),
    ],
)
async def test_answer_says_surely_not_done_or_unknown(
    settings: Settings, response: httpx.Response, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await chatwoot(settings, lambda _: response).post_message(5, {}, "tr-1")


async def test_time_out_is_unknown(settings: Settings) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("slow", request=request)

    with pytest.raises(ChatwootUnknown):
        await chatwoot(settings, handler).open(5)


async def test_opening_is_checked_by_the_status_since_success_is_null(settings: Settings) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"meta": {}, "payload": {"success": None, "current_status": "open"}})

    await chatwoot(settings, handler).open(5)
    with pytest.raises(ChatwootUnknown):
        await chatwoot(settings, lambda _: httpx.Response(200, json={"payload": {"current_status": "pending"}})).open(5)


async def test_labels_are_added_to_those_that_are_there(settings: Settings) -> None:
    sent: list[bytes] = []

    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            sent.append(request.content)
        return httpx.Response(200, json={"payload": ["vip"]})

    await chatwoot(settings, handler).set_labels(5, ["bot-handoff", "vip"])
    assert sent == [b'{"labels":["vip","bot-handoff"]}']


async def test_message_is_found_by_its_source_id(settings: Settings) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"payload": [{"id": 1, "source_id": None}, {"id": 2, "source_id": "tr-2"}]})

    client = chatwoot(settings, handler)
    assert await client.find_message(5, "tr-2") == 2
    assert await client.find_message(5, "tr-3") is None


async def test_other_calls_reach_their_endpoints(settings: Settings) -> None:
    paths: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path.rsplit("/", 1)[-1])
        return httpx.Response(200)

    client = chatwoot(settings, handler)
    await client.set_priority(5, "urgent")
    await client.typing(5, on=True)
    assert await client.conversation(5) == {}
    await client.aclose()
    assert paths == ["toggle_priority", "toggle_typing_status", "5"]


async def test_assistant_answers_or_fails(settings: Settings) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/tracker"):
            assert request.url.params["turn_id"] == "t"
            return httpx.Response(
                200, json={"events": [{"event": "user", "metadata": {"turn_id": "t"}}, {"event": "bot", "text": "x"}]}
            )
        return httpx.Response(200, json=[{"text": "x"}])

    client = Assistant(settings, transport=httpx.MockTransport(handler))
    assert await client.say("s", "hi", {"turn_id": "t"}) == [{"text": "x"}]
    made = await client.made("s", "t")
    assert made is not None
    assert (len(made.events), made.steps, made.making) == (2, None, None), "Rasa Pro tells neither"
    await client.aclose()


@pytest.mark.parametrize(
    "response", [httpx.Response(500), httpx.Response(200, text="no json"), httpx.Response(200, json={"events": None})]
)
async def test_assistant_without_a_usable_answer_failed(settings: Settings, response: httpx.Response) -> None:
    client = Assistant(settings, transport=httpx.MockTransport(lambda _: response))
    with pytest.raises(AssistantFailed):
        await client.made("s", "t")


async def test_release_watch_stops_everything_while_parts_differ(settings: Settings) -> None:
    releases = {"/status": "model_id", "/release": "release", "/health": "release"}
    answer = {"value": "r-other"}

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={releases[request.url.path]: answer["value"]})

    watch = ReleaseWatch(settings, transport=httpx.MockTransport(handler))
    watch.require()
    await watch.ask()
    assert set(watch.differing()) == {"assistant", "actions", "understanding", "gateway"}
    with pytest.raises(ReleaseDiffers, match="r-other"):
        watch.require()
    answer["value"] = watch.own
    await watch.ask()
    watch.require()
    await watch.aclose()


async def test_part_that_does_not_answer_keeps_its_last_release(settings: Settings) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("down", request=request)

    watch = ReleaseWatch(settings, transport=httpx.MockTransport(handler))
    await watch.ask()
    assert watch.seen == {}


async def test_host_outside_the_allow_list_is_refused_before_anything_is_sent(settings: Settings) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        raise AssertionError("must not be reached")

    client = outbound_client(settings, purpose="test", transport=httpx.MockTransport(handler))
    for url in ("https://example.com/", "http://169.254.169.254/latest", "http://127.0.0.1.example.com/"):
        with pytest.raises(OutboundRefused, match="allow-list"):
            await client.get(url)
    await client.aclose()
