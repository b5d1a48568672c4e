"""The attempts of the self-test on a bucket: each makes an object, tries one thing, and looks at what is left."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from tightrope.audit.errors import StoreError
from tightrope.audit.stores.s3 import Place, server_of
from tightrope.infra.clock import Clock
from tightrope.infra.s3 import S3Client, S3Refused

Grade = Literal["critical", "lesser", "control", "note"]
"""critical: a failure means not WORM. lesser: a failure means degraded. control: shows that the rest proves something. note: counts for nothing."""

FOLDER = "selftest"
CLOCK_SECONDS = 60.0
"""How far the server's clock may be off."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt: in words, and whether it went as it has to (None: it proves nothing)."""

    text: str
    ok: bool | None


@dataclass(frozen=True, slots=True)
class _Made:
    """An object under a short lock."""

    key: str
    version: str
    data: bytes
    until: datetime


@dataclass(frozen=True, slots=True)
class _Answer:
    """The server's answer to an attempt.

    Attributes:
        allowed: None where the server failed (5xx): neither allowed nor refused.
    """

    allowed: bool | None
    text: str
    code: str
    body: dict[str, Any]


class Run:
    """One self-test under way."""

    def __init__(
        self, client: S3Client, place: Place, *, clock: Clock, lock_seconds: int, sleep: Callable[[float], None]
    ) -> None:
        self.client = client
        self.bucket = place.bucket
        self.server = ""
        self._place = place
        self._clock = clock
        self._seconds = lock_seconds
        self._sleep = sleep
        self._folder = f"{FOLDER}/{secrets.token_hex(8)}"
        self._latest = clock.now()
        self._first: _Made | None = None

    def soon(self, seconds: float) -> datetime:
        """A time from now, in whole seconds."""
        at = (self._clock.now() + timedelta(seconds=seconds)).replace(microsecond=0)
        self._latest = max(self._latest, at)
        return at

    def key(self, name: str) -> str:
        """A key in this run's own folder."""
        return f"{self._folder}/{name}"

    def made(self, name: str, *, mode: str = "COMPLIANCE") -> _Made:
        """A new object under a short lock.

        Raises:
            StoreError: the bucket does not take it.
        """
        data, until = secrets.token_bytes(64), self.soon(self._seconds)
        answer = self.ask(lambda: self.client.put_object(**self.put_arguments(name, data, until, mode=mode)))
        if not answer.allowed:
            raise StoreError(
                f"{self._place.name} takes no object under a lock ({answer.text}); is Object Lock on, and may this credential write? (docs/worm.md)"
            )
        return _Made(self.key(name), str(answer.body.get("VersionId", "null")), data, until)

    def put_arguments(self, name: str, data: bytes, until: datetime, *, mode: str = "COMPLIANCE") -> dict[str, Any]:
        """Arguments of a PUT as the driver makes it."""
        md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode("ascii")
        return {
            "Bucket": self.bucket,
            "Key": self.key(name),
            "Body": data,
            "ContentMD5": md5,
            "ObjectLockMode": mode,
            "ObjectLockRetainUntilDate": until,
        }

    def lock_is_kept(self) -> Outcome:
        """The first probe: without it no other means anything."""
        self._first = made = self.made("first")
        problem = self.problem_of(made)
        return Outcome(problem or "kept and given back", problem is None)

    def ask(self, call: Callable[[], dict[str, Any]]) -> _Answer:
        """The server's answer, also where it refuses.

        Raises:
            StoreError: there is none.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            body = call()
        except ClientError as error:
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            code = str(error.response.get("Error", {}).get("Code", ""))
            if 400 <= status < 500:
                return _Answer(allowed=False, text=f"refused ({status} {code})", code=code, body={})
            return _Answer(allowed=None, text=f"the server failed ({status} {code})", code=code, body={})
        except (BotoCoreError, S3Refused) as error:
            raise StoreError(f"{self._place.name} did not answer the self-test: {error}") from error
        self.server = self.server or server_of(body)
        refused = body.get("Errors")
        if refused:
            code = str(refused[0].get("Code", ""))
            return _Answer(allowed=False, text=f"refused ({code})", code=code, body=body)
        return _Answer(allowed=True, text="allowed", code="", body=body)

    def problem_of(self, made: _Made) -> str | None:
        """What is wrong with a locked version now, or None: its bytes are there and its lock is at least as strong."""
        which = {"Bucket": self.bucket, "Key": made.key, "VersionId": made.version}
        read = self.ask(lambda: {"data": self.client.get_object(**which)["Body"].read()})
        if not read.allowed:
            return f"the version is gone or cannot be read, {read.text}"
        if read.body["data"] != made.data:
            return "the version has other bytes"
        lock = self.ask(lambda: self.client.get_object_retention(**which))
        found = lock.body.get("Retention") or {}
        until = found.get("RetainUntilDate")
        if not lock.allowed or not isinstance(until, datetime):
            return f"the lock is gone or cannot be read, {lock.text}"
        if found.get("Mode") != "COMPLIANCE":
            return f"the lock is {found.get('Mode')} instead of COMPLIANCE"
        if until < made.until:
            return f"the lock ends {(made.until - until).total_seconds():.0f} s earlier"
        return None

    def stands(self, made: _Made, answer: _Answer) -> Outcome:
        """What an attempt on a locked version came to: what is left decides, not the answer."""
        problem = self.problem_of(made)
        if problem is not None:
            return Outcome(f"{answer.text}: {problem}", ok=False)
        if answer.allowed is None:
            return Outcome(f"{answer.text}; nothing lost, nothing proven", ok=None)
        return Outcome(answer.text if not answer.allowed else "the locked version stands", ok=True)

    def clean_up(self) -> tuple[Outcome, int]:
        """Wait for the end of the locks and remove everything.

        Returns:
            Whether a version could be deleted after its lock, and how many versions are left.
        """
        wait = (self._latest - self._clock.now()).total_seconds() + 1.5
        self._sleep(max(wait, 0.0))
        ended = Outcome("not tried", ok=None)
        if self._first is not None:
            answer = self.ask(lambda: self.delete(self._first) if self._first else {})
            ended = Outcome(answer.text, ok=answer.allowed is True)
        left = 0
        for row in self._rows():
            which = {"Bucket": self.bucket, "Key": row["Key"], "VersionId": row["VersionId"]}
            left += not self.ask(lambda which=which: self.client.delete_object(**which)).allowed  # type: ignore[misc]
        return ended, left

    def delete(self, made: _Made, **more: Any) -> dict[str, Any]:
        """Delete a version."""
        return self.client.delete_object(Bucket=self.bucket, Key=made.key, VersionId=made.version, **more)

    def retain(self, made: _Made, mode: str, until: datetime, **more: Any) -> dict[str, Any]:
        """Change a version's lock."""
        retention = {"Mode": mode, "RetainUntilDate": until}
        return self.client.put_object_retention(
            Bucket=self.bucket, Key=made.key, VersionId=made.version, Retention=retention, **more
        )

    def server_clock(self) -> timedelta | None:
        """How far the server's clock is ahead of ours."""
        answer = self.ask(lambda: self.client.list_object_versions(Bucket=self.bucket, Prefix=self._folder, MaxKeys=1))
        date = answer.body.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        return parsedate_to_datetime(date).astimezone(UTC) - self._clock.now() if date else None

    def _rows(self) -> list[dict[str, Any]]:
        page = self.ask(lambda: self.client.list_object_versions(Bucket=self.bucket, Prefix=f"{self._folder}/")).body
        return [*(page.get("Versions") or []), *(page.get("DeleteMarkers") or [])]


