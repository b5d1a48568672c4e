"""The self-test calls only a bucket WORM that keeps its locks, and says which probe broke the others."""

from __future__ import annotations

import pytest
from s3_fake import MINISTACK, MOTO, FakeS3

from tightrope.audit.errors import StoreError
from tightrope.audit.stores.s3 import Place
from tightrope.audit.stores.selftest import SelfTest, run_selftest

PLACE = Place("https://s3.firm.internal", "audit")


def judge(clock, faults=(), **changes) -> tuple[SelfTest, FakeS3]:
    fake = FakeS3(clock, faults=frozenset(faults), **changes)
    return run_selftest(fake, PLACE, clock=clock, sleep=fake.sleep), fake


def failed(done: SelfTest) -> list[str]:
    return [probe.name for probe in done.probes if probe.ok is False]


def test_a_server_that_keeps_its_locks_is_worm_and_left_as_it_was(clock):
    done, fake = judge(clock)
    assert (done.verdict, done.reason, done.leftover, done.server) == ("worm", "", 0, "Fake 1")
    assert failed(done) == []
    assert all(probe.ok for probe in done.probes)
    assert [versions for versions in fake.objects.values() if versions] == []
    assert fake.versioning == "Enabled"
    assert done.kept().verdict == "worm"


@pytest.mark.parametrize(
    ("fault", "probe"),
    [
        ("drops the lock", "a compliance lock is kept"),
        ("governance", "a compliance lock is kept"),
        ("other bytes", "a compliance lock is kept"),
        ("locks shorter", "a compliance lock is kept"),
        ("deletes", "delete a locked version"),
        ("deletes with bypass", "delete it with the bypass header"),
        ("deletes many", "delete it by multi-delete, with bypass"),
        ("shortens", "shorten a lock"),
        ("shortens with bypass", "shorten a lock with the bypass header"),
        ("downgrades", "turn the lock into a governance lock"),
        ("overwrites", "put other bytes under the same key"),
        ("marker deletes", "put a delete marker on the key"),
        ("suspends", "switch versioning off"),
    ],
)
def test_one_broken_lock_is_not_worm_and_named(clock, fault, probe):
    done, fake = judge(clock, [fault])
    assert done.verdict == "not worm"
    assert failed(done)[0] == probe
    assert done.reason.startswith(f"{probe}: ")
    assert fake.versioning == "Enabled"


@pytest.mark.parametrize(
    ("fault", "probe"),
    [
        ("takes the past", "a lock that ends in the past"),
        ("ignores md5", "bytes that do not match Content-MD5"),
        ("clock ahead", "the server's clock"),
    ],
)
def test_a_careless_server_is_degraded(clock, fault, probe):
    done, _ = judge(clock, [fault])
    assert (done.verdict, failed(done)) == ("degraded", [probe])


@pytest.mark.parametrize("fault", ["multipart drops the lock", "ignores sha256", "no clock"])
def test_what_the_driver_does_not_rely_on_changes_nothing(clock, fault):
    done, _ = judge(clock, [fault])
    assert done.verdict == "worm"
    assert [probe.ok for probe in done.probes].count(None) == 1


def test_emulators_as_measured_are_not_worm(clock):
    moto, _ = judge(clock, MOTO)
    assert moto.verdict == "not worm"
    assert {"shorten a lock", "turn the lock into a governance lock", "switch versioning off"} <= set(failed(moto))
    ministack, _ = judge(clock, MINISTACK)
    assert (ministack.verdict, ministack.reason.split(":")[0]) == ("not worm", "switch versioning off")


@pytest.mark.parametrize(
    ("forbidden", "control"),
    [
        ({"DeleteObject", "DeleteObjects"}, "control: bypass a governance lock"),
        ({"PutObjectRetention"}, "control: extend a lock"),
        ({"Bypass"}, "control: bypass a governance lock"),
        ({"PutBucketVersioning"}, "switch versioning off"),
    ],
)
def test_a_credential_that_may_not_even_try_proves_nothing(clock, forbidden, control):
    done, fake = judge(clock, forbidden=frozenset(forbidden))
    assert done.verdict == "degraded"
    assert done.reason.startswith(control)
    assert done.leftover == (sum(len(v) for v in fake.objects.values()))


def test_a_writer_with_the_least_rights_leaves_its_objects_and_no_verdict_of_worm(clock):
    done, _ = judge(clock, forbidden=frozenset({"DeleteObject", "DeleteObjects", "PutObjectRetention", "PutBucketVersioning"}))
    assert done.verdict == "degraded"
    assert done.leftover > 0
    assert all(probe.ok is not False for probe in done.probes if probe.grade == "critical")


def test_a_server_that_fails_while_it_is_tried_proves_nothing(clock):
    done, _ = judge(clock, down=frozenset({"DeleteObjects"}))
    probe = next(probe for probe in done.probes if "multi-delete" in probe.name)
    assert (probe.ok, done.verdict) == (None, "degraded")
    assert "nothing proven" in probe.outcome


def test_no_bucket_no_lock_or_no_server_gives_no_verdict(clock):
    with pytest.raises(StoreError, match="takes no object under a lock"):
        judge(clock, forbidden=frozenset({"PutObject"}))
    with pytest.raises(StoreError, match="did not answer"):
        judge(clock, ["silent"])
