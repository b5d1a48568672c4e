"""Keys and encryption."""

from __future__ import annotations

import hashlib
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tightrope.audit.errors import MasterKeyInvalid, PayloadUnreadable, WrongMasterKey
from tightrope.audit.keyring import Keyring, Owner, generate_master_key
from tightrope.audit.master import MemoryMaster
from tightrope.infra.secrets import write_secret
from tightrope.infra.settings import Settings

MASTER = bytes(range(32))
payloads = st.binary(max_size=2000)


@pytest.fixture(scope="module")
def ring() -> Keyring:
    return Keyring(MASTER)


def owner_of(ring: Keyring, subject: str | None = "C1001", year: int = 2026) -> Owner:
    return ring.owner(conversation_id="1-1", subject=subject, year=year)


@given(payloads)
def test_what_is_encrypted_comes_back_only_as_it_was(payload):
    ring = Keyring(MASTER)
    key, record = ring.new_key(owner_of(ring)), uuid4()
    sealed = ring.encrypt(key, record, payload)
    assert ring.decrypt(key, record, sealed.commit, sealed.ct) == payload
    assert payload == b"" or len(payload) < 4 or payload not in sealed.ct


@given(payloads, st.data())
def test_no_flipped_bit_goes_unnoticed(payload, data):
    ring = Keyring(MASTER)
    key, record = ring.new_key(owner_of(ring)), uuid4()
    sealed = ring.encrypt(key, record, payload)
    place = data.draw(st.integers(0, len(sealed.ct) * 8 - 1))
    flipped = bytearray(sealed.ct)
    flipped[place // 8] ^= 1 << place % 8
    with pytest.raises(PayloadUnreadable):
        ring.decrypt(key, record, sealed.commit, bytes(flipped))


def test_a_ciphertext_opens_for_its_own_record_key_and_commitment_only(ring):
    key, other_key, record = ring.new_key(owner_of(ring)), ring.new_key(owner_of(ring, "C1002")), uuid4()
    sealed = ring.encrypt(key, record, b"{}")
    again = ring.encrypt(key, record, b"{}")
    assert again.commit != sealed.commit  # salted: equal texts do not show
    for wrong in ((key, uuid4(), sealed.commit), (other_key, record, sealed.commit), (key, record, again.commit)):
        with pytest.raises(PayloadUnreadable):
            ring.decrypt(*wrong, sealed.ct)


@given(st.binary(max_size=40))
def test_rubbish_for_a_ciphertext_is_unreadable_and_nothing_worse(rubbish):
    ring = Keyring(MASTER)
    with pytest.raises(PayloadUnreadable):
        ring.decrypt(ring.new_key(owner_of(ring)), uuid4(), bytes(32), rubbish)


@given(st.text(max_size=20), st.integers(2020, 2100))
@hypothesis_settings(max_examples=30)
def test_a_wrapped_key_opens_under_its_own_master_owner_and_id_only(subject, year):
    ring = Keyring(MASTER)
    owner = owner_of(ring, subject, year)
    made = ring.new_key(owner)
    assert len(made.wrapped) == 60
    assert Keyring(MASTER).unwrap(made.kid, owner, made.wrapped).key == made.key
    foreign = Owner(owner.subject_hash, owner.cls, year + 1)
    for other, kid, place in ((Keyring(bytes(32)), made.kid, owner), (ring, uuid4(), owner), (ring, made.kid, foreign)):
        with pytest.raises(WrongMasterKey):
            other.unwrap(kid, place, made.wrapped)


def test_owners_are_told_apart_without_being_named(ring):
    customer = owner_of(ring, "1-1")
    conversation = ring.owner(conversation_id="1-1", subject=None, year=2026)
    system = ring.owner(conversation_id=None, subject=None, year=2026)
    assert len({customer.subject_hash, conversation.subject_hash, system.subject_hash}) == 3
    assert system.cls == "system"
    assert Keyring(bytes(32)).owner(conversation_id=None, subject="1-1", year=2026).subject_hash != customer.subject_hash


def test_the_name_of_a_conversation_is_stable_and_of_this_master_key(ring):
    assert ring.conv("1-441") == Keyring(MASTER).conv("1-441")
    assert ring.conv("1-441") != ring.conv("1-442")
    assert ring.conv("1-441") != Keyring(bytes(32)).conv("1-441")
    assert isinstance(ring.conv("1-441"), UUID)


def test_the_cache_is_bounded_and_drops_the_least_used():
    ring = Keyring(MASTER, capacity=3)
    owners = [owner_of(ring, f"C{n}") for n in range(4)]
    keys = [ring.new_key(owner) for owner in owners[:3]]
    assert ring.cached(owners[0]) is keys[0]
    ring.new_key(owners[3])
    assert ring.cached(owners[1]) is None
    assert ring.cached(owners[0]) is keys[0]
    assert len(ring._by_kid) == 3


def test_a_key_never_shows_in_its_repr(ring):
    made = ring.new_key(owner_of(ring))
    assert made.key.hex() not in repr(made)
    assert repr(made) == f"DataKey(kid={made.kid})"


def test_the_wrong_master_key_is_told_at_once(ring):
    ring.confirm(Keyring(MASTER).check_value)
    with pytest.raises(WrongMasterKey, match="audit_master_key"):
        ring.confirm(Keyring(bytes(32)).check_value)


def test_the_master_key_comes_from_its_secret_file(settings: Settings):
    write_secret(settings, "audit_master_key", generate_master_key())
    Keyring.from_settings(settings)
    for bad in ("AAAA", "not base64 !"):
        write_secret(settings, "audit_master_key", bad)
        with pytest.raises(MasterKeyInvalid):
            Keyring.from_settings(settings)
    (settings.secrets_path / "audit_master_key").unlink()
    with pytest.raises(SystemExit, match="audit_master_key"):
        Keyring.from_settings(settings)


def test_a_proof_for_the_database_outlives_an_exchange_and_is_of_this_log_act_and_parts_alone():
    old, new = MemoryMaster(b"o" * 32), MemoryMaster(b"n" * 32)
    before = Keyring(old)
    after = Keyring(new, identity=before.carried_identity(new))
    assert before.vouch("key_rewrap", b"a", b"b") == after.vouch("key_rewrap", b"a", b"b")
    assert before.custody_pads() == after.custody_pads()
    others = {
        before.vouch("key_rewrap", b"ab", b""),
        before.vouch("key_release", b"a", b"b"),
        before.vouch("key_rewrap", b"a"),
        Keyring(new).vouch("key_rewrap", b"a", b"b"),
    }
    assert len(others) == 4
    assert before.vouch("key_rewrap", b"a", b"b") not in others


def test_the_pads_that_the_database_keeps_check_a_proof():
    keyring = Keyring(b"m" * 32)
    inner, outer = keyring.custody_pads()
    message = b"act" + b"\x00\x00\x00\x03abc"
    assert hashlib.sha256(outer + hashlib.sha256(inner + message).digest()).digest() == keyring.vouch("act", b"abc")