def _delete(run: Run) -> Outcome:
    made = run.made("delete")
    return run.stands(made, run.ask(lambda: run.delete(made)))


def _delete_bypass(run: Run) -> Outcome:
    made = run.made("delete-bypass")
    return run.stands(made, run.ask(lambda: run.delete(made, BypassGovernanceRetention=True)))


def _delete_many(run: Run) -> Outcome:
    made = run.made("delete-many")
    objects = {"Objects": [{"Key": made.key, "VersionId": made.version}]}
    ask = run.ask(lambda: run.client.delete_objects(Bucket=run.bucket, Delete=objects, BypassGovernanceRetention=True))
    return run.stands(made, ask)


def _shorten(run: Run) -> Outcome:
    made = run.made("shorten")
    return run.stands(made, run.ask(lambda: run.retain(made, "COMPLIANCE", _earlier(made))))


def _shorten_bypass(run: Run) -> Outcome:
    made = run.made("shorten-bypass")
    change = run.ask(lambda: run.retain(made, "COMPLIANCE", _earlier(made), BypassGovernanceRetention=True))
    return run.stands(made, change)


def _downgrade(run: Run) -> Outcome:
    made = run.made("downgrade")
    return run.stands(made, run.ask(lambda: run.retain(made, "GOVERNANCE", made.until, BypassGovernanceRetention=True)))


