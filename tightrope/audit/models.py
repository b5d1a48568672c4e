"""Types of the audit log: the closed list of events, what a writer hands over, what a reader gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

JsonObject = dict[str, Any]


class Event(StrEnum):
    """Everything that may be recorded, as `source:subject:action`. The list is closed.

    What each carries, who writes it, and which are not written and why: contracts/audit/events/index.json and a JSON Schema beside it for each
    version of each event (docs/audit.md, What is on the record).
    """

    CONVERSATION_OPENED = "gateway:conversation:opened"
    CONVERSATION_RESOLVED = "gateway:conversation:resolved"
    SESSION_STARTED = "gateway:conversation:session_started"
    DISCLOSURE_SHOWN = "gateway:disclosure:shown"

    CUSTOMER_MESSAGE_RECEIVED = "customer:message:received"
    CUSTOMER_BUTTON_PRESSED = "customer:button:pressed"
    CUSTOMER_ATTACHMENT_RECEIVED = "customer:attachment:received"
    AGENT_MESSAGE_RECEIVED = "agent:message:received"
    AGENT_NOTE_RECEIVED = "agent:note:received"
    AGENT_ATTACHMENT_RECEIVED = "agent:attachment:received"
    SYSTEM_MESSAGE_RECEIVED = "system:message:received"
    BOT_MESSAGE_SENT = "bot:message:sent"
    MESSAGE_EDITED = "inbox:message:edited"
    MESSAGE_DELETED = "inbox:message:deleted"
    STATUS_CHANGED = "inbox:conversation:status_changed"
    ASSIGNEE_CHANGED = "inbox:conversation:assignee_changed"

    TURN_MADE = "gateway:turn:made"
    TURN_REFUSED = "gateway:turn:refused"
    TURN_FAILED = "gateway:turn:failed"

    BINDING_CREATED = "identity:binding:created"
    BINDING_ENDED = "identity:binding:ended"
    BINDING_REFUSED = "identity:binding:refused"
    LOGIN_REQUESTED = "identity:login:requested"

    HANDOFF_OPENED = "gateway:handoff:opened"
    HANDOFF_RETURNED = "gateway:handoff:returned"
    SWITCH_ENGAGED = "operator:switch:engaged"
    SWITCH_RELEASED = "operator:switch:released"
    KNOWLEDGE_PUBLISHED = "operator:knowledge:published"
    KNOWLEDGE_ROLLED_BACK = "operator:knowledge:rolled_back"
    KNOWLEDGE_WITHDRAWN = "operator:knowledge:withdrawn"

    OUTBOX_SENT = "outbox:message:sent"
    OUTBOX_BLOCKED = "outbox:message:blocked"
    OUTBOX_FAILED = "outbox:message:failed"

    WEBHOOK_REFUSED = "gateway:webhook:refused"
    CONNECTION_REFUSED = "gateway:connection:refused"
    RELEASE_STARTED = "release:process:started"
    RELEASE_MISMATCH = "release:process:mismatch"
    CONVERSATION_READ = "audit:conversation:read"
    LOG_VERIFIED = "audit:log:verified"
    EXPORT_MADE = "audit:export:made"
    INDEX_QUERIED = "audit:index:queried"
    CONVERSATION_REPLAYED = "audit:conversation:replayed"
    LOG_RECONCILED = "audit:log:reconciled"
    SUBJECT_RESTRICTED = "audit:subject:restricted"
    SUBJECT_OPENED = "audit:subject:opened"
    HOLD_PLACED = "audit:hold:placed"
    HOLD_LIFTED = "audit:hold:lifted"
    DESTRUCTION_PROPOSED = "audit:destruction:proposed"
    DESTRUCTION_REFUSED = "audit:destruction:refused"
    KEY_DESTROYED = "audit:key:destroyed"
    RETENTION_EXTENDED = "audit:retention:extended"
    MASTER_ROTATED = "audit:master:rotated"

    RELEASE_APPROVED = "operator:release:approved"
    FRAMES_COUNTED = "gateway:frames:counted"

    SHARD_OPENED = "log:shard:opened"
    LOG_KEY_ADDED = "log:key:added"
    SEQUENCER_BEAT = "log:sequencer:beat"
    GAP_DECLARED = "log:gap:declared"
    ANCHOR_RECEIVED = "log:anchor:received"
    ANCHOR_LATE = "log:anchor:late"


CUSTODY: Final = frozenset(
    {
        Event.SUBJECT_RESTRICTED,
        Event.SUBJECT_OPENED,
        Event.HOLD_PLACED,
        Event.HOLD_LIFTED,
        Event.DESTRUCTION_PROPOSED,
        Event.DESTRUCTION_REFUSED,
        Event.KEY_DESTROYED,
        Event.RETENTION_EXTENDED,
        Event.MASTER_ROTATED,
    }
)
"""Events that decide who reads what, and until when: the database takes them from the operator's role with a proof only (migration audit_0007)."""


