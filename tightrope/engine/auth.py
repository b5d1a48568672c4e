"""Who may use the HTTP API: Rasa's two ways, a token in the query (`?token=`) or a JSON Web Token (`Authorization: Bearer …`).

A JWT has the claim `user: {username, role}`. The role `admin` may do everything; `user` only what concerns the conversation whose id is
its username. It has to be signed with the one algorithm that the settings name. Without token and secret the API is open, as with Rasa.
"""

from __future__ import annotations

import hmac
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey, RSAKey
from starlette.types import Scope

from tightrope.engine.edge import Refused
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings

log = get_logger()

TOKEN_SECRET = "assistant_token"  # noqa: S105 - the name of a secret
JWT_SECRET = "assistant_jwt"  # noqa: S105 - the name of a secret
MAX_TOKEN = 8192
_SHORT = 32
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_Key = OctKey | RSAKey | ECKey


def read_key(method: str, secret: str) -> _Key:
    """The key that checks tokens: the shared secret of HS…, the public key in PEM of RS… and ES….

    Raises:
        SystemExit: the key does not fit the method. A public key taken for a shared secret would let anybody sign.
    """
    if method.startswith("HS"):
        if "-----BEGIN" in secret:
            raise SystemExit(
                f"TIGHTROPE_JWT_METHOD is {method}, but the secret is a key in PEM: name RS256 or ES256, or give a shared secret"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of short secrets; `Guard.of` tells of them
            return OctKey.import_key(secret)
    try:
        key: _Key = RSAKey.import_key(secret) if method.startswith("RS") else ECKey.import_key(secret)
    except (JoseError, ValueError):
        raise SystemExit(f"TIGHTROPE_JWT_METHOD is {method}, but the secret is no public key of that kind in PEM") from None
    if isinstance(key, ECKey) and key.curve_name != _CURVES[method]:
        raise SystemExit(f"TIGHTROPE_JWT_METHOD is {method}, which needs a key on {_CURVES[method]}, not on {key.curve_name}")
    return key


@dataclass(frozen=True, slots=True)
class User:
    """Who sent a token; `None` as the conversation means all of them."""

    conversation: str | None


ADMIN = User(None)


class Guard:
    """Lets requests through or refuses them."""

    def __init__(
        self, token: str | None = None, jwt_secret: str | None = None, method: str = "HS256", now: Callable[[], float] = time.time
    ) -> None:
        self._token = token.encode() if token else None
        self._method = method
        self._key = read_key(method, jwt_secret) if jwt_secret else None
        self._claims = jwt.JWTClaimsRegistry(now=lambda: int(now()))
        self.open = self._token is None and self._key is None

    @staticmethod
    def of(settings: Settings) -> Guard:
        """What the secrets and settings ask for.

        Raises:
            SystemExit: production without either, or a key that does not fit.
        """

        def secret(name: str, otherwise: Any) -> str | None:
            if (settings.secrets_path / name).is_file():
                return settings.secret(name).get_secret_value()
            return otherwise.get_secret_value() if otherwise is not None else None

        token, shared = secret(TOKEN_SECRET, settings.auth_token), secret(JWT_SECRET, settings.jwt_secret)
        production = settings.mode == "production"
        if production and not token and not shared:
            raise SystemExit(f"mode=production refuses an open HTTP API: mount the secret {TOKEN_SECRET} or {JWT_SECRET}")
        if shared and settings.jwt_method.startswith("HS") and len(shared.encode()) < _SHORT:
            message = f"the secret that signs JSON Web Tokens has fewer than {_SHORT} bytes and can be guessed: make a longer one"
            if production:
                raise SystemExit(message)
            log.warning(message, action="short_secret")
        return Guard(token, shared, settings.jwt_method)

    def user(self, scope: Scope) -> User:
        """Who asks.

        Raises:
            Refused: 401, nobody that we know.
        """
        if self.open or self._knows_token(scope):
            return ADMIN
        bearer = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        kind, _, value = bearer.partition(b" ")
        if self._key is None or kind.lower() != b"bearer" or not 0 < len(value) <= MAX_TOKEN:
            raise _unknown()
        return self._of_jwt(value.strip())

    def permit(self, scope: Scope, conversation: str | None = None) -> None:
        """Let a request through that concerns this conversation, or all of them.

        Raises:
            Refused: 401 for nobody that we know, 403 for somebody else.
        """
        user = self.user(scope)
        if user.conversation is not None and user.conversation != conversation:
            raise Refused(403, "NotAuthorized", "User has insufficient permission to access resource.")

    def _knows_token(self, scope: Scope) -> bool:
        if self._token is None or b"token=" not in scope["query_string"]:
            return False
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        return len(given) == 1 and hmac.compare_digest(given[0].encode(), self._token)

    def _of_jwt(self, value: bytes) -> User:
        assert self._key is not None  # noqa: S101 - asked before
        try:
            claims = jwt.decode(value, self._key, algorithms=[self._method]).claims
            self._claims.validate(claims)
        except (JoseError, ValueError):
            raise _unknown() from None
        user = claims.get("user")
        if not isinstance(user, dict) or not isinstance(user.get("username"), str) or not user["username"]:
            raise _unknown()
        if user.get("role") == "admin":
            return ADMIN
        if user.get("role") == "user":
            return User(user["username"])
        raise Refused(403, "NotAuthorized", "User has insufficient permission to access resource.")


def _unknown() -> Refused:
    return Refused(401, "NotAuthenticated", "User is not authenticated to access resource.")
