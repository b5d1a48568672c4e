"""Prints docs/settings.md from the settings' own descriptions and the list of secrets: `make docs`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from tightrope.infra.database import Role
from tightrope.infra.secrets import DEMO_SECRETS
from tightrope.infra.settings import REPOSITORY, Settings

_HEAD = """\
# Settings

<!-- Made by `make docs` from tightrope/infra/settings.py and tightrope/cli/settings_page.py. Do not edit. -->

Every process reads its settings from the environment once, at its start. All names begin with `TIGHTROPE_`; where Rasa has a name of its own for
the same thing, that is read as well and told. Nothing else is read from the environment and there is no settings file. Every process of one
installation gets the same values.
"""

_SECRETS = """\
## Secrets

A secret is a file in `TIGHTROPE_SECRETS_DIR` (in the demo: `.tightrope/secrets`, made at the first start, folder 0700, files 0600). The file's
name is the secret's name; its content is the value, without a line break. In production the firm mounts files of the same names; nothing is generated.
"""

SECRETS_EXPLAINED = {
    "inbox_admin_token": "Chatwoot user token: reads message lists after a time-out and for the reconciler. In the demo it also sets up the bot",
    "inbox_jwt": "sandbox inbox only: signs the widget's sessions",
    "knowledge_api_key": "RAGFlow API key",
    "idp_signing_key": "sandbox identity provider only: ES256 key, PEM",
    "portal_signing_key": "sandbox portal only: ES256 key of portal tokens, PEM. The real portal keeps its own and publishes the public half",
    "portal_session_key": "sandbox portal only: its page's sessions",
    "oidc_client_gateway": "client secret of `tightrope-gateway` at the identity provider",
    "oidc_client_actions": "client secret of `tightrope-actions`, which exchanges tokens",
    "oidc_client_portal": "sandbox portal only: its client secret",
    "oidc_client_console": "client secret of `tightrope-console`, the auditors' pages, at the identity provider",
    "sandbox_admin_token": "sandbox brokerage only: orders faults",
    "audit_master_key": "32 bytes in base64: wraps the keys of the record's payloads. Lost, and no payload can be read again",
    "audit_log_key": "32 bytes in base64, one a line: sign the audit log's checkpoints (docs/audit.md, Keys)",
    "identity_box_key": "32 bytes in base64: encrypts the subject tokens of bindings",
    "assistant_token": "token of the assistant's tracker and status interface (Rasa's `--auth-token`)",
}
"""What each secret is for. A test says that none is left out."""

_OPTIONAL_SECRETS = {
    "audit_sm2_key": "only with `TIGHTROPE_AUDIT_SM`: SM2 key (PEM) that signs checkpoints beside Ed25519",
    "audit_chain_token": "optional: bearer token of the consortium chain's gateway",
    "assistant_jwt": "optional: shared secret or public key (PEM) that checks JSON Web Tokens of the assistant's interface (Rasa's `--jwt-secret`)",
    "audit_s3_access_key": "only with `TIGHTROPE_AUDIT_S3_URL`: access key of the writer of segments (docs/worm.md, Rights)",
    "audit_s3_secret_key": "its secret key",
    "audit_s3_check_access_key": "optional: access key that `tightrope audit store check` tries to break locks with; without it, the writer's",
    "audit_s3_check_secret_key": "its secret key",
    "audit_master_key_other": "optional: while the audit log's master key is exchanged, the other one (docs/custody.md)",
    "audit_identity_key": "optional: after an exchange of the master key, the identity key that goes with the new one",
    "audit_pkcs11_pin": "optional: PIN of the token that holds the master key",
    "model_key": "optional: bearer key of the model server (vLLM's `--api-key`)",
}

_CHATWOOT_SECRETS = {
    "bot_access_token": "Chatwoot's agent bot: access token, given out when the bot is made",
    "bot_webhook_secret": "Chatwoot's agent bot: signs the webhooks",
}


def settings_page() -> str:
    """The whole page as Markdown."""
    rows = [_row(name, field) for name, field in Settings.model_fields.items()]
    secrets = [f"| `{name}` | {SECRETS_EXPLAINED[name]} |" for name in DEMO_SECRETS]
    secrets += [f"| `{name}` | {meaning} |" for name, meaning in {**_OPTIONAL_SECRETS, **_CHATWOOT_SECRETS}.items()]
    secrets += [
        f"| `db_{role.user}` | password of the Postgres role `{role.user}` (database `{role.database}`) |" for role in Role
    ]
    return "\n".join(
        [
            _HEAD,
            "| variable | default | meaning |",
            "| --- | --- | --- |",
            *rows,
            "",
            _SECRETS,
            "| secret | what it is for |",
            "| --- | --- |",
            *secrets,
            "",
        ]
    )


def _row(name: str, field: FieldInfo) -> str:
    meaning = (field.description or "").replace("|", "\\|")
    return f"| `TIGHTROPE_{name.upper()}` | {_default(field.default)} | {meaning} |"


def _default(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, Path):
        inside = value.relative_to(REPOSITORY).as_posix()
        return "the checkout" if inside == "." else f"`{inside}` in the checkout"
    text = re.sub(r"^(True|False)$", lambda found: found.group().lower(), str(value))
    return f"`{text}`"


def main() -> None:
    """Print the page."""
    print(settings_page(), end="")


if __name__ == "__main__":
    main()
