"""The clinic: a project without a fault, and what it takes to plant one in it and see it found."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tightrope.engine.check import Problem, check

CLINIC = Path(__file__).parents[2] / "golden" / "engine" / "clinic"

VISITS = "data/flows/visits.yml"
FLOWS = "data/flows/clinic.yml"
PATTERNS = "data/flows/patterns.yml"
DOMAIN = "domain/visits.yml"
COMMON = "domain/clinic.yml"


@dataclass(frozen=True)
class Fault:
    """One edit of one file, and what has to be said of it.

    Attributes:
        old: stands in the file once, and `new` takes its place.
        at: a piece of the line that has to be named, or a file and a piece of its line.
        says: a piece of what is wrong; `mend` of what to do.
        also: codes of what else comes of it; anything beyond that is a false alarm.
    """

    file: str
    old: str
    new: str
    at: str | tuple[str, str]
    code: str
    says: str
    mend: str = ""
    severity: str = "error"
    also: frozenset[str] = frozenset()


def warning(
    file: str, old: str, new: str, at: str | tuple[str, str], code: str, says: str, mend: str = "", also: str = ""
) -> Fault:
    """A fault that is told as a warning."""
    return Fault(file, old, new, at, code, says, mend, "warning", frozenset(also.split()))


def error(
    file: str, old: str, new: str, at: str | tuple[str, str], code: str, says: str, mend: str = "", also: str = ""
) -> Fault:
    """A fault that is told as an error."""
    return Fault(file, old, new, at, code, says, mend, "error", frozenset(also.split()))


def clinic(folder: Path) -> Path:
    """A copy of the clinic to break."""
    return shutil.copytree(CLINIC, folder / "clinic", ignore=shutil.ignore_patterns("__pycache__"))


def edit(root: Path, file: str, old: str, new: str) -> None:
    """Replace what stands in a file exactly once; an empty `old` adds to its end."""
    path = root / file
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if old:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
        text = text.replace(old, new)
    else:
        text += new
    path.write_text(text, encoding="utf-8")


def line_of(root: Path, file: str, piece: str) -> int:
    """The line on which a piece of text stands, which must be one."""
    lines = [number for number, line in enumerate((root / file).read_text(encoding="utf-8").splitlines(), 1) if piece in line]
    assert len(lines) == 1, f"{piece!r} stands on the lines {lines} of {file}"
    return lines[0]


def planted(root: Path, fault: Fault) -> list[Problem]:
    """All that is said once the fault is in; the fault itself must be among it, with its file and line."""
    edit(root, fault.file, fault.old, fault.new)
    file, piece = fault.at if isinstance(fault.at, tuple) else (fault.file, fault.at)
    found = check(root)
    told = "\n".join(str(problem) for problem in found)
    line = line_of(root, file, piece) if piece else 1
    fitting = [
        p
        for p in found
        if (p.file, p.line, p.severity, p.code) == (file, line, fault.severity, fault.code)
        and fault.says in p.message
        and fault.mend in p.mend
    ]
    assert fitting, f"wanted {file}:{line}: {fault.severity} [{fault.code}] … {fault.says} … {fault.mend}, found:\n{told}"
    return found


def must_be_found(folder: Path, fault: Fault) -> None:
    """The fault is found, and nothing is said that does not come of it."""
    found = planted(clinic(folder), fault)
    strange = [str(p) for p in found if p.code != fault.code and p.code not in fault.also]
    assert not strange, strange
