"""Checks a whole log hash by hash: C2SP tlog-tiles folders, a year each, with anchors.json and policy.txt beside them.

    python verify_log.py FOLDER [--policy FILE] [--strict] [--late-minutes 10] [--leaves] [--json]

FOLDER holds `<year>/checkpoint` and `<year>/tile/…`, or `checkpoint` and `tile/…` of one year. Lies beside verify.py (same rules, same exit
codes). Every entry is hashed; --leaves also reads each one's form and the turns of its conversation, which takes several times as long.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from verify import Check, main
from verify_notes import iso, need, seconds, sha

SILENCE = 60.0  # seconds without a heartbeat that are worth a note
SHA256 = hashlib.sha256
LOG, TS = b'"event":"log:', b'"ts":"'
OWN = len('"ts":"2026-03-02T01:30:00.000Z","turn":null,"until":"2046-12-31","v":2}')  # so end leaves of the log's own


def mth(nodes: list[bytes]) -> bytes:
    """The root over neighbouring subtrees (RFC 6962, 2.1): in pairs, an odd one goes up as it is."""
    while len(nodes) > 1:
        nodes = [SHA256(b"\1" + a + b).digest() for a, b in zip(nodes[::2], nodes[1::2])] + nodes[len(nodes) & ~1 :]
    return nodes[0]


class LogCheck(Check):
    OPTIONS = ("--leaves",)

    def run(self) -> str:
        folders = [name[: -len("checkpoint")] for name in sorted(self.files) if re.fullmatch(r"(\d+/)?checkpoint", name)]
        need(folders, "neither a checkpoint nor a folder <year>/checkpoint here; an export is checked with verify.py")
        self.links: list[Any] = []
        self.known([f"{folder}checkpoint" for folder in folders])
        for shard, (_, size, *_) in sorted(self.tops.items()):
            self.tree(shard, f"{shard}/" if f"{shard}/" in folders else "", size)
        for shard, facts in self.links:
            with self.guard("the link to the shard before", (shard, 0)):
                self.link(facts)
        if self.given.leaves:
            self.custody([])
            self.gaps(0)
        return f"whole log 全日志, {sum(head[1] for head in self.tops.values())} leaves 叶, shards 分片 {', '.join(map(str, sorted(self.tops)))}"

    def link(self, facts: Any) -> None:
        """The first leaf of a shard names the last checkpoint of the one before: origin, size and root in hex."""
        shard, end = int(facts["origin"].rsplit("/", 1)[1]), facts["size"]
        _, size, root, _, origin = self.tops.get(shard, (0, end, b"", {}, ""))
        if not origin:
            self.notes.append(f"shard 分片 {shard} is not here; its last tree had size {end} and root {facts['root']}")
        elif end > size:
            self.find("missing", "the end of the shard, which the next one names", shard, size, end - 1)
        else:
            need((facts["origin"], end, facts["root"]) == (origin, size, root.hex()), "it names another last checkpoint")

    def tile(self, folder: str, kind: str, n: int, width: int) -> bytes:
        """A tile or entry bundle of the tree of this size, else the whole one of a later size; empty if neither is there."""
        path = f"{n % 1000:03}"
        while n > 999:
            n //= 1000
            path = f"x{n % 1000:03}/{path}"
        name, part = f"{folder}tile/{kind}/{path}", f"{folder}tile/{kind}/{path}.p/{width}"
        return self.read(part) if part in self.files else self.read(name) if name in self.files else b""

    def tree(self, shard: int, folder: str, size: int) -> None:
        """Entries against tiles of level 0, these against the levels above, the roots against every checkpoint known."""
        heads, form = self.heads[shard], re.compile(rf"{folder}tile/(?:entries|0)/((?:x\d{{3}}/)*\d{{3}})(?:\.p/\d+)?")
        present = sorted({int(re.sub("[x/]", "", found[1])) for found in map(form.fullmatch, self.files) if found})
        edges: dict[int, set[bytes]] = {}  # of a checkpoint's size: the subtree of its last, incomplete tile
        level, wanted, row = dict[int, bytes](), dict[int, list[int]](), (-1, b"")
        due, self.now, self.beat, self.gap = 0, float("inf"), (0, 0.0), False
        for known, _ in heads:
            wanted.setdefault(known >> 8, []).append(known)
        if present and size:
            last = self.tile(folder, "entries", size - 1 >> 8, (size - 1 & 255) + 1)
            with self.guard("the last entry's time", (shard, size - 1)):
                self.now = seconds(last[last.rfind(TS) + 6 :][:24].decode())
        for n in (n for n in present if n << 8 < size):
            first, width = n << 8, min(256, size - (n << 8))
            if n > due:
                self.find("missing", "entries and tiles of level 0 are not there", shard, due << 8, first - 1)
            data, stored = self.tile(folder, "entries", n, width), self.tile(folder, "0", n, width)
            own, due = self.entries(shard, first, width, data), n + 1
            saved = own if b"".join(own) == stored else [stored[at : at + 32] for at in range(0, 32 * width if stored else 0, 32)]
            choices = [own] if own == saved or not saved else [saved] if not own else [own, saved]
            for what in ["an entry bundle"] * (not data) + ["a tile of level 0"] * (not stored):
                self.find("missing", f"{what} is not there", shard, first, first + width - 1)
            for at in range(width if len(choices) > 1 else 0):
                if own[at : at + 1] != saved[at : at + 1]:
                    self.find("altered", "the entry and its hash in the tile differ", shard, first + at)
            choices = [choice for choice in choices if len(choice) == width]
            for known in wanted.get(n, ()):
                edges[known] = {mth(choice[: known & 255]) for choice in choices if known & 255}
            if width == 256 and choices:
                if n >> 8 != row[0]:
                    row = n >> 8, self.tile(folder, "1", n >> 8, min(256, (size >> 8) - (n >> 8 << 8)))
                above = row[1][32 * (n & 255) :][:32]
                roots = [mth(choice) for choice in choices]
                level[n] = above if above in roots else roots[0]
        if due << 8 < size:
            self.find("missing", "entries and tiles of level 0 are not there", shard, due << 8, size - 1)
        self.roots(shard, size, edges, self.levels(shard, folder, size, level))

    def entries(self, shard: int, first: int, width: int, data: bytes) -> list[bytes]:
        """Leaf hashes of an entry bundle; looks at the times, and at the leaves of the log's own."""
        leaves, at, end = list[bytes](), 0, len(data)
        while at < end - 1 and len(leaves) < width:
            start = at + 2
            at = start + (data[at] << 8 | data[at + 1])
            leaves.append(data[start:at])
        if end and (at > end or len(leaves) < width):
            self.find("altered", "an entry bundle that is cut off", shard, first + len(leaves) - (at > end), first + width - 1)
        tails = [leaf[leaf.rfind(TS) :] for leaf in leaves]
        if leaves:
            self.times_of(shard, first, tails)
        own = [(first + n, leaves[n]) for n, tail in enumerate(tails) if len(tail) == OWN]
        for index, leaf in enumerate(leaves, first) if self.given.leaves or not first else own:
            if LOG in leaf or self.given.leaves or not index:
                with self.guard("leaf", (shard, index)):
                    self.own(shard, index, self.leaf(shard, index, leaf))
        return [SHA256(b"\0" + leaf).digest() for leaf in leaves]

    def times_of(self, shard: int, first: int, tails: list[bytes]) -> None:
        """All times of a bundle at once where they lie well, else one by one."""
        before, after = self.outside(shard, first), self.outside(shard, first + len(tails) - 1)
        low = self.now if after is None else after
        high = TS + (b"" if before is None else iso(before + self.late).encode()) + b"~"
        if low < float("inf") and not (TS + iso(low - self.late).encode() <= min(tails) and max(tails) <= high):
            for index, tail in enumerate(tails, first):
                with self.guard("the leaf's time", (shard, index)):
                    need(tail[:6] == TS, "is not where it must be")
                    self.clock(shard, index, tail[6:30].decode())

    def own(self, shard: int, index: int, leaf: Any) -> None:
        """Links of shards, heartbeats, declared gaps, and what is done to keys."""
        self.act(leaf, shard, index, None)
        if leaf["event"] == "log:shard:opened" and leaf["facts"].get("before"):
            self.links.append((shard, leaf["facts"]["before"]))
        if leaf["event"] == "log:gap:declared":
            self.gap = True
            self.notes.append(f"gap declared 已声明缺口 {shard}/{index} {leaf['ts']} {leaf['facts']}")
        if leaf["event"] == "log:sequencer:beat":
            at, (place, before) = seconds(leaf["ts"]), self.beat
            if before and at - before > SILENCE:
                said = "declared 已声明" if self.gap else "NOT DECLARED 未声明"
                self.notes.append(f"no heartbeat 心跳中断 {shard}/{place}..{index} for {at - before:.0f} s, {said}")
            self.beat, self.gap = (index, at), False

    def levels(self, shard: int, folder: str, size: int, level: dict[int, bytes]) -> list[dict[int, bytes]]:
        """Every level above 0, compared with its tiles; a hash that cannot be computed is taken from the tile."""
        found: list[dict[int, bytes]] = []
        while size >> 8 * (len(found) + 1):
            number, above, total, span = len(found) + 1, dict[int, bytes](), size >> 8 * (len(found) + 1), 256 ** (len(found) + 1)
            for n in sorted({index >> 8 for index in level}):
                width = min(256, total - (n << 8))
                data = self.tile(folder, str(number), n, width)
                if not data:
                    self.find("missing", f"a tile of level {number}", shard, (n << 8) * span, ((n << 8) + width) * span - 1)
                for at in range(n << 8, (n << 8) + width):
                    stored = data[32 * (at & 255) :][:32]
                    if data and level.setdefault(at, stored) != stored:
                        self.find("altered", f"a hash in a tile of level {number}", shard, at * span, (at + 1) * span - 1)
                nodes = [level.get(at, b"") for at in range(n << 8, (n << 8) + width)]
                if width == 256 and all(nodes):
                    above[n] = mth(nodes)
            found.append(level)
            level = above
        return found

    def roots(self, shard: int, size: int, edges: dict[int, set[bytes]], levels: list[dict[int, bytes]]) -> None:
        """The tree of each size that was ever signed must be a beginning of this tree; the largest one with a quorum is witnessed."""
        good = witnessed = 0
        longest = max(known for known, _ in self.heads[shard])
        if longest > size:
            self.find("missing", "the end of the log: a larger tree was signed", shard, size, longest - 1)
        for (known, root), cosigned in sorted(item for item in self.heads[shard].items() if item[0][0] <= size):
            roots: set[bytes] = edges.get(known, set()) if known & 255 else {b""}
            for number, level in enumerate(levels, 1):
                nodes = [level.get(at, b"") for at in range(known >> 8 * number + 8 << 8, known >> 8 * number)]
                roots = {mth([*nodes, edge] if edge else nodes) if nodes else edge for edge in roots} if all(nodes) else set()
            if root in {edge or sha(b"") for edge in roots}:
                good, witnessed = known, known if self.enough(self.quorum, cosigned) else witnessed
            elif roots:
                earlier = "another tree was signed earlier: a fork, or rewritten"
                self.find("altered", earlier if known < size else "its checkpoint names another root", shard, good, size - 1)
            else:
                self.notes.append(f"root 根 {shard} size {known} cannot be computed: hashes are missing")
        if witnessed < size:
            self.find("unwitnessed", "no quorum of witnesses", shard, witnessed, size - 1)


if __name__ == "__main__":
    sys.exit(main(LogCheck))
