"""Attacks on exports of the audit log: each must be found, and named with its kind and its place, by the verifier that shares no code with the writer."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import audit_bundles as made
import pytest
from audit_claim_attacks import ATTACKS

from tightrope.audit.verifier import verify, verify_log

GOLDEN = made.GOLDEN


def checked(path: Path, *options: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, report, and what was said on stderr."""
    out, err = io.StringIO(), io.StringIO()
    log = path.name.startswith(("log-", "good-log"))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        arguments = [str(path), "--json", *options]
        code = verify_log.main(verify_log.LogCheck, [*arguments, "--leaves"]) if log else verify.main(argv=arguments)
    return code, json.loads(out.getvalue() or "{}"), err.getvalue()


def places(report: dict[str, Any]) -> set[tuple[Any, ...]]:
    return {(item["kind"], item["shard"], item["first"], item["last"]) for item in report.get("findings", [])}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_found_and_named(name: str) -> None:
    attack = ATTACKS[name]

    code, report, said = checked(GOLDEN / f"{name}.zip", "--policy", str(GOLDEN / "policy.txt"))

    words = said + " ".join(item["what"] for item in report.get("findings", []))
    assert code == attack.code, words
    assert set(attack.found) <= places(report), words
    assert attack.says in words


@pytest.mark.parametrize("name", ATTACKS)
def test_the_golden_bundle_is_what_its_script_makes(name: str) -> None:
    tampered = ATTACKS[name].make()
    assert (GOLDEN / f"{name}.zip").read_bytes() == (tampered if isinstance(tampered, bytes) else made.zipped(tampered))


@pytest.mark.parametrize("name", made.GOOD)
@pytest.mark.parametrize(
    "options", [(), ("--custodians", str(GOLDEN / "custodians.json"), "--chain-nodes", str(GOLDEN / "nodes.txt"))]
)
def test_a_good_bundle_is_no_false_alarm(name: str, options: tuple[str, ...]) -> None:
    code, report, said = checked(GOLDEN / f"{name}.zip", "--policy", str(GOLDEN / "policy.txt"), "--strict", *options)

    assert (code, said) == (0, "")
    assert {item["kind"] for item in report["findings"]} <= {"destroyed"}
    assert (GOLDEN / f"{name}.zip").read_bytes() == made.zipped(made.GOOD[name]())


def notes(name: str, *options: str) -> str:
    return "\n".join(checked(GOLDEN / f"{name}.zip", "--policy", str(GOLDEN / "policy.txt"), *options)[1]["notes"])


def test_what_is_not_checked_is_said(tmp_path: Path) -> None:
    said = notes("good")
    assert "signed by Ada and Cai; NOT checked: that these keys are theirs, --custodians FILE" in said
    assert "chain (chain-http)" in said
    assert "NOT checked here: who signed, --chain-nodes FILE" in said
    assert "NOT checked here: that the store holds it, read back checkpoint/2026/000000000015." in said
    assert "NOT checked here: that these are the ones asked for" in said
    assert "two signatures are NOT checked: they lie encrypted" in notes("good-masked")
    assert "payload withheld, as record 2026/16 says (1 records 条: 2026/15)" in notes("good-restricted")


def test_what_the_readers_own_keys_check_is_said() -> None:
    said = notes("good", "--custodians", str(GOLDEN / "custodians.json"), "--chain-nodes", str(GOLDEN / "nodes.txt"))
    assert "signed by Ada and Cai, of two offices of the file of custodians" in said
    assert "signed by 2 of 3 nodes; NOT checked here: block 7 of chain.example, look up 0xabc" in said


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (({"office": "data protection"},), "two offices"),
        (({"person": "Bob"},), "of another, or of somebody out of office"),
        (({}, {"until": "2026-03-01"}), "out of office"),
        (({"public_key": made.b64(bytes(32))},), "not in the file of custodians"),
    ],
)
def test_a_destruction_by_others_than_the_custodians(tmp_path: Path, rows: tuple[dict[str, Any], ...], says: str) -> None:
    (tmp_path / "custodians.json").write_bytes(made.custodians(*rows))
    options = ("--policy", str(GOLDEN / "policy.txt"), "--custodians", str(tmp_path / "custodians.json"))
    code, report, _ = checked(GOLDEN / "good.zip", *options)
    assert code == 1
    assert {("altered", 2026, 13, 13), ("altered", 2025, 2, 2)} <= places(report)
    assert any(says in item["what"] for item in report["findings"])


@pytest.mark.parametrize(
    ("signers", "code"), [(made.NODES[:2], 0), (made.NODES, 0), (made.NODES[:1], 1), (("x.example/node", *made.NODES[:1]), 1)]
)
def test_more_than_half_of_the_chains_nodes_have_to_sign(tmp_path: Path, signers: tuple[str, ...], code: int) -> None:
    tree = made.story()[1]
    note, at = tree.note(cosigned=False), tree.seen_at(15)
    item = {"anchor": "chain", "kind": "chain-http", "shard": 2026, "size": 15, "checkpoint": note.decode()}
    item |= {"received": made.time(at), "asserted": made.time(at), "body": made.b64(made.certificate(note, at, signers))}
    files = made.listed(made.good() | {"anchors.json": made.canonical([item])})
    (tmp_path / "b.zip").write_bytes(made.zipped(files))
    policy = ("--policy", str(GOLDEN / "policy.txt"))
    assert checked(tmp_path / "b.zip", *policy)[0] == 0  # without keys nothing is known of who signed
    found, report, _ = checked(tmp_path / "b.zip", *policy, "--chain-nodes", str(GOLDEN / "nodes.txt"))
    assert found == code
    assert not code or any("nodes signed" in item["what"] for item in report["findings"])


def test_a_chain_is_an_outside_clock_only_for_who_has_its_nodes_keys(tmp_path: Path) -> None:
    """No witness and no stamp: the certificate alone says when."""
    trees = made.story()[1:]
    trees[0].witnesses = ()
    files = made.bundle(trees, made.owned)
    chain = [item for item in json.loads(files["anchors.json"]) if item["kind"] == "chain-http"]
    files = made.listed(
        files | {"anchors.json": made.canonical(chain), "policy.txt": made.policy(trees, witnesses=(), quorum="none")}
    )
    manifest = json.loads(files["manifest.json"])
    files = made.listed(files, manifest, made="2026-03-02T03:00:00.000Z")
    (tmp_path / "b.zip").write_bytes(made.zipped(files))
    assert {item["kind"] for item in checked(tmp_path / "b.zip")[1]["findings"]} == {"late"}
    assert checked(tmp_path / "b.zip", "--chain-nodes", str(GOLDEN / "nodes.txt"))[1]["findings"] == []


@pytest.mark.parametrize("text", ["x", "{v}\n{v}\n", "a+00000000+AAAA"])
def test_a_file_of_nodes_that_is_not_well_formed_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "nodes.txt").write_text(text.format(v=made.Signer(made.NODES[0]).vkey))
    assert checked(GOLDEN / "good.zip", "--chain-nodes", str(tmp_path / "nodes.txt"))[0] == 2


def test_a_file_of_custodians_that_is_not_well_formed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text("{}")
    assert checked(GOLDEN / "good.zip", "--custodians", str(tmp_path / "c.json"))[0] == 2
