"""Which segment store the settings name."""

from __future__ import annotations

from datetime import timedelta
from math import ceil

from tightrope.audit.leaf import retention
from tightrope.audit.stores.folder import LocalFolderStore
from tightrope.audit.stores.models import SegmentStore
from tightrope.audit.stores.s3 import Place, S3Store
from tightrope.audit.stores.verdict import KeptVerdict, VerdictFile
from tightrope.infra.clock import clock_from
from tightrope.infra.s3 import S3Client, s3_client
from tightrope.infra.settings import Settings

PAYLOADS_ENCRYPTED = True
"""The recorder has no other form: a segment holds leaves without personal data, and ciphertext (docs/audit-formats.md, Leaf)."""


def store_from(settings: Settings) -> SegmentStore:
    """The segment store that the settings name; asks no server and reads no secret before its first use."""
    if settings.audit_s3_url:
        return s3_store(settings)
    return LocalFolderStore(settings.audit_store or settings.state_dir / "audit-segments")


def s3_store(settings: Settings) -> S3Store:
    """The bucket that the settings name."""
    place = place_of(settings)
    kept = VerdictFile(settings.state_dir)

    def verdict() -> KeptVerdict | None:
        return kept.read(place.endpoint, place.bucket)

    return S3Store(
        lambda: writer_client(settings),
        place,
        lock=lock_of(settings),
        encrypted=PAYLOADS_ENCRYPTED,
        clock=clock_from(settings),
        verdict=verdict,
        check_days=settings.audit_worm_check_days,
    )


def lock_of(settings: Settings) -> timedelta:
    """How long each object is locked: the setting, or the longest class of retention.json."""
    days = settings.audit_retention_days or ceil(max(retention(settings.audit_retention_file).values()) * 365.25)
    return timedelta(days=days)


def place_of(settings: Settings) -> Place:
    """Server and bucket."""
    return Place(settings.audit_s3_url.rstrip("/"), settings.audit_s3_bucket)


def writer_client(settings: Settings) -> S3Client:
    """A client with the writer's rights."""
    return _client(settings, "audit_s3", "the segment store")


def checker_client(settings: Settings) -> S3Client:
    """A client for the self-test, with rights to try what must be refused; the writer's where no other is given."""
    return _client(settings, "audit_s3_check" if has_checker(settings) else "audit_s3", "the self-test of the segment store")


def has_checker(settings: Settings) -> bool:
    """Whether the self-test has a credential of its own."""
    return (settings.secrets_path / "audit_s3_check_access_key").exists()


def _client(settings: Settings, secrets: str, purpose: str) -> S3Client:
    access = settings.secret(f"{secrets}_access_key").get_secret_value()
    secret = settings.secret(f"{secrets}_secret_key").get_secret_value()
    return s3_client(settings, access_key=access, secret_key=secret, purpose=purpose)
