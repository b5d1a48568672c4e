"""What can go wrong between a question and its cited answer."""

from __future__ import annotations


class KnowledgeError(Exception):
    """The knowledge server gave nothing that may be used. The caller hands over; it never reads this as "no hits"."""


class KnowledgeUnavailable(KnowledgeError):
    """The server cannot be reached or is failing (connect, timeout, 5xx, codes 100, 105, 106); it may work later."""


class KnowledgeRejected(KnowledgeError):
    """The server refused the request or answered in a form that is not RAGFlow's: repeating it is useless."""


class DocumentInvalid(ValueError):
    """A file of `knowledge_base/` breaks the rules of front matter or sections; the message names the file and what to change."""


class PublishFailed(KnowledgeError):
    """A published dataset does not hold what it should. The message names what is missing or different; the old release stays."""


class NotRecorded(KnowledgeError):
    """A change of what may be quoted is not on the audit record. A release is not switched then; a withdrawal stands and is recorded later."""


class ApprovalRefused(ValueError):
    """This key cannot sign this document in this duty now; the message says what stands against it."""


class ReleaseBroken(KnowledgeUnavailable):
    """No release can be quoted: none is active, or the kept one is not what two people signed. Answering hands over."""
