"""What is wrong with a project's files: collected while they are read and by the check, told all at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tightrope.engine.errors import ProjectError
from tightrope.engine.models import Place

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing to mend.

    Attributes:
        file: relative to the project's folder.
        line: from 1.
        severity: an error fails in a conversation or keeps the project from loading; a warning was probably not meant.
        message: what is wrong.
        mend: what to do about it; empty when the message says it.
        code: the kind of problem, the same for all of its kind.
    """

    file: str
    line: int
    severity: Severity
    message: str
    mend: str = ""
    code: str = "file"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.severity}: {self.message}" + (f": {self.mend}" if self.mend else "")

    def as_error(self) -> ProjectError:
        """The same, to be raised."""
        return ProjectError(self.message + (f": {self.mend}" if self.mend else ""), file=self.file, line=self.line)


@dataclass(slots=True)
class Problems:
    """A collector. Names that could not be read are kept, so that nobody is told twice that they are missing."""

    found: list[Problem] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)
    """Slots, responses and flows that are there but could not be read."""
    partial: set[str] = field(default_factory=set)
    """Flows of which something could not be read: where their steps lead is not known."""
    unread_files: list[str] = field(default_factory=list)
    """Files of which nothing could be read: what they define is not known."""

    def error(self, place: Place, message: str, mend: str = "", code: str = "file") -> None:
        """Note something that keeps the project from running."""
        self.found.append(Problem(place.file, place.line, "error", message, mend, code))

    def warn(self, place: Place, message: str, mend: str = "", code: str = "file") -> None:
        """Note something that was probably not meant."""
        self.found.append(Problem(place.file, place.line, "warning", message, mend, code))

    def add(self, error: ProjectError) -> None:
        """Note an error that was raised."""
        self.found.append(Problem(error.file, error.line, "error", error.what))

    @property
    def errors(self) -> list[Problem]:
        """What keeps the project from running."""
        return [problem for problem in self.found if problem.severity == "error"]
