"""All settings, read from the environment (prefix `TIGHTROPE_`) once per process.

docs/settings.md is generated from this file (`make docs`); nothing else in the code base reads the environment.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tightrope.infra.retention import LEAST_YEARS, read_retention

REPOSITORY = Path(__file__).resolve().parents[2]
"""The root of the checkout: the Rasa project, prompts, knowledge base and contracts lie here."""

FIVE_YEARS = LEAST_YEARS * 365 + 2
"""Days, leap days included: the shortest retention that `mode=production` takes."""


class Settings(BaseSettings):
    """Where each part is, who it is, and how strict it has to be."""

    model_config = SettingsConfigDict(env_prefix="TIGHTROPE_", env_file=None, extra="ignore", populate_by_name=True)

    mode: Literal["demo", "production"] = Field("demo", description="`production` refuses sandbox addresses and default secrets")
    project_dir: Path = Field(REPOSITORY, description="The Rasa project with prompts/ and knowledge_base/")
    state_dir: Path = Field(REPOSITORY / ".tightrope", description="Data, logs and generated secrets of the embedded parts")

    database_host: str = Field("127.0.0.1", description="Postgres host")
    database_port: int = Field(5433, description="Postgres port")
    secrets_dir: Path | None = Field(None, description="One file per secret; default `<state_dir>/secrets`")

    inbox_url: str = Field("http://127.0.0.1:3000", description="Chatwoot (or the sandbox inbox)")
    inbox_account: int = Field(1, description="Chatwoot account id")
    inbox_public_url: str = Field("http://localhost:3000", description="The inbox as browsers reach it")
    assistant_url: str = Field("http://127.0.0.1:5005", description="Rasa's HTTP API: Rasa Pro or our engine")
    actions_url: str = Field("http://127.0.0.1:5055/webhook", description="rasa-sdk action server, its webhook")
    understanding_url: str = Field("http://127.0.0.1:8010/v1", description="Understanding server, OpenAI base URL")
    knowledge_url: str = Field("http://127.0.0.1:9380", description="RAGFlow (or the embedded knowledge server)")
    model_url: str = Field(
        "",
        description="OpenAI base URL of the model server, such as `http://127.0.0.1:8000/v1`; empty: no model takes part in anything",
    )
    gateway_url: str = Field("http://127.0.0.1:8080", description="Gateway, from inside")
    gateway_public_url: str = Field("http://localhost:8080", description="Gateway as browsers reach it")
    brokerage_url: str = Field("http://127.0.0.1:8100/brokerage", description="Business API base URL")
    identity_issuer: str = Field("http://localhost:8100/identity", description="OIDC issuer, as browsers reach it")
    identity_internal_url: str = Field(
        "http://127.0.0.1:8100/identity", description="The same provider from inside (token, keys)"
    )
    portal_public_url: str = Field(
        "http://localhost:8100", description="The firm's portal page that hosts the chat; issuer of portal tokens"
    )
    portal_internal_url: str = Field(
        "http://127.0.0.1:8100", description="The same portal from inside: its keys are at /.well-known/jwks.json"
    )

    worker_health_port: int = Field(8081, description="Health port of the worker")
    sealer_health_port: int = Field(8082, description="Health port of the sealer")

    console_port: int = Field(8083, description="Port of the auditors' pages")
    console_public_url: str = Field("http://localhost:8083", description="The auditors' pages as browsers reach them")
    console_role_claim: str = Field(
        "roles", min_length=1, description="Claim of the ID token that holds somebody's roles (a text or a list of texts)"
    )
    console_role: str = Field("auditor", min_length=1, description="The role in that claim that opens the auditors' pages")
    console_idle_minutes: int = Field(20, ge=1, le=120, description="Silence after which an auditor has to log in again")
    console_exports: Path | None = Field(None, description="Where the pages keep exports; default `<state_dir>/console-exports`")
    console_export_records: int = Field(20_000, ge=1, description="Most records of one export from the auditors' pages")

    allowed_hosts: str = Field(
        "127.0.0.1,localhost", description="Comma-separated host names that may be connected to; all else is refused and recorded"
    )
    network_log: Path | None = Field(
        None, description="When set, each process appends every connection and name look-up it attempts here (JSON lines)"
    )
    knowledge_dir: Path | None = Field(
        None,
        description="Published knowledge: kept releases and which of them is active; every part that answers reads it. Default `<state_dir>/knowledge`",
    )
    demo_clock: Path | None = Field(None, description="Demo and tests only: a file with the seconds by which the clock is ahead")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")

    binding_minutes: int = Field(20, description="How long a customer stays verified in a chat without logging in again")
    session_minutes: int = Field(60, description="Silence after which the next message starts a new session")
    webhook_tolerance_seconds: int = Field(300, description="Oldest webhook timestamp accepted")
    audit_s3_url: str = Field(
        "",
        description="S3 endpoint of the segment store, such as `https://s3.example.internal`; empty: the folder. Its host has to be an allowed host",
    )
    audit_s3_bucket: str = Field("", description="Bucket with Object Lock and versioning that takes the segments, docs/worm.md")
    audit_s3_region: str = Field("us-east-1", description="Region that S3 requests are signed for")
    audit_s3_ca: Path | None = Field(
        None, description="Certificates (PEM) that the S3 endpoint is checked against, if they are the firm's own"
    )
    audit_retention_days: int | None = Field(
        None,
        ge=1,
        description="Days that each object in the bucket is locked; none: the longest class of retention.json (20 years). `production` refuses under 5 years",
    )
    audit_worm_check_days: int = Field(
        30,
        ge=1,
        description="A bucket is called WORM for this many days after its last passed self-test (`tightrope audit store check`)",
    )
    audit_store: Path | None = Field(
        None, description="Folder of the audit log's sealed segments (not WORM); default `<state_dir>/audit-segments`"
    )
    audit_segment_seconds: float = Field(
        5.0, description="A sealed record is in the segment store after at most this many seconds"
    )
    audit_log_name: str = Field(
        "tightrope.example/audit",
        pattern=r"^[a-z0-9.-]+(/[a-z0-9._-]+)*$",
        description="Name of this firm's audit log; with the year it is the origin of the checkpoints. Never changed once there are records",
    )
    audit_tree: Path | None = Field(
        None, description="Folder of the audit log's trees (C2SP tlog-tiles, one log a year); default `<state_dir>/audit-tree`"
    )
    audit_checkpoint_seconds: float = Field(1.0, gt=0, description="How often a checkpoint is signed while the tree grows")
    audit_beat_seconds: float = Field(
        10.0, ge=0, description="How often the sealer writes a heartbeat into the log, so that its silence is visible; 0: never"
    )
    audit_sm: bool = Field(
        False,
        description="SM3 of each payload in its leaf, for firms under the commercial-cryptography rules (beside SHA-256, not in its place)",
    )

    audit_unmasked_readers: str = Field(
        "", description="Comma-separated login names of those who may make unmasked exports of the audit log; empty: nobody may"
    )
    audit_pdf_font: Path | None = Field(
        None, description="Font with Chinese letters for PDF exports; default: the one of Debian's fonts-noto-cjk"
    )

    audit_policy_file: Path | None = Field(
        None,
        description="Trust policy (C2SP tlog-policy): the log's keys, the witnesses with keys and addresses (`witness NAME VKEY URL`), the quorum. "
        "Each witness with an address is an anchor",
    )
    audit_witness_seconds: float = Field(2.0, gt=0, description="How often witnesses are asked while the tree grows")
    audit_tsa_url: str = Field("", description="Time-stamp authority (RFC 3161 over HTTP); empty: none")
    audit_tsa_certificates: Path | None = Field(
        None,
        description="PEM file of the certificates that the firm trusts for time stamps: the authority's root, and intermediates that it does not send",
    )
    audit_chain_url: str = Field(
        "", description="Gateway of a consortium chain (docs/anchors.md, A consortium chain); empty: none"
    )
    audit_chain_nodes: Path | None = Field(
        None, description="Keys of the chain's nodes, one vkey a line; more than half of them have to sign a certificate"
    )
    audit_anchor_need: int = Field(
        1,
        ge=1,
        description="How many anchors have to have a receipt for each checkpoint; a folder that is not WORM counts only where it is alone",
    )
    audit_anchor_minutes: float = Field(
        10.0, gt=0, description="Within how many minutes; later is an alarm and a record (`log:anchor:late`)"
    )
    audit_anchor_seconds: float = Field(
        60.0, gt=0, description="How often a checkpoint is chosen, submitted to every anchor and its receipts kept"
    )

    frames_minutes: int = Field(
        60,
        ge=1,
        le=1440,
        description="The gateway's own count of what went in and out is put on record for each period of so many minutes",
    )
    reconcile_minutes: int = Field(
        60,
        ge=0,
        le=1440,
        description="How often the worker compares Chatwoot, gateway, assistant and log; 0: never (then let a clock run `tightrope audit reconcile`)",
    )
    reconcile_grace_seconds: int = Field(
        120,
        ge=5,
        le=3600,
        description="What happened so recently is not compared yet: it may still be on its way from one part to the next",
    )

    audit_retention_file: Path | None = Field(
        None,
        description="The firm's own retention classes (docs/custody.md); default tightrope/audit/retention.json. `production` refuses under 5 years",
    )
    audit_custodians_file: Path | None = Field(
        None,
        description="Who may restrict, open and destroy keys and place holds (docs/custody.md); default `<project_dir>/custody/custodians.json`",
    )
    audit_master_key: SecretStr | None = Field(
        None,
        description="The audit log's master key (base64) from the environment, in place of the secret file `audit_master_key`",
    )
    audit_pkcs11_module: Path | None = Field(
        None,
        description="PKCS#11 library of the hardware security module that holds the audit log's master key; PIN: secret `audit_pkcs11_pin`",
    )
    audit_pkcs11_token: str = Field("tightrope", description="Label of the token in that module")
    audit_pkcs11_key: str = Field(
        "tightrope-audit-master", description="Label of the master key on that token; empty: the module only holds the other one"
    )
    audit_pkcs11_other_key: str = Field(
        "", description="While the master key is exchanged: label of the other one, which still opens data keys"
    )

    strict_payloads: bool = Field(
        True,
        description="A message that begins with / is a button press only if a button of this session offered exactly it, once",
    )
    complete_responses: bool = Field(
        True, description="A response with a placeholder that has no value is not said (false: it prints None, as Rasa does)"
    )
    clarify_several_starts: bool = Field(
        False, description="A first message that means several journeys is answered by a question which one (Rasa: all start)"
    )
    prediction_cap: int = Field(
        30, ge=1, le=150, description="Actions that one turn of the assistant may run (Rasa's own limit is 10)"
    )

    compress_action_requests: bool = Field(
        False,
        validation_alias=AliasChoices("TIGHTROPE_COMPRESS_ACTION_REQUESTS", "COMPRESS_ACTION_SERVER_REQUEST"),
        description="Requests to the action server are compressed (deflate). Rasa's name: `COMPRESS_ACTION_SERVER_REQUEST`",
    )
    neighbour_patience_seconds: float = Field(
        6.0,
        ge=0,
        description="How long the assistant waits for an action or understanding server that refuses connections: the time one needs to start again",
    )
    auth_token: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("TIGHTROPE_AUTH_TOKEN", "AUTH_TOKEN"),
        description="Token of the assistant's HTTP API (`?token=`), if there is no secret `assistant_token`. Rasa's name: `AUTH_TOKEN`",
    )
    jwt_secret: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("TIGHTROPE_JWT_SECRET", "JWT_SECRET"),
        description="Shared secret (HS…) or public key in PEM (RS…, ES…) of JSON Web Tokens, if there is no secret `assistant_jwt`. Rasa's name: `JWT_SECRET`",
    )
    jwt_method: Literal["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512"] = Field(
        "HS256",
        validation_alias=AliasChoices("TIGHTROPE_JWT_METHOD", "JWT_METHOD"),
        description="The one algorithm that these tokens may be signed with. Rasa's name: `JWT_METHOD`",
    )
    protect_webhook: bool = Field(
        False,
        description="The assistant's REST channel wants the token or a JSON Web Token as well. Rasa leaves it open; the gateway sends the token either way",
    )

    model_name: str = Field(
        "", description="The served name, with the hash of the model's manifest: `qwen2.5-14b-instruct@<manifest>`"
    )
    model_fingerprint: str = Field(
        "", description="`system_fingerprint` that every answer has to carry; empty: not compared. `production` demands it"
    )
    model_key: SecretStr | None = Field(None, description="Bearer key of the model server, if there is no secret `model_key`")
    model_constraint: Literal["response_format", "structured_outputs"] = Field(
        "response_format",
        description="How the schema of an answer is sent: OpenAI's form, which vLLM and Ollama take, or vLLM's own, without any whitespace",
    )
    model_seconds: float = Field(
        6.0,
        gt=0,
        le=60,
        description="Longest time for one answer of the model, its waiting included. Beyond 8 an action has no time left to answer without it",
    )
    answer_composer: Literal["extractive", "generative", "paraphrase"] = Field(
        "extractive",
        description="Who chooses the sentences of an answer: code; the model, by number, word for word; or the model in its own words",
    )
    commands_from_model: bool = Field(False, description="The model proposes commands for free text, out of those on offer")
    commands_need_agreement: bool = Field(
        True, description="A journey that the model proposes starts only if the local classifier has it among its candidates"
    )

    webhook_max_bytes: int = Field(1_048_576, description="Largest webhook body accepted")

    @property
    def secrets_path(self) -> Path:
        """Folder of generated or mounted secrets."""
        return self.secrets_dir or self.state_dir / "secrets"

    @property
    def knowledge_path(self) -> Path:
        """Folder of published knowledge."""
        return self.knowledge_dir or self.state_dir / "knowledge"

    @property
    def custodians_path(self) -> Path:
        """File of those who may act on keys and holds."""
        return self.audit_custodians_file or self.project_dir / "custody" / "custodians.json"

    @property
    def unmasked_readers(self) -> frozenset[str]:
        """Login names of those who may make unmasked exports."""
        return frozenset(name.strip() for name in self.audit_unmasked_readers.split(",") if name.strip())

    @property
    def allow_list(self) -> frozenset[str]:
        """Host names that outbound connections may name."""
        return frozenset(h.strip().lower() for h in self.allowed_hosts.split(",") if h.strip())

    def secret(self, name: str) -> SecretStr:
        """The secret called `name` from `secrets_path`.

        Raises:
            SystemExit: it is missing; says where it is looked for and how to make it.
        """
        path = self.secrets_path / name
        try:
            return SecretStr(path.read_text(encoding="ascii").strip())
        except FileNotFoundError:
            raise SystemExit(
                f"The secret {name!r} is missing: expected the file {path}. `tightrope demo` generates the demo's secrets; in production mount it there."
            ) from None

    def optional_secret(self, name: str, otherwise: SecretStr | None = None) -> SecretStr | None:
        """The secret called `name` if there is one, else `otherwise`."""
        return self.secret(name) if (self.secrets_path / name).exists() else otherwise

    @model_validator(mode="after")
    def _a_model_is_named(self) -> Self:
        wants = self.answer_composer != "extractive" or self.commands_from_model
        if wants and not (self.model_url and self.model_name):
            raise ValueError(
                "TIGHTROPE_ANSWER_COMPOSER and TIGHTROPE_COMMANDS_FROM_MODEL want a model: set TIGHTROPE_MODEL_URL and TIGHTROPE_MODEL_NAME"
            )
        if wants and self.mode == "production" and not self.model_fingerprint:
            raise ValueError("mode=production needs TIGHTROPE_MODEL_FINGERPRINT: the hash of the approved model's manifest")
        return self

    @model_validator(mode="after")
    def _anchors_are_checked(self) -> Self:
        if self.audit_tsa_url and self.audit_tsa_certificates is None:
            raise ValueError(
                "TIGHTROPE_AUDIT_TSA_URL wants TIGHTROPE_AUDIT_TSA_CERTIFICATES: a time stamp that nobody checks is worth nothing"
            )
        if self.audit_chain_url and self.audit_chain_nodes is None:
            raise ValueError(
                "TIGHTROPE_AUDIT_CHAIN_URL wants TIGHTROPE_AUDIT_CHAIN_NODES: a certificate that nobody checks is worth nothing"
            )
        return self

    @model_validator(mode="after")
    def _a_bucket_is_named(self) -> Self:
        if self.audit_s3_url and not self.audit_s3_bucket:
            raise ValueError("TIGHTROPE_AUDIT_S3_URL wants a bucket: set TIGHTROPE_AUDIT_S3_BUCKET (docs/worm.md)")
        if self.audit_s3_url and not self.audit_s3_url.startswith(("http://", "https://")):
            raise ValueError("TIGHTROPE_AUDIT_S3_URL is no address of a server: it begins with https:// (or http://)")
        if self.mode == "production" and self.audit_retention_days is not None and self.audit_retention_days < FIVE_YEARS:
            raise ValueError(
                f"mode=production refuses TIGHTROPE_AUDIT_RETENTION_DAYS={self.audit_retention_days}: records are kept at least 5 years ({FIVE_YEARS} days)"
            )
        return self

    @model_validator(mode="after")
    def _records_are_kept_long_enough(self) -> Self:
        if self.audit_retention_file is not None:
            for name, years in read_retention(self.audit_retention_file).items():
                if self.mode == "production" and years < LEAST_YEARS:
                    raise ValueError(
                        f"mode=production refuses to keep records for less than {LEAST_YEARS} years: the class {name!r} in "
                        f"{self.audit_retention_file} says {years} (TIGHTROPE_AUDIT_RETENTION_FILE)"
                    )
        return self

    @model_validator(mode="after")
    def _one_source_of_the_master_key(self) -> Self:
        if self.audit_pkcs11_module is not None and self.audit_master_key is not None:
            raise ValueError("the master key has one source: unset TIGHTROPE_AUDIT_MASTER_KEY or TIGHTROPE_AUDIT_PKCS11_MODULE")
        return self

    @model_validator(mode="after")
    def _production_is_strict(self) -> Self:
        if self.mode == "production":
            if ":8100" in self.brokerage_url + self.identity_issuer + self.portal_public_url:
                raise ValueError(
                    "mode=production refuses sandbox addresses (port 8100): set TIGHTROPE_BROKERAGE_URL, _IDENTITY_ISSUER, _PORTAL_PUBLIC_URL"
                )
            if self.demo_clock is not None:
                raise ValueError("mode=production refuses a demo clock: unset TIGHTROPE_DEMO_CLOCK")
            if self.secrets_dir is None:
                raise ValueError("mode=production needs TIGHTROPE_SECRETS_DIR: generated demo secrets are refused")
        return self


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
