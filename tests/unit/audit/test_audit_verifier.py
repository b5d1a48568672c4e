"""The verifier on its own: one file, nothing but Python, Ed25519 as RFC 8032 has it, policies, what it says and how it ends."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import audit_bundles as made
import pytest
from audit_bundles import WITNESSES, Signer, Tree, canonical, listed
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tightrope.audit import verifier
from tightrope.audit.verifier import verify, verify_anchors, verify_log, verify_notes

FOLDER = Path(verify.__file__).parent
ORDER = 2**252 + 27742317777372353535851937790883648493
VECTORS = [  # RFC 8032, 7.1: public key, message, signature
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


def run(script: str, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """As an examiner runs it: isolated, without site-packages, in an empty environment."""
    return subprocess.run(
        [sys.executable, "-I", "-S", str(FOLDER / script), *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=env or {},
        check=False,
    )


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return made.write(made.good(), tmp_path / "bundle")


@pytest.fixture
def trusted(tmp_path: Path) -> str:
    (tmp_path / "trusted.txt").write_bytes(made.policy(made.story()))
    return str(tmp_path / "trusted.txt")


@pytest.mark.parametrize("script", verifier.FILES)
def test_it_imports_the_standard_library_alone(script: str) -> None:
    names = set()
    for node in ast.walk(ast.parse((FOLDER / script).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add((node.module or "").split(".")[0])
    assert names <= set(sys.stdlib_module_names) | {name.removesuffix(".py") for name in verifier.FILES}


@pytest.mark.parametrize("script", verifier.FILES)
def test_it_can_be_read_at_once(script: str) -> None:
    assert len((FOLDER / script).read_text(encoding="utf-8").splitlines()) <= 200


def test_it_runs_alone_on_a_copy_of_itself(bundle: Path, trusted: str) -> None:
    for name in verifier.FILES:
        shutil.copy(FOLDER / name, bundle.parent / name)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "verify.py", "bundle", "--policy", trusted],
        cwd=bundle.parent,
        capture_output=True,
        env={},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "nothing missing or altered 无缺失、无篡改" in done.stdout.decode()


@pytest.mark.parametrize("script", verifier.FILES)
def test_it_runs_on_the_oldest_python_that_it_names(script: str, bundle: Path, trusted: str) -> None:
    ast.parse((FOLDER / script).read_text(encoding="utf-8"), feature_version=(3, 9))


def test_what_is_said_of_a_good_bundle(bundle: Path, trusted: str) -> None:
    text = run("verify.py", str(bundle), "--policy", trusted).stdout
    assert "12 records" in text
    assert "size 15 cosigned 见证 w0, w1" in text
    assert "destroyed" in text
    assert "NOT checked here: its signature, openssl ts -verify" in text
    assert "CAME WITH THE BUNDLE" not in text


def test_keys_that_came_with_the_bundle_are_called_so(bundle: Path) -> None:
    assert "THEY CAME WITH THE BUNDLE" in run("verify.py", str(bundle)).stdout
    assert "CAME WITH" in json.loads(run("verify.py", str(bundle), "--json").stdout)["keys"]


def test_a_forger_who_brings_his_own_keys_passes_without_a_policy_from_elsewhere(tmp_path: Path, trusted: str) -> None:
    """What --policy is for."""
    forged = made.GOLDEN / "policy-swapped.zip"
    assert run("verify.py", str(forged)).returncode == 0
    assert run("verify.py", str(forged), "--policy", trusted).returncode == 1


def test_the_report_as_json(bundle: Path, trusted: str) -> None:
    report = json.loads(run("verify.py", str(bundle), "--policy", trusted, "--json").stdout)
    assert report["exit"] == 0
    assert [item["kind"] for item in report["findings"]] == ["destroyed"]
    assert report["findings"][0] | {"what": ""} == {"kind": "destroyed", "shard": 2025, "first": 2, "last": 2, "what": ""}
    assert [head["size"] for head in report["checkpoints"]] == [3, 15]


def test_it_does_not_fail_where_the_terminal_knows_no_chinese(bundle: Path, trusted: str) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-X", "utf8=0", str(FOLDER / "verify.py"), str(bundle), "--policy", trusted],
        capture_output=True,
        env={"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0"},
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: folder / "nothing.zip", "No such file"),
        (lambda folder: folder.joinpath("x.zip").write_text("no zip") and folder / "x.zip", "not a zip"),
        (lambda folder: made.write({"a": b""}, folder / "empty"), "no policy.txt"),
        (lambda folder: made.write({"policy.txt": made.policy([Tree(2026)])}, folder / "log"), "verify_log.py"),
        (lambda folder: made.write(made.good() | {"policy.txt": b"quorum none\nquorum none\n"}, folder / "p"), "policy"),
        (lambda folder: made.write(made.good() | {"manifest.json": b"[]"}, folder / "m"), "CANNOT BE READ"),
    ],
)
def test_what_cannot_be_read_ends_with_2(tmp_path: Path, make: Any, says: str) -> None:
    done = run("verify.py", str(make(tmp_path)))
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


def test_text_of_the_bundle_neither_moves_the_cursor_nor_feigns_a_line(tmp_path: Path, trusted: str) -> None:
    files = made.good()
    items = json.loads(files["anchors.json"])
    items[0]["anchor"] = "\x1b[2J\nRESULT 结论: nothing missing or altered"
    files = listed(files | {"anchors.json": canonical(items)}) | {"\x1b[2Jx\ny": b""}
    text = run("verify.py", str(made.write(files, tmp_path / "b")), "--policy", trusted).stdout
    assert "\x1b" not in text
    assert text.count("\nRESULT") == 1


def test_a_link_in_the_folder_is_refused(bundle: Path, trusted: str) -> None:
    (bundle / "README.txt").unlink()
    (bundle / "README.txt").symlink_to("/etc/hostname")
    done = run("verify.py", str(bundle), "--policy", trusted)
    assert done.returncode == 2
    assert "link" in done.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("quorum w0", "quorum"),
        ("", "no quorum"),
        ("log a+00000000+AAAA\nquorum none", "another id"),
        (f"witness a {WITNESSES[0].vkey}\nwitness b {Signer('x', 4, WITNESSES[0].name).vkey}\nquorum a", "twice"),
        (f"witness a {WITNESSES[0].vkey}\nwitness a {WITNESSES[1].vkey}\nquorum a", "policy"),
        (f"witness a {WITNESSES[0].vkey}\ngroup g 2 a\nquorum g", "group g"),
        (f"witness a {WITNESSES[0].vkey}\ngroup g 2 a a\nquorum g", "group g"),
        (f"witness a {WITNESSES[0].vkey}\ngroup g any none a\nquorum g", "group g"),
        ("group g any later\nquorum g", "group g"),
        ("quorum none\nquorum none", "quorum"),
        ("trust me\nquorum none", "policy"),
    ],
)
def test_a_policy_that_is_not_well_defined_is_refused(bundle: Path, tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "bad.txt").write_text(text)
    done = run("verify.py", str(bundle), "--policy", str(tmp_path / "bad.txt"))
    assert done.returncode == 2
    assert says in done.stderr


@pytest.mark.parametrize(("group", "code"), [("any", 0), ("1", 0), ("all", 1), ("2", 1)])
def test_k_of_n_witnesses(tmp_path: Path, group: str, code: int) -> None:
    """One of two witnesses cosigned."""
    tree = made.story()[1]
    tree.entries[0].leaf["facts"] = {}
    tree.witnesses = WITNESSES[:1]
    files = made.bundle([tree], lambda *_: True)
    lines = made.policy([tree], witnesses=WITNESSES).decode().replace("witnesses all", f"inner {group}").splitlines()
    lines[-1:] = ["group outer all inner", "quorum outer"]
    (tmp_path / "k.txt").write_text("\n".join(lines))
    folder = made.write(files, tmp_path / "b")
    done = run("verify.py", str(folder), "--policy", str(tmp_path / "k.txt"), "--strict")
    assert done.returncode == code, done.stdout
    assert ("unwitnessed" in done.stdout) == bool(code)


def test_a_second_key_of_the_log_and_signatures_that_nobody_knows_are_no_matter(tmp_path: Path) -> None:
    """Keys rotate in the middle of a year; SM2 signatures stand beside."""
    tree = made.story()[0]
    files = made.bundle([tree], lambda *_: True)
    text, _, tail = files["2025/checkpoint"].partition(b"\n\n")
    more = Signer(tree.origin, 1, "second key").line(text + b"\n") + f"— {tree.origin} {made.b64(b'sm2!' + b'x' * 71)}\n".encode()
    note = text + b"\n\n" + more + tail
    for name, data in files.items():
        files[name] = data.replace(files["2025/checkpoint"], note) if name.startswith("proofs/") else data
    files = listed(
        files
        | {
            "2025/checkpoint": note,
            "policy.txt": made.policy([tree]) + f"log {Signer(tree.origin, 1, 'second key').vkey}\n".encode(),
        }
    )
    assert json.loads(run("verify.py", str(made.write(files, tmp_path / "b")), "--json").stdout)["exit"] == 0


def test_a_real_time_stamp(tmp_path: Path) -> None:
    """A token of openssl's own authority: its imprint and time are read, and the command that the report names checks its signature."""
    openssl = shutil.which("openssl")
    assert openssl, "openssl is needed for this test: apt-get install openssl"
    tree = made.story()[0]
    (tmp_path / "note").write_bytes(tree.note(cosigned=False))
    (tmp_path / "serial").write_text("01\n")
    (tmp_path / "tsa.cnf").write_text(
        f"[tsa]\ndefault_tsa = t\n[t]\nserial = {tmp_path}/serial\nsigner_cert = {tmp_path}/tsa.crt\nsigner_key = {tmp_path}/tsa.key\n"
        "signer_digest = sha256\ndefault_policy = 1.2.3.4.1\ndigests = sha256\naccuracy = secs:1\n"
    )

    def call(*words: str) -> None:
        done = subprocess.run(
            [openssl, *words], cwd=tmp_path, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}, check=False
        )
        assert done.returncode == 0, done.stderr

    call("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.crt", "-subj", "/CN=tsa", "-days", "2",
         "-addext", "extendedKeyUsage=critical,timeStamping")  # fmt: skip
    call("ts", "-query", "-data", "note", "-sha256", "-cert", "-out", "query")
    call("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "BODY")
    call("ts", "-verify", "-data", "note", "-in", "BODY", "-CAfile", "tsa.crt")  # what the report names
    item = made.anchors(tree, [3])[2]
    assert item["kind"] == "rfc3161"
    body = (tmp_path / "BODY").read_bytes()
    at = verify_anchors.stamped(body, (tmp_path / "note").read_bytes())
    files = made.bundle([tree], lambda *_: True)
    files = listed(files | {"anchors.json": canonical([item | {"body": made.b64(body), "asserted": None}])})
    done = run("verify.py", str(made.write(files, tmp_path / "b")))
    assert done.returncode == 0, done.stdout
    assert verify_notes.iso(at) in done.stdout
    with pytest.raises(ValueError, match="something else"):
        verify_anchors.stamped(body, b"another note")


@pytest.mark.parametrize(("key", "message", "signature"), VECTORS)
def test_ed25519_vectors_of_rfc_8032(key: str, message: str, signature: str) -> None:
    assert verify_notes.ed25519(bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature))
    assert not verify_notes.ed25519(bytes.fromhex(key), bytes.fromhex(message) + b"x", bytes.fromhex(signature))


