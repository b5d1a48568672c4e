"""Does every key open, and was every destroyed one destroyed by two people? Opens keys and no payload but those of destructions."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from uuid import UUID

from psycopg.rows import dict_row

from tightrope.audit import repository
from tightrope.audit.custody import proof
from tightrope.audit.custody.custodians import Custodians
from tightrope.audit.errors import CustodyRefused, PayloadUnreadable, WrongMasterKey
from tightrope.audit.keyring import Keyring, Owner
from tightrope.audit.repository import Conn


@dataclass(slots=True)
class Checked:
    """How many keys are in which state, and what is wrong with which.

    Attributes:
        problems: key -> what is wrong with it, in a sentence.
    """

    active: int = 0
    restricted: int = 0
    destroyed: int = 0
    problems: dict[UUID, str] = field(default_factory=dict)


async def check(conn: Conn, keyring: Keyring, custodians: Custodians) -> Checked:
    """Check every key of the table.

    Args:
        conn: role auditor.
    """
    found = Checked()
    async with conn.cursor(name="keys", row_factory=dict_row) as cursor:
        await cursor.execute("SELECT kid, subject_hash, class, year, wrapped, state FROM audit.keys ORDER BY kid")
        rows = [row async for row in cursor]
    for row in rows:
        if row["state"] == "destroyed":
            found.destroyed += 1
            continue
        restricted = row["state"] == "restricted"
        found.restricted += restricted
        found.active += not restricted
        try:
            keyring.rewrap(
                row["kid"],
                Owner(bytes(row["subject_hash"]), row["class"], row["year"]),
                bytes(row["wrapped"]),
                restricted=restricted,
            )
        except WrongMasterKey as error:
            found.problems[row["kid"]] = str(error)
    gone = {row["kid"] for row in rows if row["state"] == "destroyed"}
    await _destroyed(conn, keyring, custodians, gone, found)
    return found


async def _destroyed(conn: Conn, keyring: Keyring, custodians: Custodians, gone: set[UUID], found: Checked) -> None:
    signed: set[UUID] = set()
    for item in await recorded(conn):
        try:
            proof.check(item, await payload_of(conn, keyring, item), custodians)
            signed.add(item.kid)
        except (CustodyRefused, PayloadUnreadable) as error:
            found.problems.setdefault(item.kid, str(error))
    for kid in signed:
        found.problems.pop(kid, None)
    for kid in gone - signed:
        found.problems.setdefault(kid, f"the key {kid} was destroyed, and no record of it is in the log")


async def recorded(conn: Conn) -> list[proof.Destroyed]:
    """The destructions that the database's records tell of, oldest first.

    Args:
        conn: role auditor.
    """
    cursor = await conn.cursor(row_factory=dict_row).execute(
        "SELECT leaf, ct FROM audit.records WHERE event = 'audit:key:destroyed' ORDER BY ord"
    )
    rows = [proof.destroyed(bytes(row["leaf"]), bytes(row["ct"])) for row in await cursor.fetchall()]
    return [row for row in rows if row is not None]


async def payload_of(conn: Conn, keyring: Keyring, item: proof.Destroyed) -> dict[str, object]:
    """What a destruction's record holds beside its leaf: reason, people, signed statements.

    Raises:
        PayloadUnreadable: its key is not to be had, or it does not open.
    """
    leaf = json.loads(item.leaf)
    kid = UUID(leaf["kid"])
    await repository.load_keys(conn, keyring, [kid])
    key = keyring.cached_kid(kid)
    if key is None:
        raise PayloadUnreadable(
            f"the key {kid} of the record {item.record_id} is not to be had, so that its signatures cannot be checked"
        )
    read: dict[str, object] = json.loads(keyring.decrypt(key, item.record_id, bytes.fromhex(leaf["commit"]), item.ct))
    return read
