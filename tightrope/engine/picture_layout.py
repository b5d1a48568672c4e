"""Where the boxes of a layered picture stand and how its lines run: pure geometry, after Sugiyama, Tagawa and Toda (1981).

Boxes stand in layers from top to bottom; a line goes from a box to one in a deeper layer through the gaps between layers and, where it
passes a layer, through a place of its own in it. So no line can cross a box, and boxes of a layer cannot overlap. A line that goes back
up leaves below its box, turns, climbs in a place of its own in every layer, turns above its goal and comes in from the top.
Lengths are pixels; y grows downwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tightrope.engine.picture_order import SWEEPS, Node, ordered

SIDE, LANE, GAP = 26.0, 14.0, 22.0
"""Space between boxes of a layer, beside a passing line, and between layers at least."""
TURN = (22.0, 16.0)
"""Width and height of the place in which a line turns round."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A line from box to box; `label` is the size of the text on it."""

    source: str
    target: str
    label: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """A vertical piece of a line at `x`, from `start` to `end`; it climbs when `end` is above `start`."""

    x: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Route:
    """A line as vertical pieces, each joined to the next by a curve; `label` is the centre of its text, before which piece `cut` ends."""

    lanes: tuple[Lane, ...]
    label: tuple[float, float] | None
    cut: int | None


@dataclass(frozen=True, slots=True)
class Layout:
    """Centres of the boxes, a route for each edge in the order given, and the size of the whole."""

    centres: dict[str, tuple[float, float]]
    routes: tuple[Route, ...]
    width: float
    height: float


def layout(boxes: Sequence[tuple[str, float, float]], edges: Sequence[Edge]) -> Layout:
    """Place boxes (id, width, height) and edges; the first box is the top. An edge from a box to itself has no place here."""
    return _Layered(boxes, edges).result()


