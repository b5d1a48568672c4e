"""Are enough anchors keeping up? k of n within T minutes, each shard by itself; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tightrope.audit.anchors.errors import AnchorsUnfit
from tightrope.audit.anchors.models import Place

Reached = Mapping[str, Mapping[int, int]]
"""For each anchor and shard the size of the largest tree that it gave a receipt for."""


@dataclass(frozen=True, slots=True)
class AnchorPolicy:
    """`need` of the `names` have a receipt for every checkpoint within `within`.

    Raises:
        AnchorsUnfit: fewer anchors than needed, none needed, or a name twice.
    """

    names: tuple[str, ...]
    need: int
    within: timedelta

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise AnchorsUnfit(f"two anchors have the same name: {', '.join(sorted(self.names))}")
        if not 1 <= self.need <= len(self.names):
            raise AnchorsUnfit(
                f"TIGHTROPE_AUDIT_ANCHOR_NEED is {self.need}, and there are {len(self.names)} anchors ({', '.join(self.names)}): "
                "set it between 1 and their number, or configure more"
            )
        if self.within <= timedelta():
            raise AnchorsUnfit("TIGHTROPE_AUDIT_ANCHOR_MINUTES must be more than 0")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A checkpoint that was chosen for anchoring, and when."""

    place: Place
    at: datetime


@dataclass(frozen=True, slots=True)
class ShardStanding:
    """How one shard stands against the policy.

    Attributes:
        covered: the place up to which `need` anchors have receipts; None while there is none.
        open: the first checkpoint of this shard beyond it, or None when every one is covered.
        age: how long that one has waited; 0 when none waits.
        late: it has waited longer than the policy allows.
        missing: anchors that have no receipt for it.
    """

    shard: int
    covered: Place | None
    open: Chosen | None
    age: timedelta
    late: bool
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """How the log stands against its policy: every shard by itself, oldest first, since no receipt in one covers anything in another."""

    shards: tuple[ShardStanding, ...]

    @property
    def first(self) -> ShardStanding | None:
        """The shard whose checkpoint has waited longest; None when none waits."""
        return max((one for one in self.shards if one.open is not None), key=lambda one: one.age, default=None)

    @property
    def late(self) -> tuple[ShardStanding, ...]:
        """The shards in which something has waited longer than the policy allows."""
        return tuple(one for one in self.shards if one.late)

    @property
    def met(self) -> bool:
        """The policy is met: nothing has waited too long."""
        return not self.late

    @property
    def covered(self) -> Place | None:
        """The newest place up to which enough anchors have receipts; what waits in an older shard, `first` says."""
        return max((one.covered for one in self.shards if one.covered is not None), default=None)

    @property
    def age(self) -> timedelta:
        """How long the first checkpoint without enough receipts has waited; 0 when none waits."""
        return self.first.age if self.first is not None else timedelta()

    @property
    def missing(self) -> tuple[str, ...]:
        """Anchors that have no receipt for that one."""
        return self.first.missing if self.first is not None else ()


def covered_by(policy: AnchorPolicy, reached: Reached, shard: int) -> Place | None:
    """The largest tree of a shard that `need` of the policy's anchors have reached: a receipt for it covers every smaller tree of the shard."""
    sizes = sorted((reached[name][shard] for name in policy.names if shard in reached.get(name, {})), reverse=True)
    return Place(shard, sizes[policy.need - 1]) if len(sizes) >= policy.need else None


def standing(policy: AnchorPolicy, signed: Iterable[Chosen], reached: Reached, now: datetime) -> Standing:
    """Judge.

    Args:
        signed: checkpoints that have to be anchored, in any order; those already covered may be left out.
    """
    waiting = sorted(signed, key=lambda item: item.place)
    shards = {item.place.shard for item in waiting} | {shard for name in policy.names for shard in reached.get(name, {})}
    return Standing(tuple(_of_shard(policy, shard, waiting, reached, now) for shard in sorted(shards)))


def _of_shard(policy: AnchorPolicy, shard: int, signed: Iterable[Chosen], reached: Reached, now: datetime) -> ShardStanding:
    covered = covered_by(policy, reached, shard)
    ours = (item for item in signed if item.place.shard == shard)
    first = next((item for item in ours if covered is None or not covered.covers(item.place)), None)
    if first is None:
        return ShardStanding(shard, covered, None, timedelta(), late=False, missing=())
    # A clock that was set back must not make the wait negative.
    age = max(now - first.at, timedelta())
    missing = tuple(name for name in policy.names if reached.get(name, {}).get(shard, 0) < first.place.size)
    return ShardStanding(shard, covered, first, age, late=age > policy.within, missing=missing)


def sentence(policy: AnchorPolicy, found: Standing) -> str | None:
    """What is wrong, for health and console, each late shard by name; None when the policy is met."""
    return "; ".join(_sentence(policy, one) for one in found.late) or None


def _sentence(policy: AnchorPolicy, found: ShardStanding) -> str:
    assert found.open is not None  # noqa: S101 - late means that one waits
    place = found.open.place
    return (
        f"the record of {place.shard} has not been anchored for {found.age.total_seconds() / 60:.0f} min: the checkpoint {place.shard}/{place.size} "
        f"has {len(policy.names) - len(found.missing)} of {policy.need} receipts that are due within {policy.within.total_seconds() / 60:.0f} min; "
        f"waiting for {', '.join(found.missing)}"
    )
