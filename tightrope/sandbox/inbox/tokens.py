"""The widget's session token and the desk's session cookie: HS256 JWTs (app/services/widget/token_service.rb)."""

from __future__ import annotations

from datetime import datetime, timedelta

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

WIDGET_TOKEN_LIFE = timedelta(days=180)
"""WIDGET_TOKEN_EXPIRY, default."""
DESK_SESSION_LIFE = timedelta(hours=12)
_ALGORITHMS = ["HS256"]


class Tokens:
    """Signs and reads both kinds with one secret; `use` keeps them apart."""

    def __init__(self, secret: str) -> None:
        self._key = OctKey.import_key(secret)

    def widget(self, source_id: str, inbox_id: int, now: datetime) -> str:
        """What the browser sends as `X-Auth-Token`."""
        claims = {
            "source_id": source_id,
            "inbox_id": inbox_id,
            "iat": int(now.timestamp()),
            "exp": int((now + WIDGET_TOKEN_LIFE).timestamp()),
        }
        return jwt.encode({"alg": "HS256"}, claims, self._key)

    def read_widget(self, token: str, now: datetime) -> tuple[str, int] | None:
        """Source id and inbox id of a valid token, else None."""
        claims = self._claims(token, now)
        source_id, inbox_id = claims.get("source_id"), claims.get("inbox_id")
        return (source_id, inbox_id) if isinstance(source_id, str) and isinstance(inbox_id, int) else None

    def desk(self, agent_id: int, now: datetime) -> str:
        """Value of the desk's session cookie."""
        claims = {"use": "desk", "agent_id": agent_id, "exp": int((now + DESK_SESSION_LIFE).timestamp())}
        return jwt.encode({"alg": "HS256"}, claims, self._key)

    def read_desk(self, token: str, now: datetime) -> int | None:
        """The agent of a valid session, else None."""
        claims = self._claims(token, now)
        agent_id = claims.get("agent_id")
        return agent_id if claims.get("use") == "desk" and isinstance(agent_id, int) else None

    def _claims(self, token: str, now: datetime) -> dict[str, object]:
        try:
            claims = jwt.decode(token, self._key, algorithms=_ALGORITHMS).claims
        except (JoseError, ValueError):
            return {}
        expiry = claims.get("exp")
        return claims if isinstance(expiry, int) and expiry > now.timestamp() else {}
