"""Types of the knowledge part: what a document, a passage, a retrieved chunk and an answer are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from tightrope.knowledge.guards import GuardVerdict

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
MICRO = 10_000
"""Scores leave this part as integers of 1e-4: a record must not depend on how a float is printed."""


SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
"""Documents come into force and end at midnight there."""


@dataclass(frozen=True)
class Problem:
    """Something about the knowledge base that somebody has to look at."""

    file: str
    line: int
    what: str
    remedy: str
    grade: Literal["error", "warning"] = "error"
    """An error keeps a document from being approved and published; a warning is for a person to judge."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}. {self.remedy}"


@dataclass(frozen=True)
class Approval:
    """A signature that counts: who vouched for the document in which duty, and when (publishing/approvals.py)."""

    duty: Literal["maker", "checker"]
    person: str
    title: str
    """What readers see instead of the name, in the document's language."""
    date: date
    """Shanghai calendar day of the signature."""
    key_id: str


@dataclass(frozen=True)
class Section:
    """One heading of a document with the wording below it."""

    number: int
    """Position in the document, from 1; the same in both languages of a pair."""
    heading: str
    body: str
    """The approved wording, verbatim, without the comments that hold keywords and questions."""
    keywords: tuple[str, ...] = ()
    """Words that customers use for this section; searched, never shown and never quoted."""
    asked: tuple[str, ...] = ()
    """Questions in customers' own words that this section answers; held against a question, never shown and never quoted."""
    line: int = 1
    """Line of the heading in the file."""


# fmt: off
TOPICS = (
    "account", "identity", "trading", "boards", "stock-connect", "margin", "options", "funds", "ipo", "settlement", "corporate-actions",
    "fees", "tax", "transfers", "suitability", "complaints", "fraud", "app", "privacy",
)
# fmt: on
"""What a document is about; the list is closed, since approved clauses hang on it."""


@dataclass(frozen=True)
class Document:
    """One Markdown file of `knowledge_base/`: a document in one language and version."""

    file_name: str
    """`<id>.<language>.md`, or `<id>.<version>.<language>.md` where versions follow each other."""
    document_id: str
    version: str
    language: Language
    title: str
    topic: str
    """One of TOPICS; approved clauses are required by topic."""
    audience: Literal["public", "internal"]
    effective_from: date
    effective_to: date
    source: str
    approvals: tuple[Approval, ...]
    sections: tuple[Section, ...]
    sha256: str
    """SHA-256 of the file's bytes."""
    raw: bytes = field(repr=False)

    @property
    def approved(self) -> bool:
        """A maker and a checker signed it, and they are two people with two keys."""
        makers = [approval for approval in self.approvals if approval.duty == "maker"]
        checkers = [approval for approval in self.approvals if approval.duty == "checker"]
        return any(m.person != c.person and m.key_id != c.key_id for m in makers for c in checkers)

    def in_force(self, day: date) -> bool:
        """Whether the document may be quoted on this Shanghai calendar day."""
        return self.effective_from <= day <= self.effective_to

    @property
    def meta_fields(self) -> dict[str, str]:
        """What the knowledge server keeps of the document and the client checks again on every chunk."""
        return {
            "doc_id": self.document_id,
            "doc_version": self.version,
            "lang": self.language,
            "title": self.title,
            "topic": self.topic,
            "audience": self.audience,
            "status": "approved" if self.approved else "draft",
            "effective_from": self.effective_from.isoformat(),
            "effective_to": self.effective_to.isoformat(),
            "source_sha256": self.sha256,
        }


@dataclass(frozen=True)
class Passage:
    """The smallest piece that can be cited: one section, with the line that says where it is from."""

    passage_id: str
    document_id: str
    version: str
    language: Language
    title: str
    section: str
    number: int
    """The section's number, the same in both languages."""
    effective_from: date
    effective_to: date
    context: str
    """`title > section (version, effective date)`: searched and shown, not a source for numbers."""
    text: str
    """The approved wording, verbatim."""
    sha256: str
    """SHA-256 of `text` in UTF-8."""
    keywords: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    """See `Section.asked`; the pieces of a long section share them."""
    topic: str = ""
    """The topic of its document, one of TOPICS: approved clauses hang on it."""

    @property
    def content(self) -> str:
        """What is stored as a chunk: the context line, then the wording."""
        return f"{self.context}\n{self.text}"


@dataclass(frozen=True)
class Release:
    """A published knowledge base: every passage of every public, approved document."""

    release_id: str
    """`kb-` and 16 hex digits of SHA-256 over all passages; also the name of the dataset."""
    documents: tuple[Document, ...]
    passages: tuple[Passage, ...]

    def by_content(self) -> dict[str, Passage]:
        """Passages by their whole chunk content."""
        return {passage.content: passage for passage in self.passages}


@dataclass(frozen=True)
class Chunk:
    """A passage as the knowledge server found it, after every check on arrival."""

    passage: Passage
    similarity: float
    term_similarity: float
    vector_similarity: float

    @property
    def score(self) -> int:
        """Similarity in 1e-4."""
        return round(self.similarity * MICRO)


@dataclass(frozen=True)
class Thresholds:
    """Calibrated limits (knowledge_base/thresholds.json); scores in 1e-4."""

    floor: int
    """Passages below it are not even retrieved."""
    vector_weight: dict[Language, int]
    """Weight of the n-gram cosine in the fused similarity."""
    page_size: int
    whole_passage: int
    """A passage of at most so many sentences is quoted whole."""
    max_sentences: int
    """Of a longer passage, at most so many are quoted."""
    max_characters: int


