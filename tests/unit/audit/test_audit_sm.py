"""SM2 and SM3: the standards' examples, signatures on notes, and machines without them."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess

import pytest

from tightrope.audit.errors import NoteInvalid, SmUnavailable
from tightrope.audit.log_keys import LogKeys
from tightrope.audit.tlog import sm2
from tightrope.audit.tlog.keys import SM2_SM3
from tightrope.audit.tlog.note import Ed25519Signer, Note, Signature, Sm2Signer, VerifierKey, verify
from tightrope.audit.tlog.policy import Log, Policy
from tightrope.audit.tlog.sm2 import holds, public_point, sm3

TEXT = "log.example/2026\n7\nAAAA\n"

# GB/T 32918.5-2017, A.2: signature of "message digest" with the default identifier
POINT = bytes.fromhex(
    "04"
    "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
EXAMPLE = bytes.fromhex(
    "3046"
    "022100f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "022100b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
)


def new_key(curve: str) -> bytes:
    command = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}"]
    return subprocess.run(command, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def private_pem() -> bytes:
    return new_key("SM2")


@pytest.fixture(scope="module")
def signer(private_pem) -> Sm2Signer:
    return Sm2Signer.from_pem("log.example/2026", private_pem)


def test_sm3_of_the_standard():
    """GM/T 0004-2012, annex A."""
    assert sm3(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert sm3(b"abcd" * 16).hex() == "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"


def test_the_signature_of_the_standard_holds():
    assert holds(POINT, b"message digest", EXAMPLE)
    assert not holds(POINT, b"message digesu", EXAMPLE)


def test_a_note_signed_with_sm2_beside_ed25519(signer):
    ed25519 = Ed25519Signer.from_seed("log.example/2026", b"L" * 32)
    note = Note(TEXT, (ed25519.sign(TEXT), signer.sign(TEXT))).encode()
    verified = verify(note, [ed25519.key, VerifierKey.parse(signer.vkey)])
    assert [item.key.kind for item in verified.verified] == [b"\x01", SM2_SM3]
    assert [item.key for item in verify(note, [ed25519.key]).verified] == [ed25519.key]  # a reader without SM2 ignores it


def test_the_key_id_is_that_of_the_formats(signer):
    body = b"log.example/2026\n\xfftightrope/sm2-sm3" + signer.key.public
    assert signer.key.key_id == hashlib.sha256(body).digest()[:4]
    assert (len(signer.key.public), signer.key.public[0]) == (65, 4)


def test_another_text_another_key_and_a_changed_signature_are_refused(signer):
    line = signer.sign(TEXT)
    other = Sm2Signer.from_pem(signer.key.name, new_key("SM2"))
    flipped = Signature(line.name, line.key_id, line.body[:-1] + bytes([line.body[-1] ^ 1]))
    foreign = Signature(line.name, line.key_id, other.sign(TEXT).body)
    for text, signature in (
        (TEXT.replace("7", "8"), line),
        (TEXT, flipped),
        (TEXT, foreign),
        (TEXT, Signature(line.name, line.key_id, b"x")),
    ):
        with pytest.raises(NoteInvalid, match="does not hold"):
            verify(Note(text, (signature,)).encode(), [signer.key])


def test_points_off_the_curve_and_empty_signatures_hold_for_nothing():
    assert not holds(b"\x04" + b"\x01" * 64, b"message digest", EXAMPLE)
    assert not holds(POINT[:-1], b"message digest", EXAMPLE)
    assert not holds(POINT, b"message digest", b"")


def test_an_oversized_signature_is_refused_and_nothing_hangs():
    with pytest.raises(NoteInvalid, match="length"):
        holds(POINT, b"message digest", b"x" * 1_000_000)


@pytest.mark.parametrize("pem", [b"", b"no key", b"x" * 1_000_000])
def test_what_is_no_sm2_key_is_refused(pem):
    with pytest.raises(NoteInvalid):
        Sm2Signer.from_pem("log.example", pem)


def test_a_key_of_another_curve_is_refused():
    with pytest.raises(NoteInvalid, match="no SM2 key"):
        public_point(new_key("P-256"))
    with pytest.raises(NoteInvalid, match="no SM2 key"):
        sm2.sign(new_key("P-256"), b"data")


def test_a_key_under_a_passphrase_is_refused_without_asking(private_pem):
    command = ["openssl", "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", "pass:secret"]
    locked = subprocess.run(command, input=private_pem, capture_output=True, check=True).stdout
    with pytest.raises(NoteInvalid, match="without passphrase"):
        public_point(locked)


def test_the_private_key_is_in_no_argument_and_no_file(private_pem, monkeypatch):
    seen: list[list[str]] = []
    real = subprocess.run

    def watching(command, **options):
        seen.append(command)
        return real(command, **options)

    monkeypatch.setattr(sm2.subprocess, "run", watching)
    sm2.sign(private_pem, b"data")
    arguments = [argument for command in seen for argument in command]
    assert any(argument.startswith("/dev/fd/") for argument in arguments)
    assert not any("PRIVATE" in argument or argument.endswith(".pem") for argument in arguments)


def test_without_the_command_the_refusal_says_what_to_do(private_pem, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    for call in (lambda: Sm2Signer.from_pem("log.example", private_pem), lambda: holds(POINT, b"message digest", EXAMPLE)):
        with pytest.raises(SmUnavailable, match=r"install OpenSSL 3\.0 or newer"):
            call()


def test_an_openssl_that_lacks_sm2_is_not_taken_for_a_bad_signature(monkeypatch, tmp_path):
    fake = tmp_path / "openssl"
    fake.write_text('#!/bin/sh\n[ "$1" = list ] && { echo "RSA @ default"; exit 0; }\necho "unknown algorithm" >&2\nexit 1\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    key = VerifierKey("log.example", SM2_SM3, POINT)
    note = Note(TEXT, (Signature(key.name, key.key_id, EXAMPLE),)).encode()
    with pytest.raises(SmUnavailable, match="SM2"):
        verify(note, [key])
    with pytest.raises(SmUnavailable, match="SM2"):
        public_point(b"a key")


def test_an_openssl_that_reads_keys_but_cannot_sign_says_so(private_pem, monkeypatch, tmp_path):
    real = shutil.which("openssl")
    fake = tmp_path / "openssl"
    fake.write_text(f'#!/bin/sh\n[ "$1" = pkeyutl ] && {{ echo "no such digest" >&2; exit 1; }}\nexec {real} "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(SmUnavailable, match=r"SM2 signatures.*no such digest"):
        sm2.sign(private_pem, b"data")


def test_an_openssl_that_hangs_is_given_up(monkeypatch, tmp_path):
    fake = tmp_path / "openssl"
    fake.write_text("#!/bin/sh\nexec sleep 30\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(sm2, "_TIMEOUT", 0.2)
    with pytest.raises(SmUnavailable, match="does not run"):
        holds(POINT, b"message digest", EXAMPLE)


def test_a_python_without_sm3_says_so(monkeypatch):
    def lacking(name, data=b""):
        raise ValueError(f"unsupported hash type {name}")

    monkeypatch.setattr(sm2.hashlib, "new", lacking)
    with pytest.raises(SmUnavailable, match="SM3"):
        sm3(b"abc")


def test_one_key_serves_every_year_and_one_policy_names_them_all(private_pem):
    """A trust policy may name no public key twice, so that each shard has its own, made from the firm's one."""
    keys = LogKeys([b"s" * 32], private_pem)
    origins = ["log.example/2026", "log.example/2027"]
    policy = Policy(tuple(Log(VerifierKey.parse(vkey)) for origin in origins for vkey in keys.vkeys(origin)), (), ())
    assert Policy.parse(policy.encode()) == policy
    for origin in origins:
        text = f"{origin}\n7\n{base64.b64encode(bytes(32)).decode()}\n"
        note = Note(text, tuple(signer.sign(text) for signer in keys.signers(origin))).encode()
        assert [item.key.kind for item in verify(note, policy.log_keys).verified] == [b"\x01", SM2_SM3]
    assert LogKeys([b"s" * 32], private_pem).vkeys(origins[0]) == keys.vkeys(origins[0])


