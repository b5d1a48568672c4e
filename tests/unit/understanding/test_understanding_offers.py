"""A request whose flows were read before is the request that reading it whole gives; whatever could make a difference is read whole."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightrope.understanding import api
from tightrope.understanding.errors import BadRequestError
from tightrope.understanding.models import Request
from tightrope.understanding.offers import MOST_OFFERS, Offers

FLOWS = [
    {"id": "a", "description": '开户 "now"', "slots": [{"name": "x", "description": None, "allowed_values": ["one", 2, True]}]},
    {"id": "b", "description": "it's", "slots": []},
]


def content(message="hello", flows=FLOWS, **more):
    front = {"v": 1, "message": message, "language": None, "flow": None, **more}
    return json.dumps(front, ensure_ascii=False)[:-1] + ',\n "flows": ' + json.dumps(flows, ensure_ascii=False) + "}"


def body(text, **more):
    return orjson.dumps({"model": api.MODEL, "temperature": 0.0, **more, "messages": [{"role": "user", "content": text}]})


def whole(raw):
    """As the server reads a request that it can know nothing of."""
    return Request.model_validate(orjson.loads(orjson.loads(raw)["messages"][-1]["content"]))


class TestKnownOffers:
    def test_the_second_request_finds_what_the_first_one_read(self):
        offers = Offers()
        first = offers.cut(body(content("one")))
        second = offers.cut(body(content("two", flow={"id": "b", "slot": "x"})))
        assert first.request["flows"] is second.request["flows"]
        assert second.request["message"] == "two"
        assert len(offers) == 1

    @settings(max_examples=200, deadline=None)
    @given(
        message=st.text() | st.sampled_from(['"flows": [', '\\"flows\\":', '"}]}', '\\', '", "flows": []}', "\u2028😀"]),
        chosen=st.lists(st.sampled_from(FLOWS), max_size=3),
        flow=st.none() | st.fixed_dictionaries({"id": st.text(), "slot": st.none() | st.text()}),
    )  # fmt: skip
    def test_nothing_else_is_read_than_what_stands_there(self, message, chosen, flow):
        raw = body(content(message, chosen, flow=flow))
        for _ in range(2):
            assert api.read(raw) == whole(raw)

    def test_another_order_of_keys_is_read_whole(self):
        offers = Offers()
        late = orjson.dumps({"messages": [{"role": "user", "content": content()}], "model": api.MODEL})
        first = body(json.dumps({"flows": FLOWS, "v": 1, "message": "m"}))
        for raw in (late, first):
            assert offers.cut(raw) is None
            assert api.read(raw) == whole(raw)

    def test_blanks_around_it_change_nothing(self):
        raw = body(content()).replace(b'{"model"', b' { "model"')
        assert api.read(raw) == whole(raw)
        assert api.read(raw + b"\n") == whole(raw)


class TestAttacks:
    @pytest.mark.parametrize(
        "text",
        [
            # A longer key that ends like ours, at either level.
            '{"v": 1, "message": "m", "x\\"flows": [{"id": "a"}]}',
            '{"v": 1, "message": "m", "flow": {"id": "b", "flows": [{"id": "a"}]}}',
            '{"v": 1, "message": "m", "flows": [{"id": "a"}], "message": "n"}',
            '{"v": 1, "message": "m", "flows": [], "flows": [{"id": "a"}]}',
            '{"v": 1, "message": "m", "flows" : [{"id": "b"}], "flows":[{"id": "a"}]}',
            '{"v": 1, "message": "m", "\\u0066lows": [{"id": "b"}], "flows":[{"id": "a"}]}',
            '{"v": 1, "message": "m", "flows":[{"id": "a", "flows":[{"id": "z"}]}]}',
            '{"v": 1, "message": "m", "flows":null}',
        ],
    )
    def test_texts_that_look_like_an_offer(self, text):
        raw = body(text)
        for _ in range(2):
            try:
                expected = whole(raw)
            except ValueError:
                with pytest.raises(BadRequestError):
                    api.read(raw)
            else:
                assert api.read(raw) == expected

    def test_the_offer_of_an_earlier_message_is_not_taken_for_the_last_one_s(self):
        """The cut stands in the first message's text; the last one has another."""
        first, last = content("first"), content("last", [])
        raw = orjson.dumps({"model": api.MODEL, "messages": [{"role": "user", "content": text} for text in (first, last)]})
        assert api.read(raw) == whole(raw)
        assert api.read(raw).flows == []

    def test_an_offer_beside_the_messages_counts_for_nothing(self):
        raw = orjson.dumps(
            {"model": api.MODEL, "messages": [{"role": "user", "content": content("m", [])}], "z": [{"y": content()}]}
        )
        assert api.read(raw) == whole(raw)
        assert api.read(raw).flows == []

    def test_messages_twice_count_as_json_has_it(self):
        raw = body(content("one", []))[:-1] + b"," + body(content("two"))[1:]
        assert api.read(raw) == whole(raw)
        assert api.read(raw).message == "two"

    @pytest.mark.parametrize("wrong", [b"\xff", b"\n", b'"'])
    def test_a_known_front_does_not_lend_its_trust_to_a_broken_end(self, wrong):
        raw = body(content())
        api.read(raw)
        broken = raw.replace(b"it's", b"it" + wrong + b"s")
        with pytest.raises(BadRequestError):
            api.read(broken)

    def test_a_known_end_does_not_lend_its_trust_to_a_broken_front(self):
        raw = body(content())
        api.read(raw)
        for broken in (raw.replace(b'"model":', b'"model"'), raw.replace(b'\\"v\\":', b'\\"v\\"'), raw[1:]):
            with pytest.raises(BadRequestError):
                api.read(broken)

    @pytest.mark.parametrize("more", [{"stream": True}, {"n": 2}, {"tools": [1]}, {"model": "gpt"}])
    def test_what_is_refused_stays_refused(self, more):
        api.read(body(content()))
        with pytest.raises(BadRequestError):
            api.read(body(content(), **more))

    def test_flows_that_are_none_are_told_as_before_and_not_kept(self):
        offers = Offers()
        raw = body(content("m", [{"description": "no id"}]))
        assert offers.cut(raw) is None
        assert len(offers) == 0
        with pytest.raises(BadRequestError, match=r"flows\.0\.id"):
            api.read(raw)