Mode = Literal["verbatim", "paraphrase"]
"""How a draft's sentences stand to their sources: whole sentences word for word, or in other words beside a whole quoted sentence."""


@dataclass(frozen=True)
class Sentence:
    """One sentence of an answer and the number of its citation."""

    text: str
    """Verbatim from the cited passage; in a paraphrase, other words for `quote`."""
    n: int
    lead: str = ""
    """An approved connective set before the text, or nothing."""
    quote: str = ""
    """In a paraphrase, the whole sentences of the cited passage, verbatim, on which `text` rests."""


@dataclass(frozen=True)
class Clause:
    """Approved wording that a reply carries for its topic, such as "not investment advice"; not a statement of a passage."""

    id: str
    text: str


@dataclass(frozen=True)
class Citation:
    """A source of an answer; `item()` is what the `citations` envelope carries."""

    n: int
    passage: Passage

    def item(self) -> dict[str, Any]:
        """The envelope's form (contracts/turn/envelope.schema.json)."""
        return {
            "n": self.n,
            "document_id": self.passage.document_id,
            "version": self.passage.version,
            "language": self.passage.language,
            "title": self.passage.title,
            "section": self.passage.section,
            "effective_from": self.passage.effective_from.isoformat(),
            "passage_id": self.passage.passage_id,
            "sha256": self.passage.sha256,
        }


@dataclass(frozen=True)
class Draft:
    """What a composer proposes to say; nothing of it is said before the gate has seen it."""

    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    language: Language
    clauses: tuple[Clause, ...] = ()
    mode: Mode = "verbatim"


@dataclass(frozen=True)
class ApprovedClause:
    """A clause that compliance approved (data/knowledge/clauses.json) and where it must stand."""

    id: str
    wording: Mapping[Language, str]
    topics: frozenset[str]
    """Topics whose answers must carry it; `*` is every answer."""
    prompts: frozenset[str]
    """Prompts (by name, without version) that must hold its wording in either language; `*` is every prompt."""

    def clause(self, language: Language) -> Clause:
        """As a reply carries it."""
        return Clause(self.id, self.wording[language])


@dataclass(frozen=True)
class ScopeRule:
    """A form of words that lies outside what an answer may say (data/knowledge/scope.json)."""

    id: str
    kind: Literal["advice", "forecast", "person", "risk", "instruction"]
    language: Language
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None
    """A sentence that this matches is no breach: it warns of the thing or denies it."""
    approved: bool
    """Whether an approved sentence may say it word for word; a paraphrase never may, unless its quote does."""


@dataclass(frozen=True, eq=False)
class Wording:
    """Words by which a paraphrase is held to its quote (data/knowledge/wording.json), for one language; compared by identity."""

    plain: frozenset[str]
    """Words without content of their own (English: stems), which a paraphrase may use freely."""
    plain_reader: re.Pattern[str]
    classes: tuple[tuple[str, re.Pattern[str], dict[str, str]], ...]
    """Kinds of names and opposites: the kind, what finds its members, and the member that each spelling stands for ("" is none)."""


@dataclass(frozen=True)
class GateRules:
    """What the gate holds a draft to, beside its sources; made by `gate.load_rules`."""

    connectives: Mapping[Language, frozenset[str]]
    clauses: tuple[ApprovedClause, ...]
    scope: tuple[ScopeRule, ...]
    max_sentences: int
    max_characters: int
    """Bound on leads and texts together; clauses come on top."""
    wording: Mapping[Language, Wording] = field(default_factory=dict)
    """Empty: nothing but verbatim passes."""


@dataclass(frozen=True)
class Evidence:
    """A retrieved passage for the record, used in the answer or not."""

    passage: Passage
    score: int
    used: bool

    def item(self) -> dict[str, Any]:
        """The `evidence` envelope's form."""
        return {
            "passage_id": self.passage.passage_id,
            "document_id": self.passage.document_id,
            "version": self.passage.version,
            "score": self.score,
            "sha256": self.passage.sha256,
            "used": self.used,
        }


@dataclass(frozen=True)
class Answer:
    """What the gate let through: sentences, each with its source, and approved clauses."""

    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    evidence: tuple[Evidence, ...]
    language: Language
    clauses: tuple[Clause, ...] = ()
    guards: tuple[GuardVerdict, ...] = field(default=(), compare=False)

    @property
    def text(self) -> str:
        """What the customer reads: each sentence followed by its marker, such as `[1]`, then the approved clauses on lines of their own."""
        space = "" if self.language == "zh" else " "
        said = space.join(f"{sentence.lead}{sentence.text}{space}[{sentence.n}]" for sentence in self.sentences)
        return "\n".join((said, *(clause.text for clause in self.clauses)))


NoAnswerReason = Literal[
    "empty_question",
    "nothing_found",
    "below_threshold",
    "expired",
    "conflict",
    "ask_back",
    "advice",
    "no_draft",
    "declined",
    "gate",
]
"""`no_draft`: this composer could make none, the next one is asked. `declined`: the model read the passages and found no answer in them."""


@dataclass(frozen=True)
class NoAnswer:
    """Nothing that may be said: the caller offers a person, or asks which of `suggestions` is meant."""

    reason: NoAnswerReason
    evidence: tuple[Evidence, ...] = ()
    suggestions: tuple[Passage, ...] = ()
    """With `ask_back`, the two or three passages of which the customer chooses one."""
    guards: tuple[GuardVerdict, ...] = field(default=(), compare=False)
