"""A small S3 server in memory that keeps Object Lock as AWS describes it, and misbehaves in one named way at a time."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime

from botocore.exceptions import ClientError, EndpointConnectionError

from tightrope.infra.clock import FixedClock

MOTO = frozenset(
    {
        "shortens",
        "downgrades",
        "breaks after a downgrade",
        "suspends",
        "takes the past",
        "ignores md5",
        "multipart drops the lock",
    }
)
"""moto 5.2.5, as measured."""
MINISTACK = frozenset({"suspends", "takes the past", "multipart drops the lock"})
"""ministack 1.5.33, as measured."""


@dataclass
class Version:
    version_id: str
    data: bytes
    at: datetime
    mode: str | None = None
    until: datetime | None = None
    marker: bool = False


@dataclass
class FakeS3:
    """Methods named as botocore's. `faults`: see where each is asked for; `down`: names of methods that answer 503."""

    clock: FixedClock
    faults: frozenset[str] = frozenset()
    down: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()
    server: str = "Fake 1"
    page: int = 1000
    objects: dict[str, list[Version]] = field(default_factory=dict)
    calls: list[tuple[str, dict]] = field(default_factory=list)
    versioning: str = "Enabled"
    _ids: itertools.count = field(default_factory=itertools.count)

    def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def put_object(self, **asked):
        self._begin("PutObject", asked)
        if "takes the past" not in self.faults and asked["ObjectLockRetainUntilDate"] <= self.clock.now():
            self._refuse("PutObject", 400, "InvalidRequest")
        self._check_md5(asked)
        sha256 = asked.get("ChecksumSHA256")
        if (
            sha256 not in {None, base64.b64encode(hashlib.sha256(asked["Body"]).digest()).decode()}
            and "ignores sha256" not in self.faults
        ):
            self._refuse("PutObject", 400, "BadDigest")
        data = b"\0" + asked["Body"][1:] if "other bytes" in self.faults else asked["Body"]
        mode, until = asked["ObjectLockMode"], asked["ObjectLockRetainUntilDate"]
        if "drops the lock" in self.faults:
            mode, until = None, None
        elif "governance" in self.faults:
            mode = "GOVERNANCE"
        elif "locks shorter" in self.faults:
            until -= timedelta(seconds=1)
        made = self._add(asked["Key"], data, mode, until)
        if "overwrites" in self.faults:
            self.objects[asked["Key"]] = [made]
        version = {} if "no version" in self.faults else {"VersionId": made.version_id}
        return self._answer({"ETag": f'"{_etag(data)}"', **version})

    def get_object(self, **asked):
        self._begin("GetObject", asked)
        version = self._find("GetObject", asked)
        if version.mode == "broken":
            self._refuse("GetObject", 500, "InternalError")
        return self._answer({"Body": io.BytesIO(version.data)})

    def get_object_retention(self, **asked):
        self._begin("GetObjectRetention", asked)
        version = self._find("GetObjectRetention", asked)
        if version.mode is None:
            self._refuse("GetObjectRetention", 404, "NoSuchObjectLockConfiguration")
        return self._answer({"Retention": {"Mode": version.mode, "RetainUntilDate": version.until}})

    def put_object_retention(self, **asked):
        self._begin("PutObjectRetention", asked)
        version, wanted = self._find("PutObjectRetention", asked), asked["Retention"]
        if version.mode == "COMPLIANCE" and self._locked(version):
            shorter = wanted["RetainUntilDate"] < version.until
            weaker = wanted["Mode"] != "COMPLIANCE"
            bypass = "shortens with bypass" in self.faults and asked.get("BypassGovernanceRetention")
            if (shorter and "shortens" not in self.faults and not bypass) or (weaker and "downgrades" not in self.faults):
                self._refuse("PutObjectRetention", 403, "AccessDenied")
        version.mode, version.until = wanted["Mode"], wanted["RetainUntilDate"]
        if version.mode == "GOVERNANCE" and "breaks after a downgrade" in self.faults:
            version.mode = "broken"
        return self._answer({})

    def delete_object(self, **asked):
        self._begin("DeleteObject", asked)
        if "VersionId" not in asked:
            if "marker deletes" in self.faults:
                self.objects.pop(asked["Key"], None)
            self._add(asked["Key"], b"", None, None, marker=True)
            return self._answer({"DeleteMarker": True})
        if not self._deletable(asked["Key"], asked["VersionId"], asked.get("BypassGovernanceRetention", False)):
            self._refuse("DeleteObject", 403, "AccessDenied")
        return self._answer({})

    def delete_objects(self, **asked):
        self._begin("DeleteObjects", asked)
        errors = [
            {"Key": one["Key"], "Code": "AccessDenied"}
            for one in asked["Delete"]["Objects"]
            if not self._deletable(one["Key"], one["VersionId"], asked.get("BypassGovernanceRetention", False), many=True)
        ]
        return self._answer({"Errors": errors} if errors else {})

    def put_bucket_versioning(self, **asked):
        self._begin("PutBucketVersioning", asked)
        status = asked["VersioningConfiguration"]["Status"]
        if status == "Suspended" and "suspends" not in self.faults:
            self._refuse("PutBucketVersioning", 409, "InvalidBucketState")
        self.versioning = status
        return self._answer({})

    def list_object_versions(self, **asked):
        self._begin("ListObjectVersions", asked)
        rows = [
            (key, version)
            for key in sorted(self.objects)
            if key.startswith(asked["Prefix"])
            for version in reversed(self.objects[key])
        ]
        if "KeyMarker" in asked and "VersionIdMarker" not in asked:
            rows = [
                (key, version)
                for key, version in rows
                if key > asked["KeyMarker"] or ("marker included" in self.faults and key == asked["KeyMarker"])
            ]
        elif "KeyMarker" in asked:
            at = next(
                i for i, (key, v) in enumerate(rows) if (key, v.version_id) == (asked["KeyMarker"], asked["VersionIdMarker"])
            )
            rows = rows[at + 1 :]
        more, rows = len(rows) > self.page, rows[: self.page]
        answer = {
            "Versions": [_row(k, v) for k, v in rows if not v.marker],
            "DeleteMarkers": [_row(k, v) for k, v in rows if v.marker],
        }
        if more:
            answer |= {"IsTruncated": True, "NextKeyMarker": rows[-1][0], "NextVersionIdMarker": rows[-1][1].version_id}
        return self._answer(answer)

    def create_multipart_upload(self, **asked):
        self._begin("CreateMultipartUpload", asked)
        self._upload = asked
        return self._answer({"UploadId": "u1"})

    def upload_part(self, **asked):
        self._begin("UploadPart", asked)
        self._part = asked["Body"]
        return self._answer({"ETag": '"e"'})

    def complete_multipart_upload(self, **asked):
        self._begin("CompleteMultipartUpload", asked)
        mode, until = self._upload["ObjectLockMode"], self._upload["ObjectLockRetainUntilDate"]
        lock = (None, None) if "multipart drops the lock" in self.faults else (mode, until)
        return self._answer({"VersionId": self._add(asked["Key"], self._part, *lock).version_id})

    def count(self, name: str) -> int:
        """How often an operation was asked for."""
        return sum(called == name for called, _ in self.calls)

    def _begin(self, name: str, asked: dict) -> None:
        self.calls.append((name, asked))
        if "silent" in self.faults:
            raise EndpointConnectionError(endpoint_url="http://s3")
        if name in self.down:
            self._refuse(name, 503, "SlowDown")
        if name in self.forbidden or (asked.get("BypassGovernanceRetention") and "Bypass" in self.forbidden):
            self._refuse(name, 403, "AccessDenied")

    def _refuse(self, name: str, status: int, code: str) -> None:
        raise ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, name)

    def _answer(self, body: dict) -> dict:
        ahead = timedelta(days=10) if "clock ahead" in self.faults else timedelta()
        headers = {"server": self.server, "date": format_datetime(self.clock.now() + ahead, usegmt=True)}
        if "no clock" in self.faults:
            del headers["date"]
        return {**body, "ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": headers}}

    def _check_md5(self, asked: dict) -> None:
        if (
            asked["ContentMD5"] != base64.b64encode(hashlib.md5(asked["Body"]).digest()).decode()
            and "ignores md5" not in self.faults
        ):
            self._refuse("PutObject", 400, "BadDigest")

    def _add(self, key: str, data: bytes, mode, until, *, marker: bool = False) -> Version:
        made = Version(f"v{next(self._ids)}", data, self.clock.now(), mode, until, marker)
        self.objects.setdefault(key, []).append(made)
        return made

    def _find(self, operation: str, asked: dict) -> Version:
        versions = self.objects.get(asked["Key"], [])
        if "VersionId" in asked:
            versions = [version for version in versions if version.version_id == asked["VersionId"]]
        if not versions or versions[-1].marker:
            self._refuse(operation, 404, "NoSuchKey")
        return versions[-1]

    def _locked(self, version: Version) -> bool:
        return version.until is not None and version.until > self.clock.now()

    def _deletable(self, key: str, version_id: str, bypass: bool, *, many: bool = False) -> bool:
        for version in list(self.objects.get(key, [])):
            if version.version_id != version_id:
                continue
            ignored = (
                "deletes" in self.faults
                or ("deletes with bypass" in self.faults and bypass and not many)
                or ("deletes many" in self.faults and many)
            )
            governed = version.mode == "GOVERNANCE" and bypass
            if self._locked(version) and not ignored and not governed:
                return False
            self.objects[key].remove(version)
        return True


def _etag(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def _row(key: str, version: Version) -> dict:
    row = {"Key": key, "VersionId": version.version_id, "LastModified": version.at}
    return row if version.marker else {**row, "Size": len(version.data), "ETag": f'"{_etag(version.data)}"'}