class TestBounds:
    def test_no_more_than_fit_and_the_newest_stay(self):
        offers = Offers()
        for number in range(MOST_OFFERS + 10):
            offers.cut(body(content("m", [{"id": f"f{number}"}])))
        assert len(offers) == MOST_OFFERS
        assert offers.cut(body(content("m", [{"id": f"f{MOST_OFFERS + 9}"}]))).request["flows"][0].id == f"f{MOST_OFFERS + 9}"
        assert len(offers) == MOST_OFFERS

    def test_nor_longer_ones(self, monkeypatch):
        monkeypatch.setattr("tightrope.understanding.offers.MOST_BYTES", 1000)
        offers = Offers()
        for number in range(5):
            assert offers.cut(body(content("m", [{"id": f"f{number}", "description": "d" * 400}]))) is not None
        assert len(offers) == 2
        assert offers.cut(body(content("m", [{"id": "g", "description": "d" * 2000}]))) is not None
        assert len(offers) == 2


def test_a_request_of_a_thousand_wordy_flows_is_taken():
    flows = [{"id": f"f{number}", "description": "开户" * 100, "slots": []} for number in range(1000)]
    request = api.read(body(content("m", flows)))
    assert request.offer("f999").id == "f999"
    assert request.offer("f1000") is None


def test_of_two_offers_of_one_id_the_first_counts():
    request = Request(v=1, message="m", flows=[{"id": "a", "description": "one"}, {"id": "a", "description": "two"}])
    assert request.offer("a").description == "one"
