"""Passwords are reset in the app alone. All that is done here is to warn whoever typed one, and never to repeat it."""

from __future__ import annotations

import re
from typing import Final

from actions.base import Declaration, DeclaredAction
from actions.turn import Turn

_CODE: Final = re.compile(
    r"(?<![\d.,:：/-])\d{4,8}(?![\d.,:：/-]|\s*(?:元|块|股|号|年|月|日|点|万|yuan|shares?|cny|rmb))", re.IGNORECASE
)
"""Four to eight digits that stand alone, as passwords and codes do, and are no amount, no time and no date."""
_NAMED: Final = re.compile(
    r"(?:密码|口令|验证码|校验码|动态码|\b(?:password|passcode|passwd|pwd|pin|code))\s*(?:就是|是|为|is|was|=|:|：)\s*[\"'“”‘’]?"
    r"(?!(?:what|wrong|not|lost|forgotten|gone|invalid|incorrect|locked|expired|required|never|the)\b)[A-Za-z0-9@#$%!_.*-]{4,}",
    re.IGNORECASE,
)


def holds_secret(text: str) -> bool:
    """Whether a message about passwords may hold one. Warned once too often is better than not warned."""
    return _CODE.search(text) is not None or _NAMED.search(text) is not None


class WarnOfTypedSecret(DeclaredAction):
    """Looks at the customer's message of this turn; says a warning where it may hold a password or a code."""

    action_name = "action_warn_of_typed_secret"
    declaration = Declaration(
        outcomes=frozenset({"warned", "nothing_seen"}),
        sets={"secret_typed": frozenset({"seen", None})},
        responses=frozenset({"utter_password_secret_typed"}),
    )

    async def perform(self, turn: Turn) -> str:
        if turn.text.startswith("/") or not holds_secret(turn.text):
            turn.set("secret_typed", None)
            return "nothing_seen"
        turn.set("secret_typed", "seen")
        turn.say("utter_password_secret_typed")
        return "warned"
