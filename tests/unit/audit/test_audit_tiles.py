"""Tiles and entry bundles: paths of the specification, growth in any steps, reading back, and files that are wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightrope.audit.errors import TileInvalid
from tightrope.audit.tlog.merkle import (
    check_consistency,
    check_inclusion,
    consistency_proof,
    frontier_from,
    inclusion_proof,
    leaf_hash,
    root_from,
    root_of,
)
from tightrope.audit.tlog.tiles import (
    ENTRY_LIMIT,
    Tile,
    all_tiles,
    bundle,
    changed,
    entries_path,
    entry_reader,
    grown,
    node_reader,
    parse_bundle,
    parse_path,
    split_tile,
    tile_bytes,
    tile_path,
)

LARGE = 70_000
HASHES = [leaf_hash(b"%d" % number) for number in range(LARGE)]


def built(size: int) -> dict[str, bytes]:
    """The tiles of a tree built in one step."""
    return {tile.path: data for tile, data in grown(0, HASHES[:size], node_reader(0, {}.__getitem__))}


@pytest.fixture(scope="module")
def large() -> dict[str, bytes]:
    return built(LARGE)


def test_paths_of_the_specification():
    assert tile_path(0, 1234067) == "tile/0/x001/x234/067"
    assert tile_path(1, 0, 17) == "tile/1/000.p/17"
    assert tile_path(63, 999) == "tile/63/999"
    assert tile_path(0, 1000, 1) == "tile/0/x001/000.p/1"
    assert entries_path(1234067) == "tile/entries/x001/x234/067"
    assert entries_path(5, 255) == "tile/entries/005.p/255"


@given(st.integers(0, 2**63 - 1), st.integers(1, 256), st.one_of(st.none(), st.integers(0, 63)))
def test_a_path_names_one_place(n, width, level):
    path = entries_path(n, width) if level is None else tile_path(level, n, width)
    assert parse_path(path) == (level, n, width)


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/1",
        "tile/00/001",
        "tile/0/x000/001",
        "tile/0/001.p/256",
        "tile/0/001.p/0",
        "tile/0/001.p/01",
        "tile/0/001.p/300",
        "tile/64/001",
        "tile/-1/001",
        "tile/0/001/x002",
        "tile/0/../../etc/passwd",
        "tile/entries/x1/002",
        "tile/0/٠٠١",
        "/tile/0/001",
        "tile/0/001\n",
        "checkpoint",
        "",
    ],
)
def test_what_is_no_path_is_refused(path):
    with pytest.raises(TileInvalid):
        parse_path(path)


@pytest.mark.parametrize(
    "call",
    [
        lambda: tile_path(-1, 0),
        lambda: tile_path(64, 0),
        lambda: tile_path(0, -1),
        lambda: tile_path(0, 2**63),
        lambda: tile_path(0, 0, 0),
        lambda: tile_path(0, 0, 257),
        lambda: entries_path(0, 0),
        lambda: changed(5, 4),
        lambda: changed(-1, 4),
        lambda: changed(0, 2**63),
        lambda: Tile(1, 0, 3).entries,
        lambda: split_tile(b"x" * 33, Tile(0, 0, 1)),
        lambda: list(grown(0, [b"short"], node_reader(0, {}.__getitem__))),
    ],
)
def test_places_outside_the_log_are_refused(call):
    with pytest.raises(TileInvalid):
        call()


def test_the_tiles_of_70000_leaves_are_those_of_the_specification():
    tiles = all_tiles(70_000)
    assert [tile.width for tile in tiles if tile.level == 0] == [256] * 273 + [112]
    assert [tile.width for tile in tiles if tile.level == 1] == [256, 17]
    assert [tile.width for tile in tiles if tile.level == 2] == [1]
    assert len(tiles) == 277


def test_256_leaves_are_a_full_tile_and_one_above():
    assert [tile.path for tile in all_tiles(256)] == ["tile/0/000", "tile/1/000.p/1"]
    assert all_tiles(0) == []


@pytest.mark.parametrize("old", [0, 1, 255, 256, 257, 511, 65_535, 65_536])
@pytest.mark.parametrize("step", [0, 1, 255, 256, 257, 3_000])
def test_what_changed_is_what_differs(old, step):
    before, after = {tile.path for tile in all_tiles(old)}, {tile.path for tile in all_tiles(old + step)}
    assert {tile.path for tile in changed(old, old + step)} == after - before


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 900), max_size=5), st.sampled_from([0, 250, 65_300]))
def test_growing_in_any_steps_gives_the_tiles_of_the_whole(steps, start):
    files, size = built(start), start
    for step in steps:
        reader = node_reader(size, files.__getitem__)
        new = dict(grown(size, HASHES[size : size + step], reader))
        assert list(new) == changed(size, size + step)
        files |= {tile.path: data for tile, data in new.items()}
        size += step
    whole = built(size)
    assert {path: files[path] for path in whole} == whole
    reader = node_reader(size, files.__getitem__)
    assert root_from(size, reader) == root_of(HASHES[:size])
    assert frontier_from(size, reader).root() == root_of(HASHES[:size])
    assert all(tile_bytes(tile, reader) == files[tile.path] for tile in all_tiles(size))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_proofs_from_tiles_hold(large, data):
    size = data.draw(st.one_of(st.integers(1, LARGE), st.sampled_from([256, 257, 65_536, 65_537, LARGE])))
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    # The log went on growing: what was partial at this size is kept while the tile is not full, and gone where it is.
    of_large = node_reader(LARGE, large.__getitem__)
    open_still = [tile for tile in all_tiles(size) if tile.path not in large and tile_path(tile.level, tile.n) not in large]
    node = node_reader(size, (large | {tile.path: tile_bytes(tile, of_large) for tile in open_still}).__getitem__)
    root = root_of(HASHES[:size])
    check_inclusion(HASHES[index], index, size, inclusion_proof(index, size, node), root)
    check_consistency(old, root_of(HASHES[:old]), size, root, consistency_proof(old, size, node))


def test_a_partial_tile_is_read_from_the_full_one_that_replaced_it(large):
    read: list[str] = []

    def reading(path: str) -> bytes:
        read.append(path)
        if path not in large:
            raise FileNotFoundError(path)
        return large[path]

    assert node_reader(100, reading)(0, 99) == HASHES[99]
    assert read == ["tile/0/000.p/100", "tile/0/000"]


def test_a_tile_is_read_once(large):
    read: list[str] = []

    def reading(path: str) -> bytes:
        read.append(path)
        return large[path]

    node = node_reader(LARGE, reading)
    assert [node(0, at) for at in range(256)] == HASHES[:256]
    assert read == ["tile/0/000"]


@pytest.mark.parametrize(("level", "index"), [(0, 70_000), (1, 35_000), (8, 273), (16, 1), (17, 0), (-1, 0), (0, -1)])
def test_nodes_outside_the_tree_are_refused(large, level, index):
    with pytest.raises(TileInvalid, match="no full subtree"):
        node_reader(LARGE, large.__getitem__)(level, index)


@pytest.mark.parametrize("missing", ["tile/0/000", "tile/0/273.p/112", "tile/1/000", "tile/2/000.p/1"])
def test_a_missing_tile_is_named(large, missing):
    files = {path: data for path, data in large.items() if path != missing}
    node = node_reader(LARGE, files.__getitem__)
    with pytest.raises(TileInvalid, match=missing.replace(".", r"\.")):
        [tile_bytes(tile, node) for tile in all_tiles(LARGE)]


@pytest.mark.parametrize("data", [b"", b"x" * 8_191, b"x" * 8_193])
def test_a_tile_of_the_wrong_length_is_named(large, data):
    with pytest.raises(TileInvalid, match=r"tile/0/000: 256 hashes are 8192 bytes"):
        node_reader(LARGE, (large | {"tile/0/000": data}).__getitem__)(0, 0)


def test_a_failing_store_is_not_mistaken_for_a_missing_tile():
    def failing(_: str) -> bytes:
        raise PermissionError("the disk says no")

    with pytest.raises(PermissionError):
        node_reader(5, failing)(0, 0)
    with pytest.raises(PermissionError):
        entry_reader(5, failing)(0)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_flipped_bit_in_any_tile_shows_against_the_checkpoint_or_the_tile_below(data):
    size = data.draw(st.integers(1, 700))
    files = built(size)
    path = data.draw(st.sampled_from(sorted(files)))
    bit = data.draw(st.integers(0, len(files[path]) * 8 - 1))
    changed_bytes = bytearray(files[path])
    changed_bytes[bit // 8] ^= 1 << bit % 8
    files[path] = bytes(changed_bytes)
    node = node_reader(size, files.__getitem__)
    leaves = [node(0, index) for index in range(size)]
    above = [node(8, index) for index in range(size >> 8)]
    below = [root_of(leaves[at : at + 256]) for at in range(0, size - 255, 256)]
    assert root_of(leaves) != root_of(HASHES[:size]) or above != below


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_a_bundle_comes_back(entries):
    assert parse_bundle(bundle(entries)) == entries
    assert parse_bundle(bundle(entries), len(entries)) == entries


def test_a_bundle_is_lengths_and_entries():
    assert bundle([b"ab", b"", b"c"]) == b"\x00\x02ab\x00\x00\x00\x01c"
    assert len(bundle([b"x" * ENTRY_LIMIT])) == 2 + 65_535


def test_entries_too_long_too_many_or_none_are_refused():
    with pytest.raises(TileInvalid, match="entry 1 of the bundle has 65536 bytes"):
        bundle([b"", b"x" * (ENTRY_LIMIT + 1)])
    with pytest.raises(TileInvalid, match="not 257"):
        bundle([b""] * 257)
    with pytest.raises(TileInvalid, match="not 0"):
        bundle([])


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00\x02a", b"\x00\x01ab", b"\xff\xff", b"\x00\x00" * 257])
def test_a_bundle_cut_or_overfull_is_refused(data):
    with pytest.raises(TileInvalid):
        parse_bundle(data)


def test_a_bundle_with_another_number_of_entries_than_its_path_says_is_refused():
    with pytest.raises(TileInvalid, match="holds 2 entries, not 3"):
        parse_bundle(bundle([b"a", b"b"]), 3)


def test_entries_are_read_for_a_size():
    entries = [b"%d" % number for number in range(300)]
    files = {entries_path(0): bundle(entries[:256]), entries_path(1, 44): bundle(entries[256:])}
    assert entry_reader(300, files.__getitem__)(0) + entry_reader(300, files.__getitem__)(1) == entries
    assert entry_reader(100, files.__getitem__)(0) == entries[:100]
    for n in (2, -1):
        with pytest.raises(TileInvalid, match="no entry bundle"):
            entry_reader(300, files.__getitem__)(n)
    with pytest.raises(TileInvalid, match=r"tile/entries/000 is missing"):
        entry_reader(300, {}.__getitem__)(0)
    with pytest.raises(TileInvalid, match=r"tile/entries/001\.p/44 is missing, and tile/entries/001 too"):
        entry_reader(300, {}.__getitem__)(1)
