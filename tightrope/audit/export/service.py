"""Makes an export: right and reason first, then the record of it, then the first byte (issue 6, point 7)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tightrope.audit import repository as log_repository
from tightrope.audit.canon import canonical
from tightrope.audit.errors import ExportRefused, NoteInvalid
from tightrope.audit.export import repository
from tightrope.audit.export.bundle import Bundle
from tightrope.audit.export.models import Made, Masker, Order, Progress
from tightrope.audit.export.outside import Outside
from tightrope.audit.export.pdf import Printer, font_file
from tightrope.audit.export.proofs import ProofSource, covering
from tightrope.audit.export.writing import Head, Writer
from tightrope.audit.index.finding import Finder
from tightrope.audit.index.service import Indexer
from tightrope.audit.keyring import Keyring
from tightrope.audit.leaf import timestamp
from tightrope.audit.models import Event, Place, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.audit.repository import Conn
from tightrope.audit.tlog.policy import Policy
from tightrope.infra.clock import Clock
from tightrope.infra.database import Pool
from tightrope.infra.settings import Settings

BATCH = 500
PATIENCE_SECONDS = 5.0
"""How long an export waits for the checkpoint that covers its newest record."""
_POLL_SECONDS = 0.25


def _silent(stage: str, done: int, of: int) -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What an export is made with.

    Attributes:
        pool: of Role.AUDITOR.
        verifier: the verifier's files, shipped inside.
        store: what the segments are kept in, in words (`local folder, not WORM`).
    """

    settings: Settings
    pool: Pool
    keyring: Keyring
    recorder: Recorder
    clock: Clock
    mask: Masker
    proofs: ProofSource
    outside: Outside
    verifier: Mapping[str, bytes]
    store: str


