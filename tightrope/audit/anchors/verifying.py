"""Is this receipt good? Pure and offline: nothing but the checkpoint, the receipt and whom the reader trusts."""

from __future__ import annotations

from dataclasses import replace

from tightrope.audit.anchors import chain, rfc3161, witness, worm
from tightrope.audit.anchors.models import Receipt, Trust, Verdict
from tightrope.audit.errors import NoteInvalid
from tightrope.audit.tlog.checkpoint import Checkpoint
from tightrope.audit.tlog.note import Note


def verify(note: bytes, receipt: Receipt, trust: Trust) -> Verdict:
    """Check a receipt for a checkpoint: the log's own signature (where its keys are trusted by name), the place, and the anchor's word.

    Args:
        note: the checkpoint that the receipt is said to be for.
    """
    problem = _misplaced(note, receipt, trust)
    if problem is not None:
        return Verdict(False, None, receipt.anchor, problem)
    match receipt.kind:
        case "witness-c2sp":
            keys = trust.log.witness_keys if trust.log is not None else ()
            verdict = witness.check(note, receipt, keys)
        case "rfc3161":
            verdict = rfc3161.check(note, receipt.body, trust.tsa)
        case "chain-http":
            verdict = chain.check(note, receipt, trust.chain)
        case "worm-s3" | "worm-folder":
            verdict = worm.check(note, receipt)
        case _:
            return Verdict(False, None, receipt.anchor, f"receipts of kind {receipt.kind!r} are not known here")
    if verdict.ok and receipt.asserted is not None and verdict.asserted != receipt.asserted:
        return replace(verdict, ok=False, why=f"the receipt was noted for {receipt.asserted}, its body says {verdict.asserted}")
    return verdict


def _misplaced(note: bytes, receipt: Receipt, trust: Trust) -> str | None:
    try:
        log = trust.log if trust.log and trust.log.logs else None
        checkpoint = log.open(note).checkpoint if log else Checkpoint.parse(Note.parse(note).text)
    except NoteInvalid as error:
        return f"the checkpoint does not hold: {error}"
    if checkpoint.size != receipt.size or checkpoint.origin.rpartition("/")[2] != str(receipt.shard):
        return f"the receipt is for {receipt.shard}/{receipt.size}, the checkpoint is {checkpoint.origin} of {checkpoint.size} leaves"
    return None
