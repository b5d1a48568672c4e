"""Attacks on the login link (docs/compliance/threat-model.md, Identity: login link)."""

from __future__ import annotations

import asyncio
import secrets

import pytest
from identity_world import World, b64

from tightrope.identity.models import Reason

pytestmark = pytest.mark.integration


async def nobody_is_bound(world: World, place) -> bool:
    return await world.rows("SELECT 1 FROM identity.binding WHERE conversation_id = %s", place.conversation_id) == []


async def test_login_link_binds_the_customer_and_tells_the_gateway(world: World):
    place = world.place()
    await world.hold(place)
    url, attempt = await world.opened(await world.link(place))
    answer = await world.back(world.firm.log_in(url), attempt)
    assert answer.status_code == 200
    assert "登录成功" in answer.text
    [(conversation, bound)] = world.hooks.logins
    assert (conversation, bound.binding.customer_id) == (place.conversation_id, "C1001")
    assert (await world.current(place)).binding == bound.binding


async def test_relayed_login_link_opened_without_the_cookie_binds_nothing(world: World):
    place = world.place()
    await world.hold(place, "attackers-browser")
    answer = await world.get(await world.link(place), browser=None)
    assert answer.status_code == 403
    assert "请在原来的浏览器中登录" in answer.text
    assert "location" not in answer.headers
    assert world.hooks.refused == [(place.conversation_id, Reason.OTHER_BROWSER)]
    assert await nobody_is_bound(world, place)


async def test_relayed_login_link_opened_in_another_browser_binds_nothing(world: World):
    place = world.place()
    await world.hold(place, "attackers-browser")
    link = await world.link(place)
    for _ in range(3):
        answer = await world.get(link, browser="victims-browser", headers={"accept-language": "en"})
        assert answer.status_code == 403
        assert "If somebody sent you this link" in answer.text
    assert world.hooks.refused == [(place.conversation_id, Reason.OTHER_BROWSER)], "recorded once, not per click"
    assert await nobody_is_bound(world, place)


@pytest.mark.parametrize("order", ["{mine}; {planted}", "{planted}; {mine}", "{planted} ; x=y;{mine}"])
async def test_second_browser_cookie_planted_beside_the_victims_own_binds_nothing(world: World, order: str):
    place = world.place()
    await world.hold(place, "attackers-browser")
    cookies = order.format(mine="tr_browser=victims-browser", planted="tr_browser=attackers-browser")
    answer = await world.get(await world.link(place), browser=None, headers={"cookie": cookies})
    assert answer.status_code == 403
    assert await nobody_is_bound(world, place)


async def test_relayed_callback_finished_in_another_browser_binds_nothing(world: World):
    place = world.place()
    await world.hold(place, "attackers-browser")
    url, attempt = await world.opened(await world.link(place), "attackers-browser")
    query = world.firm.log_in(url, "C1002")  # the victim logs in at the relayed address of the provider
    for browser in (None, "victims-browser"):
        answer = await world.back(query, attempt, browser)
        assert answer.status_code == 403
    assert world.firm.forms == [], "the code is not even redeemed"
    assert await nobody_is_bound(world, place)


async def test_browser_that_changes_while_the_customer_logs_in_binds_nothing(world: World):
    place = world.place()
    await world.hold(place)
    url, attempt = await world.opened(await world.link(place))
    query = world.firm.log_in(url)
    await world.hold(place, "another-browser")
    assert (await world.back(query, attempt)).status_code == 403
    assert await nobody_is_bound(world, place)


async def test_callback_without_the_cookie_of_the_attempt_is_refused(world: World):
    place = world.place()
    await world.hold(place)
    url, _ = await world.opened(await world.link(place))
    query = world.firm.log_in(url)
    for attempt in (None, "short", secrets.token_urlsafe(32)):
        assert (await world.back(query, attempt)).status_code == 400
    assert await nobody_is_bound(world, place)
    assert world.hooks.refused == [(place.conversation_id, Reason.STATE_UNKNOWN)]


async def test_conversation_without_a_known_browser_cannot_log_in_by_link(world: World):
    place = world.place()
    answer = await world.get(await world.link(place))
    assert answer.status_code == 403
    assert await nobody_is_bound(world, place)


