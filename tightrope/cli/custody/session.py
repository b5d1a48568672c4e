"""What the custody commands share: a custodian's key, a connection, and one line for what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from tightrope.audit.custody.service import Custody
    from tightrope.audit.keyring import Keyring
    from tightrope.audit.recorder import Recorder
    from tightrope.audit.repository import Conn
    from tightrope.infra.settings import Settings

console = Console()
errors = Console(stderr=True)
T = TypeVar("T")

KeyOption = Annotated[
    Path,
    typer.Option(
        "--key", help="Your key in PEM; `tightrope audit keys key` makes one. In the demo also demo-maker or demo-checker"
    ),
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, in your words; signed, and on the record", prompt=True)]
CustomerArgument = Annotated[str | None, typer.Argument(metavar="CUSTOMER", help="Customer id")]
ConversationOption = Annotated[
    str | None, typer.Option("--conversation", help="Only what was said in this conversation before its customer was known")
]


@dataclass(frozen=True, slots=True)
class Session:
    """One transaction of custody; committed when the block ends, also after a decision that refuses."""

    settings: Settings
    custody: Custody
    conn: Conn
    keyring: Keyring
    recorder: Recorder


def settings_now() -> Settings:
    """The process's settings."""
    from tightrope.infra.settings import get_settings

    return get_settings()


def signing_key(path: Path) -> Ed25519PrivateKey:
    """The custodian's private key; one line and exit 2 where it cannot be used."""
    from tightrope.release.demo_keys import DEMO_PEOPLE, demo_key
    from tightrope.release.signing import load_key

    if settings_now().mode == "demo" and str(path) in DEMO_PEOPLE and not path.exists():
        return demo_key(str(path))
    try:
        return load_key(path)
    except (OSError, ValueError, TypeError) as error:
        errors.print(f"[red]The key cannot be used:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None


@asynccontextmanager
async def session(settings: Settings) -> AsyncIterator[Session]:
    """Custody with the operator's role. People sign with the machine's clock, never with the demo's."""
    from tightrope.audit.custody.custodians import load_custodians
    from tightrope.audit.custody.repository import PostgresVault
    from tightrope.audit.custody.service import Custody
    from tightrope.audit.keyring import Keyring
    from tightrope.audit.recorder import Recorder
    from tightrope.audit.repository import master_check
    from tightrope.infra.clock import SystemClock
    from tightrope.infra.database import Role, open_pool
    from tightrope.release.manifest import release_id

    keyring = Keyring.from_settings(settings)
    custodians = load_custodians(settings.custodians_path, production=settings.mode == "production")
    recorder = Recorder(settings, keyring, SystemClock(), release_id(settings))
    async with open_pool(settings, Role.OPERATOR, max_size=1, wait_seconds=5) as pool, pool.connection() as conn:
        accepted = await master_check(conn)
        if accepted is not None:
            keyring.confirm(accepted)
        yield Session(
            settings, Custody(PostgresVault(conn, recorder), keyring, custodians, SystemClock().now), conn, keyring, recorder
        )


def run(work: Callable[[Session], Awaitable[T]]) -> T:
    """Run one act; what is refused is one line and exit 1, what cannot start exit 2."""
    import psycopg

    from tightrope.audit.errors import AuditError, CustodiansInvalid, CustodyRefused

    async def inside() -> T:
        async with session(settings_now()) as now:
            return await work(now)

    try:
        return asyncio.run(inside())
    except CustodiansInvalid as error:
        errors.print(f"[red]Custody is not set up:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None
    except CustodyRefused as error:
        errors.print(f"[red]Refused:[/red] {escape(str(error))}.", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except AuditError as error:
        errors.print(f"[red]Not done:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except psycopg.errors.LockNotAvailable:
        errors.print("[red]Not done:[/red] another act of custody is under way; say it again in a minute.", highlight=False)
        raise typer.Exit(1) from None
    except (psycopg.errors.CheckViolation, psycopg.errors.InsufficientPrivilege) as error:
        said = error.diag.message_primary or str(error)
        errors.print(f"[red]The database refused:[/red] {escape(said)}.", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


async def keys_for(now: Session, customer: str | None, conversation: str | None) -> list[UUID]:
    """Keys of a customer with what was said in the same conversations before the customer was known; or of one conversation while it had none.

    Raises:
        CustodyRefused: neither or both are named, or the log has no such key.
    """
    from tightrope.audit.custody import repository
    from tightrope.audit.errors import CustodyRefused

    if (customer is None) == (conversation is None):
        raise CustodyRefused("selection", "name a customer or, with --conversation, a conversation")
    found: set[UUID] = set()
    if customer is not None:
        rows = await repository.keys_of(now.conn, now.keyring.customer(customer))
        found |= {
            row["kid"]
            for row in rows
            if row["conversation_id"] is None or bytes(row["subject_hash"]) == now.keyring.conversation(row["conversation_id"])
        }
    elif conversation is not None:
        own = now.keyring.conversation(conversation)
        kids = await repository.keys_in(now.conn, now.keyring.conv(conversation))
        found |= {key.kid for key in await repository.keys(now.conn, kids) if key.owner.subject_hash == own}
    if not found:
        raise CustodyRefused("no_key", f"the log has no key of {customer or conversation}")
    return sorted(found)