class _Layered:
    def __init__(self, boxes: Sequence[tuple[str, float, float]], edges: Sequence[Edge]) -> None:
        self.nodes = [Node(width, height) for _, width, height in boxes]
        self.ids = {name: at for at, (name, _, _) in enumerate(boxes)}
        self.edges = edges
        self.chains: list[list[int]] = []
        back = self._back()
        short = [self._expand(edge, back=number in back) for number, edge in enumerate(edges)]
        self._layers(short)
        for chain in short:
            self.chains.append(self._fill(chain))
        self.rows = ordered(self.nodes)
        self._across()
        self.tops, self.bottoms = self._down()

    def _new(self, width: float, height: float, *, passing: bool = True) -> int:
        self.nodes.append(Node(width, height, passing))
        return len(self.nodes) - 1

    def _back(self) -> set[int]:
        """Numbers of the edges that close a circle, found by walking in the order of the edges."""
        out: dict[int, list[tuple[int, int]]] = {at: [] for at in range(len(self.nodes))}
        for number, edge in enumerate(self.edges):
            out[self.ids[edge.source]].append((number, self.ids[edge.target]))
        found: set[int] = set()
        state = [0] * len(self.nodes)
        for root in range(len(self.nodes)):
            if state[root]:
                continue
            state[root] = 1
            walk: list[tuple[int, Iterator[tuple[int, int]]]] = [(root, iter(out[root]))]
            while walk:
                at, ways = walk[-1]
                for number, target in ways:
                    if state[target] == 1:
                        found.add(number)
                    elif state[target] == 0:
                        state[target] = 1
                        walk.append((target, iter(out[target])))
                        break
                else:
                    state[at] = 2
                    walk.pop()
        return found

    def _expand(self, edge: Edge, *, back: bool) -> list[int]:
        """The nodes of an edge in the direction of travel: its ends, its label, and the turns of one that goes back."""
        source, target = self.ids[edge.source], self.ids[edge.target]
        if back:
            size = edge.label or (0.0, 0.0)
            turn = (size[0] + 2 * TURN[0], size[1] + TURN[1]) if edge.label else TURN
            below = self._new(*turn, passing=edge.label is None)
            return [source, below, self._new(*TURN), target]
        if edge.label is None:
            return [source, target]
        return [source, self._new(*edge.label, passing=False), target]

    def _layers(self, chains: Sequence[Sequence[int]]) -> None:
        """Longest way from the top; what nothing leads to stands just above what it leads to."""
        after: list[set[int]] = [set() for _ in self.nodes]
        before: list[set[int]] = [set() for _ in self.nodes]
        for chain in chains:
            for a, b in self._downwards(chain):
                after[a].add(b)
                before[b].add(a)
        waiting = [len(found) for found in before]
        order = [at for at, count in enumerate(waiting) if not count]
        for at in order:
            for goal in after[at]:
                self.nodes[goal].layer = max(self.nodes[goal].layer, self.nodes[at].layer + 1)
                waiting[goal] -= 1
                if not waiting[goal]:
                    order.append(goal)
        for at in reversed(order[1:]):
            if not before[at] and after[at] and at != 0:
                self.nodes[at].layer = min(self.nodes[goal].layer for goal in after[at]) - 1
        first = min(node.layer for node in self.nodes)
        for node in self.nodes:
            node.layer -= first

    @staticmethod
    def _downwards(chain: Sequence[int]) -> list[tuple[int, int]]:
        """Pairs (upper, lower): of a line that goes back, its middle part climbs."""
        if len(chain) == 4:
            source, low, high, target = chain
            return [(source, low), (high, low), (high, target)]
        return list(pairwise(chain))

    def _fill(self, chain: Sequence[int]) -> list[int]:
        """The chain with a node in every layer that it passes; neighbours are told of each other."""
        full = [chain[0]]
        for a, b in pairwise(chain):
            step = 1 if self.nodes[b].layer > self.nodes[a].layer else -1
            for level in range(self.nodes[a].layer + step, self.nodes[b].layer, step):
                at = self._new(0.0, 0.0)
                self.nodes[at].layer = level
                full.append(at)
            full.append(b)
        for a, b in pairwise(full):
            upper, lower = (a, b) if self.nodes[a].layer < self.nodes[b].layer else (b, a)
            self.nodes[upper].below.append(lower)
            self.nodes[lower].above.append(upper)
        return full

    # positions

    def _across(self) -> None:
        """x of every node: near its neighbours, in the order of its layer, passing lines as straight as may be."""
        for row in self.rows:
            place = 0.0
            for number, at in enumerate(row):
                place += self._apart(row[number - 1], at) if number else 0.0
                self.nodes[at].x = place
        self.places = {at: place for row in self.rows for place, at in enumerate(row)}
        for sweep in range(SWEEPS):
            down = sweep % 2 == 0
            both = sweep >= SWEEPS // 2
            for row in self.rows if down else reversed(self.rows):
                self._settle(row, above=down or both, below=not down or both)
        threads = self._threads()
        for _ in range(4):
            for thread in threads:
                self._straighten(thread)
        left = min(node.x - node.width / 2 for node in self.nodes)
        for node in self.nodes:
            node.x -= left

    def _apart(self, a: int, b: int) -> float:
        one, two = self.nodes[a], self.nodes[b]
        return (one.width + two.width) / 2 + (LANE if one.passing or two.passing else SIDE)

    def _settle(self, row: Sequence[int], *, above: bool, below: bool) -> None:
        """The places nearest to the wished ones that keep order and distances (pool adjacent violators)."""
        wished: list[tuple[float, float]] = []
        for at in row:
            node = self.nodes[at]
            near = [(n, _pull(node, self.nodes[n])) for n in (node.above if above else []) + (node.below if below else [])]
            weight = sum(pull for _, pull in near)
            wished.append((sum(self.nodes[n].x * pull for n, pull in near) / weight if near else node.x, weight or 0.1))
        offsets, total = [0.0], 0.0
        for a, b in pairwise(row):
            total += self._apart(a, b)
            offsets.append(total)
        blocks: list[list[float]] = []
        for (spot, weight), offset in zip(wished, offsets, strict=True):
            blocks.append([spot - offset, weight, 1])
            while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
                mean, heavy, count = blocks.pop()
                last = blocks[-1]
                last[0] = (last[0] * last[1] + mean * heavy) / (last[1] + heavy)
                last[1] += heavy
                last[2] += count
        places = (mean for mean, _, count in blocks for _ in range(int(count)))
        for at, place, offset in zip(row, places, offsets, strict=True):
            self.nodes[at].x = place + offset

    def _threads(self) -> list[list[int]]:
        """Runs of nodes, each with one line to the next and no other on that side: they may be one straight line."""
        found: list[list[int]] = []
        for at, node in enumerate(self.nodes):
            if len(node.above) == 1 and len(self.nodes[node.above[0]].below) == 1:
                continue
            thread = [at]
            while len(below := self.nodes[thread[-1]].below) == 1 and len(self.nodes[below[0]].above) == 1:
                thread.append(below[0])
            if len(thread) > 1:
                found.append(thread)
        return sorted(found, key=len, reverse=True)

    def _straighten(self, thread: Sequence[int]) -> None:
        """Put as long stretches of a run as there is room for on one x each."""
        start = 0
        while start < len(thread):
            low, high = self._room(thread[start])
            end = start + 1
            while end < len(thread):
                lower, higher = self._room(thread[end])
                if max(low, lower) > min(high, higher):
                    break
                low, high = max(low, lower), min(high, higher)
                end += 1
            spots = sorted(self.nodes[at].x for at in thread[start:end])
            spot = min(max(spots[len(spots) // 2], low), high)
            for at in thread[start:end]:
                self.nodes[at].x = spot
            start = end

    def _room(self, at: int) -> tuple[float, float]:
        """How far to the left and right a node may move between its neighbours."""
        row, place = self.rows[self.nodes[at].layer], self.places[at]
        low = self.nodes[row[place - 1]].x + self._apart(row[place - 1], at) if place else float("-inf")
        high = self.nodes[row[place + 1]].x - self._apart(at, row[place + 1]) if place + 1 < len(row) else float("inf")
        return min(low, high), max(low, high)

    def _down(self) -> tuple[list[float], list[float]]:
        """Top and bottom of every layer; where lines go far to the side the gap is larger."""
        tops, bottoms, y = [], [], 0.0
        for row in self.rows:
            tops.append(y)
            y += max((self.nodes[at].height for at in row), default=0.0)
            bottoms.append(y)
            aside = max((abs(self.nodes[at].x - self.nodes[n].x) for at in row for n in self.nodes[at].below), default=0.0)
            y += GAP + min(46.0, aside * 0.09)
        return tops, bottoms

    # the result

    def _ports(self, *, down: bool) -> dict[tuple[int, int], float]:
        """Where on the lower (or upper) side of each node the lines to its neighbours stand."""
        found: dict[tuple[int, int], float] = {}
        for at, node in enumerate(self.nodes):
            near = sorted(node.below if down else node.above, key=lambda n: self.nodes[n].x)
            space = min(20.0, max(0.0, node.width - 28.0) / max(1, len(near) - 1)) if node.height else 0.0
            if node.passing and node.height:
                space = TURN[0] - 6.0
            for number, n in enumerate(near):
                found[at, n] = node.x + (number - (len(near) - 1) / 2) * space
        return found

    def result(self) -> Layout:
        """Everything as coordinates."""
        low, high = self._ports(down=True), self._ports(down=False)
        routes = tuple(self._route(edge, chain, low, high) for edge, chain in zip(self.edges, self.chains, strict=True))
        centres = {name: (self.nodes[at].x, self._middle(at)) for name, at in self.ids.items()}
        return Layout(centres, routes, max(n.x + n.width / 2 for n in self.nodes), self.bottoms[-1])

    def _middle(self, at: int) -> float:
        layer = self.nodes[at].layer
        return (self.tops[layer] + self.bottoms[layer]) / 2

    def _route(
        self, edge: Edge, chain: Sequence[int], low: dict[tuple[int, int], float], high: dict[tuple[int, int], float]
    ) -> Route:
        lanes: list[Lane] = []
        label: tuple[float, float] | None = None
        cut: int | None = None
        for number, at in enumerate(chain):
            node = self.nodes[at]
            top, bottom = self.tops[node.layer], self.bottoms[node.layer]
            upper, lower = self._middle(at) - node.height / 2, self._middle(at) + node.height / 2
            before = chain[number - 1] if number else None
            after = chain[number + 1] if number + 1 < len(chain) else None
            from_above = before is not None and self.nodes[before].layer < node.layer
            to_below = after is not None and self.nodes[after].layer > node.layer
            enter = None if before is None else (high if from_above else low)[at, before]
            leave = None if after is None else (low if to_below else high)[at, after]
            if before is None:
                assert leave is not None  # noqa: S101 - an edge has two ends
                lanes.append(Lane(leave, lower, bottom))
            elif after is None:
                assert enter is not None  # noqa: S101
                lanes.append(Lane(enter, top, upper))
            else:
                assert enter is not None  # noqa: S101
                assert leave is not None  # noqa: S101
                if not node.height:
                    lanes.append(Lane(node.x, *((top, bottom) if from_above else (bottom, top))))
                    continue
                if edge.label is not None and label is None and not node.passing:
                    cut = len(lanes)
                    if to_below:
                        label = (node.x, self._middle(at))
                        lanes += [Lane(enter, top, upper), Lane(leave, lower, bottom)]
                    else:
                        label = (node.x, self._middle(at) - TURN[1] / 2)
                        lower = upper + edge.label[1]
                        lanes += [
                            Lane(node.x, top, upper),
                            Lane(node.x, lower, lower),
                            Lane(node.x + node.width / 2 - 8.0, lower, top),
                        ]
                    continue
                turn = top + 3.0 if from_above else bottom - 3.0
                lanes += [Lane(enter, top if from_above else bottom, turn), Lane(leave, turn, top if from_above else bottom)]
        return Route(tuple(lanes), label, cut)


def _pull(one: Node, two: Node) -> float:
    thin = (one.passing and not one.height) + (two.passing and not two.height)
    return (1.0, 3.0, 8.0)[thin]