async def test_login_link_cannot_be_used_a_second_time(world: World):
    place = world.place()
    await world.hold(place)
    link = await world.link(place)
    url, attempt = await world.opened(link)
    query = world.firm.log_in(url)
    assert (await world.back(query, attempt)).status_code == 200
    assert (await world.get(link)).status_code == 410
    assert (await world.back(query, attempt)).status_code == 410
    assert len(world.hooks.logins) == 1


async def test_link_may_be_opened_again_until_a_login_came_of_it_and_only_the_newest_attempt_counts(world: World):
    place = world.place()
    await world.hold(place)
    link = await world.link(place)
    first_url, first_attempt = await world.opened(link)
    second_url, second_attempt = await world.opened(link)
    assert (await world.back(world.firm.log_in(first_url), first_attempt)).status_code == 400
    assert (await world.back(world.firm.log_in(second_url), second_attempt)).status_code == 200


async def test_expired_login_link_is_refused(world: World):
    place = world.place()
    await world.hold(place)
    link = await world.link(place)
    url, attempt = await world.opened(link)
    query = world.firm.log_in(url)
    world.clock.advance(601)
    assert (await world.get(link)).status_code == 410
    assert (await world.back(query, attempt)).status_code == 410
    assert await nobody_is_bound(world, place)


@pytest.mark.parametrize("link", ["x", "a" * 43, "a" * 5000, "..%2f..%2fetc", "%00" * 43, "中" * 43])
async def test_invented_login_link_is_refused(world: World, link: str):
    answer = await world.get(f"/login/{link}")
    assert answer.status_code in {404, 410}
    assert "location" not in answer.headers


async def test_callback_with_a_foreign_state_is_refused(world: World):
    mine, theirs = world.place(), world.place()
    await world.hold(mine)
    await world.hold(theirs, "attackers-browser")
    my_url, my_attempt = await world.opened(await world.link(mine))
    their_url, _ = await world.opened(await world.link(theirs), "attackers-browser")
    foreign = world.firm.log_in(their_url, "C1002")
    for state in (foreign["state"], secrets.token_urlsafe(32), "", "x" * 5000):
        assert (await world.back(foreign | {"state": state}, my_attempt)).status_code == 400
    assert await nobody_is_bound(world, mine)
    assert await nobody_is_bound(world, theirs)
    assert (await world.back(world.firm.log_in(my_url), my_attempt)).status_code == 200, "the honest login still works"


async def test_code_of_another_login_injected_into_the_callback_is_refused(world: World):
    mine, theirs = world.place(), world.place()
    await world.hold(mine)
    await world.hold(theirs, "attackers-browser")
    my_url, my_attempt = await world.opened(await world.link(mine))
    their_url, _ = await world.opened(await world.link(theirs), "attackers-browser")
    injected = world.firm.log_in(my_url) | {"code": world.firm.log_in(their_url, "C1002")["code"]}
    answer = await world.back(injected, my_attempt)
    assert answer.status_code == 400
    assert await nobody_is_bound(world, mine)
    assert world.hooks.refused == [(mine.conversation_id, Reason.LOGIN_FAILED)]


@pytest.mark.parametrize("issuer", ["https://evil.example", None, "http://localhost:8100/identity/"])
async def test_answer_of_another_issuer_is_refused(world: World, issuer: str | None):
    place = world.place()
    await world.hold(place)
    url, attempt = await world.opened(await world.link(place))
    query = world.firm.log_in(url)
    query.pop("iss")
    answer = await world.back(query | ({"iss": issuer} if issuer else {}), attempt)
    assert answer.status_code == 400
    assert world.firm.forms == [], "the code is not given to anybody"
    assert await nobody_is_bound(world, place)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "another-client"},
        {"aud": ["tightrope-gateway", "another-client"]},
        {"aud": ["tightrope-gateway", "another-client"], "azp": "another-client"},
        {"azp": "another-client"},
        {"nonce": "of-another-login"},
        {"nonce": None},
        {"exp": 1},
        {"exp": None},
        {"iat": 4102444800},
        {"iat": None, "auth_time": None},
        {"sub": None},
        {"sub": ""},
    ],
    ids=str,
)
async def test_id_token_that_is_not_for_this_login_is_refused(world: World, claims: dict[str, object]):
    place = world.place()
    await world.hold(place)
    url, attempt = await world.opened(await world.link(place))
    query = world.firm.log_in(url)
    world.firm.id_claims = claims
    assert (await world.back(query, attempt)).status_code == 400
    assert await nobody_is_bound(world, place)


