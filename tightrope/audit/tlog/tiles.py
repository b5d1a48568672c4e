"""The tree as files: tiles of 256 hashes and bundles of 256 entries (C2SP tlog-tiles). Pure: reading is a function that is given.

A tile of level L holds the roots of full subtrees of 256**L leaves. The last tile of a level is partial, `.p/<width>`, until it is full.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tightrope.audit.errors import TileInvalid
from tightrope.audit.tlog.merkle import HASH_SIZE, SIZE_LIMIT, NodeReader, root_of

WIDTH = 256
"""Hashes of a full tile, entries of a full bundle."""

HEIGHT = 8
"""Levels of the tree that one level of tiles covers."""

ENTRY_LIMIT = 65_535
"""Bytes that an entry may have: its length is a uint16."""

MAX_LEVEL = 63

Read = Callable[[str], bytes]
"""`read(path)`: a file of the log; FileNotFoundError (or KeyError) where there is none. Other errors pass through."""

_PATH = re.compile(r"tile/(0|[1-9]\d?|entries)/((?:x\d{3}/)*\d{3})(?:\.p/([1-9]\d{0,2}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile's place.

    Attributes:
        level: 0 holds leaf hashes.
        n: index within the level.
        width: hashes in it, from 1 to 256; below 256 it is partial.
    """

    level: int
    n: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Path of the tile below the log's folder."""
        return tile_path(self.level, self.n, self.width)

    @property
    def entries(self) -> str:
        """Path of the bundle with the entries of a tile of level 0.

        Raises:
            TileInvalid: a tile of another level.
        """
        if self.level:
            raise TileInvalid(f"{self.path}: only tiles of level 0 have entries")
        return entries_path(self.n, self.width)

    @property
    def first(self) -> int:
        """Index, at this level, of the tile's first hash; at level 0 the first leaf."""
        return self.n * WIDTH

    @property
    def size(self) -> int:
        """Bytes of the tile."""
        return self.width * HASH_SIZE


def tile_path(level: int, n: int, width: int = WIDTH) -> str:
    """Path of a tile, such as `tile/0/x001/x234/067` or `tile/1/000.p/17`.

    Raises:
        TileInvalid: level, index or width are out of range.
    """
    if not 0 <= level <= MAX_LEVEL:
        raise TileInvalid(f"levels of tiles go from 0 to {MAX_LEVEL}, not {level}")
    return f"tile/{level}/{_place(n, width)}"


def entries_path(n: int, width: int = WIDTH) -> str:
    """Path of an entry bundle, such as `tile/entries/x001/x234/067`.

    Raises:
        TileInvalid: index or width are out of range.
    """
    return f"tile/entries/{_place(n, width)}"


def _place(n: int, width: int) -> str:
    if not 0 <= n < SIZE_LIMIT:
        raise TileInvalid(f"indexes of tiles start at 0 and stay below 2^63, {n} does not")
    if not 1 <= width <= WIDTH:
        raise TileInvalid(f"a tile holds from 1 to {WIDTH} hashes, not {width}")
    digits = str(n)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    text = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return text if width == WIDTH else f"{text}.p/{width}"


def parse_path(path: str) -> tuple[int | None, int, int]:
    """Level (None for an entry bundle), index and width that a path names.

    Raises:
        TileInvalid: no path of a tile or bundle, or not written in the one right way.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise TileInvalid(f"{path!r} is no path of a tile or entry bundle")
    level = None if match[1] == "entries" else int(match[1])
    n, width = int(match[2].replace("x", "").replace("/", "")), int(match[3] or WIDTH)
    if path != (entries_path(n, width) if level is None else tile_path(level, n, width)):
        raise TileInvalid(f"{path!r} is not how a tile's path is written: no full width, no superfluous zeroes")
    return level, n, width


def changed(old_size: int, new_size: int) -> list[Tile]:
    """The tiles that are new or wider when the tree grows, lower levels first; the bundles to write are `entries` of those of level 0.

    Raises:
        TileInvalid: the tree would shrink, or a size is out of range.
    """
    if not 0 <= old_size <= new_size < SIZE_LIMIT:
        raise TileInvalid(f"a tree does not grow from {old_size} to {new_size} leaves")
    tiles, level, old, new = [], 0, old_size, new_size
    while new > old:
        tiles += [Tile(level, n, min(WIDTH, new - n * WIDTH)) for n in range(old // WIDTH, -(-new // WIDTH))]
        level, old, new = level + 1, old >> HEIGHT, new >> HEIGHT
    return tiles


def all_tiles(size: int) -> list[Tile]:
    """Every tile of a tree, lower levels first.

    Raises:
        TileInvalid: the size is out of range.
    """
    return changed(0, size)


def tile_bytes(tile: Tile, node: NodeReader) -> bytes:
    """The bytes of a tile, from the tree's nodes."""
    return b"".join(node(tile.level * HEIGHT, tile.first + at) for at in range(tile.width))


def split_tile(data: bytes, tile: Tile) -> list[bytes]:
    """The hashes of a tile.

    Raises:
        TileInvalid: not as long as its width says.
    """
    if len(data) != tile.size:
        raise TileInvalid(f"{tile.path}: {tile.width} hashes are {tile.size} bytes, these are {len(data)}")
    return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]


