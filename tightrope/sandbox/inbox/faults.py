"""Where a test may disturb delivery. The stand-in itself never does; the fault table comes with the gateway's hardening."""

from __future__ import annotations

from typing import Protocol

from tightrope.sandbox.inbox.models import Delivery


class Faults(Protocol):
    """Decides what happens to one webhook before it is sent."""

    async def before(self, delivery: Delivery) -> int:
        """How many times to send it now: 1 is normal, 0 loses it, 2 repeats it. May wait first, which reorders."""
        ...


class NoFaults:
    """Everything is sent once."""

    async def before(self, delivery: Delivery) -> int:  # noqa: ARG002 - the protocol's argument
        return 1