async def test_two_callbacks_at_once_bind_once(world: World):
    place = world.place()
    await world.hold(place)
    url, attempt = await world.opened(await world.link(place))
    query, codes = world.firm.log_in(url), world.firm.codes
    code = dict(codes)
    original = world.firm._token

    def forgetful(request):  # a provider that would take the code twice
        codes.update(code)
        return original(request)

    world.firm._token = forgetful  # type: ignore[method-assign]
    answers = await asyncio.gather(world.back(query, attempt), world.back(query, attempt))
    assert sorted(a.status_code for a in answers) == [200, 410]
    assert len(await world.rows("SELECT 1 FROM identity.binding WHERE conversation_id = %s", place.conversation_id)) == 1


async def test_login_redirects_only_to_the_provider(world: World):
    place = world.place()
    await world.hold(place)
    link = await world.link(place)
    tries = {
        "next": "https://evil.example",
        "redirect_uri": "https://evil.example",
        "return_to": "//evil.example",
        "url": "javascript:1",
    }
    answer = await world.get(link, params=tries, headers={"host": "evil.example", "x-forwarded-host": "evil.example"})
    assert answer.headers["location"].startswith(world.settings.identity_issuer + "/authorize?")
    assert "evil" not in answer.headers["location"]
    query = world.firm.log_in(answer.headers["location"])
    done = await world.back(query | tries, answer.cookies["tr_login"])
    assert done.status_code == 200
    assert "location" not in done.headers
    assert "evil" not in done.text
    assert world.settings.portal_public_url in done.text


async def test_provider_whose_login_page_lies_elsewhere_is_not_used(world: World):
    place = world.place()
    await world.hold(place)
    world.firm.metadata_changes = {"authorization_endpoint": "https://evil.example/authorize"}
    answer = await world.get(await world.link(place))
    assert answer.status_code == 503
    assert "location" not in answer.headers


async def test_provider_failure_leaves_the_link_usable(world: World):
    place = world.place()
    await world.hold(place)
    link = await world.link(place)
    world.firm.down = True
    assert (await world.get(link)).status_code == 503
    world.firm.down = False
    url, attempt = await world.opened(link)
    query = world.firm.log_in(url)
    world.firm.token_status = 502
    assert (await world.back(query, attempt)).status_code == 503
    assert await nobody_is_bound(world, place)
    world.firm.token_status = None
    url, attempt = await world.opened(link)
    assert (await world.back(world.firm.log_in(url), attempt)).status_code == 200


async def test_login_given_up_at_the_provider_binds_nothing_and_can_be_tried_again(world: World):
    place = world.place()
    await world.hold(place)
    link = await world.link(place)
    url, attempt = await world.opened(link)
    state = world.firm.log_in(url)["state"]
    answer = await world.back({"error": "access_denied", "state": state}, attempt)
    assert "登录未完成" in answer.text
    assert await nobody_is_bound(world, place)
    assert (await world.get(link)).status_code == 302


async def test_login_is_undone_when_the_gateway_cannot_store_its_event(world: World):
    place = world.place()
    await world.hold(place)
    link = await world.link(place)
    url, attempt = await world.opened(link)
    query = world.firm.log_in(url)
    world.hooks.fail = True
    with pytest.raises(RuntimeError):
        await world.back(query, attempt)
    assert await nobody_is_bound(world, place)
    assert (await world.get(link)).status_code == 302, "the link was not used up"


async def test_nothing_that_could_finish_a_login_rests_in_the_database(world: World):
    place = world.place()
    await world.hold(place)
    link = await world.link(place)
    url, attempt = await world.opened(link)
    [row] = await world.rows("SELECT * FROM identity.login_link WHERE conversation_id = %s", place.conversation_id)
    stored = repr({k: b64(v) if isinstance(v, bytes) else v for k, v in row.items()})
    query = world.firm.log_in(url)
    for secret in (link.rsplit("/", 1)[1], attempt, query["state"], world.firm.codes[query["code"]]["nonce"]):
        assert secret not in stored
