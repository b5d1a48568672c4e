"""Clients of S3 servers: botocore behind the allow-list, deaf to everything outside our settings.

botocore opens its own sockets and would follow a server's redirect to another host; each request is checked as it leaves. It would also read
`AWS_…` variables, `~/.aws` and the cloud's metadata address: none of them is asked.
"""

from __future__ import annotations

import os
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

from tightrope.infra.http import permitted
from tightrope.infra.settings import Settings

CONNECT_SECONDS = 3.0
READ_SECONDS = 20.0
ATTEMPTS = 3
"""Tries of one request, the first included; only for failures after which a request may be repeated."""

_PORTS = {"http": 80, "https": 443}


class S3Client(Protocol):
    """The part of S3's interface that is used, in botocore's names; each gives the parsed answer as a dict.

    Errors are botocore's: `ClientError` for an answer that refuses, `BotoCoreError` where none came.
    """

    def put_object(self, **kwargs: Any) -> dict[str, Any]: ...
    def get_object(self, **kwargs: Any) -> dict[str, Any]: ...
    def delete_object(self, **kwargs: Any) -> dict[str, Any]: ...
    def delete_objects(self, **kwargs: Any) -> dict[str, Any]: ...
    def get_object_retention(self, **kwargs: Any) -> dict[str, Any]: ...
    def put_object_retention(self, **kwargs: Any) -> dict[str, Any]: ...
    def put_bucket_versioning(self, **kwargs: Any) -> dict[str, Any]: ...
    def list_object_versions(self, **kwargs: Any) -> dict[str, Any]: ...
    def create_multipart_upload(self, **kwargs: Any) -> dict[str, Any]: ...
    def upload_part(self, **kwargs: Any) -> dict[str, Any]: ...
    def complete_multipart_upload(self, **kwargs: Any) -> dict[str, Any]: ...


class S3Refused(Exception):
    """The host is not on the allow-list (TIGHTROPE_ALLOWED_HOSTS). Add it there if the firm's policy allows it."""


def s3_client(settings: Settings, *, access_key: str, secret_key: str, purpose: str) -> S3Client:
    """A client of the server at `audit_s3_url`, path style, with bounded time-outs and tries.

    Args:
        purpose: what it is for, in a word or two; appears in refusals.

    Raises:
        S3Refused: the host is not on the allow-list; also from each call that a server redirects elsewhere.
    """
    import botocore.session
    from botocore.config import Config

    allow_list = settings.allow_list

    def check(url: str) -> None:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if not permitted(allow_list, host, parts.port or _PORTS.get(parts.scheme), purpose=purpose):
            raise S3Refused(f"{host} is not on the allow-list (TIGHTROPE_ALLOWED_HOSTS); {purpose} was not sent")

    check(settings.audit_s3_url)
    nowhere = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    session = botocore.session.Session(session_vars={"profile": (None, None, None, None), **nowhere})
    client = session.create_client(
        "s3",
        endpoint_url=settings.audit_s3_url,
        region_name=settings.audit_s3_region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        verify=str(settings.audit_s3_ca) if settings.audit_s3_ca else True,
        config=Config(
            signature_version="s3v4",
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
            proxies={},
            # We send the checksums ourselves; one of botocore's in a trailer would be refused under a lock.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"},
        ),
    )
    client.meta.events.register("before-send.s3", lambda request, **_: check(request.url))
    return cast("S3Client", client)