def _overwrite(run: Run) -> Outcome:
    made = run.made("overwrite")
    other = run.put_arguments("overwrite", b"other bytes", run.soon(5))
    return run.stands(made, run.ask(lambda: run.client.put_object(**other)))


def _hide(run: Run) -> Outcome:
    made = run.made("hide")
    return run.stands(made, run.ask(lambda: run.client.delete_object(Bucket=run.bucket, Key=made.key)))


def _suspend(run: Run) -> Outcome:
    status = {"Status": "Suspended"}
    answer = run.ask(lambda: run.client.put_bucket_versioning(Bucket=run.bucket, VersioningConfiguration=status))
    if answer.allowed:
        back = {"Status": "Enabled"}
        run.ask(lambda: run.client.put_bucket_versioning(Bucket=run.bucket, VersioningConfiguration=back))
        return Outcome("allowed: versioning could be switched off (it is on again)", ok=False)
    if answer.allowed is None or answer.code == "AccessDenied":
        return Outcome(f"{answer.text}: this credential may not ask for it, so it proves nothing", ok=None)
    return Outcome(answer.text, ok=True)


def _past(run: Run) -> Outcome:
    return _refused(run, run.put_arguments("past", b"past", run.soon(-3600)))


def _wrong_md5(run: Run) -> Outcome:
    arguments = run.put_arguments("md5", b"these bytes", run.soon(5))
    arguments["ContentMD5"] = base64.b64encode(hashlib.md5(b"others", usedforsecurity=False).digest()).decode("ascii")
    return _refused(run, arguments)


def _wrong_checksum(run: Run) -> Outcome:
    arguments = run.put_arguments("checksum", b"these bytes", run.soon(5))
    arguments["ChecksumSHA256"] = base64.b64encode(hashlib.sha256(b"others").digest()).decode("ascii")
    outcome = _refused(run, arguments)
    return Outcome(outcome.text, outcome.ok or None)


def _multipart(run: Run) -> Outcome:
    arguments = run.put_arguments("parts", b"", run.soon(5))
    which = {"Bucket": run.bucket, "Key": arguments["Key"]}
    lock = {name: arguments[name] for name in ("ObjectLockMode", "ObjectLockRetainUntilDate")}
    begun = run.ask(lambda: run.client.create_multipart_upload(**which, **lock))
    if not begun.allowed:
        return Outcome(f"not tried, {begun.text}", ok=None)
    upload = {**which, "UploadId": begun.body["UploadId"]}
    md5 = base64.b64encode(hashlib.md5(b"part", usedforsecurity=False).digest()).decode("ascii")
    part = run.ask(lambda: run.client.upload_part(**upload, PartNumber=1, Body=b"part", ContentMD5=md5))
    parts = {"Parts": [{"PartNumber": 1, "ETag": part.body.get("ETag", "")}]}
    done = run.ask(lambda: run.client.complete_multipart_upload(**upload, MultipartUpload=parts))
    if not done.allowed:
        return Outcome(f"not tried, {done.text}", ok=None)
    version = {"VersionId": done.body["VersionId"]} if done.body.get("VersionId") else {}
    kept = run.ask(lambda: run.client.get_object_retention(**which, **version)).body.get("Retention")
    return Outcome("the lock is kept", ok=True) if kept else Outcome("the lock is silently dropped", ok=None)


