"""A small log in memory: its checkpoints, proofs, and clients that reach applications in this process."""

from __future__ import annotations

import httpx

from tightrope.audit.anchors.models import Place, Point
from tightrope.audit.tlog.checkpoint import Checkpoint, sign_checkpoint
from tightrope.audit.tlog.merkle import consistency_proof, leaf_hash, root_of
from tightrope.audit.tlog.note import Ed25519Signer
from tightrope.infra.http import outbound_client
from tightrope.infra.settings import Settings

ORIGIN = "log.example/audit/2026"
LOG = Ed25519Signer.from_seed(ORIGIN, bytes(range(32)))
LEAVES = [leaf_hash(b"%d" % number) for number in range(300)]


def node(level: int, index: int) -> bytes:
    return root_of(LEAVES[index << level : (index + 1) << level])


async def consistency(shard: int, old: int, new: int) -> list[bytes]:
    assert shard == 2026
    return consistency_proof(old, new, node)


def point(size: int, *, root: bytes | None = None) -> Point:
    return Point(Place(2026, size), sign_checkpoint(Checkpoint(ORIGIN, size, root or root_of(LEAVES[:size])), [LOG]))


def answering(handler) -> httpx.AsyncClient:
    return outbound_client(Settings(allowed_hosts="anchor"), purpose="test", transport=httpx.MockTransport(handler))


def through(app) -> httpx.AsyncClient:
    return outbound_client(Settings(allowed_hosts="anchor"), purpose="test", transport=httpx.ASGITransport(app))
