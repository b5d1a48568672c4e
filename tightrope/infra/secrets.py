"""Secrets of the demo: generated once into `<state_dir>/secrets`, one file each, readable by its owner only.

Production mounts its own files of the same names (docs/operators.md) and generates nothing.
"""

from __future__ import annotations

import base64
import os
import secrets as random
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from tightrope.infra.settings import Settings


def _token() -> str:
    return random.token_urlsafe(32)


def new_key32() -> str:
    """32 random bytes in base64."""
    return base64.b64encode(random.token_bytes(32)).decode()


def new_ec_key() -> str:
    """A new private key on P-256, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


DEMO_SECRETS: dict[str, Callable[[], str]] = {
    "inbox_admin_token": _token,
    "inbox_jwt": _token,
    "knowledge_api_key": lambda: "ragflow-" + random.token_urlsafe(24),
    "idp_signing_key": new_ec_key,
    "portal_signing_key": new_ec_key,
    "portal_session_key": _token,
    "oidc_client_gateway": _token,
    "oidc_client_actions": _token,
    "oidc_client_portal": _token,
    "oidc_client_console": _token,
    "sandbox_admin_token": _token,
    "audit_master_key": new_key32,
    "audit_log_key": new_key32,
    "identity_box_key": new_key32,
    "assistant_token": _token,
}
"""Every secret but the database passwords (`db_<role>`) and Chatwoot's own (`bot_access_token`, `bot_webhook_secret`)."""


def ensure_secret(settings: Settings, name: str, make: Callable[[], str] = _token) -> SecretStr:
    """The secret `name`; in the demo it is made when missing, in production it must be there."""
    if settings.mode == "demo" and not (settings.secrets_path / name).exists():
        write_secret(settings, name, make())
    return settings.secret(name)


def write_secret(settings: Settings, name: str, value: str) -> None:
    """Write one secret file, owner-readable only; used for the demo's generated secrets and the bot's credentials."""
    settings.secrets_path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = settings.secrets_path / name
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(value)


def ensure_demo_secrets(settings: Settings) -> None:
    """Generate every demo secret that is missing."""
    for name, make in DEMO_SECRETS.items():
        ensure_secret(settings, name, make)
