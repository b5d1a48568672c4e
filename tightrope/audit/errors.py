"""What can go wrong in the audit log. Every one of them stops the reply that needed the record (red line 1)."""

from __future__ import annotations


class AuditError(Exception):
    """Anything the audit log refuses or cannot do."""


class CanonError(AuditError, ValueError):
    """A value lies outside the canonical JSON profile."""


class FactsRefused(AuditError, ValueError):
    """Facts go into the clear leaf; these could hold personal data or are no plain JSON."""


class MasterKeyInvalid(AuditError):
    """The secret `audit_master_key` is not 32 bytes in base64."""


class LogKeyInvalid(AuditError):
    """The secret `audit_log_key` holds no seeds of 32 bytes in base64."""


class MasterKeyUnavailable(AuditError):
    """The module that holds the master key does not answer, or holds no such key."""


class WrongMasterKey(AuditError):
    """The master key is not the one this log was begun with."""


class PayloadUnreadable(AuditError):
    """A ciphertext does not open under its key, or does not match its commitment."""


class ConversationUnknown(AuditError, LookupError):
    """No record names this conversation."""


class StoreError(AuditError):
    """The segment store did not take or give a segment."""


class WriteOnceViolation(StoreError):
    """The key already holds other bytes."""


class StoreRefused(StoreError):
    """The store is not used as it is set up; the message says what to change."""


class SegmentInvalid(AuditError, ValueError):
    """The bytes are no well-formed segment; the message names the first bad entry."""


class SealerRefused(AuditError):
    """The sealer will not go on: tree folder or store are ahead of the database, the log was changed, or another sealer wrote."""


class TreeBroken(AuditError):
    """What is stored does not lead to the tree that was sequenced; nothing is signed until a person has looked."""


class CustodyRefused(AuditError):
    """An act on keys or holds is refused; says why and what would be needed.

    Attributes:
        code: machine name of the reason, for the record.
    """

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


class CustodiansInvalid(AuditError, ValueError):
    """The file of custodians is missing or not of its form."""


class ProofInvalid(AuditError, ValueError):
    """A Merkle proof does not lead from what it proves to the root, or the tree was asked for what it does not hold."""


class TileInvalid(AuditError, ValueError):
    """A tile or entry bundle is missing, has the wrong length, or cannot be built."""


class NoteInvalid(AuditError, ValueError):
    """The bytes are no signed note, checkpoint or proof, a key is malformed, or a signature does not verify."""


class PolicyInvalid(AuditError, ValueError):
    """The text is no trust policy; the message names the line."""


class SmUnavailable(AuditError):
    """The OpenSSL of this machine lacks SM2 or SM3, so that what was asked for cannot be computed or checked."""


class QuestionInvalid(AuditError, ValueError):
    """A question to the index is not well-formed; the message says how to write it."""


class ExportRefused(AuditError):
    """An export that was asked for is not made: no right, no reason, nothing selected, or no proof for what it would hold.

    Attributes:
        code: which of them, for pages that say it in their own words; empty where only the message tells.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code
