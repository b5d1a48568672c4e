"""Reads a model's folder from disk and writes its manifest beside the files."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tightrope.generation.manifest import MANIFEST, OWN, SUMS, Found, ModelManifest, ModelRefused, compare, describe, sums

_JUDGED: Final = frozenset(
    {
        "LICENSE",
        "LICENSE.txt",
        "LICENSE.md",
        "LICENCE",
        "config.json",
        "tokenizer_config.json",
        "chat_template.jinja",
        "model.safetensors.index.json",
    }
)
_MAX_TEXT: Final = 32_000_000
_BLOCK: Final = 1 << 20


def survey(folder: Path, progress: Callable[[int], None] = lambda _: None) -> Found:
    """Every file of the folder, hashed.

    Args:
        progress: called with the number of bytes that were read since the last call.

    Raises:
        ModelRefused: no folder, a link or a special file in it, or weights that end too early.
        OSError: a file cannot be read.
    """
    if not folder.is_dir():
        raise ModelRefused(f"{folder} is no folder")
    hashes: dict[str, str] = {}
    texts: dict[str, str] = {}
    size = 0
    for path in listing(folder):
        relative = path.relative_to(folder).as_posix()
        if path.suffix == ".safetensors":
            _whole(path, relative)
        hashes[relative] = _sha256(path, progress)
        size += path.stat().st_size
        if relative in _JUDGED:
            texts[relative] = _text(path, relative)
    return Found(hashes, size, texts)


def listing(folder: Path) -> list[Path]:
    """Files below the folder but our own two, sorted.

    Raises:
        ModelRefused: a link, or something that is neither file nor folder: what it points to could change without its hash.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ModelRefused(f"{path.relative_to(folder)} is a link or no plain file: copy the files themselves (cp -L)")
        if path.is_file() and path.relative_to(folder).as_posix() not in OWN:
            found.append(path)
    return found


def has_manifest(folder: Path) -> bool:
    """Whether the folder was imported before."""
    return (folder / MANIFEST).exists()


def make(folder: Path, found: Found, *, name: str, repository: str, revision: str) -> ModelManifest:
    """Judge what was found and write `SHA256SUMS` and `tightrope-model.json`.

    Raises:
        ModelRefused: see `manifest.describe`.
    """
    manifest = describe(found, name=name, repository=repository, revision=revision)
    # The manifest last: a folder with one is complete.
    _write(folder / SUMS, sums(found.hashes))
    _write(folder / MANIFEST, manifest.text())
    return manifest


def check(folder: Path, found: Found, expected: str = "") -> ModelManifest:
    """Hold what was found to the manifest that lies there.

    Raises:
        ModelRefused: see `manifest.compare`.
    """
    try:
        return compare(_text(folder / MANIFEST, MANIFEST), _text(folder / SUMS, SUMS), found, expected)
    except FileNotFoundError as error:
        raise ModelRefused(f"{Path(error.filename).name} is missing: copy the folder again") from None


def _write(path: Path, text: str) -> None:
    scratch = path.with_name(f".{path.name}.new")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)


def _text(path: Path, relative: str) -> str:
    if path.stat().st_size > _MAX_TEXT:
        raise ModelRefused(f"{relative} is too large to be what its name says")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ModelRefused(f"{relative} is not text: copy the folder again") from None


def _sha256(path: Path, progress: Callable[[int], None]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            progress(len(block))
    return digest.hexdigest()


def _whole(path: Path, relative: str) -> None:
    """A safetensors file says in its head where its data end: a copy that broke off is shorter."""
    actual = path.stat().st_size
    try:
        with path.open("rb") as file:
            (head,) = struct.unpack("<Q", file.read(8))
            tensors = json.loads(file.read(min(head, _MAX_TEXT)))
        ends = [one["data_offsets"][1] for name, one in tensors.items() if name != "__metadata__"]
        expected = 8 + head + max(ends, default=0)
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise ModelRefused(f"{relative} is no safetensors file: copy it again") from None
    if actual != expected:
        raise ModelRefused(f"{relative} has {actual} bytes and should have {expected}: copy it again")


def total_bytes(folder: Path) -> int:
    """What `survey` will read, for a progress bar."""
    return sum(path.stat().st_size for path in listing(folder)) if folder.is_dir() else 0
