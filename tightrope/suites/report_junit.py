"""The report as JUnit XML, as build servers read it: a `testsuite` per file, a `testcase` per case with its place, failures as text.

The structure is that of Jenkins' `junit-10.xsd` and, for `file` and `line` of a case, of pytest's and GitLab's reading of the format.
Whatever a test or a bot wrote is made visible first, so that no character is left that XML 1.0 forbids.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from tightrope.suites.models import CaseReport, SuiteReport
from tightrope.suites.text import visible
from tightrope.suites.transcript import failing_case, title, why

_WIDTH = 100
"""Cells of the text in a failure."""
_MESSAGE = 240
"""Characters of the line that a build server shows in its list."""


def write_junit(report: SuiteReport, path: Path) -> None:
    """Write the report to `path`, whose folder is made if need be; a file that is there is replaced.

    A case whose expectations were not met is a `failure`; one that broke outside of them is an `error`; one that was not run is
    `skipped` with its reason. Expectations that were not run within a case are named in its `system-out`.

    Raises:
        OSError: the file cannot be written.
    """
    root = Element("testsuites", name=f"tightrope test {report.kind}")
    by_file: dict[str, list[CaseReport]] = {}
    for case in report.cases:
        by_file.setdefault(case.file, []).append(case)
    for file, cases in by_file.items():
        root.append(_suite(file, cases, report))
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    root.set("time", f"{report.seconds:.3f}")
    indent(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _suite(file: str, cases: list[CaseReport], report: SuiteReport) -> Element:
    suite = Element("testsuite", name=visible(file), file=visible(file), timestamp=visible(report.started))
    if report.notes:
        properties = SubElement(suite, "properties")
        for note in report.notes:
            SubElement(properties, "property", name="note", value=visible(note))
    suite.extend([_case(case) for case in cases])
    suite.set("tests", str(len(cases)))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("time", f"{sum(case.seconds for case in cases):.3f}")
    return suite


def _case(case: CaseReport) -> Element:
    element = Element(
        "testcase",
        classname=visible(case.file.removesuffix(".yml").removesuffix(".yaml").strip("/").replace("/", ".")),
        name=visible(title(case)),
        time=f"{case.seconds:.3f}",
        file=visible(case.file),
        line=str(case.line),
    )
    if case.status == "not_run":
        SubElement(element, "skipped", message=visible(case.reason))
    elif case.status == "failed":
        _failure(element, case)
    _not_run(element, case)
    return element


def _failure(element: Element, case: CaseReport) -> None:
    unmet = [found for turn in case.turns for found in turn.expectations if found.status == "failed"]
    tag, kind = ("failure", unmet[0].kind) if unmet else ("error", "broken")
    failure = SubElement(element, tag, type=visible(kind), message=why(case, _MESSAGE))
    failure.text = f"\n{failing_case(case, _WIDTH)}\n"


def _not_run(element: Element, case: CaseReport) -> None:
    skipped = [found for turn in case.turns for found in turn.expectations if found.status == "not_run"]
    if skipped:
        lines = [f"not run: {visible(found.kind)} in line {found.line}: {visible(found.reason)}" for found in skipped]
        SubElement(element, "system-out").text = "\n".join(lines)
