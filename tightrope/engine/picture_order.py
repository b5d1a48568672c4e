"""In which order the boxes of a layered picture stand beside each other, so that few lines cross: pure, after Sugiyama and Eades."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

SWEEPS = 24


@dataclass(slots=True)
class Node:
    """A box, a label, a turn or the place of a passing line; `above` and `below` are the numbers of its neighbours."""

    width: float
    height: float
    passing: bool = False
    layer: int = 0
    above: list[int] = field(default_factory=list)
    below: list[int] = field(default_factory=list)
    x: float = 0.0


def ordered(nodes: Sequence[Node]) -> list[list[int]]:
    """The numbers of the nodes of each layer, from left to right."""
    return _Rows(nodes).rows


class _Rows:
    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = nodes
        self.rows: list[list[int]] = [[] for _ in range(1 + max(node.layer for node in nodes))]
        self._order()

    def _order(self) -> None:
        seen = [False] * len(self.nodes)
        for root in sorted(range(len(self.nodes)), key=lambda at: (self.nodes[at].layer, at)):
            todo = [root]
            while todo:
                at = todo.pop()
                if not seen[at]:
                    seen[at] = True
                    self.rows[self.nodes[at].layer].append(at)
                    todo.extend(reversed(self.nodes[at].below))
        best, fewest = [list(row) for row in self.rows], self._crossings()
        for sweep in range(SWEEPS):
            down = sweep % 2 == 0
            for level in range(1, len(self.rows)) if down else range(len(self.rows) - 2, -1, -1):
                self._sort(level, down=down)
            found = self._crossings()
            if found < fewest:
                best, fewest = [list(row) for row in self.rows], found
            if not fewest:
                break
        self.rows = best
        for _ in range(SWEEPS if fewest else 0):
            if sum(self._swap(level) for level in range(len(self.rows))) == 0:
                break

    def _sort(self, level: int, *, down: bool) -> None:
        """Order one layer by the middle of each node's neighbours; nodes without any keep their place."""
        other = self.rows[level - 1 if down else level + 1]
        place = {at: number for number, at in enumerate(other)}
        row = self.rows[level]
        keys: dict[int, float] = {}
        for number, at in enumerate(row):
            near = self.nodes[at].above if down else self.nodes[at].below
            spots = sorted(place[n] for n in near if n in place)
            keys[at] = sum(spots) / len(spots) if spots else number * len(other) / max(1, len(row))
        self.rows[level] = sorted(row, key=lambda at: keys[at])

    def _swap(self, level: int) -> bool:
        """Exchange neighbours of a layer where that undoes crossings; whether anything was exchanged."""
        row, changed = self.rows[level], False
        places = [
            {at: number for number, at in enumerate(self.rows[other])} if 0 <= other < len(self.rows) else {}
            for other in (level - 1, level + 1)
        ]
        for number in range(len(row) - 1):
            one, two = row[number], row[number + 1]
            gain = 0
            for side, place in enumerate(places):
                left = [place[n] for n in (self.nodes[one].below if side else self.nodes[one].above) if n in place]
                right = [place[n] for n in (self.nodes[two].below if side else self.nodes[two].above) if n in place]
                gain += sum((a > b) - (a < b) for a in left for b in right)
            if gain > 0:
                row[number], row[number + 1] = two, one
                changed = True
        return changed

    def _crossings(self) -> int:
        total = 0
        for level in range(len(self.rows) - 1):
            place = {at: number for number, at in enumerate(self.rows[level + 1])}
            ends = [place[n] for at in self.rows[level] for n in sorted(self.nodes[at].below, key=lambda n: place[n])]
            total += _inversions(ends)
        return total


def _inversions(places: Sequence[int]) -> int:
    """Pairs in the wrong order, by a binary indexed tree."""
    size = max(places, default=0) + 1
    tree = [0] * (size + 1)
    total = 0
    for number, place in enumerate(places):
        at, not_after = place + 1, 0
        while at:
            not_after += tree[at]
            at -= at & -at
        total += number - not_after
        at = place + 1
        while at <= size:
            tree[at] += 1
            at += at & -at
    return total
