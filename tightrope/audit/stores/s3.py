"""Segments in an S3 bucket with Object Lock in compliance mode. The rules are those of docs/worm.md; each has its reason there.

A server's word is not enough: after the one PUT of an object the driver reads that version back, hashes it, and asks for its lock. Only then is
there a receipt. Whether the bucket may be called WORM is not the driver's to say either: a self-test tried to break it, or it is not.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import Any

from tightrope.audit.errors import StoreError, StoreRefused, WriteOnceViolation
from tightrope.audit.stores.models import LAST, Receipt, StoreInfo, check_key
from tightrope.audit.stores.verdict import KeptVerdict, why_not_worm
from tightrope.infra.clock import Clock
from tightrope.infra.s3 import S3Client, S3Refused

MAX_BYTES = 64 * 1024 * 1024
"""Largest object. It goes in one PUT: servers drop the lock of one that is sent in parts."""

UNENCRYPTED_LOCK = timedelta(days=1)
"""Longest lock on what is not encrypted."""

_ADDRESS = re.compile(r"\.([0-9a-f]{64})(?:\.|$)")


@dataclass(frozen=True, slots=True)
class Place:
    """Which bucket on which server."""

    endpoint: str
    bucket: str

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.bucket} at {self.endpoint}"


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One version of a key, or a delete marker on top of it, as the server lists it."""

    key: str
    version_id: str
    size: int
    etag: str
    at: datetime
    marker: bool


@dataclass(frozen=True, slots=True)
class Lock:
    """What the server says of a version's lock."""

    mode: str
    until: datetime


