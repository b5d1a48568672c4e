"""The auditor of a bucket: is everything there that the index names, under the lock it was given, with the bytes it had?

The listing is held against the index as a whole. Bytes and locks are read of a random sample and of everything that was not read for 90 days, so that
a day's work stays small and nothing is left unread. `choose` and `held_against` are pure.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from tightrope.audit.errors import StoreError
from tightrope.audit.stores.s3 import Lock, StoredVersion

UNREAD_DAYS = 90
SAMPLE = 400

IGNORED = "selftest/"
"""What the self-test makes and may not always remove."""

_ADDRESS = re.compile(r"\.([0-9a-f]{64})(?:\.|$)")


class Bucket(Protocol):
    """What is asked of a bucket; `S3Store` is one."""

    def versions(self, prefix: str) -> Iterator[StoredVersion]: ...
    def read(self, key: str, version_id: str | None = None) -> bytes | None: ...
    def lock_of(self, key: str, version_id: str) -> Lock | None: ...


@dataclass(frozen=True, slots=True)
class Expected:
    """What the index says of one stored object.

    Attributes:
        version_id: None where the index does not know it.
        retain_until: end of the lock it was given; None where the index does not know it.
        read_at: when its bytes were last read and found right: at first when they were stored.
    """

    key: str
    sha256: str
    version_id: str | None
    retain_until: datetime | None
    read_at: datetime


@dataclass(frozen=True, slots=True)
class StoreFinding:
    """One thing that is wrong in the bucket.

    Attributes:
        kind: `missing`, `altered`, `lock`, `delete marker`, `other version` or `unknown`.
        detail: in a sentence.
    """

    kind: str
    key: str
    detail: str


@dataclass(frozen=True, slots=True)
class _Target:
    """A version whose bytes and lock are to be read."""

    key: str
    version_id: str
    sha256: str
    retain_until: datetime | None
    indexed: bool


@dataclass(slots=True)
class SampleReport:
    """Outcome of one run.

    Attributes:
        listed: versions in the bucket.
        expected: objects that the index names.
        due: of them, not read for 90 days.
        seed: chooses the same sample from the same index again.
        read: keys of the index whose bytes and lock were found right.
    """

    listed: int = 0
    expected: int = 0
    due: int = 0
    seed: int = 0
    tried: int = 0
    read: list[str] = field(default_factory=list)
    findings: list[StoreFinding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not self.findings


def choose(expected: Sequence[Expected], *, now: datetime, days: int, count: int, seed: int) -> tuple[list[str], list[str]]:
    """Keys to read: those not read for `days` days, and `count` others at random."""
    limit = now - timedelta(days=days)
    due = [item.key for item in expected if item.read_at <= limit]
    others = sorted(item.key for item in expected if item.read_at > limit)
    # Not a secret: the same seed has to choose the same sample again. Whoever could change the bucket learns of it only afterwards.
    return due, random.Random(seed).sample(others, min(count, len(others)))  # noqa: S311


def held_against(
    expected: Mapping[str, Expected], listed: Iterable[StoredVersion]
) -> tuple[list[StoreFinding], dict[str, StoredVersion], int]:
    """Hold the index against the listing.

    Returns:
        What is wrong; by key, the version that the index means, or else the oldest; and how many versions there are.
    """
    findings: list[StoreFinding] = []
    versions: dict[str, list[StoredVersion]] = {}
    for version in listed:
        if version.key.startswith(IGNORED):
            continue
        if version.marker:
            detail = f"a delete marker of {version.at:%Y-%m-%d %H:%M:%S} hides this key; nobody of ours deletes"
            findings.append(StoreFinding("delete marker", version.key, detail))
        else:
            versions.setdefault(version.key, []).append(version)
    meant: dict[str, StoredVersion] = {}
    for key, found in versions.items():
        named = expected[key].version_id if key in expected else None
        # Listed newest first: without a name in the index, the last one is the first that was stored.
        kept = meant[key] = next((version for version in found if version.version_id == named), found[-1])
        for other in found:
            # The same bytes twice are a writer that tried again.
            if (other.etag, other.size) != (kept.etag, kept.size):
                detail = f"other bytes were put under this key at {other.at:%Y-%m-%d %H:%M:%S} (version {other.version_id})"
                findings.append(StoreFinding("other version", key, detail))
    for key, item in expected.items():
        there = meant.get(key)
        if there is None or (item.version_id is not None and there.version_id != item.version_id):
            version_text = f"version {item.version_id}" if item.version_id else "every version"
            findings.append(StoreFinding("missing", key, f"the index names it, and {version_text} is gone from the bucket"))
    return findings, meant, sum(len(found) for found in versions.values())


def sample(
    bucket: Bucket, expected: Sequence[Expected], *, now: datetime, days: int = UNREAD_DAYS, count: int = SAMPLE, seed: int
) -> SampleReport:
    """Hold the index against the whole listing, then read the sample and all that is due.

    Objects that the index does not name (checkpoints, or segments just stored) are read by the hash in their name.

    Raises:
        StoreError: the bucket cannot be listed.
    """
    by_key = {item.key: item for item in expected}
    report = SampleReport(expected=len(by_key), seed=seed)
    report.findings, meant, report.listed = held_against(by_key, bucket.versions(""))
    gone = {finding.key for finding in report.findings if finding.kind == "missing"}
    due, others = choose([item for item in expected if item.key not in gone], now=now, days=days, count=count, seed=seed)
    report.due = len(due)
    for key in sorted([*due, *others]):
        item, version = by_key[key], meant[key]
        _look(bucket, _Target(key, version.version_id, item.sha256, item.retain_until, indexed=True), report)
    unknown = sorted(key for key in meant if key not in by_key)
    for key in sorted(random.Random(seed).sample(unknown, min(count, len(unknown)))):  # noqa: S311 - as above
        address = _ADDRESS.search(key)
        if address is None:
            report.findings.append(StoreFinding("unknown", key, "nothing of ours has such a name"))
            continue
        _look(bucket, _Target(key, meant[key].version_id, address.group(1), None, indexed=False), report)
    return report


def _look(bucket: Bucket, target: _Target, report: SampleReport) -> None:
    report.tried += 1
    before = len(report.findings)
    try:
        data, lock = bucket.read(target.key, target.version_id), bucket.lock_of(target.key, target.version_id)
    except StoreError as error:
        report.findings.append(StoreFinding("missing", target.key, f"cannot be read: {error}"))
        return
    if data is None:
        report.findings.append(
            StoreFinding("missing", target.key, f"listed, but version {target.version_id} cannot be read: its bytes are gone")
        )
    elif hashlib.sha256(data).hexdigest() != target.sha256:
        report.findings.append(
            StoreFinding("altered", target.key, f"version {target.version_id} has other bytes than were stored")
        )
    problem = _lock_problem(lock, target.retain_until) if data is not None else None
    if problem:
        report.findings.append(StoreFinding("lock", target.key, problem))
    if target.indexed and len(report.findings) == before:
        report.read.append(target.key)


def _lock_problem(lock: Lock | None, until: datetime | None) -> str | None:
    if lock is None:
        return "it has no lock"
    if lock.mode != "COMPLIANCE":
        return f"its lock is {lock.mode} instead of COMPLIANCE"
    if until is not None and lock.until < until:
        return f"its lock ends {lock.until:%Y-%m-%d %H:%M:%S}; it was given one until {until:%Y-%m-%d %H:%M:%S}"
    return None
