"""After a restore: destroy again what the log says was destroyed, from the database's records and from the segment store.

Only what two people signed is done again (proof.py). Readers do not wait for it: they ask the log themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from tightrope.audit.custody import proof
from tightrope.audit.custody.check import payload_of, recorded
from tightrope.audit.custody.custodians import Custodians, load_custodians
from tightrope.audit.custody.proof import Destroyed
from tightrope.audit.errors import CustodyRefused, PayloadUnreadable, StoreError
from tightrope.audit.keyring import Keyring
from tightrope.audit.repository import Conn, begin_custody
from tightrope.audit.segments import FOLDER
from tightrope.audit.stores.choice import store_from
from tightrope.audit.stores.models import SegmentStore
from tightrope.infra.database import Role, open_pool
from tightrope.infra.settings import Settings


@dataclass(slots=True)
class Replayed:
    """What a replay found and did.

    Attributes:
        again: keys that the table had back, destroyed again now.
        already: destroyed keys that the table shows as such, or does not have.
        not_done: key -> why its destruction was not done again.
    """

    again: list[UUID] = field(default_factory=list)
    already: int = 0
    not_done: dict[UUID, str] = field(default_factory=dict)


async def replay(settings: Settings, *, store: SegmentStore | None = None) -> Replayed:
    """Destroy again what the log says was destroyed.

    Raises:
        StoreError: the segment store cannot be read; what the database's own records say was done before.
        psycopg.Error: the database cannot be read or written.
    """
    keyring = Keyring.from_settings(settings)
    custodians = load_custodians(settings.custodians_path, production=settings.mode == "production")
    store = store or store_from(settings)
    done = Replayed()
    async with (
        open_pool(settings, Role.OPERATOR, max_size=1) as acting,
        open_pool(settings, Role.AUDITOR, max_size=1) as reading,
        acting.connection() as act,
        reading.connection() as read,
    ):
        await begin_custody(act, keyring)
        await act.commit()
        seen: set[UUID] = set()
        await _each(act, read, keyring, custodians, await recorded(read), seen, done)
        for name in await asyncio.to_thread(lambda: list(store.keys(FOLDER))):
            data = await asyncio.to_thread(store.get, name)
            if data is None:
                raise StoreError(f"the segment {name} is gone from the store while it is read")
            await _each(act, read, keyring, custodians, proof.destroyed_in(data), seen, done)
    return done


async def _each(
    act: Conn, read: Conn, keyring: Keyring, custodians: Custodians, found: Iterable[Destroyed], seen: set[UUID], done: Replayed
) -> None:
    for item in found:
        if item.kid in seen:
            continue
        seen.add(item.kid)
        cursor = await act.cursor(row_factory=dict_row).execute("SELECT state FROM audit.keys WHERE kid = %s", (item.kid,))
        row = await cursor.fetchone()
        if row is None or row["state"] == "destroyed":
            done.already += 1
            continue
        try:
            proof.check(item, await payload_of(read, keyring, item), custodians)
            proved = keyring.vouch("key_replay", item.kid.bytes, item.leaf)
            await act.execute("SELECT audit.key_replay(%s, %s, %s)", (item.kid, item.leaf, proved))
            await act.commit()
        except (CustodyRefused, PayloadUnreadable) as error:
            done.not_done[item.kid] = str(error)
        except psycopg.errors.CheckViolation as error:
            await act.rollback()
            done.not_done[item.kid] = error.diag.message_primary or str(error)
        else:
            keyring.forget(item.kid)
            done.again.append(item.kid)
