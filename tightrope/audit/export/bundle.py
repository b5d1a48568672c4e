"""The bundle on disk (docs/audit-formats.md, Bundle): written beside its place, and put there whole or not at all.

The same records give the same bytes: names in order, no times of files, a zip without them.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tightrope.audit import verifier
from tightrope.audit.errors import ExportRefused
from tightrope.audit.models import JsonObject

MANIFEST = "manifest.json"
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644 << 16


class Bundle:
    """A folder that grows beside the target and takes its place in `finish`. Leaving the block earlier leaves nothing."""

    def __init__(self, target: Path) -> None:
        """Args:
            target: a folder, or a file ending in `.zip`; must not exist.

        Raises:
            ExportRefused: it exists, or the folder above it does not.
        """
        if target.exists() or target.is_symlink():
            raise ExportRefused(f"{target} exists already; an export never overwrites: choose another name")
        if not target.parent.is_dir():
            raise ExportRefused(f"the folder {target.parent} does not exist; make it first")
        self._target = target
        self._zip = target.suffix == ".zip"
        self._beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
        self._packed = self._beside.with_suffix(".zip-partial")
        self._files: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._beside.mkdir(mode=0o700)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        shutil.rmtree(self._beside, ignore_errors=True)
        self._packed.unlink(missing_ok=True)

    def write(self, name: str, data: bytes) -> None:
        """Put a file into the bundle."""
        path = self._beside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(data)
        self._files[name] = hashlib.sha256(data).hexdigest()

    def lines(self, name: str) -> Lines:
        """A file of JSON lines, to be closed before `finish`."""
        path = self._beside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return Lines(self, name, path)

    def noted(self, name: str, digest: str) -> None:
        """Enter a file that is written in another way into the manifest."""
        self._files[name] = digest

    def finish(self, manifest: JsonObject) -> str:
        """Write the manifest and put the bundle in its place.

        Returns:
            The manifest's SHA-256 in hex.

        Raises:
            ExportRefused: something came to stand there meanwhile.
        """
        data = json_bytes({**manifest, "files": dict(sorted(self._files.items()))})
        (self._beside / MANIFEST).write_bytes(data)
        if self._zip:
            self._pack()
        self._sync(self._packed if self._zip else self._beside)
        if self._target.exists():
            raise ExportRefused(f"{self._target} came to exist while the export was made; choose another name")
        (self._packed if self._zip else self._beside).replace(self._target)
        self._sync(self._target.parent)
        return hashlib.sha256(data).hexdigest()

    def _pack(self) -> None:
        with zipfile.ZipFile(self._packed, "x", zipfile.ZIP_DEFLATED, compresslevel=6) as packed:
            for name in sorted([*self._files, MANIFEST]):
                info = zipfile.ZipInfo(name, _ZIP_TIME)
                info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, _MODE, 3
                with (self._beside / name).open("rb") as source, packed.open(info, "w") as sink:
                    shutil.copyfileobj(source, sink)
        self._packed.chmod(0o600)

    @staticmethod
    def _sync(path: Path) -> None:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class Lines:
    """Writes JSON lines and hashes them on the way."""

    def __init__(self, bundle: Bundle, name: str, path: Path) -> None:
        self._bundle, self._name = bundle, name
        self._file = path.open("xb")
        self._digest = hashlib.sha256()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()
        if kind is None:
            self._bundle.noted(self._name, self._digest.hexdigest())

    def add(self, value: JsonObject) -> None:
        """Write one line."""
        data = (json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n").encode(
            "utf-8", "backslashreplace"
        )
        self._digest.update(data)
        self._file.write(data)


def verifier_files() -> dict[str, bytes]:
    """The verifier's files, as they are shipped inside every export."""
    folder = Path(verifier.__file__).parent
    return {name: (folder / name).read_bytes() for name in verifier.FILES}


def json_bytes(value: Any) -> bytes:
    """A JSON file for people and programs."""
    return (json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1) + "\n").encode("utf-8", "backslashreplace")
