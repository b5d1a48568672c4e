"""Trust policies: the specification's example, quorums, round trip, and every rule of the file broken once."""

from __future__ import annotations

import hashlib
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.audit.errors import NoteInvalid, PolicyInvalid
from tightrope.audit.tlog.checkpoint import Checkpoint, sign_checkpoint
from tightrope.audit.tlog.note import CosignatureSigner, Ed25519Signer, Note
from tightrope.audit.tlog.policy import LINE_LIMIT, NONE, Group, Log, Policy, Witness

ORIGIN = "tightrope.example/audit/2026"
LOG = Ed25519Signer.from_seed(ORIGIN, b"L" * 32)
LOG_2027 = Ed25519Signer.from_seed("tightrope.example/audit/2027", b"M" * 32)
NAMES = ("X1", "X2", "X3", "Y1", "Y2", "Y3")
W = {
    name: CosignatureSigner.from_seed(f"witness.example/{name}", hashlib.sha256(name.encode()).digest()) for name in (*NAMES, "Z")
}
HEAD = Checkpoint(ORIGIN, 7, bytes(range(32)))

EXAMPLE = f"""# the specification's example
log {LOG.vkey}

witness X1 {W["X1"].vkey}
witness X2 {W["X2"].vkey}
witness X3 {W["X3"].vkey}
group X-witnesses 2 X1 X2 X3

witness Y1 {W["Y1"].vkey}
witness Y2 {W["Y2"].vkey}
\t witness \t Y3  {W["Y3"].vkey}   https://witness.example/y3/
group Y-witnesses any Y1 Y2 Y3

   # both
group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def signed_by(*names: str, log: Ed25519Signer = LOG) -> bytes:
    note = Note.parse(sign_checkpoint(HEAD, [log]))
    return note.with_signatures(W[name].sign(note.text, 1_700_000_000) for name in names).encode()


def keys(*names: str):
    return [W[name].key for name in names]


def test_the_example_asks_for_two_x_and_one_y():
    policy = Policy.parse(EXAMPLE)
    for count in range(len(NAMES) + 1):
        for names in combinations(NAMES, count):
            enough = sum(name[0] == "X" for name in names) >= 2 and any(name[0] == "Y" for name in names)
            assert policy.satisfied(keys(*names)) == enough, names
    assert policy.witnesses[-1] == Witness("Y3", W["Y3"].key, "https://witness.example/y3/")
    assert policy.groups[0] == Group("X-witnesses", 2, ("X1", "X2", "X3"))


def test_a_checkpoint_is_checked_against_the_quorum():
    policy = Policy.parse(EXAMPLE)
    assert [item.key for item in policy.check(signed_by("X1", "X3", "Y2", "Z")).cosignatures] == keys("X1", "X3", "Y2")
    with pytest.raises(NoteInvalid, match="quorum X-and-Y: cosigned by X1, Y2"):
        policy.check(signed_by("X1", "Y2"))
    with pytest.raises(NoteInvalid, match="cosigned by nobody"):
        policy.check(signed_by("Z"))
    assert policy.open(signed_by()).checkpoint == HEAD


def test_one_witness_signing_often_counts_once():
    policy = Policy.parse(EXAMPLE)
    note = Note.parse(signed_by("X1", "Y1"))
    often = note.with_signatures(W["X1"].sign(note.text, time) for time in range(5))
    with pytest.raises(NoteInvalid, match="quorum"):
        policy.check(often.encode())


def test_the_log_must_have_signed():
    other = Ed25519Signer.from_seed(ORIGIN, b"N" * 32)
    with pytest.raises(NoteInvalid, match="not signed by the log"):
        Policy.parse(EXAMPLE).check(signed_by("X1", "X2", "Y1", log=other))


def test_quorum_none_asks_for_no_witness_and_a_witness_alone_can_be_the_quorum():
    assert Policy.parse("quorum none\n").satisfied([])
    policy = Policy.parse(f"witness w {W['Z'].vkey}\nquorum w\n")
    assert policy.satisfied(keys("Z"))
    assert not policy.satisfied(keys("X1"))
    assert (
        Policy.parse(f"log {LOG.vkey}\nlog {LOG_2027.vkey} https://log.example/\nquorum none\n").check(signed_by()).checkpoint
        == HEAD
    )


def test_a_key_that_differs_in_name_or_type_is_another():
    policy = Policy.parse(f"witness w {W['Z'].vkey}\nquorum w\n")
    seed = hashlib.sha256(b"Z").digest()
    assert not policy.satisfied([CosignatureSigner.from_seed("other.example", seed).key])
    assert not policy.satisfied([Ed25519Signer.from_seed("witness.example/Z", seed).key])


def test_a_policy_comes_back():
    policy = Policy.parse(EXAMPLE)
    assert Policy.parse(policy.text()) == Policy.parse(policy.encode()) == policy


@given(st.lists(st.sampled_from(NAMES), unique=True, min_size=1), st.data())
def test_policies_of_any_shape_come_back_and_count(names, data):
    threshold = data.draw(st.integers(1, len(names)))
    policy = Policy(
        (Log(LOG.key),), tuple(Witness(name, W[name].key) for name in NAMES), (Group("g", threshold, tuple(names)),), "g"
    )
    assert Policy.parse(policy.encode()) == policy
    signers = data.draw(st.lists(st.sampled_from([*NAMES, "Z"]), unique=True))
    assert policy.satisfied(keys(*signers)) == (len(set(signers) & set(names)) >= threshold)


def test_names_are_opaque_octets():
    kelvin, letter = "\u212a", "K"
    text = (
        f"witness {kelvin} {W['X1'].vkey}\nwitness {letter} {W['X2'].vkey}\nwitness ".encode()
        + b"\xff\xfe"
        + f" {W['X3'].vkey}\nquorum ".encode()
        + b"\xff\xfe\n"
    )
    policy = Policy.parse(text)
    assert policy.satisfied(keys("X3"))
    assert not policy.satisfied(keys("X1", "X2"))
    assert Policy.parse(policy.encode()) == policy


LINE = f"witness a {W['X1'].vkey}\nwitness b {W['X2'].vkey}\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "newline"),
        ("quorum none", "newline"),
        ("\n", "no quorum line"),
        (LINE, "no quorum line"),
        (LINE + "quorum a\nquorum b\n", "line 4 .*second quorum"),
        (LINE + "quorum c\n", "line 3 .*'c'"),
        ("quorum a\n" + LINE, "line 1 .*'a'"),
        ("quorum\n", "a line reads"),
        ("quorum none none\n", "a line reads"),
        ("Quorum none\n", "a line reads"),
        ("witness a\n", "a line reads"),
        ("log\n", "a line reads"),
        (f"log {LOG.vkey} https://a https://b\nquorum none\n", "a line reads"),
        ("log nokey\nquorum none\n", "line 1 .*verifier key"),
        (f"log {LOG.vkey[:-2]}\nquorum none\n", "line 1 .*base64"),
        (f"log {W['X1'].vkey}\nquorum none\n", "a log's key is of type"),
        (f"witness a {LOG.vkey}\nquorum none\n", "a witness's key is of type"),
        (f"log {LOG.vkey}\nlog {LOG.vkey}\nquorum none\n", "line 2 .*same public key"),
        (f"log {LOG.vkey}\nlog {Ed25519Signer.from_seed('x', b'L' * 32).vkey}\nquorum none\n", "same public key; each shard"),
        (f"{LINE}witness c {CosignatureSigner.from_seed('x', hashlib.sha256(b'X1').digest()).vkey}\nquorum a\n", "count twice"),
        (f"{LINE}witness a {W['X3'].vkey}\nquorum a\n", "'a' is taken"),
        (f"witness none {W['X3'].vkey}\nquorum none\n", "'none' is taken"),
        (LINE + "group a any b\nquorum a\n", "'a' is taken"),
        (LINE + "group none any b\nquorum none\n", "'none' is taken"),
        (LINE + "group g any a c\nquorum g\n", "'c'"),
        (LINE + "group g any none\nquorum g\n", "'none'"),
        (LINE + "group g any g\nquorum g\n", "'g'"),
        (LINE + "group g any a a\nquorum g\n", "one place only"),
        (LINE + "group g any a\ngroup h any a\nquorum g\n", "one place only"),
        (LINE + "group g any\nquorum none\n", "of 0 members"),
        (LINE + "group g all\nquorum none\n", "of 0 members"),
        (LINE + "group g 0 a\nquorum g\n", "threshold"),
        (LINE + "group g 3 a b\nquorum g\n", "of 2 members 3"),
        (LINE + "group g 01 a b\nquorum g\n", "threshold"),
        (LINE + "group g -1 a b\nquorum g\n", "threshold"),
        (LINE + "group g some a b\nquorum g\n", "threshold"),
        (LINE + "group g\nquorum none\n", "a line reads"),
        (LINE + "quorum a\r\n", "control characters"),
        (LINE + "quorum a\x0b\n", "control characters"),
        (LINE + "quorum \x7f\n", "control characters"),
        (LINE + "quorum a\u3000b\n", "line 3"),
        ("quorum \ud800\n", "surrogate"),
    ],
)
def test_files_that_break_a_rule_are_refused_by_line(text, reason):
    with pytest.raises(PolicyInvalid, match=reason):
        Policy.parse(text)


def test_a_ring_of_groups_cannot_be_written():
    with pytest.raises(PolicyInvalid, match="no line before defines 'h'"):
        Policy.parse(LINE + "group g any h\ngroup h any g\nquorum g\n")


@pytest.mark.parametrize(
    "call",
    [
        lambda: Policy((), (), (), "a"),
        lambda: Policy((Log(LOG.key), Log(LOG.key)), (), (), NONE),
        lambda: Policy((Log(W["X1"].key),), (), (), NONE),
        lambda: Policy((Log(LOG.key, "two words"),), (), (), NONE),
        lambda: Policy((), (Witness("two words", W["X1"].key),), (), NONE),
        lambda: Policy((), (Witness("", W["X1"].key),), (), NONE),
        lambda: Policy((), (Witness("a\nquorum none", W["X1"].key),), (), NONE),
        lambda: Policy((), (Witness("a", W["X1"].key),), (Group("g", 2, ("a",)),), "g"),
    ],
)
def test_what_no_file_holds_is_not_made(call):
    with pytest.raises(PolicyInvalid):
        call()


def test_a_policy_of_32_logs_witnesses_and_groups_is_read_and_one_without_end_is_not():
    logs = [Ed25519Signer.from_seed(f"log.example/{number}", hashlib.sha256(b"l%d" % number).digest()) for number in range(32)]
    witnesses = [
        CosignatureSigner.from_seed(f"w.example/{number}", hashlib.sha256(b"w%d" % number).digest()) for number in range(32)
    ]
    text = "".join(f"log {log.vkey}\n" for log in logs)
    text += "".join(f"witness w{number} {witness.vkey}\n" for number, witness in enumerate(witnesses))
    text += "group g0 any w0\n" + "".join(f"group g{number} all g{number - 1} w{number}\n" for number in range(1, 32))
    policy = Policy.parse(text + "quorum g31\n")
    assert policy.satisfied([witness.key for witness in witnesses])
    assert not policy.satisfied([witness.key for witness in witnesses[:-1]])
    endless = text + "".join(
        f"group e{number} any {'g31' if number == 0 else f'e{number - 1}'}\n" for number in range(LINE_LIMIT)
    )
    with pytest.raises(PolicyInvalid, match="more than 1000"):
        Policy.parse(endless + "quorum none\n")
