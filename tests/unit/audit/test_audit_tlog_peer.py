"""The same bytes as an independent implementation of the C2SP formats.

The peer is `aics-tlog` 0.2.1. It asks for Python 3.12, so that it can be no locked dependency of this project: what it made was kept in
tests/golden/audit/tlog-peer.json (thousand leaves: every file of the tiled log, roots, proofs, a checkpoint with a cosignature), and it read our note
and proofs and accepted them.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tightrope.audit.tlog.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from tightrope.audit.tlog.encoding import from_base64
from tightrope.audit.tlog.merkle import (
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    leaf_hashes,
    root_of,
)
from tightrope.audit.tlog.note import CosignatureSigner, Ed25519Signer, Note, VerifierKey
from tightrope.audit.tlog.tiles import all_tiles, bundle, grown, node_reader

PEER = json.loads((Path(__file__).resolve().parents[2] / "golden" / "audit" / "tlog-peer.json").read_text(encoding="utf-8"))
SIZE = PEER["size"]
LEAVES = [b'{"index":%d,"text":"%s"}' % (number, b"x" * (number % 97)) for number in range(SIZE)]
HASHES = leaf_hashes(LEAVES)
FILES = {tile.path: data for tile, data in grown(0, HASHES, node_reader(0, {}.__getitem__))}
NODE = node_reader(SIZE, FILES.__getitem__)


def test_every_file_of_the_tiled_log():
    ours = dict(FILES)
    for tile in all_tiles(SIZE):
        if tile.level == 0:
            ours[tile.entries] = bundle(LEAVES[tile.first : tile.first + tile.width])
    assert {path: hashlib.sha256(data).hexdigest() for path, data in ours.items()} == PEER["files"]


@pytest.mark.parametrize("size", PEER["roots"])
def test_roots(size):
    assert root_of(HASHES[: int(size)]) == from_base64(PEER["roots"][size])


@pytest.mark.parametrize("case", PEER["inclusion"])
def test_inclusion_proofs(case):
    proof = [from_base64(step) for step in case["proof"]]
    assert inclusion_proof(case["index"], case["size"], NODE) == proof
    check_inclusion(HASHES[case["index"]], case["index"], case["size"], proof, root_of(HASHES[: case["size"]]))


@pytest.mark.parametrize("case", PEER["consistency"])
def test_consistency_proofs(case):
    proof = [from_base64(step) for step in case["proof"]]
    old, new = case["old"], case["new"]
    assert consistency_proof(old, new, NODE) == proof
    check_consistency(old, root_of(HASHES[:old]), new, root_of(HASHES[:new]), proof)


def test_checkpoint_and_cosignature_byte_for_byte():
    log, witness = VerifierKey.parse(PEER["log"]), VerifierKey.parse(PEER["witness"])
    signed = open_checkpoint(PEER["note"].encode(), [log], [witness])
    assert signed.checkpoint == Checkpoint(log.name, SIZE, root_of(HASHES))
    assert [(item.key, item.time) for item in signed.cosignatures] == [(witness, PEER["time"])]
    ours = Ed25519Signer.from_seed(log.name, hashlib.sha256(b"log").digest())
    theirs = CosignatureSigner.from_seed(witness.name, hashlib.sha256(b"witness").digest())
    note = Note.parse(sign_checkpoint(signed.checkpoint, [ours]))
    note = note.with_signatures([theirs.sign(note.text, PEER["time"])])
    assert note.encode() == PEER["note"].encode()
    assert (ours.vkey, theirs.vkey) == (PEER["log"], PEER["witness"])
