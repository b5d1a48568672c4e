"""Securities by code, name or alias (`data/understanding/securities.json`)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from tightrope.understanding.errors import TrainingDataError
from tightrope.understanding.normalise import folded

_CODE = re.compile(r"(?<![\d.,])(?:(?:sh|sz|bj|hk)\.?)?(?P<code>\d{4,6})(?:\.(?:sh|ss|sz|bj|hk))?(?![\d.,]*\d)(?![a-z%])")


@dataclass(frozen=True, slots=True)
class Named:
    """A security in a text: where, and its code; `known` is false for digits that only look like a code."""

    start: int
    end: int
    code: str
    known: bool


@dataclass(frozen=True, slots=True)
class Securities:
    """Names and codes. `names`: folded name -> codes; more than one code: nobody can be sure."""

    codes: frozenset[str]
    names: dict[str, frozenset[str]]
    pattern: re.Pattern[str] | None

    def find(self, text: str) -> list[Named]:
        """The securities that a folded text names; a name that several bear is left out."""
        found: list[Named] = []
        for match in self.pattern.finditer(text) if self.pattern else ():
            codes = self.names[match[0]]
            if len(codes) == 1:
                found.append(Named(match.start(), match.end(), next(iter(codes)), known=True))
        for match in _CODE.finditer(text):
            known = match["code"] in self.codes
            if known or len(match["code"]) == 6 or match["code"] != match[0]:
                found.append(Named(match.start(), match.end(), match["code"], known))
        return sorted(found, key=lambda one: one.start)


def load(folder: Path) -> Securities:
    """The securities of `folder`; none where there is no such file.

    Raises:
        TrainingDataError: the file is not of the documented form.
    """
    path = folder / "securities.json"
    names: dict[str, set[str]] = {}
    codes: set[str] = set()
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))["securities"] if path.is_file() else []
        for entry in listed:
            code = str(entry["code"])
            if re.fullmatch(r"[0-9]{4,6}", code) is None:
                raise ValueError(f"{code!r} is no code of four to six digits")
            codes.add(code)
            for name in (entry["zh"], entry["en"], *entry.get("aliases", ())):
                names.setdefault(folded(name), set()).add(code)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingDataError(f"{path}: cannot be read as securities ({error})") from error
    names.pop("", None)
    longest = sorted(names, key=lambda name: (-len(name), name))
    alternatives = "|".join(_bounded(name) for name in longest)
    return Securities(
        frozenset(codes), {n: frozenset(c) for n, c in names.items()}, re.compile(alternatives) if alternatives else None
    )


def _bounded(name: str) -> str:
    """Latin names are words; Chinese ones stand anywhere."""
    left = r"(?<![a-z0-9])" if name[0].isascii() else ""
    right = r"(?![a-z0-9])" if name[-1].isascii() else ""
    return f"{left}{re.escape(name)}{right}"
