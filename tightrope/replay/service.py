"""`tightrope audit replay`: reads a conversation's record, runs it again release by release, and records that it did."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from tightrope.audit.keyring import Keyring
from tightrope.audit.models import ConversationView, Entry, Event, RecordDraft
from tightrope.audit.reading import show_conversation
from tightrope.audit.recorder import Recorder
from tightrope.infra.clock import clock_from
from tightrope.infra.database import Pool, Role, open_pool
from tightrope.infra.settings import Settings
from tightrope.release.manifest import release_id
from tightrope.replay.inputs import Received, check_received
from tightrope.replay.models import Check, Json, Mark, Part, Replay, TurnReplay, counted
from tightrope.replay.player import play_turns
from tightrope.replay.releases import RUN, Release, lay_out
from tightrope.replay.worker import WorkerFailed, play_apart

TURNS = frozenset({Event.TURN_MADE, Event.TURN_FAILED})


@dataclass(slots=True)
class _Carried:
    """What one release's turns leave for the next one's."""

    states: Json
    numbers: Json


async def replay_conversation(settings: Settings, conversation_id: str, *, reader: str, reason: str = "replay") -> Replay:
    """Run a conversation again and compare.

    It is a reading of the record, recorded as such before anything is decrypted for anybody; the outcome is recorded when it is known.

    Raises:
        ConversationUnknown: no record names it.
        WrongMasterKey: another master key than the log's.
    """
    view = await show_conversation(settings, conversation_id, reader=reader, reason=reason)
    async with open_pool(settings, Role.AUDITOR, max_size=1) as pool:
        found = await replay_view(settings, pool, view)
        recorder = Recorder(settings, Keyring.from_settings(settings), clock_from(settings), release_id(settings))
        facts = {"outcome": found.outcome, "turns": len(found.turns), **{mark.value: found.count(mark) for mark in Mark}}
        named = [
            {"turn": turn.turn, "part": check.part, "mark": check.mark, "detail": check.detail}
            for turn in found.turns
            for check in turn.checks
            if check.mark in {Mark.DIFFERS, Mark.MISSING}
        ]
        payload = {"reader": reader, "reason": reason, "problems": list(found.problems), "found": named}
        async with pool.connection() as conn:
            await recorder.record(conn, RecordDraft(Event.CONVERSATION_REPLAYED, conversation_id, facts=facts, payload=payload))
    return found


async def replay_view(settings: Settings, pool: Pool, view: ConversationView) -> Replay:
    """Run a conversation's record again, as it was read; writes nothing.

    Args:
        settings: `project_dir` says where the files at hand are, `state_dir` where trained classifiers are kept.
        pool: of Role.AUDITOR, for the content of releases.
    """
    turns: list[TurnReplay] = []
    notes: list[str] = []
    problems = [
        f"record {entry.record_id} ({entry.event}) cannot be read: {entry.problem}" for entry in view.entries if entry.problem
    ]
    made = [entry for entry in view.entries if entry.event in TURNS and entry.payload is not None]
    numbers = [entry.turn for entry in view.entries if entry.event in TURNS and entry.turn is not None]
    if lacking := sorted(set(range(1, max(numbers, default=0) + 1)) - set(numbers)):
        problems.append(f"the record of turn {', '.join(map(str, lacking))} is missing")
    if not made:
        problems.append("the record holds no turn of this conversation: there is nothing to run again")
    received = Received.of(view.entries)
    carried = _Carried({}, {})
    with tempfile.TemporaryDirectory(prefix="tightrope-replay-") as folder:
        for number, group in enumerate(_by_release(made)):
            first = group[0]
            async with pool.connection() as conn:
                release = await lay_out(
                    conn,
                    first.leaf["release"],
                    first.leaf["content"].get("manifest"),
                    settings.project_dir,
                    Path(folder) / str(number),
                )
            job: Json = {
                "root": str(release.root),
                "cache": str(settings.state_dir / "cache"),
                "missing": release.missing,
                "states": carried.states,
                "numbers": carried.numbers,
                "turns": [{"payload": entry.payload, "facts": entry.leaf["facts"]} for entry in group],
            }
            notes.append(_note(release, len(group)))
            turns += [
                _with_input(turn, entry, received)
                for turn, entry in zip(_played(release, job, group, carried), group, strict=True)
            ]
    return Replay(view.conversation_id, tuple(turns), tuple(notes), tuple(problems))


def _played(release: Release, job: Json, group: list[Entry], carried: _Carried) -> Iterator[TurnReplay]:
    release.root.mkdir(parents=True, exist_ok=True)
    lacking = sorted({release.missing[kind] for kind in RUN & release.missing.keys()})
    try:
        if lacking:
            # With a part of it missing the installed code would step in, and nobody would know which code was run.
            raise WorkerFailed("; ".join(lacking))
        answer = play_apart(release.root, job) if release.other_code else play_turns(job)
        carried.states, carried.numbers = answer["states"], answer["numbers"]
        checks = [[Check.from_json(check) for check in found] for found in answer["checks"]]
    except WorkerFailed as error:
        checks = [[Check(Part.FLOWS, Mark.MISSING, f"the release's own code could not be run: {error}")] for _ in group]
    for entry, found in zip(group, checks, strict=True):
        payload = entry.payload or {}
        yield TurnReplay(entry.turn or 0, str(entry.record_id), release.release_id, str(payload.get("said") or ""), tuple(found))


def _with_input(turn: TurnReplay, entry: Entry, received: Received) -> TurnReplay:
    check = check_received(received, entry)
    return turn if check is None else replace(turn, checks=(check, *turn.checks))


def _by_release(made: list[Entry]) -> Iterator[list[Entry]]:
    for _, group in groupby(made, key=lambda entry: (entry.leaf["release"], entry.leaf["content"].get("manifest"))):
        yield list(group)


def _note(release: Release, turns: int) -> str:
    files = (
        f"{counted(release.from_log, 'file')} from the log, the others as they lie here"
        if release.from_log
        else "its files lie here unchanged"
    )
    code = (
        f"run in its own code ({counted(len(release.other_code), 'module')} of it changed since)"
        if release.other_code
        else "its code is this program's"
    )
    return f"{release.release_id}, {counted(turns, 'turn')}: {files}; {code}"