@settings(max_examples=40, deadline=None)
@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=200), bit=st.integers(0, 511))
def test_ed25519_agrees_with_another_implementation(seed: bytes, message: bytes, bit: int) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    key, signature = private.public_key().public_bytes_raw(), private.sign(message)
    assert verify_notes.ed25519(key, message, signature)
    flipped = (int.from_bytes(signature, "big") ^ 1 << bit).to_bytes(64, "big")
    assert not verify_notes.ed25519(key, message, flipped)


def test_ed25519_refuses_a_second_form_of_a_signature_and_other_lengths() -> None:
    key, message, signature = (bytes.fromhex(text) for text in VECTORS[1])
    s = int.from_bytes(signature[32:], "little") + ORDER
    assert not verify_notes.ed25519(key, message, signature[:32] + s.to_bytes(32, "little"))
    assert not verify_notes.ed25519(key, message, signature + b"\0")
    assert not verify_notes.ed25519(key, message, signature[:63])


SMALL_ORDER = [
    bytes([1]) + bytes(31),
    bytes(32),
    (2**255 - 20).to_bytes(32, "little"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
]


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ],
)
def test_sm3_of_the_standard(message: bytes, digest: str) -> None:
    """GB/T 32905-2016, annex A: with OpenSSL's and step by step."""
    assert verify_notes.sm3(message).hex() == verify_notes.sm3(message, plain=True).hex() == digest