def _clock(run: Run) -> Outcome:
    ahead = run.server_clock()
    if ahead is None:
        return Outcome("the server tells no time", ok=None)
    seconds = ahead.total_seconds()
    return Outcome(f"{seconds:+.0f} s from ours", abs(seconds) <= CLOCK_SECONDS)


def _extend(run: Run) -> Outcome:
    made, later = run.made("extend"), run.soon(30)
    answer = run.ask(lambda: run.retain(made, "COMPLIANCE", later))
    problem = run.problem_of(_Made(made.key, made.version, made.data, later))
    return Outcome(answer.text if not problem else f"{answer.text}: {problem}", problem is None)


def _governance(run: Run) -> Outcome:
    made = run.made("governance", mode="GOVERNANCE")
    answer = run.ask(lambda: run.delete(made, BypassGovernanceRetention=True))
    return Outcome(answer.text, answer.allowed is True)


def _refused(run: Run, arguments: dict[str, Any]) -> Outcome:
    """What came of a PUT that has to be refused."""
    answer = run.ask(lambda: run.client.put_object(**arguments))
    return Outcome(answer.text, None if answer.allowed is None else not answer.allowed)


def _earlier(made: _Made) -> datetime:
    """Before the lock's end, and not in the past: that would be refused for another reason."""
    return made.until - timedelta(seconds=5)


PROBES: tuple[tuple[str, Grade, Callable[[Run], Outcome], str], ...] = (
    ("delete a locked version", "critical", _delete, "otherwise a record can be removed"),
    ("delete it with the bypass header", "critical", _delete_bypass, "the header is for governance locks only"),
    ("delete it by multi-delete, with bypass", "critical", _delete_many, "another way to the same deletion"),
    ("shorten a lock", "critical", _shorten, "otherwise a record is removed a moment later"),
    ("shorten a lock with the bypass header", "critical", _shorten_bypass, "the header is for governance locks only"),
    ("turn the lock into a governance lock", "critical", _downgrade, "a governance lock can be bypassed"),
    ("put other bytes under the same key", "critical", _overwrite, "makes a new version; the locked one must stand"),
    ("put a delete marker on the key", "critical", _hide, "hides the key; the locked version must stand"),
    ("switch versioning off", "critical", _suspend, "new objects would have no version to lock"),
    ("a lock that ends in the past", "lesser", _past, "a server that takes it does not check what it is asked"),
    ("bytes that do not match Content-MD5", "lesser", _wrong_md5, "damage on the way would be stored; the driver reads back"),
    ("the server's clock", "lesser", _clock, "it decides when a lock ends"),
    (
        "bytes that do not match x-amz-checksum-sha256",
        "note",
        _wrong_checksum,
        "not every server checks it; the driver reads back",
    ),
    ("multipart upload with lock headers", "note", _multipart, "why the driver sends each object in one PUT"),
)
"""Name, grade, attempt and meaning of each probe, in order."""

CONTROLS: tuple[tuple[str, Callable[[Run], Outcome], str], ...] = (
    ("control: extend a lock", _extend, "the credential may change locks, so the refusals to shorten came from the lock"),
    ("control: bypass a governance lock", _governance, "the credential may bypass, so those refusals came from compliance mode"),
)
