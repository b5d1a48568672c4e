"""Every problem of a project at once, each with file, line, what is wrong and how to mend it.

`examine(root)` reads the project as the loader does and then looks at how its parts fit. An error is something that fails in a
conversation, or that Rasa refuses; a warning is something that probably was not meant. What a file that cannot be read would
define is not told missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tightrope.engine.check.confirming import check_confirmations
from tightrope.engine.check.domain import check_domain
from tightrope.engine.check.files import check_files
from tightrope.engine.check.flows import check_flows
from tightrope.engine.check.loops import check_loops
from tightrope.engine.check.paths import check_placeholders
from tightrope.engine.check.payloads import check_payloads
from tightrope.engine.check.similar import check_similar
from tightrope.engine.check.unused import check_unused
from tightrope.engine.check.view import View
from tightrope.engine.loader import gather
from tightrope.engine.models import Project
from tightrope.engine.problems import Problem

_CHECKS = (
    check_files, check_flows, check_loops, check_domain, check_payloads, check_placeholders, check_similar, check_confirmations,
    check_unused,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check found, and what it looked at.

    Attributes:
        project: as far as it could be read; None when the folder holds none.
    """

    problems: tuple[Problem, ...]
    project: Project | None

    @property
    def errors(self) -> list[Problem]:
        """What keeps the project from running as it should."""
        return [problem for problem in self.problems if problem.severity == "error"]

    @property
    def warnings(self) -> list[Problem]:
        """What was probably not meant."""
        return [problem for problem in self.problems if problem.severity == "warning"]


def examine(root: Path, config: Path | None = None) -> Checked:
    """All problems of the project in `root`, in the order of its files.

    Args:
        root: the project's folder.
        config: stands for its config.yml.
    """
    reading = gather(root, config)
    if reading.project is not None:
        view = View(reading, reading.project)
        for each in _CHECKS:
            each(view)
    return Checked(tuple(sorted(set(reading.problems.found))), reading.project)


def check(root: Path, config: Path | None = None) -> list[Problem]:
    """As `examine`, the problems only; empty when there is none."""
    return list(examine(root, config).problems)


__all__ = ["Checked", "Problem", "check", "examine"]