@dataclass(frozen=True, slots=True)
class RecordDraft:
    """One record to be.

    Attributes:
        event: what happened.
        conversation_id: ours (`1-441`), or None for what belongs to no conversation.
        subject: customer id whose key encrypts the payload; None takes the conversation's own key (or the system's).
        turn: number of the turn in the conversation, if the record belongs to one.
        facts: goes into the clear leaf: versions, verdict codes, ids, counts, `label`, `lang`, `latency_ms`. Never personal data; texts that could be are
            refused (`tightrope.audit.leaf.check_facts`).
        payload: everything else; encrypted. Any JSON; also date, UUID, Decimal and Enum values, which become strings.
        content: name -> SHA-256 (hex) of content stored by `Recorder.store_content`: flows, domain, prompts, passages, rule data.
    """

    event: Event
    conversation_id: str | None = None
    subject: str | None = None
    turn: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    payload: Mapping[str, Any] = field(default_factory=dict)
    content: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a record stands: the year's shard, and the leaf's index in its tree, from 0."""

    shard: int
    index: int

    def __str__(self) -> str:
        return f"{self.shard}/{self.index}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One record as an auditor reads it.

    Attributes:
        place: place in the tree, None while unsealed.
        payload: decrypted; None where `problem` says why not.
    """

    record_id: UUID
    place: Place | None
    at: datetime
    event: str
    turn: int | None
    leaf: JsonObject
    payload: JsonObject | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class ConversationView:
    """The whole record of one conversation, oldest first."""

    conversation_id: str
    conv: UUID
    entries: tuple[Entry, ...]

    def to_json(self) -> JsonObject:
        """A plain JSON object of everything, for `--json`."""
        return {
            "conversation_id": self.conversation_id,
            "conv": str(self.conv),
            "records": [
                {
                    "record_id": str(entry.record_id),
                    "place": str(entry.place) if entry.place else None,
                    "at": entry.at.isoformat(),
                    "event": entry.event,
                    "turn": entry.turn,
                    "leaf": entry.leaf,
                    "payload": entry.payload,
                    "problem": entry.problem,
                }
                for entry in self.entries
            ],
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that verification found wrong.

    Attributes:
        kind: machine name: `leaf`, `ciphertext`, `columns`, `tree`, `checkpoint`, `record`, `tail`, `key`, `content`, `segment`, `refused`, ….
        detail: what is wrong, in a sentence.
    """

    kind: str
    detail: str
    place: Place | None = None
    record_id: UUID | None = None


FINDINGS_KEPT = 1000
"""How many findings of each list a report names; the rest is counted. Keeps memory bounded on a log that was rewritten whole."""


@dataclass(slots=True)
class Report:
    """Outcome of `verify_log`.

    Attributes:
        heads: shard -> root of its tree, in hex.
        tree_problems: what is wrong with the published tree on disk.
    """

    sealed: int = 0
    unsealed: int = 0
    segments: int = 0
    contents: int = 0
    checkpoints: int = 0
    heads: dict[int, str] = field(default_factory=dict)
    destroyed: int = 0
    """Records that are there and whose key was destroyed by policy, as the log itself says."""
    store: str = ""
    altered: list[Finding] = field(default_factory=list)
    missing: list[Finding] = field(default_factory=list)
    tree_problems: list[Finding] = field(default_factory=list)
    segment_problems: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    not_listed: int = 0

    @property
    def ok(self) -> bool:
        """Nothing altered, nothing missing, no problem of the published tree or of a segment."""
        return not (self.altered or self.missing or self.tree_problems or self.segment_problems)

    def add(self, where: list[Finding], finding: Finding) -> None:
        """Put a finding in one of the lists, or count it when the list is full."""
        if len(where) < FINDINGS_KEPT:
            where.append(finding)
        else:
            self.not_listed += 1

    def tree(self, detail: str) -> None:
        """Note a problem of the published tree."""
        self.add(self.tree_problems, Finding("tree", detail))

    def to_json(self) -> JsonObject:
        """A plain JSON object of the whole report, for `--json`."""
        lists = {
            "altered": self.altered,
            "missing": self.missing,
            "tree_problems": self.tree_problems,
            "segment_problems": self.segment_problems,
        }
        return {
            "ok": self.ok,
            "sealed": self.sealed,
            "unsealed": self.unsealed,
            "segments": self.segments,
            "contents": self.contents,
            "checkpoints": self.checkpoints,
            "heads": {str(shard): root for shard, root in self.heads.items()},
            "destroyed": self.destroyed,
            "store": self.store,
            "notes": self.notes,
            "not_listed": self.not_listed,
        } | {
            name: [
                {
                    "kind": f.kind,
                    "place": str(f.place) if f.place else None,
                    "record_id": str(f.record_id) if f.record_id else None,
                    "detail": f.detail,
                }
                for f in findings
            ]
            for name, findings in lists.items()
        }
