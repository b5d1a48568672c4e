"""What can go wrong between the log and an anchor. None of it stops the log; the runner tries again and says so in its health."""

from __future__ import annotations

from tightrope.audit.errors import AuditError


class AnchorError(AuditError):
    """An anchor gave no receipt."""


class AnchorUnavailable(AnchorError):
    """The anchor could not be reached, timed out, or answered with a fault of its own; it is tried again."""


class AnchorPending(AnchorError):
    """The anchor took the checkpoint and has no receipt yet; it is asked again."""


class AnchorRefused(AnchorError):
    """The anchor answered, and will not take this checkpoint; the message says what to change."""


class ReceiptInvalid(AnchorError):
    """The anchor gave a receipt that does not hold; it is thrown away."""


class WitnessUnaware(AnchorRefused):
    """404: the witness does not know this log's origin; internal audit adds its `log` line."""


class WitnessDistrustsKey(AnchorRefused):
    """403: the witness knows the origin under other keys; internal audit adds the new key's `log` line."""


class AnchorIncident(AnchorRefused):
    """The log or the anchor was set back, or told two stories: an alarm at once, whatever the other anchors say."""


class WitnessRefusesProof(AnchorIncident):
    """422: the consistency proof does not hold: this tree is no continuation of the one that the witness saw."""


class WitnessCannotRead(AnchorRefused):
    """400: the witness calls the request malformed."""


class WitnessAhead(AnchorIncident):
    """The witness cosigned a larger tree than this log has: the log was set back, or another writer signs in its name."""


class WitnessSawFork(AnchorIncident):
    """The witness cosigned another tree of the same size: two histories were signed."""


class WitnessSetBack(AnchorIncident):
    """The witness remembers less than it cosigned: its state was set back, and it could be led to cosign a second history."""


class AnchorsUnfit(AnchorError, ValueError):
    """The settings name anchors that cannot be; the message says which setting to change."""
