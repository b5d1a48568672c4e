"""Which segment store the settings name."""

from __future__ import annotations

from tightrope.audit.stores.folder import LocalFolderStore
from tightrope.audit.stores.models import SegmentStore
from tightrope.infra.settings import Settings


def store_from(settings: Settings) -> SegmentStore:
    """The segment store that the settings name."""
    return LocalFolderStore(settings.audit_store or settings.state_dir / "audit-segments")
