"""How long something has waited, by a clock that cannot be set, and the metrics of it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, Gauge

from tightrope.audit.anchors.models import Place, Receipt
from tightrope.audit.anchors.policy import AnchorPolicy, ShardStanding, Standing


class Watch:
    """Measures waiting by a clock that cannot be set: one that was set back would make every wait look short."""

    def __init__(self) -> None:
        self._since: dict[Place, float] = {}

    def correct(self, found: Standing, policy: AnchorPolicy) -> Standing:
        """The same, with at least the ages that this process saw pass."""
        now = time.monotonic()
        self._since = {one.open.place: self._since.get(one.open.place, now) for one in found.shards if one.open is not None}
        return Standing(tuple(self._of_shard(one, policy, now) for one in found.shards))

    def _of_shard(self, one: ShardStanding, policy: AnchorPolicy, now: float) -> ShardStanding:
        if one.open is None:
            return one
        age = max(one.age, timedelta(seconds=now - self._since[one.open.place]))
        return replace(one, age=age, late=age > policy.within)


class Gauges:
    """The metrics of anchoring (docs/anchors.md, Alarms)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._unanchored = Gauge(
            "tightrope_audit_unanchored_seconds", "Wait of the first checkpoint without enough anchor receipts", registry=registry
        )
        self._late = Gauge("tightrope_audit_anchors_late", "1 while the anchors' policy is not met", registry=registry)
        self._age = Gauge(
            "tightrope_audit_anchor_age_seconds", "Time since an anchor's newest receipt", ["anchor"], registry=registry
        )

    def show(self, found: Standing, reached: Iterable[Receipt], now: datetime) -> None:
        """Set them; `reached`: receipts of all anchors, the newest of each among them."""
        self._unanchored.set(found.age.total_seconds())
        self._late.set(int(not found.met))
        for receipt in sorted(reached, key=lambda one: one.received):
            self._age.labels(receipt.anchor).set((now - receipt.received).total_seconds())