def test_a_key_for_each_purpose_tells_nothing_of_the_other_and_does_not_hang_on_the_form_of_the_file(private_pem):
    one, two = sm2.derived(private_pem, b"one"), sm2.derived(private_pem, b"two")
    assert len({public_point(pem) for pem in (private_pem, one, two)}) == 3
    assert holds(public_point(one), b"data", sm2.sign(one, b"data"))
    assert not holds(public_point(two), b"data", sm2.sign(one, b"data"))
    command = ["openssl", "ec", "-in", "/dev/stdin"]
    sec1 = subprocess.run(command, input=private_pem, capture_output=True, check=True).stdout
    assert sm2.derived(sec1, b"one") == one


@pytest.mark.parametrize("pem", [b"", b"no key"])
def test_nothing_is_derived_from_what_is_no_sm2_key(pem):
    with pytest.raises(NoteInvalid, match="no SM2 key"):
        sm2.derived(pem, b"one")


def test_the_key_of_the_same_secret_is_the_same_for_ever():
    """The derivation is part of the formats: a firm that changes machines must not change keys."""
    fixed = b"-----BEGIN EC PRIVATE KEY-----\nMDECAQEEIM0Ri/9N26yKL36mlMWBXTe7yCN4EtEJgABjsjQ7byw8oAoGCCqBHM9VAYIt\n-----END EC PRIVATE KEY-----\n"
    scalar = bytes.fromhex("cd118bff4ddbac8a2f7ea694c5815d37bbc8237812d109800063b2343b6f2c3c")
    blocks = b"".join(
        hashlib.new("sm3", scalar + b"tightrope/log-key\nlog.example/2026" + bytes([0, 0, 0, n])).digest() for n in (1, 2)
    )
    order = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
    wanted = int.from_bytes(blocks, "big") % (order - 2) + 1
    made = base64.b64decode(b"".join(sm2.derived(fixed, b"tightrope/log-key\nlog.example/2026").splitlines()[1:-1]))
    assert int.from_bytes(made[-32:], "big") == wanted
