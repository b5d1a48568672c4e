"""SM2 signatures with SM3, and SM3 itself, by the OpenSSL of this machine (GM/T 0003, GM/T 0004), for firms under the commercial-cryptography rules.

`cryptography` has no SM2, so that signing and checking start the `openssl` command. Keys and signatures reach it through pipes and never
lie in a file. The signer's identifier is the default one of GM/T 0009: 1234567812345678.
"""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess

from tightrope.audit.errors import NoteInvalid, SmUnavailable

POINT_SIZE = 65
"""Bytes of a public key: 0x04, x, y."""

DISTINGUISHING_ID = "1234567812345678"
"""The signer's identifier that goes into the signed digest."""

_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")
"""DER of SubjectPublicKeyInfo up to the point: id-ecPublicKey (1.2.840.10045.2.1) on curve sm2 (1.2.156.10197.1.301)."""

_ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
"""Of the curve's base point (GB/T 32918.5)."""
_SCALAR = bytes.fromhex("0201010420")
"""DER of ECPrivateKey (RFC 5915) between the sequence's head and the 32 bytes of the private key."""
_PKCS8 = bytes.fromhex("3041020100301306072a8648ce3d020106082a811ccf5501822d04273025")
"""DER of PrivateKeyInfo (RFC 5208) up to there, for a key without its public half."""
_SCALAR_SIZE = 32
_TIMEOUT = 10.0
_LACKING = "the OpenSSL of this machine cannot do {}; install OpenSSL 3.0 or newer, built with SM2 and SM3, or switch the SM signatures off ({})"
_SIGNING = ("-rawin", "-digest", "sm3", "-pkeyopt", f"distid:{DISTINGUISHING_ID}")


def sm3(data: bytes) -> bytes:
    """SM3 of bytes (GM/T 0004-2012): 32 bytes.

    Raises:
        SmUnavailable: Python's OpenSSL has no SM3.
    """
    try:
        return hashlib.new("sm3", data).digest()
    except ValueError as error:
        raise SmUnavailable(_LACKING.format("SM3", error)) from None


def public_point(private_pem: bytes) -> bytes:
    """The public key of an SM2 private key: a point of 65 bytes.

    Args:
        private_pem: PKCS #8 or SEC 1, not encrypted, as `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:SM2` writes it.

    Raises:
        NoteInvalid: no SM2 private key.
        SmUnavailable: no `openssl` that can do it.
    """
    done = _openssl(("pkey", "-in", "{0}", "-passin", "pass:", "-pubout", "-outform", "DER"), b"", private_pem)
    if done.returncode or not done.stdout.startswith(_SPKI) or len(done.stdout) != len(_SPKI) + POINT_SIZE:
        _refuse_without_sm2()
        raise NoteInvalid(
            "the private key is no SM2 key in PEM without passphrase; make one with `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:SM2`"
        )
    return done.stdout[len(_SPKI) :]


def derived(private_pem: bytes, info: bytes) -> bytes:
    """A private key of its own for each purpose, made from one: two blocks of the KDF of GB/T 32918.4 (5.4.3, over SM3) on key and purpose, brought
    into the range of private keys. Whoever has one derived key learns neither the first nor another.

    Args:
        info: the purpose.

    Returns:
        PEM, PKCS #8.

    Raises:
        NoteInvalid: no SM2 private key.
        SmUnavailable: no `openssl` or no SM3 that can do it.
    """
    public_point(private_pem)
    done = _openssl(("pkey", "-in", "{0}", "-passin", "pass:", "-outform", "DER"), b"", private_pem)
    _, found, rest = done.stdout.partition(_SCALAR)
    if done.returncode or not found or len(rest) < _SCALAR_SIZE:
        raise SmUnavailable(_LACKING.format("SM2 private keys in DER", _reason(done.stderr)))
    shared = rest[:_SCALAR_SIZE] + info
    blocks = b"".join(sm3(shared + counter.to_bytes(4, "big")) for counter in (1, 2))
    scalar = int.from_bytes(blocks, "big") % (_ORDER - 2) + 1
    text = base64.encodebytes(_PKCS8 + _SCALAR + scalar.to_bytes(_SCALAR_SIZE, "big"))
    return b"-----BEGIN PRIVATE KEY-----\n" + text + b"-----END PRIVATE KEY-----\n"


def sign(private_pem: bytes, data: bytes) -> bytes:
    """An SM2 signature with SM3 over data, in DER.

    Raises:
        NoteInvalid: no SM2 private key.
        SmUnavailable: no `openssl` that can do it.
    """
    public_point(private_pem)
    done = _openssl(("pkeyutl", "-sign", *_SIGNING, "-inkey", "{0}", "-passin", "pass:"), data, private_pem)
    if done.returncode or not done.stdout:
        raise SmUnavailable(_LACKING.format("SM2 signatures", _reason(done.stderr)))
    return done.stdout


def holds(point: bytes, data: bytes, signature: bytes) -> bool:
    """Whether an SM2 signature with SM3 over data holds under a public key.

    Args:
        point: 65 bytes; one that is not on the curve holds for nothing.
        signature: DER.

    Raises:
        SmUnavailable: no `openssl` that can do it: nothing is known about the signature.
    """
    if len(point) != POINT_SIZE or not signature:
        return False
    arguments = ("pkeyutl", "-verify", *_SIGNING, "-pubin", "-keyform", "DER", "-inkey", "{0}", "-sigfile", "{1}")
    done = _openssl(arguments, data, _SPKI + point, signature)
    if done.returncode == 0:
        return True
    _refuse_without_sm2()
    return False


def _refuse_without_sm2() -> None:
    """A refusal counts only where OpenSSL knows the algorithms; else nothing was checked."""
    for kind, name in (("-signature-algorithms", b"SM2"), ("-digest-algorithms", b"SM3")):
        done = _openssl(("list", kind), b"")
        if done.returncode or name not in done.stdout:
            raise SmUnavailable(_LACKING.format(name.decode(), _reason(done.stderr) or "it lists no such algorithm"))


def _reason(stderr: bytes) -> str:
    return stderr.decode("utf-8", "replace").strip().splitlines()[0] if stderr.strip() else ""


def _openssl(arguments: tuple[str, ...], data: bytes, *secrets: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run the command with data on its standard input; `{0}`, `{1}` … stand for paths from which it reads the further bytes."""
    ends: list[int] = []
    try:
        for secret in secrets:
            reading, writing = os.pipe()
            ends.append(reading)
            try:
                os.set_blocking(writing, False)  # what the pipe does not hold at once is cut, and refused
                if os.write(writing, secret) != len(secret):
                    raise NoteInvalid("an SM2 key or signature of this length is none")
            finally:
                os.close(writing)
        paths = [f"/dev/fd/{end}" for end in ends]
        command = ["openssl", *(argument.format(*paths) for argument in arguments)]
        return subprocess.run(command, input=data, pass_fds=ends, capture_output=True, timeout=_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SmUnavailable(_LACKING.format("SM2: the command `openssl` does not run", error)) from None
    finally:
        for end in ends:
            os.close(end)
