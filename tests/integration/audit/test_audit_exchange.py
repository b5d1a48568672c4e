"""Exchange of the master key on a real Postgres: everything stays readable, a crash harms nothing."""

from __future__ import annotations

import base64
from uuid import uuid4

import pytest
from custody_log import ADA, CAI, acting, clean, with_custodians, write

from tightrope.audit.custody.exchange import rewrap
from tightrope.audit.custody.models import Act
from tightrope.audit.errors import CustodyRefused, WrongMasterKey
from tightrope.audit.keyring import Keyring
from tightrope.audit.master import MemoryMaster, generate_master_key
from tightrope.audit.reading import show_conversation
from tightrope.audit.recorder import Recorder
from tightrope.infra.clock import SystemClock
from tightrope.infra.secrets import write_secret

pytestmark = pytest.mark.integration


@pytest.fixture
def log(log, superuser, tmp_path):
    """An empty log with two custodians."""
    yield with_custodians(log, tmp_path)
    clean(superuser)


def exchanged(log, tmp_path, master: str, other: str | None, identity: bytes | None):
    """Settings with other secrets."""
    made = log.model_copy(update={"secrets_dir": tmp_path / uuid4().hex})
    made.secrets_path.mkdir()
    for path in log.secrets_path.iterdir():
        write_secret(made, path.name, path.read_text())
    write_secret(made, "audit_master_key", master)
    if other is not None:
        write_secret(made, "audit_master_key_other", other)
    if identity is not None:
        write_secret(made, "audit_identity_key", base64.b64encode(identity).decode())
    return made


async def test_the_master_key_is_exchanged_while_everything_stays_readable(log, worker, tmp_path):
    old, new = log.secret("audit_master_key").get_secret_value(), generate_master_key()
    await write(log, worker, "first")
    second, _ = await write(log, worker, "second", subject="C2", conversation="1-8")
    async with acting(log) as (custody, _, _):
        await custody.restrict(ADA, [second], "pipl-47", "x")
    identity = Keyring.from_settings(log).carried_identity(MemoryMaster.from_text(new, "test"))
    both = exchanged(log, tmp_path, new, old, identity)
    await write(both, worker, "third", subject="C3", conversation="1-9")
    async with acting(both) as (_, conn, keyring):
        recorder = Recorder(both, keyring, SystemClock(), "r-0123456789abcdef")
        rewrapping = _Crashes(conn, after=1)
        with pytest.raises(ConnectionError):
            await rewrap(rewrapping, keyring, recorder, who="op")
        await conn.rollback()
    for settings in (log, both):  # in the middle of it both are accepted
        assert (await show_conversation(settings, "1-7", reader="x")).entries[0].payload == {"content": "first"}
    async with acting(both) as (_, conn, keyring):
        recorder = Recorder(both, keyring, SystemClock(), "r-0123456789abcdef")
        done = await rewrap(conn, keyring, recorder, who="op")
        assert done.rewrapped >= 2
        with pytest.raises(CustodyRefused, match="already"):
            await rewrap(conn, keyring, recorder, who="op")
    after = exchanged(log, tmp_path, new, None, identity)
    for conversation, said in (("1-7", "first"), ("1-9", "third")):
        assert (await show_conversation(after, conversation, reader="x")).entries[0].payload == {"content": said}
    with pytest.raises(WrongMasterKey):
        await show_conversation(log, "1-7", reader="x")
    async with acting(after) as (custody, _, _):
        proposal = await custody.propose(ADA, Act.RELEASE, [second], "x")
    async with acting(after) as (custody, _, _):
        assert (await custody.approve(CAI, proposal.proposal_id)).refused is None
    assert (await show_conversation(after, "1-8", reader="x")).entries[0].payload == {"content": "second"}


async def test_a_key_made_under_the_old_master_key_during_the_exchange_is_found_by_the_last_pass(log, worker, tmp_path):
    old, new = log.secret("audit_master_key").get_secret_value(), generate_master_key()
    for n in range(3):
        await write(log, worker, "before", subject=f"C{n}", conversation=f"1-{n}")
    identity = Keyring.from_settings(log).carried_identity(MemoryMaster.from_text(new, "test"))
    both = exchanged(log, tmp_path, new, old, identity)

    class Busy(_Crashes):
        async def execute(self, query, *args):
            if "key_rewrap" in query and self._left:
                self._left = 0
                await write(log, worker, "late", subject="C9", conversation="1-9")
            return await self._conn.execute(query, *args)

    async with acting(both) as (_, conn, keyring):
        recorder = Recorder(both, keyring, SystemClock(), "r-0123456789abcdef")
        done = await rewrap(Busy(conn, after=1), keyring, recorder, who="op")
    assert done.rewrapped == 4
    after = exchanged(log, tmp_path, new, None, identity)
    assert (await show_conversation(after, "1-9", reader="x")).entries[0].payload == {"content": "late"}


async def test_an_exchange_without_the_other_master_key_changes_nothing(log, worker, tmp_path):
    await write(log, worker, "x")
    new = generate_master_key()
    identity = Keyring.from_settings(log).carried_identity(MemoryMaster.from_text(new, "test"))
    alone = exchanged(log, tmp_path, new, None, identity)
    with pytest.raises(WrongMasterKey):
        async with acting(alone) as (_, conn, keyring):
            await rewrap(conn, keyring, Recorder(alone, keyring, SystemClock(), "r-0123456789abcdef"), who="op")
    assert (await show_conversation(log, "1-7", reader="x")).entries[0].payload == {"content": "x"}
    with pytest.raises(WrongMasterKey):
        await show_conversation(alone, "1-7", reader="x")


class _Crashes:
    """A connection that breaks at a rewrapping."""

    def __init__(self, conn, after: int) -> None:
        self._conn, self._left = conn, after

    async def execute(self, query, *args):
        if "key_rewrap" in query:
            self._left -= 1
            if self._left < 0:
                raise ConnectionError("cut off")
        return await self._conn.execute(query, *args)

    def __getattr__(self, name):
        return getattr(self._conn, name)
