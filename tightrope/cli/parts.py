"""The parts of a demo: what runs, where, and how one sees that it lives."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from tightrope.infra.settings import Settings


@dataclass(frozen=True)
class Part:
    """One process.

    Attributes:
        title: what it is, for people.
        production: what stands there in production.
        needs_bot: waits for the bot's credentials, which the inbox gives out once.
    """

    name: str
    title: str
    production: str
    port: int
    health: str
    needs_bot: bool = False


def parts_of(settings: Settings) -> tuple[Part, ...]:
    """Every process of the demo, in the order in which they are shown."""

    def part(name: str, title: str, production: str, url: str, *, health: str = "/health", needs_bot: bool = False) -> Part:
        port = urlsplit(url).port or 80
        return Part(name, title, production, port, f"http://127.0.0.1:{port}{health}", needs_bot)

    return (
        part("inbox", "inbox with customer chat and agent desk", "Chatwoot", settings.inbox_url),
        part("sandbox", "portal, identity provider, brokerage", "the firm's own", settings.brokerage_url),
        part("knowledge", "knowledge retrieval", "RAGFlow", settings.knowledge_url),
        part("understanding", "text to commands", "the same, with Qwen 2.5", settings.understanding_url),
        part("actions", "action server (rasa-sdk)", "the same", settings.actions_url),
        part("assistant", "conversation engine", "Rasa Pro", settings.assistant_url),
        part("sealer", "audit sealer", "the same", f"http://127.0.0.1:{settings.sealer_health_port}"),
        part("console", "auditors' pages", "the same", f"http://127.0.0.1:{settings.console_port}"),
        part("gateway", "Chatwoot gateway", "the same", settings.gateway_url, needs_bot=True),
        part("worker", "turn loop and outbox", "the same", f"http://127.0.0.1:{settings.worker_health_port}", needs_bot=True),
    )


PORT_SETTINGS = {
    "inbox": ("TIGHTROPE_INBOX_URL", "TIGHTROPE_INBOX_PUBLIC_URL"),
    "sandbox": (
        "TIGHTROPE_BROKERAGE_URL",
        "TIGHTROPE_IDENTITY_ISSUER",
        "TIGHTROPE_IDENTITY_INTERNAL_URL",
        "TIGHTROPE_PORTAL_PUBLIC_URL",
        "TIGHTROPE_PORTAL_INTERNAL_URL",
    ),
    "knowledge": ("TIGHTROPE_KNOWLEDGE_URL",),
    "understanding": ("TIGHTROPE_UNDERSTANDING_URL",),
    "actions": ("TIGHTROPE_ACTIONS_URL",),
    "assistant": ("TIGHTROPE_ASSISTANT_URL",),
    "gateway": ("TIGHTROPE_GATEWAY_URL", "TIGHTROPE_GATEWAY_PUBLIC_URL"),
    "worker": ("TIGHTROPE_WORKER_HEALTH_PORT",),
    "console": ("TIGHTROPE_CONSOLE_PORT", "TIGHTROPE_CONSOLE_PUBLIC_URL"),
    "sealer": ("TIGHTROPE_SEALER_HEALTH_PORT",),
    "postgres": ("TIGHTROPE_DATABASE_PORT",),
}
"""Which settings move a part to another port."""
