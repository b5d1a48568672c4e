"""Token exchange (RFC 8693): the customer's subject token for a token of one scope at the business API."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Final

import httpx
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from tightrope.business.basics import Receipt
from tightrope.business.errors import ClientRejected, InvalidAnswer, NoAnswer, NotReached, Refused
from tightrope.infra.http import OutboundRefused
from tightrope.infra.logging import get_logger

log = get_logger()

EXCHANGE_GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name, no secret
JWT_TYPE: Final = "urn:ietf:params:oauth:token-type:jwt"
AUDIENCE: Final = "brokerage"
TIMEOUT_SECONDS: Final = 2.0
OPERATION: Final = "token_exchange"


class _Issued(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    access_token: str
    scope: str | None = None


class TokenExchange:
    """Exchanges at the identity provider's token endpoint, as client `client_id`.

    Args:
        http: made by `outbound_client`; needs no base URL.
        issuer_internal_url: the provider as reached from inside (`settings.identity_internal_url`).
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        issuer_internal_url: str,
        client_id: str,
        client_secret: SecretStr | str,
        *,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self._http = http
        self._url = issuer_internal_url.rstrip("/") + "/token"
        secret = client_secret.get_secret_value() if isinstance(client_secret, SecretStr) else client_secret
        self._auth = httpx.BasicAuth(client_id, secret)
        self._timeout = timeout

    async def exchange(self, subject_token: str, scope: str) -> str:
        """An access token for the business API with exactly `scope`, valid for about a minute. Not cached: each call has its own.

        Raises:
            Refused: the session has ended, the token is not for us, or the scope is not allowed; the customer must log in again.
            Unavailable: the provider was not reached, did not answer, or rejects our credentials.
            InvalidAnswer: it answered something else than a token of this scope.
        """
        form = {
            "grant_type": EXCHANGE_GRANT,
            "subject_token": subject_token,
            "subject_token_type": ACCESS_TOKEN_TYPE,
            "requested_token_type": ACCESS_TOKEN_TYPE,
            "audience": AUDIENCE,
            "scope": scope,
        }
        try:
            response = await self._attempt(form)
        except NotReached as error:
            if isinstance(error.__cause__, OutboundRefused):
                raise
            response = await self._attempt(form)
        status = response.status_code
        # No digest of a body that holds a token: the record keeps nothing that could be matched against one.
        if status == 401:
            log.error("identity provider rejects our client credentials", action="exchange_client_rejected")
            raise ClientRejected("client credentials rejected", Receipt(OPERATION, ClientRejected.outcome, status, None, None))
        if 400 <= status < 500:
            digest = hashlib.sha256(response.content).hexdigest()
            raise Refused(f"exchange refused with status {status}", Receipt(OPERATION, Refused.outcome, status, None, digest))
        if not response.is_success:
            raise NoAnswer(f"status {status}", Receipt(OPERATION, NoAnswer.outcome, status, None, None))
        try:
            issued = _Issued.model_validate_json(response.content)
        except ValidationError:
            raise InvalidAnswer(
                "no access token in the answer", Receipt(OPERATION, InvalidAnswer.outcome, status, None, None)
            ) from None
        if issued.scope not in {None, scope}:
            raise InvalidAnswer("a token of another scope", Receipt(OPERATION, InvalidAnswer.outcome, status, None, None))
        return issued.access_token

    async def _attempt(self, form: dict[str, str]) -> httpx.Response:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._http.post(self._url, data=form, auth=self._auth, timeout=self._timeout)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NotReached("identity provider not reached", Receipt(OPERATION, NotReached.outcome, None, None, None)) from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise NoAnswer("identity provider did not answer", Receipt(OPERATION, NoAnswer.outcome, None, None, None)) from error
