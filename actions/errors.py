"""What can go wrong between a flow and its action."""

from __future__ import annotations


class Undeclared(Exception):
    """The action did something that its declaration does not name: a mistake in the action, never shown to the customer."""


class NotPermitted(Exception):
    """This turn's grant does not allow the call, or the customer's session has ended."""


class ActionFailed(Exception):
    """The action failed and no branch of its flow says what then; the assistant's error pattern takes over."""
