"""The master key inside a PKCS#11 module (SoftHSM2): it wraps, it never leaves, and what it wraps opens nowhere else."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tightrope.audit.custody.exchange import rewrap
from tightrope.audit.errors import MasterKeyInvalid, MasterKeyUnavailable
from tightrope.audit.keyring import Keyring
from tightrope.audit.master import hsm_from, make_hsm_key
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.reading import show_conversation
from tightrope.audit.recorder import Recorder
from tightrope.infra.clock import SystemClock
from tightrope.infra.database import Role, open_pool
from tightrope.infra.secrets import write_secret

pytestmark = [pytest.mark.integration, pytest.mark.long]

MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
)
MODULE = next((path for path in MODULES if Path(path).exists()), None)
PIN = "918273"


def there() -> str:
    """The module; a loud skip where it is not installed, and a failure where this is CI."""
    if MODULE is not None and shutil.which("softhsm2-util"):
        return MODULE
    said = "softhsm2 is not installed: nothing here shows that the master key works inside a module (Debian: apt-get install softhsm2)"
    if os.environ.get("CI") == "true":
        pytest.fail(said)
    pytest.skip(said)


@pytest.fixture(scope="module")
def token(tmp_path_factory):
    """The label of a fresh token. The library reads its configuration once a process, so the tests share it."""
    there()
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    made = subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", "firm", "--pin", PIN, "--so-pin", PIN],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return "firm"


@pytest.fixture
def hsm(settings, token):
    """Settings with the module, and a master key in it that this test made."""
    return with_module(settings, token)


def with_module(settings, token):
    label = f"master-{os.urandom(4).hex()}"
    made = settings.model_copy(
        update={"audit_pkcs11_module": Path(there()), "audit_pkcs11_token": token, "audit_pkcs11_key": label}
    )
    write_secret(made, "audit_pkcs11_pin", PIN)
    make_hsm_key(made)
    return made


def test_a_data_key_wrapped_by_the_module_opens_there_and_with_no_other_key(hsm, settings, token):
    ring = Keyring.from_settings(hsm)
    owner = ring.owner(conversation_id="1-1", subject="C1", year=2026)
    made = ring.new_key(owner)
    assert len(made.wrapped) == 60
    again = Keyring.from_settings(hsm)
    assert again.unwrap(made.kid, owner, made.wrapped).key == made.key
    assert (again.conv("1-1"), again.check_value) == (ring.conv("1-1"), ring.check_value)
    for foreign in (Keyring.from_settings(settings), Keyring.from_settings(with_module(settings, token))):
        with pytest.raises(Exception, match="does not open under this master key"):
            foreign.unwrap(made.kid, owner, made.wrapped)


def test_each_data_key_has_its_own_wrapping_key(hsm):
    ring = Keyring.from_settings(hsm)
    owner = ring.owner(conversation_id="1-1", subject="C1", year=2026)
    one, two = ring.new_key(owner), ring.new_key(owner)
    master = hsm_from(hsm)
    labels = [master.wrap_label(owner.cls, owner.year, key.kid) for key in (one, two)]
    assert master.derive(labels[0]) != master.derive(labels[1])


def test_the_master_key_does_not_leave_the_module(hsm):
    import pkcs11

    key = hsm_from(hsm)._key
    assert key[pkcs11.Attribute.SENSITIVE]
    assert not key[pkcs11.Attribute.EXTRACTABLE]
    with pytest.raises(pkcs11.AttributeSensitive):
        _ = key[pkcs11.Attribute.VALUE]


def test_a_key_that_can_leave_the_module_is_refused(hsm):
    import pkcs11

    place = pkcs11.lib(there()).get_token(token_label="firm")
    with place.open(rw=True) as session:  # logged in by the fixture
        session.generate_key(
            pkcs11.KeyType.GENERIC_SECRET,
            256,
            label="loose",
            store=False,
            capabilities=pkcs11.MechanismFlag.SIGN,
            mechanism=pkcs11.Mechanism.GENERIC_SECRET_KEY_GEN,
            template={pkcs11.Attribute.SENSITIVE: False, pkcs11.Attribute.EXTRACTABLE: True},
        )
        with pytest.raises(MasterKeyInvalid, match="can leave the module"):
            Keyring.from_settings(hsm.model_copy(update={"audit_pkcs11_key": "loose"}))


def test_a_lost_login_is_renewed(hsm, settings, token):
    master = hsm_from(hsm)
    before = master.derive(b"x")
    with_module(settings, token)  # closing its session logs the whole process out
    assert master.derive(b"x") == before


def test_a_master_key_is_never_overwritten(hsm):
    with pytest.raises(MasterKeyInvalid, match="never overwritten"):
        make_hsm_key(hsm)


def test_what_is_missing_is_said(hsm, settings):
    for change, said in (
        ({"audit_pkcs11_key": "none"}, "make-hsm-key"),
        ({"audit_pkcs11_token": "none"}, "does not give the token none"),
        ({"audit_pkcs11_module": Path("/nowhere.so")}, "does not give the token"),
    ):
        with pytest.raises(MasterKeyUnavailable, match=said):
            Keyring.from_settings(hsm.model_copy(update=change))
    with pytest.raises(MasterKeyInvalid, match="no module is set"):
        make_hsm_key(settings)


def test_a_wrong_pin_is_said_and_not_shown(token, settings):
    """In a process of its own: a login holds for a whole process."""
    write_secret(settings, "audit_pkcs11_pin", "000000")
    code = (
        "import sys; from pathlib import Path; from tightrope.audit.errors import MasterKeyUnavailable\n"
        "from tightrope.audit.master import Pkcs11Master\n"
        f"master = Pkcs11Master(Path({there()!r}), {token!r}, 'any', lambda: '000000')\n"
        "try: master.derive(b'x')\n"
        "except MasterKeyUnavailable as error: print(error)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "audit_pkcs11_pin" in found.stdout, found.stderr
    assert "000000" not in found.stdout


async def test_a_log_moves_from_the_secret_file_into_the_module(log, worker, token):
    """docs/custody.md, Exchange of the master key, with a module as the next one."""

    async def write(settings, text: str) -> None:
        recorder = Recorder(settings, Keyring.from_settings(settings), SystemClock(), "r-0123456789abcdef")
        async with worker.connection() as conn:
            await recorder.record(conn, RecordDraft(Event.CUSTOMER_MESSAGE_RECEIVED, "1-7", "C1", payload={"content": text}))

    await write(log, "under the file")
    module = with_module(log, token)
    identity = Keyring.from_settings(log).carried_identity(hsm_from(module))
    both = module.model_copy(update={"secrets_dir": log.state_dir / f"both-{datetime.now(UTC).timestamp()}"})
    both.secrets_path.mkdir()
    for path in log.secrets_path.iterdir():
        write_secret(both, path.name, path.read_text())
    write_secret(both, "audit_identity_key", base64.b64encode(identity).decode())
    write_secret(both, "audit_master_key_other", log.secret("audit_master_key").get_secret_value())
    await write(both, "under the module")
    ring = Keyring.from_settings(both)
    async with open_pool(both, Role.OPERATOR, max_size=1) as pool, pool.connection() as conn:
        await rewrap(conn, ring, Recorder(both, ring, SystemClock(), "r-0123456789abcdef"), who="op")
    for name in ("audit_master_key_other", "audit_master_key"):
        (both.secrets_path / name).unlink()
    view = await show_conversation(both, "1-7", reader="x")
    assert [item.payload for item in view.entries] == [{"content": "under the file"}, {"content": "under the module"}]


@pytest.fixture(autouse=True)
def _no_rotation(request):
    yield
    if "log" in request.fixturenames:
        with request.getfixturevalue("superuser")("tightrope") as conn:
            conn.execute("TRUNCATE audit.master_rotations")