def grown(old_size: int, leaf_hashes: Sequence[bytes], node: NodeReader) -> Iterator[tuple[Tile, bytes]]:
    """The tiles to write when leaves are appended, with their bytes, lower levels first.

    Args:
        old_size: leaves before.
        leaf_hashes: the new leaves' hashes.
        node: the tree before; asked only for what stands in its partial tiles.

    Raises:
        TileInvalid: a hash is not 32 bytes, or what `node` raises.
    """
    if any(len(leaf) != HASH_SIZE for leaf in leaf_hashes):
        raise TileInvalid(f"a leaf hash has {HASH_SIZE} bytes")
    level, old, new = 0, old_size, list(leaf_hashes)
    while new:
        first = old // WIDTH
        before = [node(level * HEIGHT, at) for at in range(first * WIDTH, old)]
        row = before + new
        for n in range(-(-len(row) // WIDTH)):
            hashes = row[n * WIDTH : (n + 1) * WIDTH]
            yield Tile(level, first + n, len(hashes)), b"".join(hashes)
        new = [root_of(row[at : at + WIDTH]) for at in range(0, len(row) - WIDTH + 1, WIDTH)]
        level, old = level + 1, old >> HEIGHT


def bundle(entries: Sequence[bytes]) -> bytes:
    """An entry bundle: each entry with its length as a big-endian uint16.

    Raises:
        TileInvalid: none or more than 256 entries, or one over 65,535 bytes.
    """
    if not 1 <= len(entries) <= WIDTH:
        raise TileInvalid(f"a bundle holds from 1 to {WIDTH} entries, not {len(entries)}")
    for at, entry in enumerate(entries):
        if len(entry) > ENTRY_LIMIT:
            raise TileInvalid(
                f"entry {at} of the bundle has {len(entry)} bytes, {ENTRY_LIMIT} are allowed; keep large content outside the leaf"
            )
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def parse_bundle(data: bytes, width: int | None = None) -> list[bytes]:
    """The entries of a bundle.

    Args:
        width: how many there must be; None where the path does not say.

    Raises:
        TileInvalid: cut short, empty, or not `width` entries.
    """
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        start = at + 2
        end = start + int.from_bytes(data[at:start], "big")
        if start > len(data) or end > len(data):
            raise TileInvalid(f"the bundle ends inside entry {len(entries)}")
        entries.append(data[start:end])
        at = end
    if not 1 <= len(entries) <= WIDTH:
        raise TileInvalid(f"a bundle holds from 1 to {WIDTH} entries, not {len(entries)}")
    if width is not None and len(entries) != width:
        raise TileInvalid(f"the bundle holds {len(entries)} entries, not {width}")
    return entries


def node_reader(size: int, read: Read, *, cached: int = 64) -> NodeReader:
    """A reader of the nodes of the tree of `size` leaves from its tiles.

    What it gives is only as true as the tiles: check the proof or root made of it against a signed checkpoint. The size must be one whose
    tiles were written, as those of every checkpoint are: a partial tile of another width cannot be found by its path.

    Args:
        read: gives a file by its path. Where a partial tile is gone, the full one that replaced it is read.
        cached: tiles kept in memory.

    Returns:
        `node(level, index)`; it raises TileInvalid for nodes outside the tree, missing tiles and tiles of the wrong length.
    """

    @lru_cache(maxsize=cached)
    def hashes(tile: Tile) -> list[bytes]:
        try:
            return split_tile(read(tile.path), tile)
        except (FileNotFoundError, KeyError):
            full = Tile(tile.level, tile.n)
            if tile.width == WIDTH:
                raise TileInvalid(f"{tile.path} is missing") from None
        try:
            return split_tile(read(full.path), full)
        except (FileNotFoundError, KeyError):
            raise TileInvalid(f"{tile.path} is missing, and {full.path} too") from None

    def node(level: int, index: int) -> bytes:
        if level < 0 or index < 0 or (index + 1) << level > size:
            raise TileInvalid(f"a tree of {size} leaves has no full subtree {index} of level {level}")
        tile_level, height = divmod(level, HEIGHT)
        first, count = index << height, 1 << height
        n, at = divmod(first, WIDTH)
        width = min(WIDTH, (size >> tile_level * HEIGHT) - n * WIDTH)
        below = hashes(Tile(tile_level, n, width))[at : at + count]
        return below[0] if height == 0 else root_of(below)

    return node


def entry_reader(size: int, read: Read) -> Callable[[int], list[bytes]]:
    """A reader of the entry bundles of the tree of `size` leaves: `entries(n)` gives those of bundle n, as many as this size holds.

    Returns:
        A function that raises TileInvalid for bundles outside the tree, missing ones and malformed ones.
    """

    def entries(n: int) -> list[bytes]:
        width = min(WIDTH, size - n * WIDTH)
        if n < 0 or width < 1:
            raise TileInvalid(f"a tree of {size} leaves has no entry bundle {n}")
        try:
            return parse_bundle(read(entries_path(n, width)), width)
        except (FileNotFoundError, KeyError):
            if width == WIDTH:
                raise TileInvalid(f"{entries_path(n)} is missing") from None
        try:
            return parse_bundle(read(entries_path(n)), WIDTH)[:width]
        except (FileNotFoundError, KeyError):
            raise TileInvalid(f"{entries_path(n, width)} is missing, and {entries_path(n)} too") from None

    return entries
