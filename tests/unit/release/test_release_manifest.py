"""The release id names what decides a reply: any change of such a file changes it, nothing else does."""

from pathlib import Path

import pytest

from tightrope.infra.settings import REPOSITORY
from tightrope.release.manifest import manifest, manifest_id


def project(root: Path) -> Path:
    for name in ("data/flows/a.yml", "domain/b.yml", "prompts/c.jinja2", "knowledge_base/d.zh.md", "config.yml", "README.md"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


@pytest.mark.parametrize("name", ["data/flows/a.yml", "domain/b.yml", "prompts/c.jinja2", "knowledge_base/d.zh.md", "config.yml"])
def test_change_of_a_deciding_file_changes_the_release(tmp_path: Path, name: str) -> None:
    root = project(tmp_path)
    before = manifest_id(manifest(root, tmp_path / "code"))
    (root / name).write_text("changed")
    assert manifest_id(manifest(root, tmp_path / "code")) != before


def test_other_files_and_renames_count_as_they_should(tmp_path: Path) -> None:
    root = project(tmp_path)
    before = manifest_id(manifest(root, tmp_path / "code"))
    (root / "README.md").write_text("changed")
    assert manifest_id(manifest(root, tmp_path / "code")) == before
    (root / "data/flows/a.yml").rename(root / "data/flows/z.yml")
    assert manifest_id(manifest(root, tmp_path / "code")) != before


def test_this_repositorys_release_pins_every_kind() -> None:
    kinds = {kind for kind, _ in manifest(REPOSITORY).values()}
    assert kinds >= {
        "flows",
        "domain",
        "config",
        "prompts",
        "understanding",
        "knowledge",
        "thresholds",
        "rules",
        "patterns",
        "wording",
        "actions",
    }
    assert manifest_id(manifest(REPOSITORY)).startswith("r-")
