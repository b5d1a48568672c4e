"""A flow as a picture: `draw(flow)` gives SVG. No network, no script, no file: the same flow gives the same text.

Boxes by kind as flow charts have them: a question is a parallelogram, a call has double sides, a decision is a hexagon, a link points on,
what the customer reads has round corners. Branches say their conditions in words and, where more than one could hold, in which order they
are tried. `path` shows the way that a conversation went. Colours follow the reader's light or dark setting. The description of the picture
tells the whole flow in words, for those who do not see it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

from tightrope.engine.models import END, START, Flow, Project, Step
from tightrope.engine.picture_layout import Edge, Lane, Layout, Route, layout
from tightrope.engine.picture_text import WORDS, Language, clean, readable, width, wrap
from tightrope.engine.templates import Condition

_SIZE, _SMALL, _LINE = 13.0, 11.0, 18.0
_LIMIT = 19.0
"""Longest line of a box in em."""
_LABEL_LIMIT = 17.0
_PAD = 14.0
_MARGIN = 16.0
_SLANT = 12.0
_LOOP = 26.0

STYLE = """
.tf{--tf-paper:#fff;--tf-ink:#16232b;--tf-soft:#5a6b75;--tf-line:#7d8d97;--tf-say:#e7f3ec;--tf-run:#eef1f4;--tf-ask:#fdf2d8;--tf-flow:#e6eefb;
--tf-set:#f3ecf8;--tf-mark:#b3440c;--tf-wrong:#b3261e}
@media (prefers-color-scheme:dark){.tf{--tf-paper:#11181d;--tf-ink:#e8eef2;--tf-soft:#a3b2bb;--tf-line:#71818c;--tf-say:#1c3327;--tf-run:#222c33;
--tf-ask:#3a3118;--tf-flow:#1b2b45;--tf-set:#2f2440;--tf-mark:#ff9a5c;--tf-wrong:#ff8a80}}
.tf text{fill:var(--tf-ink);font:13px system-ui,"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif}
.tf .tf-s{fill:var(--tf-soft);font-size:11px}.tf .tf-m{font-family:ui-monospace,"DejaVu Sans Mono",Consolas,"Noto Sans CJK SC",monospace;font-size:12px}
.tf .tf-b{font-weight:600}.tf .tf-box{stroke:var(--tf-line);stroke-width:1.2}.tf .tf-bar{fill:none;stroke:var(--tf-line);stroke-width:1.2}
.tf .tf-line{fill:none;stroke:var(--tf-line);stroke-width:1.4}.tf .tf-tip{fill:var(--tf-line)}
.tf .tf-lost .tf-box{stroke:var(--tf-wrong);stroke-dasharray:5 3}
.tf .tf-on .tf-box{stroke:var(--tf-mark);stroke-width:2.6}.tf .tf-on.tf-line{stroke:var(--tf-mark);stroke-width:2.8}
.tf .tf-on.tf-tip,.tf .tf-badge{fill:var(--tf-mark)}.tf .tf-off{opacity:.45}.tf .tf-no{fill:var(--tf-paper);font-size:11px;font-weight:600}
""".strip()


@dataclass(frozen=True, slots=True)
class _Text:
    """One line in a box: its style is `s` (small), `m` (a name of the files), `b` (bold) or plain."""

    text: str
    style: str = ""

    @property
    def width(self) -> float:
        mono = "m" in self.style
        size = _SMALL if "s" in self.style else 12.0 if mono else _SIZE
        return width(self.text, mono=mono) * size * (1.06 if "b" in self.style else 1.0)


@dataclass(frozen=True, slots=True)
class _Shape:
    """A box before it has a place. `loop` is the text of the way that leads from the step to itself."""

    id: str
    kind: str
    lines: tuple[_Text, ...]
    lost: bool = False
    loop: tuple[_Text, ...] | None = None

    @property
    def body(self) -> tuple[float, float]:
        """Width and height of the box itself."""
        if self.kind == "end":
            return 20.0, 20.0
        sides = 2 * _PAD + (2 * _SLANT if self.kind in {"collect", "noop", "link"} else 12.0 if self.kind == "call" else 0.0)
        return max(90.0, max(line.width for line in self.lines) + sides), len(self.lines) * _LINE + 14.0

    @property
    def room(self) -> tuple[float, float]:
        """Width and height with the loop beside it, on both sides so that the box stays in the middle."""
        wide, high = self.body
        if self.loop is None:
            return wide, high
        aside = _LOOP + 6.0 + max((line.width for line in self.loop), default=0.0)
        return wide + 2 * aside, max(high, len(self.loop) * _LINE)


@dataclass(frozen=True, slots=True)
class _Way:
    source: str
    target: str
    label: tuple[_Text, ...]


def draw(flow: Flow, *, path: Sequence[str] = (), project: Project | None = None, language: Language | None = None) -> str:
    """The flow as SVG.

    Args:
        path: ids of steps in the order in which they ran, `END` last if the flow ended; they and the ways between them stand out.
        project: adds the wording of its responses and the names of called and linked flows.
        language: of the picture's own words and of the wording; the project's language by default.

    Raises:
        ValueError: `path` names a step that the flow does not have.
    """
    strangers = [at for at in path if at != END and at not in flow.steps]
    if strangers:
        raise ValueError(f"flow {flow.id} has no step {strangers[0]!r}: the path belongs to another version of it")
    given = language or (project.language if project else "en")
    return _Picture(flow, tuple(path), project, "zh" if given.startswith("zh") else "en").svg()


class _Picture:
    def __init__(self, flow: Flow, path: tuple[str, ...], project: Project | None, language: Language) -> None:
        self.flow = flow
        self.path = path
        self.project = project
        self.language = language
        self.words = WORDS[language]
        self.ways = [way for step in flow.steps.values() for way in self._ways(step)]
        self.reached = self._reached()
        self.shapes = {shape.id: shape for shape in self._shapes()}
        self.drawn = [way for way in self.ways if way.source != way.target]
        gone = list(zip((START, *path), path, strict=False)) if path and path[0] == flow.first else list(pairwise(path))
        self.gone = {(a, _end(a) if b == END else b) for a, b in gone}

    # what there is to draw

    def _ways(self, step: Step) -> Iterator[_Way]:
        """The ways on from a step, those to the same step as one; what follows when no condition holds is said."""
        if step.kind == "link":
            return
        branches = [(b.condition, b.target) for b in step.branches]
        if not branches or branches[-1][0] is not None:
            branches.append((None, END))
        tests = [condition for condition, _ in branches if condition is not None]
        ordered = len(tests) > 1 and len({frozenset(_names(test)) for test in tests}) > 1
        labels: dict[str, list[str]] = {}
        for number, (condition, target) in enumerate(branches, 1):
            text = "" if condition is None else readable(condition.text, self.language)
            if condition is None and tests:
                text = self.words["else"]
            elif ordered:
                text = f"{number}. {text}"
            labels.setdefault(target, []).append(text)
        for target, texts in labels.items():
            lines = [line for text in texts if text for line in wrap(text, _LABEL_LIMIT, lines=4)]
            yield _Way(step.id, _end(step.id) if target == END else target, tuple(_Text(line, "s") for line in lines))

    def _reached(self) -> set[str]:
        after: dict[str, list[str]] = {}
        for way in self.ways:
            after.setdefault(way.source, []).append(way.target)
        seen, todo = {self.flow.first}, [self.flow.first]
        while todo:
            for target in after.get(todo.pop(), ()):
                if target not in seen:
                    seen.add(target)
                    todo.append(target)
        return seen

    def _shapes(self) -> Iterator[_Shape]:
        yield _Shape(START, "start", tuple(self._head()))
        loops = {way.source: way.label for way in self.ways if way.source == way.target}
        for step in self.flow.steps.values():
            lines = tuple(self._lines(step))
            kind = "say" if step.kind == "action" and step.target.startswith("utter_") else step.kind
            yield _Shape(step.id, kind, lines, step.id not in self.reached, loops.get(step.id))
        for way in self.ways:
            if way.target == _end(way.source):
                yield _Shape(way.target, "end", ())

    def _head(self) -> Iterator[_Text]:
        code = None if self.project and self.language == self.project.language[:2] else self.language
        name = self.flow.translated_names.get(code or "", self.flow.name)
        yield from (_Text(line, "b") for line in wrap(name, _LIMIT, lines=2))
        if self.flow.guard is False:
            yield _Text(self.words["child"], "s")
        elif isinstance(self.flow.guard, Condition):
            text = f"{self.words['only_if']} {readable(self.flow.guard.text, self.language)}"
            yield from (_Text(line, "s") for line in wrap(text, _LIMIT, lines=3))

    def _lines(self, step: Step) -> Iterator[_Text]:
        kind = "say" if step.kind == "action" and step.target.startswith("utter_") else step.kind
        name = "" if step.id[:1].isdigit() and "_" in step.id else f" · {step.id}"
        yield from (_Text(line, "s") for line in wrap(f"{self.words[kind]}{name}", _LIMIT * 1.15, lines=2))
        if step.kind in {"call", "link"} and self.project is not None and step.target in self.project.flows:
            shown = self.project.flow_name(step.target, self.language)
            yield from (_Text(line, "b") for line in wrap(shown, _LIMIT, lines=2))
        if step.target:
            yield from (_Text(line, "m") for line in wrap(step.target, _LIMIT, lines=3, mono=True))
        for slot, value in step.assignments:
            text = f"{slot} {self.words['cleared']}" if value is None else f"{slot} = {value}"
            yield from (_Text(line) for line in wrap(text, _LIMIT, lines=2))
        spoken = step.target if kind == "say" else (step.utter or f"utter_ask_{step.target}") if kind == "collect" else ""
        yield from (_Text(line) for line in self._wording(spoken))
        if kind == "noop" and step.description:
            yield from (_Text(line) for line in wrap(step.description, _LIMIT, lines=3))
        if step.ask_before_filling:
            yield _Text(self.words["anew"], "s")
        for rejection in step.rejections:
            text = f"{self.words['refuses']} {readable(rejection.condition.text, self.language)}"
            yield from (_Text(line, "s") for line in wrap(text, _LIMIT * 1.15, lines=3))
        if step.id not in self.reached:
            yield _Text(self.words["unreachable"], "s")

    def _wording(self, response: str) -> list[str]:
        found = self.project.responses.get(response) if self.project else None
        first = next((v for v in found.variations if v.text is not None), None) if found else None
        if first is None or first.text is None or self.project is None:
            return []
        text = first.text if self.project.language.startswith(self.language) else first.translated.get(self.language, first.text)
        quotes = "“{}”"
        return wrap(quotes.format(text.source.strip()), _LIMIT, lines=3) if text.source.strip() else []

    # drawing

    def svg(self) -> str:
        """The picture."""
        edges = [Edge(START, self.flow.first)]
        edges += [Edge(way.source, way.target, _size(way.label)) for way in self.drawn]
        placed = layout([(shape.id, *shape.room) for shape in self.shapes.values()], edges)
        wide, high = placed.width + 2 * _MARGIN, placed.height + 2 * _MARGIN
        title = clean(f"{self.flow.name} ({self.flow.id})")
        ways = [_Way(START, self.flow.first, ()), *self.drawn]
        out = [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="tf" role="img" width="{wide:.0f}" height="{high:.0f}" '
            f'viewBox="0 0 {wide:.0f} {high:.0f}" data-flow={quoteattr(clean(self.flow.id))}>',
            f"<title>{escape(title)}</title>",
            f"<desc>{escape(clean(self._told()))}</desc>",
            f"<style>{STYLE}</style>",
            '<rect width="100%" height="100%" fill="var(--tf-paper)"/>',
            f'<g transform="translate({_MARGIN:g} {_MARGIN:g})">',
        ]
        for way, route in zip(ways, placed.routes, strict=True):
            out.append(self._way(way, route))
        for shape in self.shapes.values():
            out.append(self._box(shape, placed))
        return "\n".join([*out, "</g>", "</svg>", ""])

    def _told(self) -> str:
        """The flow in words."""
        out = [self.flow.description.strip()]
        for number, step in enumerate(self.flow.steps.values(), 1):
            out.append(f"{number}. " + " ".join(line.text for line in self.shapes[step.id].lines) + ".")
            for way in self.ways:
                if way.source == step.id:
                    goal = self.words["end"] if way.target == _end(step.id) else way.target
                    when = " ".join(line.text for line in way.label)
                    out.append(f"→ {when}: {goal}." if when else f"→ {goal}.")
        if self.path:
            out.append(f"{self.words['path']}: {', '.join(self.path)}.")
        return "\n".join(line for line in out if line)

    def _mark(self, *, on: bool) -> str:
        return "" if not self.path else " tf-on" if on else " tf-off"

    def _way(self, way: _Way, route: Route) -> str:
        mark = self._mark(on=(way.source, way.target) in self.gone)
        cut = route.cut
        parts = [route.lanes] if cut is None else [route.lanes[: cut + 1], route.lanes[cut + 1 :]]
        lines = "".join(f'<path class="tf-line{mark}" d="{_curve(lanes)}"/>' for lanes in parts)
        last = route.lanes[-1]
        tip = f'<path class="tf-tip{mark}" d="M{last.x:.1f} {last.end:.1f}l-4.5 -9h9z"/>'
        text = ""
        if route.label is not None:
            text = _words(way.label, *route.label, extra=" tf-off" if mark == " tf-off" else "")
        name = f"{way.source} → {END if way.target == _end(way.source) else way.target}"
        return f"<g data-way={quoteattr(clean(name))}>{lines}{tip}{text}</g>"

    def _box(self, shape: _Shape, placed: Layout) -> str:
        x, y = placed.centres[shape.id]
        wide, high = shape.body
        on = shape.id in self.path or (shape.id == START and bool(self.gone)) or any(b == shape.id for _, b in self.gone)
        classes = f"tf-node{self._mark(on=on)}{' tf-lost' if shape.lost else ''}"
        tag = f" data-step={quoteattr(clean(shape.id))}" if shape.id in self.flow.steps else ""
        body = _outline(shape.kind, x - wide / 2, y - high / 2, wide, high)
        text = _words(shape.lines, x, y)
        loop = self._loop(shape, x + wide / 2, y) if shape.loop is not None else ""
        turns = [str(number) for number, at in enumerate(self.path, 1) if at == shape.id]
        badge = _badge(",".join(turns), x - wide / 2, y - high / 2) if turns else ""
        return f'<g class="{classes}"{tag}>{loop}{body}{text}{badge}</g>'

    def _loop(self, shape: _Shape, x: float, y: float) -> str:
        """The way from a step to itself, on its right."""
        mark = self._mark(on=(shape.id, shape.id) in self.gone).replace(" tf-off", "")
        inside = x - (_SLANT if shape.kind in {"collect", "noop", "link"} else 0.0)
        line = f'<path class="tf-line{mark}" d="M{inside:.1f} {y + 9:.1f}H{x + 10:.1f}q10 0 10 -9t-10 -9H{inside:.1f}"/>'
        tip = f'<path class="tf-tip{mark}" d="M{x:.1f} {y - 9:.1f}l9 -4.5v9z"/>'
        return line + tip + _words(shape.loop or (), x + _LOOP, y, left=True)


def _end(source: str) -> str:
    """Id of the end mark below a step; no step can be called so."""
    return f"{END}\n{source}"


def _names(condition: Condition) -> frozenset[str]:
    return condition.predicate.names if condition.predicate else frozenset({condition.text})


def _size(label: Sequence[_Text]) -> tuple[float, float] | None:
    return (max(line.width for line in label) + 8.0, len(label) * 15.0 + 4.0) if label else None


def _curve(lanes: Sequence[Lane]) -> str:
    """One line through its vertical pieces: an S from one to the next, a U where it turns."""
    out = f"M{lanes[0].x:.1f} {lanes[0].start:.1f}V{lanes[0].end:.1f}"
    for before, after in pairwise(lanes):
        if before.end == after.start:
            up = after.end < after.start
            bulge = before.end + (9.0 if up else -9.0)
            out += f"C{before.x:.1f} {bulge:.1f} {after.x:.1f} {bulge:.1f} {after.x:.1f} {after.start:.1f}"
        elif abs(before.x - after.x) < 0.5:
            out += f"L{after.x:.1f} {after.start:.1f}"
        else:
            middle = (before.end + after.start) / 2
            out += f"C{before.x:.1f} {middle:.1f} {after.x:.1f} {middle:.1f} {after.x:.1f} {after.start:.1f}"
        out += f"V{after.end:.1f}"
    return out


def _words(lines: Sequence[_Text], x: float, y: float, *, left: bool = False, extra: str = "") -> str:
    """Lines of text round a middle."""
    if not lines:
        return ""
    step = 15.0 if all(line.style == "s" for line in lines) else _LINE
    top = y - (len(lines) - 1) * step / 2 + 4.0
    anchor = "" if left else ' text-anchor="middle"'
    return "".join(
        f'<text class="{" ".join(f"tf-{c}" for c in line.style)}{extra}" x="{x:.1f}" y="{top + number * step:.1f}"{anchor}>'
        f"{escape(clean(line.text))}</text>"
        for number, line in enumerate(lines)
    )


_FILLS: Mapping[str, str] = {
    "start": "paper", "end": "ink", "say": "say", "action": "run", "collect": "ask", "call": "flow", "link": "flow", "set_slots": "set",
    "noop": "run",
}  # fmt: skip


def _outline(kind: str, x: float, y: float, wide: float, high: float) -> str:
    fill = f'class="tf-box" fill="var(--tf-{_FILLS[kind]})"'
    if kind == "end":
        return (
            f'<circle class="tf-box" fill="none" cx="{x + wide / 2:.1f}" cy="{y + high / 2:.1f}" r="{high / 2:.1f}"/>'
            f'<circle fill="var(--tf-ink)" cx="{x + wide / 2:.1f}" cy="{y + high / 2:.1f}" r="{high / 2 - 5:.1f}"/>'
        )
    if kind in {"say", "start", "action", "call"}:
        radius = {"say": 14.0, "start": high / 2, "action": 3.0, "call": 3.0}[kind]
        box = f'<rect {fill} x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}" rx="{min(radius, high / 2):.1f}"/>'
        if kind == "call":
            box += f'<path class="tf-bar" d="M{x + 6:.1f} {y:.1f}v{high:.1f}M{x + wide - 6:.1f} {y:.1f}v{high:.1f}"/>'
        return box
    s = _SLANT
    corners = {
        "collect": ((s, 0), (wide, 0), (wide - s, high), (0, high)),
        "noop": ((s, 0), (wide - s, 0), (wide, high / 2), (wide - s, high), (s, high), (0, high / 2)),
        "link": ((0, 0), (wide - s, 0), (wide, high / 2), (wide - s, high), (0, high)),
        "set_slots": ((0, 0), (wide - s, 0), (wide, s), (wide, high), (0, high)),
    }[kind]
    return f'<path {fill} d="M' + "L".join(f"{x + dx:.1f} {y + dy:.1f}" for dx, dy in corners) + 'Z"/>'


def _badge(text: str, x: float, y: float) -> str:
    wide = max(18.0, width(text) * _SMALL + 10.0)
    return (
        f'<rect class="tf-badge" x="{x - 6:.1f}" y="{y - 7:.1f}" width="{wide:.1f}" height="17" rx="8.5"/>'
        f'<text class="tf-no" x="{x - 6 + wide / 2:.1f}" y="{y + 5.5:.1f}" text-anchor="middle">{escape(text)}</text>'
    )
