"""The seam of the segment store: what a driver does, and what it says of bytes that it holds.

A driver reads back what it wrote before it gives a receipt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from tightrope.audit.errors import StoreError

_KEY = re.compile(r"[a-z0-9][a-z0-9._-]*(?:/[a-z0-9][a-z0-9._-]*)*")

LAST = "~"
"""Comes after every key."""


def check_key(key: str) -> str:
    """The key itself.

    Raises:
        StoreError: it is no key: lower-case words, digits, `.`, `_` and `-` between slashes.
    """
    if not _KEY.fullmatch(key):
        raise StoreError(f"{key!a} is no key of a segment store")
    return key


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a store says of bytes it holds, after reading them back. Plain values only: it is kept as JSON.

    Attributes:
        size: in bytes.
        worm: whether the store keeps its own administrators from removing it.
        version_id: S3 only: the version that was read back; a reader asks for this one, whatever lies on top of it.
        etag: S3 only.
        retain_until: S3 only: end of the compliance lock as the server gave it back, UTC, ISO 8601.
    """

    key: str
    sha256: str
    size: int
    worm: bool
    version_id: str | None = None
    etag: str | None = None
    retain_until: str | None = None


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """What kind of store it is, in words for status, export and console."""

    kind: str
    worm: bool
    text: str


class SegmentStore(Protocol):
    """Keeps bytes under a key, once. Calls block; the sealer makes them in a thread."""

    def put(self, key: str, data: bytes) -> Receipt:
        """Keep bytes; the same bytes again are harmless.

        Raises:
            WriteOnceViolation: the key holds other bytes.
            StoreError: not kept, or read back differently.
        """
        ...

    def get(self, key: str) -> bytes | None:
        """The bytes under a key, or None. Raises StoreError when the store cannot be read."""
        ...

    def keys(self, prefix: str, *, after: str = "", before: str = LAST) -> Iterator[str]:
        """Every key below the folder `prefix`, however deep; in order within a folder.

        Args:
            after, before: only keys between these two, neither of them included, in the order of their characters. What lies outside costs next to nothing.

        Raises:
            StoreError: the store cannot be listed.
        """
        ...

    def describe(self) -> StoreInfo:
        """What kind of store this is. Asks no server."""
        ...
