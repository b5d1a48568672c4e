"""Who fails several times in a row is left alone, then tried with one request."""

from __future__ import annotations

import pytest

from tightrope.understanding.breaker import FAILURES, REST_SECONDS, Breaker


class Ticks:
    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def ticks():
    return Ticks()


@pytest.fixture
def breaker(ticks):
    return Breaker(ticks)


def fail(breaker, times=FAILURES):
    for _ in range(times):
        assert breaker.may_ask()
        breaker.failed()


def test_failures_in_a_row_open_it(breaker):
    fail(breaker, FAILURES - 1)
    assert not breaker.open
    fail(breaker, 1)
    assert breaker.open
    assert not breaker.may_ask()


def test_a_success_between_failures_starts_the_count_anew(breaker):
    fail(breaker, FAILURES - 1)
    breaker.worked()
    fail(breaker, FAILURES - 1)
    assert not breaker.open


def test_a_sure_failure_opens_it_at_once(breaker):
    breaker.failed(for_sure=True)
    assert not breaker.may_ask()


def test_after_the_rest_one_request_tries_and_the_others_go_without(breaker, ticks):
    fail(breaker)
    ticks.at += REST_SECONDS - 0.001
    assert not breaker.may_ask()
    ticks.at += 0.001
    assert [breaker.may_ask() for _ in range(4)] == [True, False, False, False]


def test_a_trial_that_works_closes_it(breaker, ticks):
    fail(breaker)
    ticks.at += REST_SECONDS
    assert breaker.may_ask()
    breaker.worked()
    assert not breaker.open
    assert breaker.may_ask()
    assert breaker.may_ask()


def test_a_trial_that_fails_lets_it_rest_again(breaker, ticks):
    fail(breaker)
    ticks.at += REST_SECONDS
    assert breaker.may_ask()
    breaker.failed()
    assert not breaker.may_ask()
    ticks.at += REST_SECONDS
    assert breaker.may_ask()


def test_a_trial_that_was_given_up_leaves_room_for_the_next(breaker, ticks):
    fail(breaker)
    ticks.at += REST_SECONDS
    assert breaker.may_ask()
    breaker.unknown()
    assert breaker.may_ask()
