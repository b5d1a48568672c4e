"""Everything that can go wrong at the gateway.

GatewayError
├── WebhookRefused          the delivery is not authentic or not usable; nothing is stored
│   ├── SignatureInvalid    missing, malformed or wrong signature (401)
│   ├── TimestampStale      older or newer than the tolerance (401)
│   ├── BodyTooLarge        (413)
│   └── BodyInvalid         not JSON, or not a Chatwoot event (400)
├── AssistantFailed         the assistant did not answer this turn; the turn is repeated, then a person gets it
├── EnvelopeInvalid         an action sent an envelope outside the contract; the turn fails closed
├── ReleaseDiffers          the parts run different releases; nothing is sent until they agree
└── ChatwootError           a call to Chatwoot
    ├── ChatwootRejected    surely not done (4xx)
    └── ChatwootUnknown     may have been done (time-out, connection lost, 5xx): look before repeating
"""


class GatewayError(Exception):
    """Base of the gateway's errors."""


class WebhookRefused(GatewayError):
    """The delivery is refused; `status` is the HTTP status that says so."""

    status = 400


class SignatureInvalid(WebhookRefused):
    """The webhook's signature is missing or wrong. Check that the bot's webhook secret here is the one Chatwoot shows."""

    status = 401


class TimestampStale(WebhookRefused):
    """The webhook's timestamp is outside the tolerance. Check the clocks of both machines."""

    status = 401


class BodyTooLarge(WebhookRefused):
    """The webhook's body is larger than TIGHTROPE_WEBHOOK_MAX_BYTES."""

    status = 413


class BodyInvalid(WebhookRefused):
    """The webhook's body is not a Chatwoot event."""

    status = 400


class AssistantFailed(GatewayError):
    """The assistant did not answer this turn."""


class EnvelopeInvalid(GatewayError):
    """An action's envelope is outside contracts/turn/envelope.schema.json."""


class ReleaseDiffers(GatewayError):
    """The parts run different releases; nothing is sent until they agree. `tightrope status` shows each."""


class ChatwootError(GatewayError):
    """A call to Chatwoot went wrong."""


class ChatwootRejected(ChatwootError):
    """Chatwoot refused: surely not done."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"Chatwoot answered {status}: {message[:200]}")
        self.status = status


class ChatwootUnknown(ChatwootError):
    """No usable answer: it may have been done. Look for our `source_id` before repeating."""
