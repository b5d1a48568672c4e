"""What whoever runs the S3 server can still do to a locked object, and that the sample names it: an Object Lock is no lock against its keeper."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import botocore.auth
import pytest
from botocore.exceptions import ClientError
from ceph_server import ceph_server
from loopback import free_port
from worm_account import Account

from tightrope.audit.errors import StoreError
from tightrope.audit.stores.sampling import Expected, sample

pytestmark = [pytest.mark.integration, pytest.mark.long]

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


def stored(account, count: int = 3) -> list[Expected]:
    """Some segments in the bucket, as the index has them."""
    made = []
    for number in range(count):
        data = f"segment {number} ".encode() * 100
        key = f"seg/2026/{number:012}-{number:012}.{hashlib.sha256(data).hexdigest()}.jsonl"
        receipt = account.store().put(key, data)
        until = datetime.fromisoformat(receipt.retain_until)
        made.append(Expected(key, receipt.sha256, receipt.version_id, until, datetime.now(UTC)))
    return made


def found(account, index: list[Expected]) -> list[tuple[str, str]]:
    report = sample(account.store(), index, now=datetime.now(UTC), seed=1)
    return [(finding.kind, finding.key) for finding in report.findings]


def remove_one(account, target: Expected) -> None:
    account.server.admin(
        "object", "rm", "--bucket", account.place.bucket, "--object", target.key, "--object-version", target.version_id
    )


def remove_its_bytes(account, target: Expected) -> None:
    """Below the gateway: the object's data in its pool; the gateway's listing still names it."""
    pool = "default.rgw.buckets.data"
    name = next(
        n
        for n in account.server.command("rados", "-p", pool, "ls").splitlines()
        if n.endswith(target.key) and target.version_id in n
    )
    account.server.command("rados", "-p", pool, "rm", name)


def change_its_bytes(account, target: Expected) -> None:
    pool = "default.rgw.buckets.data"
    name = next(
        n
        for n in account.server.command("rados", "-p", pool, "ls").splitlines()
        if n.endswith(target.key) and target.version_id in n
    )
    size = len(account.store().read(target.key, target.version_id))
    forged = account.server.folder / "forged"
    forged.write_bytes(b"forged".ljust(size, b"."))
    # `put` would take the object's attributes with it; written in place they stay, and so does the lock.
    account.server.command("rados", "-p", pool, "put", name, str(forged), "--offset", "0")


@pytest.mark.parametrize(
    ("attack", "kind"), [(remove_one, "missing"), (remove_its_bytes, "missing"), (change_its_bytes, "altered")]
)
def test_one_object_destroyed_or_changed_behind_the_api_is_named(account, attack: Callable, kind: str):
    index = stored(account)
    assert found(account, index) == []
    attack(account, index[1])
    assert found(account, index) == [(kind, index[1].key)]


def test_the_purge_of_a_whole_bucket_is_an_error_and_not_an_empty_report(account):
    index = stored(account)
    account.server.admin("bucket", "rm", "--bucket", account.place.bucket, "--purge-objects", "--bypass-gc")
    with pytest.raises(StoreError, match="NoSuchBucket"):
        found(account, index)
    account.client.create_bucket(Bucket=account.place.bucket, ObjectLockEnabledForBucket=True)
    assert found(account, index) == [("missing", item.key) for item in index]


def test_the_purge_of_the_user_is_an_error(account):
    index = stored(account)
    account.server.admin("user", "rm", "--uid", account.name, "--purge-data")
    with pytest.raises(StoreError, match="InvalidAccessKeyId"):
        found(account, index)


def test_a_gateway_whose_clock_is_ahead_deletes_what_is_locked_and_the_sample_names_it(account, monkeypatch):
    assert FAKETIME is not None, "libfaketime is not installed (Debian, as root: bash deploy/ceph/install.sh --install)"
    index = stored(account)
    target, port = index[1], free_port()
    url = f"http://127.0.0.1:{port}"
    ahead = {"LD_PRELOAD": str(FAKETIME), "FAKETIME": "+10d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    arguments = ("radosgw", "-n", "client.rgw", f"--rgw-frontends=beast endpoint=127.0.0.1:{port}")
    process = account.server.start(*arguments, environment={**os.environ, **ahead})
    try:
        account.server.wait_for_gateway(process, url)
        client = account.client_for(*account.keys, url=url)
        which = {"Bucket": account.place.bucket, "Key": target.key, "VersionId": target.version_id}
        with pytest.raises(ClientError, match="RequestTimeTooSkewed"):
            client.delete_object(**which)
        now = botocore.auth.get_current_datetime
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *args, **kw: now(*args, **kw) + timedelta(days=10))
        client.delete_object(**which)
        monkeypatch.undo()
    finally:
        process.terminate()
        process.wait(30)
    assert found(account, index) == [("missing", target.key)]


def test_the_pool_deleted_leaves_nothing_that_can_be_read(ceph, tmp_path):
    """On a server of its own: it takes the bytes of every bucket with it."""
    with ceph_server(tmp_path / "c") as server:
        account = Account(server, "firm")
        index = stored(account)
        pool = "default.rgw.buckets.data"
        server.command("ceph", "config", "set", "mon", "mon_allow_pool_delete", "true")
        server.command("ceph", "osd", "pool", "delete", pool, pool, "--yes-i-really-really-mean-it")
        server.command("ceph", "osd", "pool", "create", pool, "8")
        server.command("ceph", "osd", "pool", "application", "enable", pool, "rgw")
        assert found(account, index) == [("missing", item.key) for item in index]
