"""Exports as an examiner checks them: the verifier run on them, witnesses, destroyed keys."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from audit_exports import exporter_of, lines, order, tell, verified
from audit_turns import CUSTOMER, message
from custody_log import ADA, CAI, LONG_AGO, acting, clean, with_custodians, write

from tightrope.audit.custody.models import Act
from tightrope.audit.export.outside import Outside
from tightrope.audit.export.proofs import TreeProofs
from tightrope.audit.export.service import Exporter
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.tlog.checkpoint import Checkpoint
from tightrope.audit.tlog.note import CosignatureSigner, Note
from tightrope.audit.tlog.policy import Policy
from tightrope.audit.tlog.proof import TlogProof
from tightrope.infra.database import Role, open_pool

pytestmark = pytest.mark.integration


@pytest.fixture
async def told(log, worker, recorder, clock, seal, superuser) -> None:
    """Four conversations of May 2026, sealed."""
    await tell(worker, recorder, clock, superuser)
    await seal()


@pytest.fixture
def exporter(log, auditor, keyring, recorder, clock) -> Exporter:
    return exporter_of(log, auditor, keyring, recorder, clock)


@pytest.mark.parametrize(("form", "unmasked"), [("out", False), ("out.zip", False), ("out", True)])
@pytest.mark.parametrize("question", [{"conversation": "1-2"}, {"customer": CUSTOMER}, {"journey": "check_margin_eligibility"}])
async def test_the_verifier_finds_nothing_wrong(told, exporter, tmp_path, form, unmasked, question):
    await exporter.make(
        order(tmp_path, form, question=question, who="chief", unmasked=unmasked, reason="regulator's request", pdf=False)
    )
    code, said = verified(tmp_path / form)
    assert code == 0, said


@pytest.mark.parametrize(("year", "code"), [(2047, 0), (2030, 1)])
async def test_the_verifier_is_told_by_whose_word_a_key_was_destroyed(
    told, exporter, tmp_path, log, recorder, clock, seal, superuser, year, code
):
    """After its last day; before it the verifier does not believe the record."""
    with superuser("tightrope") as conn:
        kids = [row[0] for row in conn.execute("SELECT DISTINCT kid FROM audit.records WHERE turn = 1 AND conv IN "
                "(SELECT conv FROM audit.conversations WHERE conversation_id = '1-2')").fetchall()]  # fmt: skip
        named = {kid: uuid4() for kid in kids}
        for kid, record in named.items():
            conn.execute("UPDATE audit.keys SET state = 'destroyed', wrapped = '', record_id = %s WHERE kid = %s", (record, kid))
    clock.at = datetime(year, 1, 1, tzinfo=UTC)
    async with open_pool(log, Role.OPERATOR, max_size=1) as operator, operator.connection() as conn:
        for kid in kids:
            await recorder.record(conn, RecordDraft(Event.KEY_DESTROYED, facts={"kid": str(kid)}), record_id=named[kid])
    await seal()
    made = await exporter.make(order(tmp_path, pdf=False))
    assert made.counts.unreadable == 2
    (gone,) = json.loads((tmp_path / "out/destroyed.json").read_text())
    assert gone["kid"] == str(kids[0])
    assert gone["place"] in {f"{record['shard']}/{record['index']}" for record in lines(tmp_path / "out", "records.jsonl")}
    found, said = verified(tmp_path / "out")
    assert found == code, said
    assert ("before its last day" if code else "its key was destroyed by policy") in said


@pytest.mark.parametrize("recorded", [True, False])
async def test_the_verifier_is_told_by_whose_word_a_payload_is_withheld(
    told, exporter, tmp_path, log, recorder, seal, superuser, recorded
):
    with superuser("tightrope") as conn:
        kids = [row[0] for row in conn.execute("SELECT DISTINCT kid FROM audit.records WHERE conv IN "
                "(SELECT conv FROM audit.conversations WHERE conversation_id = '1-3')").fetchall()]  # fmt: skip
        conn.execute("UPDATE audit.keys SET state = 'restricted', shares = '{}', ground = 'pipl-47' WHERE kid = ANY(%s)", (kids,))
    async with open_pool(log, Role.OPERATOR, max_size=1) as operator, operator.connection() as conn:
        facts = {"kids": [str(kid) for kid in kids if recorded], "ground": "pipl-47"}
        await recorder.record(conn, RecordDraft(Event.SUBJECT_RESTRICTED, facts=facts))
    await seal()
    await exporter.make(order(tmp_path, question={"conversation": "1-3"}, pdf=False))
    code, said = verified(tmp_path / "out")
    assert code == (0 if recorded else 1), said
    assert ("payload withheld, as record" if recorded else "said to be restricted") in said


async def test_what_custodians_did_is_checked_from_the_export_alone(told, exporter, tmp_path, log, worker, seal, superuser):
    """Destroyed by two people, restricted by one, with the product's own custody; the verifier shares no code with it."""
    trusted = with_custodians(log, tmp_path)
    try:
        old, _ = await write(trusted, worker, "twenty years ago", at=LONG_AGO, conversation="1-9", subject="C9")
        new, _ = await write(trusted, worker, "this year", conversation="1-9", subject="C9")
        async with acting(trusted) as (custody, _, _):
            proposal = await custody.propose(ADA, Act.DESTROY, [old], "the period is over")
        async with acting(trusted) as (custody, _, _):
            assert (await custody.approve(CAI, proposal.proposal_id)).refused is None
        async with acting(trusted) as (custody, _, _):
            await custody.restrict(ADA, [new], "pipl-47", "request 12")
        await seal()
        question = {"conversation": "1-9"}
        await exporter.make(
            order(tmp_path, question=question, who="chief", unmasked=True, reason="regulator's request", pdf=False)
        )
    finally:
        clean(superuser)
    code, said = verified(tmp_path / "out", "--custodians", str(tmp_path / "custodians.json"))
    assert code == 0, said
    assert "signed by Ada and Cai, of two offices of the file of custodians" in said
    assert "payload withheld, as record" in said
    assert "its key was destroyed by policy, see record" in said


