"""All errors of identity, one tree."""

from __future__ import annotations


class IdentityError(Exception):
    """Base of the tree; a caller who catches it treats the person as anonymous."""


class BindingEnded(IdentityError):
    """The binding ended or expired between the grant and the use of its token; the customer must log in again."""


class GrantConflict(IdentityError):
    """A turn id that already has a grant in another conversation: never reused, so somebody made it up."""


class BoxBroken(IdentityError):
    """A stored secret does not open: another key, another row's box, or altered bytes."""


class ProviderUnavailable(IdentityError):
    """The identity provider or the portal's keys were not reached, or answered with an error of theirs; try again later."""


class ProviderRefused(IdentityError):
    """The identity provider declined this code or token; asking again will not help."""


class ProviderInvalid(IdentityError):
    """The provider's answer breaks OpenID Connect or comes from another issuer; nothing of it is used."""


class TokenRefused(IdentityError):
    """A token failed verification.

    Attributes:
        reason: a value of `models.Reason`, safe to record.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