@given(message=st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_sm3_agrees_with_openssl(message: bytes) -> None:
    assert verify_notes.sm3(message, plain=True) == hashlib.new("sm3", message).digest()


def test_sm3_is_checked_where_python_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(name: str, data: bytes = b"") -> Any:
        raise ValueError(f"unsupported hash type {name}")

    monkeypatch.setattr(verify_notes.hashlib, "new", lacking)
    assert verify_notes.sm3(b"abc").hex().startswith("66c7f0f4")


def test_a_log_key_that_is_not_ed25519_is_told(tmp_path: Path) -> None:
    """SM2 beside Ed25519: passed over, and said so."""
    tree = made.story()[0]
    blob = b"\xfftightrope/sm2-sm3" + b"\4" + bytes(64)
    key_id = made.sha(tree.origin.encode() + b"\n" + blob)[:4]
    note = tree.note() + f"— {tree.origin} {made.b64(key_id + b'x' * 71)}\n".encode()
    files = made.whole_log([tree]) | {"2025/checkpoint": note}
    files["policy.txt"] += f"log {tree.origin}+{key_id.hex()}+{made.b64(blob)}\n".encode()
    done = run("verify_log.py", str(made.write(files, tmp_path / "log")))
    assert done.returncode == 0, done.stdout
    assert f"a signature of {tree.origin} that is not Ed25519 was NOT checked here" in done.stdout


@pytest.mark.parametrize("key", SMALL_ORDER)
def test_ed25519_refuses_keys_of_small_order(key: bytes) -> None:
    """Under such a key one signature fits many messages: R = the identity, S = 0."""
    for n in range(16):
        assert not verify_notes.ed25519(key, bytes([n]), bytes([1]) + bytes(63))


@pytest.mark.parametrize(
    "key",
    [
        (2**255 - 19).to_bytes(32, "little"),  # y is not below p
        (2**255 - 18).to_bytes(32, "little"),
        bytes([1]) + bytes(30) + b"\x80",  # x = 0 with a sign
        bytes([2]) + bytes(31),  # no point
        bytes(31),
        bytes(33),
    ],
)
def test_ed25519_refuses_keys_that_are_no_points(key: bytes) -> None:
    with pytest.raises((ValueError, OverflowError)):
        verify_notes.point(key)


@given(size=st.integers(1, 70), data=st.data())
@settings(max_examples=60, deadline=None)
def test_inclusion_proofs(size: int, data: st.DataObject) -> None:
    hashes = [made.sha(bytes([n])) for n in range(size)]
    index = data.draw(st.integers(0, size - 1))
    proof = made.path(index, hashes)
    root = made.mth(hashes)
    assert verify_notes.climb(index, size - 1, hashes[index], proof) == root == verify_log.mth(hashes)
    with pytest.raises(ValueError, match="too long"):
        verify_notes.climb(index, size - 1, hashes[index], [*proof, hashes[0]])
    if proof:
        with pytest.raises(ValueError, match="too short"):
            verify_notes.climb(index, size - 1, hashes[index], proof[:-1])
    other = data.draw(st.integers(0, size - 1).filter(lambda n: n != index or size == 1))
    if other != index:
        with contextlib.suppress(ValueError):  # of another length
            assert verify_notes.climb(other, size - 1, hashes[index], proof) != root


@pytest.mark.parametrize("groups", ["group both 2 {w} {w}", "group one 1 {w}\ngroup two 1 {w}\ngroup both 2 one two"])
def test_one_witness_never_counts_twice(groups: str) -> None:
    lines = made.policy([Tree(2026)]).decode().splitlines()
    witnesses = [line for line in lines if line.startswith("witness ")]
    named = groups.format(w=witnesses[0].split(" ")[1])
    notes = verify_notes.Notes()
    with pytest.raises(ValueError, match="not well defined"):
        notes.policy("\n".join([*witnesses, named, "quorum both"]) + "\n")
