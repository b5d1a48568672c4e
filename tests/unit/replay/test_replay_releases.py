"""What a record names as the manifest of its release is content that any writer could have put into the log."""

from __future__ import annotations

import json

import pytest

from tightrope.replay import releases
from tightrope.replay.releases import lay_out


def _held(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    async def contents(_conn: object, digests: object) -> dict[str, bytes]:
        return dict.fromkeys(digests, data)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(releases, "contents", contents)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"1",
        b'"x"',
        b"{}",
        b'{"a": 1}',
        b'{"a": ["x"]}',
        b'{"a": ["x", 1]}',
        b'{"a": [[], {}]}',
        b"[" * 100_000,
    ],
)
async def test_what_is_no_manifest_is_said_and_nothing_is_written(monkeypatch, tmp_path, data):
    _held(monkeypatch, data)
    made = await lay_out(None, "r-0123456789abcdef", "ab" * 32, tmp_path, tmp_path / "out")
    assert set(made.missing.values()) == {"the manifest is not that of release r-0123456789abcdef"}
    assert not (tmp_path / "out").exists()


async def test_another_release_s_manifest_is_not_taken(monkeypatch, tmp_path):
    _held(monkeypatch, json.dumps({"domain/a.yml": ["domain", "ab" * 32]}).encode())
    made = await lay_out(None, "r-0123456789abcdef", "ab" * 32, tmp_path, tmp_path / "out")
    assert set(made.missing.values()) == {"the manifest is not that of release r-0123456789abcdef"}
