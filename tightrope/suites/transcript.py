"""A case as text: what was said, what the engine made of it, and each expectation that was not met with expected and actual side by side.

`failing_case` gives plain text (JUnit, files, pipes); `styled_case` the same words in colours for a terminal. Both are safe to print:
what a test or a bot wrote cannot steer the terminal, and rich markup in it means nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from tightrope.suites.models import CaseReport, Expectation, Status, TurnReport
from tightrope.suites.scores import paired
from tightrope.suites.text import differences, padded, segments, visible, wrap

Line = list[tuple[str, str]]
"""Parts of one line as (style, text); an empty style is plain."""

MARKS: Mapping[Status, str] = {"passed": "✓", "failed": "✗", "not_run": "–"}
STYLES: Mapping[Status, str] = {"passed": "green", "failed": "bold red", "not_run": "yellow"}
STATUS_WORDS: Mapping[Status, str] = {"passed": "passed", "failed": "failed", "not_run": "not run"}

_QUIET = "dim"
_LABEL = 9
"""Cells of the column that says who speaks."""
_NUMBER = 5
"""Cells of the column with line numbers of the test file."""
_NARROW = 60
"""Below this width expected and actual stand one under the other."""
NOTHING = "nothing like it"


def failing_case(case: CaseReport, width: int) -> str:
    """The whole case as plain text, no line wider than `width` cells (40 at least); ends without a line end."""
    return "\n".join("".join(text for _, text in line).rstrip() for line in _case(case, max(width, 40)))


def styled_case(case: CaseReport, width: int) -> Text:
    """As `failing_case`, for `console.print(…)`; give it the console's width."""
    lines = []
    for line in _case(case, max(width, 40)):
        text = Text(no_wrap=True, end="")
        for style, part in line:
            text.append(part, style or None)
        text.rstrip()
        lines.append(text)
    return Text("\n").join(lines)


