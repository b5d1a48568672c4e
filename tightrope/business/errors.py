"""What can go wrong at the firm's door, and the one question that matters afterwards: was it done?

    BusinessError
    ├── Refused             401, 403: the token or the owner check said no           surely not done
    ├── NotFound            404: the firm has no such thing for this customer        surely not done
    ├── Conflict            409: a rule of the firm does not allow it now            surely not done
    ├── BadRequest          any other 4xx: our mistake                               surely not done
    ├── KeyReused           422: the firm has this key, with another body            unknown
    ├── Unavailable
    │   ├── NotReached      no connection; the request never left                    surely not done
    │   ├── ClientRejected  the firm does not accept our client credentials          surely not done
    │   └── NoAnswer        sent, then a timeout, a broken connection, a 5xx, or a
    │                       409 that says "in progress" or names no reason          unknown
    ├── InvalidAnswer       2xx, but the body is not what the contract says          surely done
    └── Stale               2xx, but the data is older than allowed                  surely done

`done` carries the right-hand column. For reads it only tells a retry from a report. A write that ends in NoAnswer has already been repeated
once with the same idempotency key: UNKNOWN then means that the customer hears that we do not know yet, and that a person can check it.
After a first attempt without an answer nothing but a success or an InvalidAnswer says what happened, so a refusal of the repetition is
NoAnswer too.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from tightrope.business.basics import Receipt


class Done(StrEnum):
    """Whether the firm carried the request out."""

    NOT_DONE = "surely not done"
    DONE = "surely done"
    UNKNOWN = "unknown"


class BusinessError(Exception):
    """A call to the business API did not bring a usable answer. Never holds a body, a token or a figure."""

    outcome: ClassVar[str] = "error"
    done: ClassVar[Done] = Done.UNKNOWN

    def __init__(self, detail: str, receipt: Receipt) -> None:
        super().__init__(f"{receipt.operation}: {detail}")
        self.detail = detail
        self.receipt = receipt


class Refused(BusinessError):
    """401 or 403, or an exchange refused: this customer, with this session and scope, may not have it."""

    outcome = "refused"
    done = Done.NOT_DONE


class NotFound(BusinessError):
    """404: the firm has no such thing for this customer (for margin facts: no account was ever opened)."""

    outcome = "not_found"
    done = Done.NOT_DONE


class Conflict(BusinessError):
    """409: the request was understood, and a rule of the firm does not allow it. A 409 of a request that is still under way is NoAnswer.

    Attributes:
        problem: the last part of the problem type: `already-open` (a request of this kind is with the firm) or `closure-blocked`.
    """

    outcome = "conflict"
    done = Done.NOT_DONE

    def __init__(self, detail: str, receipt: Receipt, problem: str = "") -> None:
        super().__init__(detail, receipt)
        self.problem = problem


class BadRequest(BusinessError):
    """Another 4xx: we asked wrongly; a fault of ours, not of the customer."""

    outcome = "bad_request"
    done = Done.NOT_DONE


class KeyReused(BusinessError):
    """422: a request with this idempotency key is with the firm already, and its body was another one.

    A key belongs to one turn, so what the firm has came from an earlier try of the same turn: this body was not taken, yet something was.
    """

    outcome = "key_reused"
    done = Done.UNKNOWN


class Unavailable(BusinessError):
    """The firm's system cannot be used now; the subclass says how far the request came."""

    outcome = "unavailable"


class NotReached(Unavailable):
    """No connection could be made (or the allow-list refused it): the request never left."""

    done = Done.NOT_DONE


class ClientRejected(Unavailable):
    """The identity provider does not accept our client id and secret: a setting is wrong."""

    done = Done.NOT_DONE


class NoAnswer(Unavailable):
    """The request left; then a timeout, a broken connection, a 5xx, or a 409 that leaves open what becomes of it."""

    done = Done.UNKNOWN


class InvalidAnswer(BusinessError):
    """A success whose body breaks the contract: not JSON, a field missing, another customer's or account's id."""

    outcome = "invalid_answer"
    done = Done.DONE


class Stale(BusinessError):
    """A success whose `as_of` is older than the operation allows; the figures are not shown."""

    outcome = "stale"
    done = Done.DONE
