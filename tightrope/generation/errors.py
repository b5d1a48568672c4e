"""What can go wrong between a prompt and a model's answer.

ModelError
├── ModelUnavailable   nobody answered in time, or the server is full or failing: the caller falls back, later calls may work
├── ModelRejected      the server refused the request (400, 401, 404, 413, 422): repeating it is useless, settings are wrong
├── ModelMismatch      an answer of a model that this release does not name: nothing of it may be used
└── OutputInvalid      cut short, not JSON, or not of the schema that was asked for: nothing of it may be used
"""

from __future__ import annotations


class ModelError(Exception):
    """No usable answer. Every caller has a way without a model and takes it."""

    code = "error"
    """The word for it in the record of the call."""


class ModelUnavailable(ModelError):
    """No connection, no answer within the limit, or 5xx (503 is vLLM's load shedding)."""

    code = "unavailable"


class ModelRejected(ModelError):
    """The server refused: 401 (check the secret `model_key`), 404 (TIGHTROPE_MODEL_NAME), 400 (prompt too long, schema not supported)."""

    code = "rejected"


class ModelMismatch(ModelError):
    """The served name or the fingerprint is not the one of the settings: another model runs there than the one that was approved."""

    code = "mismatch"


class OutputInvalid(ModelError):
    """The output does not hold to the constraint that was sent with the prompt; a server may ignore a constraint without saying so."""

    code = "invalid"


class PromptRefused(ValueError):
    """Something that may not stand in a prompt: a passage whose text is not the published one, or a text that is too long."""


class NotRecorded(RuntimeError):
    """A model was to be called where nobody keeps a record of it (red line 1): open a ledger around the call."""
