"""A user of the S3 server, with a bucket of its own that has Object Lock."""

from __future__ import annotations

from datetime import timedelta

from ceph_server import CephServer

from tightrope.audit.stores.s3 import Place, S3Store
from tightrope.infra.clock import SystemClock
from tightrope.infra.s3 import s3_client
from tightrope.infra.settings import Settings


class Account:
    """A user of the server with a bucket of its own that has Object Lock."""

    def __init__(self, server: CephServer, name: str) -> None:
        self.server = server
        self.name = name
        self.keys = server.user(name)
        self.settings = Settings(audit_s3_url=server.url, audit_s3_bucket=f"audit-{name}")
        self.place = Place(server.url, self.settings.audit_s3_bucket)
        self.client = self.client_for(*self.keys)
        self.client.create_bucket(Bucket=self.place.bucket, ObjectLockEnabledForBucket=True)

    def client_for(self, access_key: str, secret_key: str, url: str | None = None):
        settings = self.settings.model_copy(update={"audit_s3_url": url or self.server.url})
        return s3_client(settings, access_key=access_key, secret_key=secret_key, purpose="the test")

    def store(self, lock: timedelta = timedelta(days=3), client=None, bucket: str | None = None) -> S3Store:
        place = Place(self.server.url, bucket or self.place.bucket)
        return S3Store(lambda: client or self.client, place, lock=lock, encrypted=True, clock=SystemClock(), verdict=lambda: None)