async def test_the_manifest_names_the_conversations(told, exporter, tmp_path, superuser):
    await exporter.make(order(tmp_path, question={"customer": CUSTOMER}, pdf=False))
    with superuser("tightrope") as conn:
        wanted = conn.execute("SELECT conv::text FROM audit.conversations WHERE conversation_id = '1-2'").fetchone()[0]
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["conversations"] == [wanted]
    assert wanted in verified(tmp_path / "out")[1]


@pytest.fixture
def witnessed(told, exporter, log, superuser, tmp_path) -> Exporter:
    """An exporter of a log whose newest checkpoint a witness cosigned a minute after the first message."""
    witness = CosignatureSigner.from_seed("witness.example/w1", b"w" * 32)
    checkpoint = TreeProofs(log).checkpoint(2026)
    text = Note.parse(checkpoint).text
    at = datetime(2026, 5, 4, 2, 32, tzinfo=UTC)
    body = witness.sign(text, int(at.timestamp())).line().encode()
    with superuser("tightrope") as conn:
        conn.execute(
            "ALTER TABLE audit.anchor_receipts DISABLE TRIGGER append_only; TRUNCATE audit.anchor_receipts, audit.anchors"
        )
        vkeys = conn.execute("SELECT vkeys FROM audit.shards").fetchone()[0]
        size = Checkpoint.parse(text).size
        row = ("witness.example/w1", "witness-c2sp", 2026, size, checkpoint, body, at, at)
        columns = "anchor, kind, shard, size, note, body, asserted_at, received_at"
        conn.execute(f"INSERT INTO audit.anchors ({columns}) VALUES ({', '.join(['%s'] * 8)})", row)
        conn.execute(
            f"INSERT INTO audit.anchor_receipts ({columns}, waiting_since, settles) VALUES ({', '.join(['%s'] * 10)})",
            (*row, at, 1),
        )
    policy = tmp_path / "firm-policy.txt"
    policy.write_text("".join(f"log {vkey}\n" for vkey in vkeys) + f"witness w1 {witness.vkey}\nquorum w1\n", encoding="ascii")
    settings = log.model_copy(update={"audit_policy_file": policy})
    yield Exporter(replace(exporter._parts, settings=settings, outside=Outside(settings)))
    with superuser("tightrope") as conn:
        conn.execute(
            "TRUNCATE audit.anchor_receipts, audit.anchors; ALTER TABLE audit.anchor_receipts ENABLE ALWAYS TRIGGER append_only"
        )


async def test_receipts_and_cosignatures_of_others_go_along(witnessed, tmp_path):
    await witnessed.make(order(tmp_path, pdf=False))
    (receipt,) = json.loads((tmp_path / "out/anchors.json").read_text())
    assert (receipt["anchor"], receipt["kind"]) == ("witness.example/w1", "witness-c2sp")
    policy = Policy.parse((tmp_path / "firm-policy.txt").read_bytes())
    policy.check((tmp_path / "out/2026/checkpoint").read_bytes())
    for proof in (tmp_path / "out/proofs").iterdir():
        assert TlogProof.parse(proof.read_bytes()).checkpoint == (tmp_path / "out/2026/checkpoint").read_bytes()
    code, said = verified(tmp_path / "out", "--policy", str(tmp_path / "firm-policy.txt"), "--strict")
    assert code == 0, said
    assert "unwitnessed" not in said
    assert " late " not in said


async def test_where_the_witness_is_behind_the_export_says_so(witnessed, tmp_path, worker, recorder, seal, monkeypatch):
    monkeypatch.setattr("tightrope.audit.export.service.PATIENCE_SECONDS", 0.5)
    async with worker.connection() as conn:
        await recorder.record(conn, message("1-2", "新的问题"))
    await seal()
    await witnessed.make(order(tmp_path, pdf=False))
    code, said = verified(tmp_path / "out", "--policy", str(tmp_path / "firm-policy.txt"))
    assert code == 0, said
    assert "unwitnessed" in said


async def test_a_verifier_finds_what_is_changed_in_an_export(told, exporter, tmp_path):
    await exporter.make(order(tmp_path, pdf=False))
    path = tmp_path / "out/records.jsonl"
    path.write_bytes(path.read_bytes().replace(b"not_eligible", b"eligible____"))
    code, said = verified(tmp_path / "out")
    assert code == 1
    assert "altered" in said
