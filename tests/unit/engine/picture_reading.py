"""Reads a flow picture back: boxes and lines as coordinates. It knows SVG and nothing of how the picture was laid out."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass

SVG = "{http://www.w3.org/2000/svg}"
_PART = re.compile(r"([MLCVHqtvlhZ])([^MLCVHqtvlhZ]*)")


@dataclass(frozen=True)
class Box:
    step: str | None
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        return self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom

    def holds(self, x: float, y: float, inside: float = 1.0) -> bool:
        return self.left + inside < x < self.right - inside and self.top + inside < y < self.bottom - inside


@dataclass(frozen=True)
class Picture:
    root: ET.Element
    boxes: list[Box]
    lines: dict[str, list[list[tuple[float, float]]]]
    """Points of each way's pieces."""

    @property
    def texts(self) -> list[str]:
        return [found.text or "" for found in self.root.iter(f"{SVG}text")]


def read(svg: str) -> Picture:
    root = ET.fromstring(svg)
    boxes = [_box(g) for g in root.iter(f"{SVG}g") if "tf-node" in g.get("class", "")]
    lines = {
        g.get("data-way", ""): [points(p.get("d", "")) for p in g.iter(f"{SVG}path") if "tf-line" in p.get("class", "")]
        for g in root.iter(f"{SVG}g")
        if g.get("data-way")
    }
    return Picture(root, boxes, lines)


def _box(g: ET.Element) -> Box:
    found = next(e for e in g if "tf-box" in e.get("class", ""))
    get = lambda name: float(found.get(name, "0"))  # noqa: E731
    if found.tag == f"{SVG}rect":
        corners = [(get("x"), get("y")), (get("x") + get("width"), get("y") + get("height"))]
    elif found.tag == f"{SVG}circle":
        corners = [(get("cx") - get("r"), get("cy") - get("r")), (get("cx") + get("r"), get("cy") + get("r"))]
    else:
        corners = points(found.get("d", ""))
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return Box(g.get("data-step"), min(xs), min(ys), max(xs), max(ys))


def points(path: str) -> list[tuple[float, float]]:
    """The path as short straight pieces; of absolute M, L, V, C and a closing Z."""
    out: list[tuple[float, float]] = []
    for kind, numbers in _PART.findall(path):
        n = [float(number) for number in re.findall(r"-?[\d.]+", numbers)]
        if kind in "ML":
            goal = (n[0], n[1])
        elif kind == "V":
            goal = (out[-1][0], n[0])
        elif kind == "C":
            x, y = out[-1]
            for at in (i / 12 for i in range(1, 12)):
                a, b, c, d = (1 - at) ** 3, 3 * at * (1 - at) ** 2, 3 * at * at * (1 - at), at**3
                out.append((a * x + b * n[0] + c * n[2] + d * n[4], a * y + b * n[1] + c * n[3] + d * n[5]))
            goal = (n[4], n[5])
        else:
            continue
        if out and kind in "LV":
            x, y = out[-1]
            out += [(x + (goal[0] - x) * i / 8, y + (goal[1] - y) * i / 8) for i in range(1, 8)]
        out.append(goal)
    return out
