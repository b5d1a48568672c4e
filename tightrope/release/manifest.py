"""What runs, pinned by hash (red line 9, first form: unsigned).

The release id is a hash over every file that decides a reply: flows, domain, prompts, knowledge, rule data, wording, thresholds and the
classifier's lines. Each process reports the id of the files it sees; the gateway sends nothing while they differ.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from tightrope.infra.settings import REPOSITORY, Settings

_PROJECT_PATTERNS = (
    ("flows", "data/flows/**/*.yml"),
    ("domain", "domain/**/*.yml"),
    ("config", "config.yml"),
    ("prompts", "prompts/**/*"),
    ("understanding", "data/understanding/*.json*"),
    ("understanding", "data/understanding/*.npz"),
    ("knowledge", "knowledge_base/**/*.md"),
    ("approvals", "knowledge_base/approvals/*.json"),
    ("thresholds", "knowledge_base/*.json"),
    ("gate", "data/knowledge/*.json"),
    ("knowledge", "data/knowledge/*.npz"),
    ("actions", "actions/**/*.py"),
)
_CODE_PATTERNS = (
    ("rules", "tightrope/rules/**/*"),
    ("patterns", "tightrope/engine/defaults/**/*.yml"),
    ("wording", "tightrope/gateway/wording.yml"),
    ("gateway", "tightrope/gateway/*.py"),
    ("replay", "tightrope/replay/*.py"),
    ("classifier", "tightrope/understanding/*.py"),
    ("classifier", "tightrope/infra/encoder.py"),
    ("composer", "tightrope/knowledge/**/*.py"),
    ("generation", "tightrope/generation/*.py"),
    ("engine", "tightrope/engine/*.py"),
)


def manifest(project: Path, code: Path = REPOSITORY) -> dict[str, tuple[str, str]]:
    """Path -> (kind, SHA-256 in hex) of every pinned file; paths are relative and sorted."""
    entries: dict[str, tuple[str, str]] = {}
    for root, patterns in ((project, _PROJECT_PATTERNS), (code, _CODE_PATTERNS)):
        for kind, pattern in patterns:
            for path in root.glob(pattern):
                if path.is_file() and "__pycache__" not in path.parts:
                    entries[path.relative_to(root).as_posix()] = (kind, hashlib.sha256(path.read_bytes()).hexdigest())
    return dict(sorted(entries.items()))


def reloaded(started: dict[str, tuple[str, str]], now: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """The manifest of a process that loaded its project anew: project files as they are now, code as it was when the process started."""
    code = {kind for kind, _ in _CODE_PATTERNS}
    entries = {path: entry for path, entry in now.items() if entry[0] not in code}
    return dict(sorted({**entries, **{path: entry for path, entry in started.items() if entry[0] in code}}.items()))


def manifest_id(entries: dict[str, tuple[str, str]]) -> str:
    """The release id of a manifest: `r-` and 16 hex digits."""
    lines = "".join(f"{path}\n{kind}\n{digest}\n" for path, (kind, digest) in sorted(entries.items()))
    return "r-" + hashlib.sha256(lines.encode()).hexdigest()[:16]


@lru_cache(maxsize=4)
def _release_id(project: Path) -> str:
    return manifest_id(manifest(project))


def release_id(settings: Settings) -> str:
    """The release this process runs, computed once: it says what was read at the start, not what lies on disk now."""
    return _release_id(settings.project_dir)
