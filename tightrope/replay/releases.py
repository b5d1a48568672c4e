"""The files of a recorded release, laid out in a folder: from the log by their hash, or those at hand where they are the same."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from tightrope.audit.contents import contents
from tightrope.audit.repository import Conn
from tightrope.infra.settings import REPOSITORY
from tightrope.release.manifest import manifest_id

RUN = frozenset({"rules", "patterns", "classifier", "composer", "generation", "engine", "gateway", "wording", "replay"})
"""Kinds of code (release/manifest.py) that a replay runs; its own code among them, so that it fits the rest of its release."""
NEEDED = RUN | {"flows", "domain", "config", "prompts", "understanding", "thresholds", "gate", "knowledge"}
"""Kinds of files that a replay needs. Actions are not run: their answers stand in the record."""
CODE = "tightrope/"
HERE = frozenset({"tightrope/infra/encoder.py"})
"""Run as it is here: it reads the encoder's model, which belongs to the machine; the classifier's fingerprint tells whether it is the same."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release laid out.

    Attributes:
        root: project files, and below `tightrope/` the code.
        missing: kind -> which file is held nowhere.
        from_log: files that are not those at hand.
        other_code: code that is run here in another form than then; empty: the program's own code is that of the release.
    """

    release_id: str
    root: Path
    missing: dict[str, str]
    from_log: int
    other_code: tuple[str, ...]


async def lay_out(
    conn: Conn, release_id: str, manifest_hash: str | None, project: Path, root: Path, *, kinds: frozenset[str] = NEEDED
) -> Release:
    """Write the files of a release below `root`.

    Args:
        conn: of Role.AUDITOR.
        manifest_hash: as the turn's record names it.
        project: the project at hand, whose files serve where they are the same.
        kinds: the kinds of files to write; only these can be missing.
    """
    everything = dict.fromkeys(sorted(kinds), f"the log does not hold the manifest of release {release_id}")
    held = (await contents(conn, [manifest_hash])).get(manifest_hash) if manifest_hash else None
    if held is None:
        return Release(release_id, root, everything, 0, ())
    entries = _entries(held)
    if entries is None or manifest_id(entries) != release_id:
        return Release(release_id, root, dict.fromkeys(everything, f"the manifest is not that of release {release_id}"), 0, ())
    wanted = {path: entry for path, entry in entries.items() if entry[0] in kinds and _used(path, entry[0])}
    here = {path: data for path, (_, digest) in wanted.items() if (data := _at_hand(project, path, digest)) is not None}
    lacking = {path: digest for path, (_, digest) in wanted.items() if path not in here}
    logged = await contents(conn, lacking.values())
    missing: dict[str, str] = {}
    for path, (kind, digest) in wanted.items():
        data = here.get(path, logged.get(digest))
        if data is None:
            missing.setdefault(kind, f"neither the log nor this machine holds {path} of release {release_id} (SHA-256 {digest})")
            continue
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    other = tuple(path for path in sorted(lacking) if path.startswith(CODE) and wanted[path][0] in RUN)
    return Release(release_id, root, missing, sum(digest in logged for digest in lacking.values()), other)


def _entries(data: bytes) -> dict[str, tuple[str, str]] | None:
    """Path -> kind and hash, or None where the content is no manifest: whoever writes into the log chooses what a record names as one."""
    try:
        entries = {path: (kind, digest) for path, (kind, digest) in json.loads(data).items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return entries if all(isinstance(part, str) for entry in entries.values() for part in entry) else None


def _used(path: str, kind: str) -> bool:
    """Whether a replay needs the file. A manifest is content like any other: a path in it must not lead out of the folder."""
    inside = not Path(path).is_absolute() and ".." not in Path(path).parts
    vectors = kind == "knowledge" and not path.endswith(".md")
    return inside and kind in NEEDED and path not in HERE and not vectors


def _at_hand(project: Path, path: str, digest: str) -> bytes | None:
    place = (REPOSITORY if path.startswith(CODE) else project) / path
    try:
        data = place.read_bytes()
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == digest else None
