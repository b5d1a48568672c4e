"""The writer's log, read by the verifier that shares no code with it."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import audit_bundles as made
import pytest

from tightrope.audit.tlog.checkpoint import Checkpoint, sign_checkpoint
from tightrope.audit.tlog.merkle import leaf_hash, root_of
from tightrope.audit.tlog.note import CosignatureSigner, Ed25519Signer
from tightrope.audit.tlog.tiles import all_tiles, bundle, tile_bytes
from tightrope.audit.verifier import verify_log


@pytest.mark.parametrize("size", [1, 255, 256, 257, 700])
def test_a_log_of_the_writer_is_good(tmp_path: Path, size: int) -> None:
    tree = made.Tree(2026)
    tree.add("log:shard:opened")
    for turn in range(1, size):
        tree.add("customer:message:received", conv=made.CONV, turn=turn)
    leaves = [entry.bytes for entry in tree.entries]
    hashes = [leaf_hash(leaf) for leaf in leaves]

    def node(level: int, index: int) -> bytes:
        return root_of(hashes[index << level : (index + 1) << level])

    log = Ed25519Signer.from_seed(tree.origin, made.sha(b"log"))
    witness = CosignatureSigner.from_seed("witness.example/w", made.sha(b"witness"))
    note = sign_checkpoint(Checkpoint(tree.origin, size, root_of(hashes)), [log])
    line = witness.sign(note[: note.rfind(b"\n\n") + 1].decode(), int(tree.seen_at(size).timestamp())).line()
    files = {"2026/checkpoint": note + line.encode()}
    for tile in all_tiles(size):
        files[f"2026/{tile.path}"] = tile_bytes(tile, node)
        if tile.level == 0:
            files[f"2026/{tile.entries}"] = bundle(leaves[tile.first : tile.first + 256])
    files["policy.txt"] = f"log {log.vkey}\nwitness w {witness.vkey}\nquorum w\n".encode()

    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = verify_log.main(
            verify_log.LogCheck,
            [str(made.write(files, tmp_path)), "--json", "--strict", "--leaves", "--late-minutes", "200"],
        )

    assert (code, json.loads(out.getvalue())["findings"]) == (0, [])
    assert json.loads(out.getvalue())["checkpoints"][0]["cosigned"]
    assert {name: data for name, data in files.items() if "tile" in name} == {
        name: data for name, data in made.log_files(tree, "2026/").items() if "tile" in name
    }