class S3Store:
    """A bucket with Object Lock. Blocks; at most 64 MiB an object."""

    def __init__(
        self,
        connect: Callable[[], S3Client],
        place: Place,
        *,
        lock: timedelta,
        encrypted: bool,
        clock: Clock,
        verdict: Callable[[], KeptVerdict | None],
        check_days: int = 30,
    ) -> None:
        """Set up the driver; asks no server yet.

        Args:
            connect: makes the client at the first use.
            lock: how long each object is kept; the server is asked for a little more (see `_margin`).
            encrypted: whether every customer's word in what will be written is encrypted.
            verdict: the kept outcome of the last self-test of this bucket.
            check_days: how old that may be.

        Raises:
            StoreRefused: a lock longer than a day on what is not encrypted.
        """
        if not encrypted and lock > UNENCRYPTED_LOCK:
            raise StoreRefused(
                f"a compliance lock of {lock.days} days on unencrypted payloads is refused: nobody, not even the firm under a court's order, could "
                f"erase them before {(clock.now() + lock):%Y-%m-%d}, because there is no key to destroy. Encrypt the payloads, or lock for a day at most"
            )
        self._connect = connect
        self._lock = lock
        self._clock = clock
        self._verdict = verdict
        self._check_days = check_days
        self._server: str | None = None
        self.place = place

    @cached_property
    def _client(self) -> S3Client:
        try:
            return self._connect()
        except S3Refused as error:
            raise StoreError(str(error)) from error

    def put(self, key: str, data: bytes) -> Receipt:
        """Keep bytes under a compliance lock, in one PUT; read that version and its lock back.

        The same bytes again make no second version while the first is locked long enough.

        Raises:
            WriteOnceViolation: the key holds other bytes.
            StoreError: too large, not taken, read back differently, or not locked as asked: treat it as not stored.
        """
        check_key(key)
        if len(data) > MAX_BYTES:
            raise StoreError(f"{key} has {len(data)} bytes; at most {MAX_BYTES} go into one PUT: write smaller segments")
        digest = hashlib.sha256(data)
        enough = self._clock.now() + self._lock
        kept = self._already(key, digest.hexdigest(), enough)
        return kept or self._write(key, data, enough)

    def get(self, key: str) -> bytes | None:
        """The bytes under a key, whatever was put or marked deleted on top of them later.

        A key that names the SHA-256 of its bytes gives the version that has it; another key, its first version.

        Raises:
            StoreError: the bucket cannot be read.
        """
        address = _ADDRESS.search(check_key(key))
        if address:
            newest = self.read(key)
            if newest is not None and hashlib.sha256(newest).hexdigest() == address.group(1):
                return newest
        first: bytes | None = None
        for version in self._versions_of(key):
            data = self.read(key, version.version_id)
            if data is not None and (address is None or hashlib.sha256(data).hexdigest() == address.group(1)):
                return data
            first = first if first is not None else data
        return first

    def keys(self, prefix: str, *, after: str = "", before: str = LAST) -> Iterator[str]:
        """Every key below the folder `prefix` and between `after` and `before`, in order; also those that a delete marker hides."""
        told = after
        for version in self.versions(f"{prefix}/", after=after):
            if version.key >= before:
                return
            # Not every server leaves out the versions of the key that the listing is to begin after.
            if not version.marker and version.key > told:
                told = version.key
                yield told

    def describe(self) -> StoreInfo:
        """WORM only with a passed self-test of this bucket on this server's version, not too old. Asks no server."""
        try:
            kept = self._verdict()
        except StoreError as error:
            return StoreInfo("s3", worm=False, text=f"S3 bucket {self.place.name}, NOT WORM: {error}")
        why_not = why_not_worm(kept, now=self._clock.now(), days=self._check_days, server=self._server)
        if why_not is None:
            return StoreInfo("s3", worm=True, text=f"S3 bucket {self.place.name}, WORM (Object Lock, compliance mode)")
        return StoreInfo("s3", worm=False, text=f"S3 bucket {self.place.name}, NOT WORM: {why_not}")

    def read(self, key: str, version_id: str | None = None) -> bytes | None:
        """The bytes of one version (None: the newest), or None where there is none.

        Raises:
            StoreError: the bucket cannot be read.
        """
        which = {} if version_id is None else {"VersionId": version_id}
        answer = self._call("reading " + key, lambda: self._get(key, which), absent=("NoSuchKey", "NoSuchVersion", "404"))
        return answer["data"] if answer else None

    def lock_of(self, key: str, version_id: str) -> Lock | None:
        """The lock of a version, or None where it has none.

        Raises:
            StoreError: the bucket cannot be asked.
        """
        answer = self._call(
            f"asking for the lock of {key}",
            lambda: self._client.get_object_retention(Bucket=self.place.bucket, Key=key, VersionId=version_id),
            absent=("NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError", "NoSuchKey", "NoSuchVersion", "404"),
        )
        found = (answer or {}).get("Retention") or {}
        until = found.get("RetainUntilDate")
        return Lock(str(found.get("Mode")), until) if isinstance(until, datetime) else None

    def versions(self, prefix: str, *, after: str = "") -> Iterator[StoredVersion]:
        """Every version and delete marker of the keys that begin with `prefix`, beyond the key `after`; by key, a key's newest first.

        Raises:
            StoreError: the bucket cannot be listed.
        """
        markers: dict[str, Any] = {"KeyMarker": after} if after else {}
        while True:
            list_page = partial(self._client.list_object_versions, Bucket=self.place.bucket, Prefix=prefix, **markers)
            page = self._call("listing " + prefix, list_page)
            assert page is not None  # noqa: S101 - None only where `absent` names a code
            found = [_version(row, marker=False) for row in page.get("Versions") or []]
            found += [_version(row, marker=True) for row in page.get("DeleteMarkers") or []]
            # The server lists the two kinds apart; of one key the newest comes first.
            yield from sorted(sorted(found, key=lambda version: version.at, reverse=True), key=lambda version: version.key)
            if not page.get("IsTruncated"):
                return
            markers = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}

    def _versions_of(self, key: str) -> list[StoredVersion]:
        """Versions of exactly this key, oldest first, without delete markers."""
        return [version for version in self.versions(key) if version.key == key and not version.marker][::-1]

    def _already(self, key: str, digest: str, enough: datetime) -> Receipt | None:
        versions = self._versions_of(key)
        same = [(version, data) for version in versions if (data := self._same(version, digest)) is not None]
        for version, data in same:
            lock = self.lock_of(key, version.version_id)
            if lock is not None and lock.mode == "COMPLIANCE" and lock.until >= enough:
                return self._receipt(key, digest, len(data), version.version_id, version.etag, lock)
        if versions and not same:
            raise WriteOnceViolation(f"{key} holds other bytes already; a stored segment is never written over")
        return None

    def _same(self, version: StoredVersion, digest: str) -> bytes | None:
        data = self.read(version.key, version.version_id)
        return data if data is not None and hashlib.sha256(data).hexdigest() == digest else None

    def _write(self, key: str, data: bytes, enough: datetime) -> Receipt:
        digest = hashlib.sha256(data)
        until = _whole_second(enough + self._margin)
        answer = self._call(
            "storing " + key,
            lambda: self._client.put_object(
                Bucket=self.place.bucket,
                Key=key,
                Body=data,
                # Some servers check the one, some the other, some neither; so the bytes are read back as well.
                ContentMD5=base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode("ascii"),
                ChecksumSHA256=base64.b64encode(digest.digest()).decode("ascii"),
                ObjectLockMode="COMPLIANCE",
                ObjectLockRetainUntilDate=until,
            ),
        )
        assert answer is not None  # noqa: S101 - None only where `absent` names a code
        self._server = server_of(answer)
        version = answer.get("VersionId")
        if not version or version == "null":
            raise StoreError(
                f"{key} was stored without a version: versioning is off in {self.place.name}; see docs/worm.md, Set-up"
            )
        back = self.read(key, version)
        if back is None or hashlib.sha256(back).digest() != digest.digest():
            raise StoreError(
                f"{key} was read back differently from {self.place.name}; it counts as not stored: look at that server"
            )
        lock = self.lock_of(key, version)
        if lock is None or lock.mode != "COMPLIANCE" or lock.until < until:
            has = "no lock" if lock is None else f"{lock.mode} until {lock.until:%Y-%m-%d %H:%M:%S}"
            raise StoreError(
                f"{key} was stored in {self.place.name} with {has} instead of COMPLIANCE until {until:%Y-%m-%d %H:%M:%S}; "
                "it counts as not stored: run `tightrope audit store check`"
            )
        return self._receipt(key, digest.hexdigest(), len(data), version, str(answer.get("ETag", "")).strip('"'), lock)

    @property
    def _margin(self) -> timedelta:
        """What is asked for beyond the lock, so that the same bytes a little later find a lock that is long enough."""
        return min(self._lock / 10, timedelta(days=1))

    def _receipt(self, key: str, digest: str, size: int, version: str, etag: str, lock: Lock) -> Receipt:
        until = lock.until.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return Receipt(key, digest, size, self.describe().worm, version, etag, until)

    def _get(self, key: str, which: dict[str, str]) -> dict[str, Any]:
        answer = self._client.get_object(Bucket=self.place.bucket, Key=key, **which)
        # Read inside, so that a body that breaks off is an error like every other.
        return {"data": answer["Body"].read()}

    def _call(self, what: str, ask: Callable[[], dict[str, Any]], absent: tuple[str, ...] = ()) -> dict[str, Any] | None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return ask()
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in absent:
                return None
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            raise StoreError(
                f"{self.place.name} refused {what} (HTTP {status}, {code or 'no reason given'}){_advice(code)}"
            ) from error
        except (BotoCoreError, S3Refused) as error:
            raise StoreError(f"{self.place.name} did not answer, {what}: {error}") from error


def server_of(answer: dict[str, Any]) -> str:
    """The name and version that a server gives in its answers; empty where it gives none."""
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return str(headers.get("server", ""))


def _advice(code: str) -> str:
    if code in {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}:
        return ": check the secrets audit_s3_access_key and audit_s3_secret_key and the writer's rights (docs/worm.md, Rights)"
    if code == "NoSuchBucket":
        return ": make the bucket with Object Lock first (docs/worm.md, Set-up)"
    if code == "InvalidRequest":
        return ": is Object Lock on in this bucket? (docs/worm.md, Set-up)"
    return ""


def _version(row: dict[str, Any], *, marker: bool) -> StoredVersion:
    etag = str(row.get("ETag", "")).strip('"')
    return StoredVersion(str(row["Key"]), str(row["VersionId"]), int(row.get("Size", 0)), etag, row["LastModified"], marker)


def _whole_second(at: datetime) -> datetime:
    """Up to the next whole second: servers keep no fractions."""
    return (at + timedelta(microseconds=999_999)).replace(microsecond=0)
