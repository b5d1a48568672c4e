"""Was the log silent, and does it hold as much as the gateway counted? Pure: from leaves, which anybody may read, to what is wrong.

The sequencer writes a heartbeat every ten seconds, so that silence shows, and declares the gaps that it knows of. The gateway puts its own
sums on record, made from its own tables by another process. Here the two are held against the log itself (reference 4.5, docs/completeness.md).
Which single message is missing is the reconciler's to say (`tightrope.reconcile`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from tightrope.audit.models import Event

BEAT_EVERY = timedelta(seconds=10)
SILENT_AFTER = 3 * BEAT_EVERY
"""So long without a heartbeat is silence: two may come late."""
SLACK = timedelta(seconds=5)
"""By which the times of a row and of its record may differ: the longest transaction."""

_COUNTED: Mapping[str, frozenset[Event]] = {
    "messages_in": frozenset({Event.CUSTOMER_MESSAGE_RECEIVED}),
    "turns": frozenset({Event.TURN_MADE, Event.TURN_FAILED}),
    "conversations": frozenset({Event.CONVERSATION_OPENED}),
}
"""What the gateway sums up and the log shows one by one."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A time for which the sequencer said itself that the log could not be written."""

    since: datetime
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Count:
    """A `gateway:frames:counted` record.

    Attributes:
        at: when it was recorded.
        uptime: seconds of the host's monotonic clock then.
    """

    since: datetime
    until: datetime
    counts: Mapping[str, int]
    totals: Mapping[str, int]
    host: str
    at: datetime
    uptime: int


@dataclass(frozen=True, slots=True)
class Told:
    """What the leaves of a period say that matters here, in order of time."""

    beats: tuple[datetime, ...] = ()
    gaps: tuple[Gap, ...] = ()
    counts: tuple[Count, ...] = ()
    seen: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Silence:
    """A time without a heartbeat that no gap explains."""

    since: datetime
    until: datetime


Kind = Literal["uncounted", "counted twice", "total falls", "total differs", "clock jumped", "log has fewer", "log has more"]


@dataclass(frozen=True, slots=True)
class CountFault:
    """Something wrong with the gateway's sums, or a sum that the log contradicts."""

    kind: Kind
    since: datetime
    until: datetime
    detail: str


def read(leaves: Iterable[Mapping[str, Any]]) -> Told:
    """Take beats, gaps, sums and times of what is summed up out of leaves in any order; all others pass by.

    Raises:
        ValueError: a leaf of these events lacks what it must have; names its record.
    """
    beats: list[datetime] = []
    gaps: list[Gap] = []
    counts: list[Count] = []
    seen: dict[str, list[datetime]] = {name: [] for name in _COUNTED}
    for leaf in leaves:
        event, facts = leaf.get("event"), leaf.get("facts") or {}
        try:
            if event == Event.SEQUENCER_BEAT:
                beats.append(_time(leaf["ts"]))
            elif event == Event.GAP_DECLARED:
                gaps.append(Gap(_time(facts["from"]), _time(facts["to"]), str(facts["reason"])))
            elif event == Event.FRAMES_COUNTED:
                counts.append(_count(leaf, facts))
            for name, events in _COUNTED.items():
                if event in events:
                    seen[name].append(_time(leaf["ts"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"record {leaf.get('id')} ({event}) cannot be read: {error!r}; verify the log") from None
    return Told(
        tuple(sorted(beats)),
        tuple(sorted(gaps, key=lambda gap: gap.since)),
        tuple(sorted(counts, key=lambda count: count.since)),
        {name: tuple(sorted(times)) for name, times in seen.items()},
    )


def silences(told: Told, since: datetime, until: datetime, *, longest: timedelta = SILENT_AFTER) -> tuple[Silence, ...]:
    """The times inside a period without a heartbeat for longer than `longest` that no declared gap covers, oldest first."""
    beats = [beat for beat in told.beats if since <= beat <= until]
    found: list[Silence] = []
    for before, after in zip([since, *beats], [*beats, until], strict=True):
        if after - before > longest:
            found.extend(Silence(start, end) for start, end in _uncovered(before, after, told.gaps) if end - start > longest)
    return tuple(found)


def count_faults(told: Told, *, slack: timedelta = SLACK) -> tuple[CountFault, ...]:
    """Sums that leave a time out, contradict each other, or are contradicted by the log.

    Args:
        slack: at both ends of a period, what the log has within it may belong to either side.
    """
    found: list[CountFault] = []
    for before, after in zip(told.counts, told.counts[1:], strict=False):
        found += _between(before, after, slack)
    for count in told.counts:
        for name, times in told.seen.items():
            counted = count.counts.get(name)
            if counted is None:
                continue
            fewest = _inside(times, count.since + slack, count.until - slack)
            most = _inside(times, count.since - slack, count.until + slack)
            if counted > most:
                found.append(
                    CountFault(
                        "log has fewer", count.since, count.until, f"{name}: the gateway counted {counted}, the log has {most}"
                    )
                )
            elif counted < fewest:
                found.append(
                    CountFault(
                        "log has more", count.since, count.until, f"{name}: the gateway counted {counted}, the log has {fewest}"
                    )
                )
    return tuple(found)


def _between(before: Count, after: Count, slack: timedelta) -> list[CountFault]:
    found: list[CountFault] = []
    if after.since > before.until:
        found.append(CountFault("uncounted", before.until, after.since, "no sum covers this time"))
    elif after.since < before.until:
        found.append(CountFault("counted twice", after.since, before.until, "two sums cover this time"))
    for name, total in after.totals.items():
        earlier = before.totals.get(name, 0)
        if total < earlier:
            found.append(CountFault("total falls", after.since, after.until, f"{name}: {earlier} before, {total} now"))
        elif after.since == before.until and total - earlier != after.counts.get(name, 0):
            detail = f"{name}: {earlier} and {after.counts.get(name, 0)} are not {total}"
            found.append(CountFault("total differs", after.since, after.until, detail))
    if before.host == after.host and after.uptime > before.uptime:
        wall, monotonic = after.at - before.at, timedelta(seconds=after.uptime - before.uptime)
        if abs(wall - monotonic) > slack + timedelta(seconds=1):
            found.append(CountFault("clock jumped", before.at, after.at, f"the clock went {wall}, the host {monotonic}"))
    return found


def _uncovered(since: datetime, until: datetime, gaps: Iterable[Gap]) -> list[tuple[datetime, datetime]]:
    left, start = [], since
    for gap in gaps:
        if gap.until <= start or gap.since >= until:
            continue
        if gap.since > start:
            left.append((start, gap.since))
        start = max(start, gap.until)
    return [*left, (start, until)] if start < until else left


def _inside(times: tuple[datetime, ...], since: datetime, until: datetime) -> int:
    return max(0, bisect_left(times, until) - bisect_left(times, since))


def _count(leaf: Mapping[str, Any], facts: Mapping[str, Any]) -> Count:
    counts = {name: value for name, value in facts.items() if type(value) is int and name != "uptime_s"}
    totals = {str(name): int(value) for name, value in facts["totals"].items()}
    return Count(
        _time(facts["since"]), _time(facts["until"]), counts, totals, str(leaf["host"]), _time(leaf["ts"]), int(facts["uptime_s"])
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
