"""Adds a case that somebody wrote, or that "this is wrong" made, to the project's case files; one that has the id of another replaces it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tightrope.uat.models import Case

ADDED: Final = "added"
"""Folder below tests/uat in which new cases land until somebody puts them where they belong."""

_UNPRINTABLE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
"""What YAML wants written out even between quotes; JSON escapes the rest."""


@dataclass(frozen=True, slots=True)
class Added:
    """What became of a case: the file it stands in now, and whether it replaced one."""

    case: Case
    file: Path
    replaced: bool


def add(case: Case, known: Sequence[Case], root: Path) -> Added:
    """Write a case into the project's files.

    Args:
        known: the project's cases, as `read_cases` read them; line numbers must still hold.
        root: the project's folder.

    Raises:
        OSError: the file cannot be written.
    """
    before = next((one for one in known if one.id == case.id), None)
    if before is not None:
        path = root / before.file
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        indent = re.match(r"\s*-", lines[before.line - 1])
        body = as_yaml(case.source, indent=len(indent.group()) - 1 if indent else 2)
        lines[before.line - 1 : before.end] = body.rstrip("\n").split("\n")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return Added(case, path, replaced=True)
    path = root / "tests" / "uat" / ADDED / f"{case.id}.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("cases:\n" + as_yaml(case.source), encoding="utf-8")
    return Added(case, path, replaced=False)


def as_yaml(source: Mapping[str, Any], *, indent: int = 2) -> str:
    """A case as a list item of a case file, a line for each key and turn."""
    out = []
    for at, (key, value) in enumerate(source.items()):
        begin = " " * indent + ("- " if at == 0 else "  ")
        if key == "turns":
            out.append(f"{begin}turns:")
            for turn in value:
                out += [
                    " " * (indent + 4) + ("- " if number == 0 else "  ") + f"{name}: {_value(found)}"
                    for number, (name, found) in enumerate(turn.items())
                ]
        else:
            out.append(f"{begin}{key}: {_value(value)}")
    return "\n".join(out) + "\n"


def _value(found: Any) -> str:
    """A value on one line; what plain YAML would read as something else stands in quotes."""
    if isinstance(found, str):
        quoted = json.dumps(found, ensure_ascii=False)
        return found if _plain(found) else _UNPRINTABLE.sub(lambda sign: f"\\u{ord(sign.group()):04x}", quoted)
    if isinstance(found, Mapping):
        return "{" + ", ".join(f"{key}: {_value(value)}" for key, value in found.items()) + "}"
    if isinstance(found, list):
        return "[" + ", ".join(map(_value, found)) + "]"
    return json.dumps(found)


def _plain(text: str) -> bool:
    if not re.fullmatch(r"[\w㐀-鿿][\w㐀-鿿 ？?！!。，、.'’-]*", text) or text != text.strip():
        return False
    return yaml.safe_load(text) == text and text.lower() not in {"on", "off", "yes", "no", "y", "n"}
