"""Are enough anchors keeping up? k of n within T minutes; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tightrope.audit.anchors.errors import AnchorsUnfit
from tightrope.audit.anchors.models import Place


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
class Standing:
    """How the log stands against its policy.

    Attributes:
        covered: the place up to which `need` anchors have receipts; None while there is none.
        open: the first chosen checkpoint beyond it, or None when every chosen one is covered.
        age: how long that one has waited; 0 when none waits.
        late: it has waited longer than the policy allows.
        missing: anchors that have no receipt for it.
    """

    covered: Place | None
    open: Chosen | None
    age: timedelta
    late: bool
    missing: tuple[str, ...]

    @property
    def met(self) -> bool:
        """The policy is met: nothing has waited too long."""
        return not self.late


def covered_by(policy: AnchorPolicy, reached: Mapping[str, Place]) -> Place | None:
    """The largest place that `need` of the policy's anchors have reached: a receipt for a tree covers every smaller tree that it extends."""
    places = sorted((reached[name] for name in policy.names if name in reached), reverse=True)
    return places[policy.need - 1] if len(places) >= policy.need else None


def standing(policy: AnchorPolicy, chosen: Iterable[Chosen], reached: Mapping[str, Place], now: datetime) -> Standing:
    """Judge.

    Args:
        chosen: checkpoints chosen for anchoring, in any order; those already covered may be left out.
        reached: for each anchor the largest place it gave a receipt for.
    """
    covered = covered_by(policy, reached)
    waiting: Sequence[Chosen] = sorted(
        (item for item in chosen if covered is None or item.place > covered), key=lambda item: item.place
    )
    if not waiting:
        return Standing(covered, None, timedelta(), late=False, missing=())
    first = waiting[0]
    # A clock that was set back must not make the wait negative.
    age = max(now - first.at, timedelta())
    missing = tuple(name for name in policy.names if name not in reached or reached[name] < first.place)
    return Standing(covered, first, age, late=age > policy.within, missing=missing)


def sentence(policy: AnchorPolicy, found: Standing) -> str | None:
    """What is wrong, for health and console; None when the policy is met."""
    if found.met or found.open is None:
        return None
    have = len(policy.names) - len(found.missing)
    place = found.open.place
    return (
        f"the record has not been anchored for {found.age.total_seconds() / 60:.0f} min: the checkpoint {place.shard}/{place.size} has {have} of "
        f"{policy.need} receipts that are due within {policy.within.total_seconds() / 60:.0f} min; waiting for {', '.join(found.missing)}"
    )
