"""Sources of the master key, and its exchange."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from tightrope.audit.errors import MasterKeyInvalid, MasterKeyUnavailable, WrongMasterKey
from tightrope.audit.keyring import Keyring
from tightrope.audit.master import MemoryMaster, generate_master_key, master_from
from tightrope.infra.secrets import write_secret
from tightrope.infra.settings import Settings

OLD, NEW = generate_master_key(), generate_master_key()


def test_the_environment_comes_before_the_file(settings: Settings, monkeypatch):
    write_secret(settings, "audit_master_key", OLD)
    monkeypatch.setenv("TIGHTROPE_AUDIT_MASTER_KEY", NEW)
    from_environment = Settings(state_dir=settings.state_dir)
    assert from_environment.audit_master_key == SecretStr(NEW)
    assert NEW not in repr(from_environment)
    assert master_from(from_environment).derive(b"x") == MemoryMaster.from_text(NEW, "").derive(b"x")
    assert master_from(settings).derive(b"x") == MemoryMaster.from_text(OLD, "").derive(b"x")


@pytest.mark.parametrize("text", ["AAAA", "not base64 !", ""])
def test_a_master_key_that_is_none_is_named_by_its_source(settings: Settings, text):
    with pytest.raises(MasterKeyInvalid):
        master_from(settings.model_copy(update={"audit_master_key": SecretStr(text)}))
    write_secret(settings, "audit_master_key_other", text)
    with pytest.raises(MasterKeyInvalid, match=r"audit_master_key_other|bytes long"):
        Keyring.from_settings(settings)


def test_a_master_key_has_one_source():
    with pytest.raises(ValidationError, match="one source"):
        Settings(audit_master_key=SecretStr(OLD), audit_pkcs11_module=Path("/x.so"))


def test_a_module_without_its_package_is_said(settings: Settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    with pytest.raises(MasterKeyUnavailable, match="python-pkcs11"):
        Keyring.from_settings(settings.model_copy(update={"audit_pkcs11_module": Path("/x.so")}))


def test_names_outlive_the_exchange_and_both_open_meanwhile(settings: Settings):
    write_secret(settings, "audit_master_key", OLD)
    before = Keyring.from_settings(settings)
    owner = before.owner(conversation_id="1-1", subject="C1", year=2026)
    made = before.new_key(owner)
    identity = before.carried_identity(MemoryMaster.from_text(NEW, ""))
    write_secret(settings, "audit_master_key", NEW)
    write_secret(settings, "audit_master_key_other", OLD)
    write_secret(settings, "audit_identity_key", base64.b64encode(identity).decode())
    during = Keyring.from_settings(settings)
    assert (during.conv("1-1"), during.owner(conversation_id="1-1", subject="C1", year=2026)) == (before.conv("1-1"), owner)
    assert during.unwrap(made.kid, owner, made.wrapped).key == made.key
    during.confirm(before.check_value)
    wrapped = during.rewrap(made.kid, owner, made.wrapped, restricted=False)
    assert during.rewrap(made.kid, owner, wrapped, restricted=False) is None
    (settings.secrets_path / "audit_master_key_other").unlink()
    after = Keyring.from_settings(settings)
    assert after.conv("1-1") == before.conv("1-1")
    assert after.unwrap(made.kid, owner, wrapped).key == made.key
    for ring, form in ((after, made.wrapped), (before, wrapped)):
        with pytest.raises(WrongMasterKey):
            ring.unwrap(made.kid, owner, form)
    with pytest.raises(WrongMasterKey):
        after.confirm(before.check_value)
    after.confirm((before.check_value, after.check_value))


def test_an_identity_key_of_another_pair_is_refused(settings: Settings):
    write_secret(settings, "audit_master_key", OLD)
    identity = Keyring.from_settings(settings).carried_identity(MemoryMaster.from_text(NEW, ""))
    for wrapped, said in (
        (base64.b64encode(identity).decode(), "mount the pair"),
        ("no base64 !", "audit_identity_key is not base64"),
    ):
        write_secret(settings, "audit_identity_key", wrapped)
        with pytest.raises((WrongMasterKey, MasterKeyInvalid), match=said):
            Keyring.from_settings(settings)


def test_a_key_shut_or_forgotten_is_not_in_memory():
    ring = Keyring(bytes(range(32)))
    owner = ring.owner(conversation_id="1-1", subject="C1", year=2026)
    made = ring.new_key(owner)
    ring.forget(made.kid)
    assert ring.cached(owner) is None
    assert ring.cached_kid(made.kid) is None
    ring.open_once(made)
    assert ring.opened == {made.kid}
    assert ring.cached_kid(made.kid) is made
    assert ring.cached(owner) is None  # opened for reading, not for writing
    ring.forget(made.kid)
    assert ring.opened == frozenset()