def bot_lines(reply: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a customer gets with one reply, as (kind, text): `text`, `button` (title and payload), `image`, `attachment`, `custom`."""
    out: list[tuple[str, str]] = []
    if reply.get("text") is not None:
        out.append(("text", str(reply["text"])))
    for button in reply.get("buttons") or ():
        out.append(("button", f"[{button.get('title', '')}] {button.get('payload', '')}".rstrip()))
    out.extend((kind, compact(reply[kind])) for kind in ("image", "attachment", "custom") if reply.get(kind))
    return out


def compact(value: Any) -> str:
    """A value of an event or a reply in one line, as JSON unless it is text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def slots_set(turn: TurnReport) -> list[tuple[str, str]]:
    """Slots that changed in this turn with their last value, in the order of the first change."""
    found: dict[str, str] = {}
    for event in turn.events:
        if event.get("event") == "slot":
            value = event.get("value")
            found[str(event.get("name"))] = "empty" if value is None else json.dumps(value, ensure_ascii=False, default=str)
    return list(found.items())


def title(case: CaseReport) -> str:
    """The case's name; equal names in one file are told apart by a number from 2."""
    return f"{case.name} ({case.occurrence + 1})" if case.occurrence else case.name


def why(case: CaseReport, limit: int) -> str:
    """Why a case failed in one line of at most `limit` characters: what broke it, or the first expectation that was not met."""
    unmet = [found for turn in case.turns for found in turn.expectations if found.status == "failed"]
    told = case.reason or "it failed and says no reason"
    if unmet and not case.reason:
        first, more = unmet[0], f" (and {len(unmet) - 1} more)" if len(unmet) > 1 else ""
        told = f"{first.kind} in line {first.line}{more}: expected {first.expected}, got {first.actual or NOTHING}"
    line = "; ".join(" ".join(part.split()) for part in visible(told).split("\n") if part.strip())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _case(case: CaseReport, width: int) -> Iterator[Line]:
    place = f"{case.file}:{case.line}"
    yield from _heading("", case.status, title(case), f"{visible(place)}  {case.seconds:.2f} s", width)
    if case.reason:
        yield from _indented("", visible(case.reason), 2, width)
    for turn in case.turns:
        yield []
        yield from _turn(turn, width)


def _turn(turn: TurnReport, width: int) -> Iterator[Line]:
    if turn.opening:
        yield [(_QUIET, f"{turn.line:>{_NUMBER}} the session starts")]
    else:
        yield from _spoken("pressed" if turn.pressed else "customer", turn.user, "bold", width, line=turn.line)
    if turn.commands:
        yield from _spoken("commands", "\n".join(turn.commands), _QUIET, width)
    changed = "\n".join(f"{name} = {value}" for name, value in slots_set(turn))
    if changed:
        yield from _spoken("slots", changed, _QUIET, width)
    for reply in turn.replies:
        label = "bot"
        for kind, text in bot_lines(reply):
            words = text if kind in {"text", "button"} else f"{kind}: {text}"
            yield from _spoken(label, words, "cyan" if kind == "button" else "", width)
            label = ""
    for problem in turn.problems:
        yield from _spoken("problem", problem, "yellow", width)
    yield from _expectations(turn.expectations, width)


def _expectations(found: Iterable[Expectation], width: int) -> Iterator[Line]:
    met = 0
    for expectation in found:
        if expectation.status == "passed":
            met += 1
            continue
        number = f"{expectation.line:>{_NUMBER}} "
        if expectation.status == "not_run":
            yield from _heading(number, "not_run", expectation.kind, f"not run: {visible(expectation.reason)}", width)
            continue
        yield from _heading(number, expectation.status, expectation.kind, "", width)
        if expectation.reason:
            yield from _indented("", visible(expectation.reason), _NUMBER + 3, width)
        yield from side_by_side(*paired(expectation), width)
    if met:
        yield [("", " " * (_NUMBER + 1)), (STYLES["passed"], f"{MARKS['passed']} {met} met")]


def side_by_side(expected: str, actual: str, width: int, indent: int = _NUMBER + 3) -> Iterator[Line]:
    """Two texts beside each other, what differs marked; one under the other where there is no room."""
    left, right = visible(expected), visible(actual)
    left_mask, right_mask = differences(left, right)
    shown = right or NOTHING
    right_style = "red" if right else _QUIET
    if width < _NARROW:
        for heading, text, mask, style in (("expected", left, left_mask, "green"), ("actual", shown, right_mask, right_style)):
            yield [("", " " * indent), (_QUIET, heading)]
            for start, end in wrap(text, width - indent - 2):
                yield [("", " " * (indent + 2)), *_marked(text, mask, style, start, end)]
        return
    room = width - indent - 3
    half = room // 2
    yield [("", " " * indent), (_QUIET, padded("expected", half)), (_QUIET, " │ actual")]
    left_lines, right_lines = wrap(left, half), wrap(shown, room - half)
    for row in range(max(len(left_lines), len(right_lines))):
        line: Line = [("", " " * indent)]
        used = 0
        if row < len(left_lines):
            start, end = left_lines[row]
            line += _marked(left, left_mask, "green", start, end)
            used = cell_len(left[start:end])
        line += [("", " " * (half - used)), (_QUIET, " │ ")]
        if row < len(right_lines):
            line += _marked(shown, right_mask, right_style, *right_lines[row])
        yield line


def _marked(text: str, mask: list[bool], style: str, start: int, end: int) -> Line:
    if not mask:
        return [(style, text[start:end])]
    return [(f"{style} bold reverse" if differs else style, part) for part, differs in segments(text, mask, start, end)]


def _spoken(label: str, words: str, style: str, width: int, line: int | None = None) -> Iterator[Line]:
    number = f"{line:>{_NUMBER}} " if line is not None else " " * (_NUMBER + 1)
    shown = visible(words)
    indent = _NUMBER + 1 + _LABEL + 1
    for row, (start, end) in enumerate(wrap(shown, width - indent)):
        lead: Line = [(_QUIET, number + padded(label, _LABEL + 1))] if row == 0 else [("", " " * indent)]
        yield [*lead, (style, shown[start:end])]


def _indented(style: str, words: str, indent: int, width: int) -> Iterator[Line]:
    for start, end in wrap(words, width - indent):
        yield [("", " " * indent), (style, words[start:end])]


def _heading(lead: str, status: Status, words: str, tail: str, width: int) -> Iterator[Line]:
    """`words` with the mark of `status`, and `tail` behind them, or below them where it does not fit."""
    shown = visible(f"{MARKS[status]} {words}")
    lines: list[Line] = []
    for start, end in wrap(shown, width - len(lead)):
        lines.append([(_QUIET, " " * len(lead) if lines else lead), (STYLES[status], shown[start:end])])
    if tail and "\n" not in tail and cell_len("".join(text for _, text in lines[-1]) + tail) + 2 <= width:
        lines[-1].append((_QUIET, f"  {tail}"))
        tail = ""
    yield from lines
    if tail:
        yield from _indented(_QUIET, tail, _NUMBER + 3, width)
