"""The default store: a write-once folder, which is not WORM and says so."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tightrope.audit.errors import StoreError, WriteOnceViolation
from tightrope.audit.stores.models import LAST, Receipt, StoreInfo, check_key


class LocalFolderStore:
    """Write-once files in a folder: refuses to overwrite, but whoever owns the disk can delete. Not WORM."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, data: bytes) -> Receipt:
        """Keep bytes in a new file: written beside, flushed to the disk, made read-only, linked under its name, read back."""
        path = self._path(key)
        digest = hashlib.sha256(data).hexdigest()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                self._write(path, data)
            kept = path.read_bytes()
        except OSError as error:
            raise StoreError(f"the segment store did not take {key}: {error}") from error
        if hashlib.sha256(kept).hexdigest() != digest:
            raise WriteOnceViolation(f"{key} holds other bytes already; a stored segment is never overwritten")
        return Receipt(key=key, sha256=digest, size=len(data), worm=False)

    def get(self, key: str) -> bytes | None:
        """The bytes under a key, or None."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"the segment store did not give {key}: {error}") from error

    def keys(self, prefix: str, *, after: str = "", before: str = LAST) -> Iterator[str]:
        """Every key below the folder `prefix` and between `after` and `before`, in order. Folders outside are not looked into."""
        try:
            (self._folder / prefix).stat()  # a folder that is not there yet is empty; any other trouble is an error
            for folder, folders, names in os.walk(self._folder / prefix, onerror=_raise):
                here = Path(folder).relative_to(self._folder).as_posix() + "/"
                # The last key that can lie in a folder is beyond `after`, and its first is below `before`.
                folders[:] = sorted(name for name in folders if f"{here}{name}/{LAST}" > after and f"{here}{name}/" < before)
                for key in sorted(f"{here}{name}" for name in names if not name.startswith(".")):
                    if after < key < before:
                        yield key
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"the segment store cannot be listed: {error}") from error

    def describe(self) -> StoreInfo:
        """Says plainly that it is not WORM."""
        return StoreInfo("local-folder", worm=False, text="local folder, not WORM")

    def _path(self, key: str) -> Path:
        return self._folder / check_key(key)

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), 0o444)
                os.fsync(file.fileno())
            # A link is refused where the name exists, so that a crash leaves a whole file or none, and never two writers one name.
            with suppress(FileExistsError):
                os.link(beside, path)
        finally:
            beside.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _raise(error: OSError) -> None:
    raise error
