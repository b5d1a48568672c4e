"""What can go wrong while comparing."""


class ReconcileError(Exception):
    """The comparison could not be made; nothing was recorded, and the next run begins where the last whole one ended."""


class PeriodInvalid(ReconcileError):
    """The period asked for is none."""