class Exporter:
    """Makes exports."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def make(self, order: Order, progress: Progress = _silent) -> Made:
        """Make one export; it is on the record before its first byte is written, and again when it stands.

        Args:
            progress: told how far it is, from this task.

        Raises:
            ExportRefused: no right, no reason, nothing found, too much found, the target exists, or something cannot be proven. Refusals are
                on the record too.
            QuestionInvalid: the selection is not well-formed.
            WrongMasterKey: another master key than the log's.
            StoreError: the tree cannot be read.
        """
        parts = self._parts
        finder = Finder(parts.pool, parts.keyring, parts.recorder, parts.clock, who=order.who)
        selection = finder.told(order.question) | ({} if order.whole else {"records_only": True})
        why = refusal(parts.settings, order)
        if why is not None:
            await self._note(order, selection, {"stage": "refused", "why": why[0]})
            raise ExportRefused(why[1], why[0])
        printer = await asyncio.to_thread(lambda: Printer(font_file(order.font))) if order.pages and order.pdf else None
        progress("index", 0, 0)
        await Indexer(parts.pool, parts.keyring, parts.clock).catch_up()
        async with parts.pool.connection() as conn:
            places = await finder.choose(conn, order.question, whole=order.whole, most=order.most)
            # Without the records that say so, a verifier had only our word that a payload is withheld or gone.
            acts = await repository.key_acts(conn, await repository.kids(conn, places)) if places else []
            places = sorted({*places, *(act.place for act in acts)})
        if not places:
            await self._note(order, selection, {"stage": "refused", "why": "nothing_found"})
            raise ExportRefused("nothing in the log answers this selection; try it with `tightrope audit find`", "nothing_found")
        if order.most is not None and len(places) > order.most:
            await self._note(order, selection, {"stage": "refused", "why": "too_large"})
            raise ExportRefused(
                f"the selection has more than the {order.most} records of one export here: narrow it down, or use `tightrope audit export`",
                "too_large",
            )
        bundle = Bundle(order.target)
        await self._note(order, selection, {"stage": "begun", "records": len(places)})
        try:
            with bundle:
                made = await self._build(bundle, order, selection, places, acts, printer, progress)
        except BaseException as error:
            await asyncio.shield(self._note(order, selection, {"stage": "failed", "why": type(error).__name__}))
            raise
        counts = {
            "records": made.counts.records,
            "conversations": made.counts.conversations,
            "unreadable": made.counts.unreadable,
        }
        await self._note(order, selection, {"stage": "done", "manifest_sha256": made.manifest_sha256, **counts})
        return made

    async def _build(
        self,
        bundle: Bundle,
        order: Order,
        selection: dict[str, Any],
        places: Sequence[Place],
        acts: Sequence[repository.KeyAct],
        printer: Printer | None,
        progress: Progress,
    ) -> Made:
        parts = self._parts
        shards = sorted({place.shard for place in places})
        async with parts.pool.connection() as conn:
            vkeys = await repository.log_keys(conn, shards)
            policy = parts.outside.policy(vkeys)
            heads = {
                shard: await self._head(conn, policy, shard, max(p.index for p in places if p.shard == shard)) for shard in shards
            }
            bundle.write("policy.txt", policy.encode())
            receipts = await parts.outside.receipts(conn, places)
            writer = Writer(bundle, order, parts.mask, parts.proofs, heads, parts.clock.now(), printer)
            with writer:
                for at in range(0, len(places), BATCH):
                    progress("records", at, len(places))
                    records = await repository.records(conn, parts.keyring, places[at : at + BATCH])
                    await asyncio.to_thread(writer.add, records)
                names = list(writer.conversations())
                for number, name in enumerate(names):
                    progress("conversations", number, len(names))
                    records = await repository.records(conn, parts.keyring, writer.places_of(name))
                    await asyncio.to_thread(writer.page, name, records)
        progress("packing", 0, 0)
        facts = {"log": parts.settings.audit_log_name, "store": parts.store}
        gone = [(act.place, kid, act.ts) for act in acts if act.event == Event.KEY_DESTROYED for kid in act.kids]
        counts = await asyncio.to_thread(writer.finish, selection, facts, receipts, gone, parts.verifier)
        manifest = {
            "v": 1,
            "kind": "tightrope-audit-bundle",
            "made": timestamp(writer.made),
            "log": parts.settings.audit_log_name,
            "masked": not order.unmasked,
            "selection": selection,
            "conversations": sorted(writer.conversations()),
            "shards": [
                {
                    "shard": shard,
                    "origin": head.checkpoint.origin,
                    "size": head.checkpoint.size,
                    "checkpoint": f"{shard}/checkpoint",
                }
                for shard, head in sorted(heads.items())
            ],
            "records": counts.records,
        }
        digest = await asyncio.to_thread(bundle.finish, manifest)
        return Made(order.target, counts, digest, selection)

    async def _head(self, conn: Conn, policy: Policy, shard: int, last: int) -> Head:
        """The checkpoint that the proofs of a shard lead to: one that reaches the quorum, if one that covers comes in time; else the newest."""
        waited = 0.0
        while True:
            late = waited >= PATIENCE_SECONDS
            notes = [await self._parts.outside.cosigned(conn, policy, shard)]
            if late or not self._parts.outside.witnessed(policy):
                notes.append(await asyncio.to_thread(self._parts.proofs.checkpoint, shard))
            try:
                head = Head(*covering(shard, last, notes))
                _known(policy, head)
                return head
            except ExportRefused:
                if late:
                    raise
            await asyncio.sleep(_POLL_SECONDS)
            waited += _POLL_SECONDS

    async def _note(self, order: Order, selection: dict[str, Any], facts: dict[str, Any]) -> None:
        async with self._parts.pool.connection() as conn:
            found = await log_repository.master_check(conn)
            if found is not None:
                self._parts.keyring.confirm(found)
            said = {"masked": not order.unmasked, "form": "zip" if order.target.suffix == ".zip" else "folder"}
            payload = {"who": order.who, "reason": order.reason, "selection": selection, "profiles": list(order.profiles)}
            named = {"selection_sha256": hashlib.sha256(canonical(selection)).hexdigest()}
            await self._parts.recorder.record(conn, RecordDraft(Event.EXPORT_MADE, facts=facts | said | named, payload=payload))


def _known(policy: Policy, head: Head) -> None:
    """Refuse what the bundle's own verifier would call altered: a checkpoint by no key of the policy that goes with it."""
    try:
        policy.open(head.note)
    except NoteInvalid as error:
        raise ExportRefused(
            f"the policy does not know the keys of {head.checkpoint.origin} ({error}): add its `log` line to the file TIGHTROPE_AUDIT_POLICY_FILE"
        ) from error


def refusal(settings: Settings, order: Order) -> tuple[str, str] | None:
    """Why an export may not be made: a code and a sentence; None where it may. Masked exports are open to everybody with the auditor's role."""
    if not order.unmasked:
        return None
    if order.who not in settings.unmasked_readers:
        return "no_right", (
            f"{order.who} may not make unmasked exports: TIGHTROPE_AUDIT_UNMASKED_READERS names who may (contracts/permissions.yml, export_unmasked)"
        )
    if len(order.reason.strip()) < REASON_LENGTH:
        return (
            "no_reason",
            f'an unmasked export needs a reason of at least {REASON_LENGTH} characters: --reason "…"; it goes on the record',
        )
    return None


REASON_LENGTH = 8
"""Characters of the shortest reason that says something."""
