"""What others attest, for an export: receipts of anchors, cosigned checkpoints, and the policy that names their keys."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from tightrope.audit.anchors import repository
from tightrope.audit.anchors.bundle import anchors_json, cosigned_checkpoint, policy_for
from tightrope.audit.anchors.settings import trust_from
from tightrope.audit.models import JsonObject, Place
from tightrope.audit.repository import Conn
from tightrope.audit.tlog.policy import NONE, Policy
from tightrope.infra.settings import Settings


class Outside:
    """Reads what the anchors left in the database, under the policy of the firm."""

    def __init__(self, settings: Settings) -> None:
        """Raises AnchorsUnfit where a file that the settings name cannot be read."""
        self._trusted = trust_from(settings).log

    def policy(self, vkeys: Sequence[str]) -> Policy:
        """The C2SP tlog-policy of the bundle; `vkeys`: keys that the log's own table names, where the firm's policy names none."""
        return policy_for(self._trusted, list(dict.fromkeys(vkeys)))

    async def receipts(self, conn: Conn, places: Sequence[Place]) -> list[JsonObject]:
        """The entries of `anchors.json`: for each record and each anchor the first receipt of a tree that holds it."""
        found: list[JsonObject] = []
        for shard, some in groupby(places, key=lambda place: place.shard):
            found += anchors_json(await repository.receipts_covering(conn, shard, [place.index for place in some]))
        return found

    async def cosigned(self, conn: Conn, policy: Policy, shard: int) -> bytes | None:
        """The newest checkpoint of a shard that reaches the policy's quorum, with its cosignatures; None where there is none."""
        found = await cosigned_checkpoint(conn, policy, shard)
        return found[1] if found is not None else None

    @staticmethod
    def witnessed(policy: Policy) -> bool:
        """Whether the policy asks for witnesses at all."""
        return policy.quorum != NONE
