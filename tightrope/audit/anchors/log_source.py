"""What the anchors need of the log: its newest checkpoint and its consistency proofs."""

from __future__ import annotations

import asyncio

from tightrope.audit.anchors.models import Consistency
from tightrope.audit.anchors.repository import newest_checkpoint
from tightrope.audit.anchors.service import Latest
from tightrope.audit.tlog.merkle import consistency_proof
from tightrope.audit.tree_folder import TreeFolder
from tightrope.infra.database import Pool
from tightrope.infra.settings import Settings


def latest_of(pool: Pool) -> Latest:
    """The newest signed checkpoint of the newest shard, from the database that guards against a second one of its size."""

    async def latest() -> tuple[int, int, bytes] | None:
        async with pool.connection() as conn:
            return await newest_checkpoint(conn)

    return latest


def consistency_of(settings: Settings) -> Consistency:
    """Proofs from the published tiles of a shard."""

    def proof(shard: int, old: int, new: int) -> list[bytes]:
        return consistency_proof(old, new, TreeFolder.of(settings, shard).nodes(new))

    async def consistency(shard: int, old: int, new: int) -> list[bytes]:
        return await asyncio.to_thread(proof, shard, old, new)

    return consistency
