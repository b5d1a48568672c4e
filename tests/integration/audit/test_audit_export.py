"""Exports on a real Postgres with a real tree: selections, rights, masking, proofs, and that no half export is ever left."""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile

import pypdfium2
import pytest
from audit_exports import exporter_of, lines, names, order, tell
from audit_findings import SET_KEYS
from audit_turns import BALANCE, CUSTOMER, NAME, PHONE, SECRETS
from event_schemas import faults

from tightrope.audit.errors import ExportRefused
from tightrope.audit.export.proofs import TreeProofs
from tightrope.audit.export.service import Exporter
from tightrope.audit.index.query import month
from tightrope.audit.leaf import commitment
from tightrope.audit.tlog.policy import Policy
from tightrope.audit.tlog.proof import TlogProof
from tightrope.audit.verifier import FILES

pytestmark = pytest.mark.integration


@pytest.fixture
async def told(log, worker, recorder, clock, seal, superuser) -> None:
    """Four conversations of May 2026, sealed."""
    await tell(worker, recorder, clock, superuser)
    await seal()


@pytest.fixture
def exporter(log, auditor, keyring, recorder, clock) -> Exporter:
    return exporter_of(log, auditor, keyring, recorder, clock)


async def noted(auditor, keyring, seal) -> list[dict]:
    """What the log says of exports, oldest first: facts and payload together."""
    await seal()
    async with auditor.connection() as conn:
        rows = await (
            await conn.execute("SELECT id, kid, leaf, ct FROM audit.records WHERE event = 'audit:export:made' ORDER BY ord")
        ).fetchall()
    out = []
    for row in rows:
        leaf = json.loads(row["leaf"])
        opened = json.loads(keyring.decrypt(keyring.cached_kid(row["kid"]), row["id"], bytes.fromhex(leaf["commit"]), row["ct"]))
        assert faults("audit:export:made", leaf["facts"], opened) == []
        out.append(leaf["facts"] | opened)
    return out


async def test_a_bundle_holds_what_the_contract_says_and_every_proof_holds(told, exporter, tmp_path, log, auditor):
    made = await exporter.make(order(tmp_path))
    out = tmp_path / "out"
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert made.counts.records == 4
    assert (manifest["kind"], manifest["v"], manifest["masked"], manifest["records"]) == ("tightrope-audit-bundle", 1, True, 4)
    assert manifest["selection"] == {"conversation": "1-2"}
    assert manifest["log"] == log.audit_log_name
    assert set(manifest["files"]) == names(out) - {"manifest.json"}
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest, name
    assert made.manifest_sha256 == hashlib.sha256((out / "manifest.json").read_bytes()).hexdigest()
    policy = Policy.parse((out / "policy.txt").read_bytes())
    records = lines(out, "records.jsonl")
    assert [record["index"] for record in records] == sorted(record["index"] for record in records)
    for record in records:
        handed = TlogProof.parse((out / f"proofs/{record['shard']}-{record['index']}.tlog-proof").read_bytes())
        handed.check(record["leaf"].encode(), policy)
        assert [base64.b64encode(step).decode() for step in handed.hashes] == record["proof"]
        assert hashlib.sha256(base64.b64decode(record["ct"])).hexdigest() == json.loads(record["leaf"])["ct_sha256"]
        assert "payload" not in record
    assert {
        "index.html",
        "README.txt",
        *FILES,
        "anchors.json",
        "destroyed.json",
        "conversations/0001.html",
        "conversations/0001.pdf",
    } <= names(out)


async def test_a_masked_bundle_holds_none_of_the_customers_secrets(told, exporter, tmp_path):
    await exporter.make(order(tmp_path, question={"customer": CUSTOMER}, profiles=("otel-genai", "ocsf")))
    out = tmp_path / "out"
    for path in sorted(out.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            for secret in (*SECRETS, BALANCE.replace(",", "")):
                assert secret.encode() not in data, (path.name, secret)
                assert json.dumps(secret)[1:-1].encode() not in data, (path.name, secret)
    for pdf in out.rglob("*.pdf"):
        text = "".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(pdf))
        assert "[NAME]" in text
        assert "[CUSTOMER]" in text
        assert not any(secret in text.replace("\r\n", "") for secret in SECRETS)
    page = (out / "conversations/0001.html").read_text(encoding="utf-8")
    assert "[PHONE]" in page
    assert "[ID]" in page
    assert "[AMOUNT]" in page
    assert "margin_eligibility" in page


async def test_an_unmasked_bundle_can_be_checked_against_its_commitments(told, exporter, tmp_path):
    await exporter.make(order(tmp_path, who="chief", unmasked=True, reason="regulator's request 2026-17"))
    out = tmp_path / "out"
    for record in lines(out, "records.jsonl"):
        payload, salt = base64.b64decode(record["payload"]), base64.b64decode(record["salt"])
        assert commitment(salt, payload).hex() == json.loads(record["leaf"])["commit"]
    page = (out / "conversations/0001.html").read_text(encoding="utf-8")
    for shown in (NAME, PHONE, CUSTOMER, BALANCE):
        assert shown in page
    text = "".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(out / "conversations/0001.pdf"))
    assert NAME in text


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"who": "auditor1", "reason": "regulator's request"}, "no_right"),
        ({"who": "chie", "reason": "regulator's request"}, "no_right"),
        ({"who": "", "reason": "regulator's request"}, "no_right"),
        ({"who": "chief", "reason": ""}, "no_reason"),
        ({"who": "chief", "reason": "   because  "[:8]}, "no_reason"),
    ],
)
async def test_unmasked_without_right_or_reason_is_refused_and_on_the_record(
    told, exporter, tmp_path, auditor, keyring, seal, changes, why
):
    with pytest.raises(ExportRefused):
        await exporter.make(order(tmp_path, unmasked=True, **changes))
    assert list(tmp_path.glob("*out*")) == []
    (record,) = await noted(auditor, keyring, seal)
    assert (record["stage"], record["why"], record["masked"], record["who"]) == ("refused", why, False, changes["who"])


async def test_an_export_is_on_the_record_before_and_after(told, exporter, tmp_path, auditor, keyring, seal):
    made = await exporter.make(order(tmp_path, question={"customer": CUSTOMER}, reason="sample 7"))
    begun, done = await noted(auditor, keyring, seal)
    assert (begun["stage"], begun["records"], begun["reason"], begun["who"]) == ("begun", 4, "sample 7", "auditor1")
    assert (done["stage"], done["manifest_sha256"]) == ("done", made.manifest_sha256)
    assert CUSTOMER not in json.dumps([begun, done])
    assert CUSTOMER not in json.dumps(made.selection)


@pytest.mark.parametrize(
    ("question", "conversations"),
    [
        ({"customer": CUSTOMER}, ["1-2"]),
        ({"conversation": "1-3"}, ["1-3"]),
        (dict(zip(("start", "end"), month(2026, 5), strict=True)), ["1-2", "1-3", "1-4"]),
        ({"journey": "check_margin_eligibility"}, ["1-2", "1-4"]),
        ({"rule": "margin_eligibility", "verdict": "refused"}, ["1-2"]),
        ({"agent": "7"}, ["1-3"]),
        ({"cited": "fees-brokerage@3"}, ["1-3"]),
        ({"agent": "ops1"}, []),
    ],
)
async def test_each_selection_takes_whole_conversations(told, exporter, tmp_path, question, conversations):
    await exporter.make(order(tmp_path, question=question, pdf=False))
    events = lines(tmp_path / "out", "events.jsonl")
    assert sorted({event["conversation"] for event in events if event["conversation"]}) == conversations
    assert len([name for name in names(tmp_path / "out") if name.startswith("conversations/")]) == len(conversations)
    if not conversations:
        assert "drill" in (tmp_path / "out/index.html").read_text(encoding="utf-8")


async def test_found_records_alone_can_be_taken(told, exporter, tmp_path):
    made = await exporter.make(
        order(tmp_path, question={"rule": "margin_eligibility", "verdict": "refused"}, whole=False, pdf=False)
    )
    assert made.counts.records == 2
    assert made.selection["records_only"] is True


async def test_an_empty_selection_is_refused_and_on_the_record(told, exporter, tmp_path, auditor, keyring, seal):
    with pytest.raises(ExportRefused, match="tightrope audit find"):
        await exporter.make(order(tmp_path, question={"journey": "close_account"}))
    assert list(tmp_path.glob("*out*")) == []
    assert [record["why"] for record in await noted(auditor, keyring, seal)] == ["nothing_found"]


async def test_an_export_never_overwrites(told, exporter, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("x")
    with pytest.raises(ExportRefused, match="exists already"):
        await exporter.make(order(tmp_path))
    assert (tmp_path / "out/mine").read_text() == "x"
    with pytest.raises(ExportRefused, match="does not exist"):
        await exporter.make(order(tmp_path / "nowhere"))


async def test_a_zip_is_reproducible_and_equals_the_folder(told, exporter, tmp_path):
    for name in ("a.zip", "b.zip", "folder"):
        await exporter.make(order(tmp_path, name))
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        assert set(packed.namelist()) == names(tmp_path / "folder")
        for name in packed.namelist():
            assert packed.read(name) == (tmp_path / "folder" / name).read_bytes(), name


@pytest.mark.parametrize("form", ["out", "out.zip"])
async def test_an_interrupted_export_leaves_nothing_and_is_on_the_record(
    told, exporter, tmp_path, auditor, keyring, seal, monkeypatch, form
):
    from tightrope.audit.export import writing

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "conversation_html", fail)
    with pytest.raises(OSError, match="No space"):
        await exporter.make(order(tmp_path, form))
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []
    assert [record["stage"] for record in await noted(auditor, keyring, seal)] == ["begun", "failed"]


async def test_no_export_where_it_cannot_be_recorded(told, exporter, tmp_path, monkeypatch):
    async def broken(self, *args, **kwargs):
        raise OSError("database gone")

    monkeypatch.setattr("tightrope.audit.recorder.Recorder.record", broken)
    with pytest.raises(OSError, match="database gone"):
        await exporter.make(order(tmp_path))
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []


@pytest.mark.parametrize("state", ["restricted", "destroyed"])
async def test_closed_keys_are_shown_as_such(told, exporter, tmp_path, superuser, state):
    with superuser("tightrope") as conn:
        conn.execute(SET_KEYS, {"state": state})
    await exporter.make(order(tmp_path, who="chief", unmasked=True, reason="regulator's request"))
    out = tmp_path / "out"
    assert {record["state"] for record in lines(out, "records.jsonl")} == {state}
    assert not any("payload" in record for record in lines(out, "records.jsonl"))
    page = (out / "conversations/0001.html").read_text(encoding="utf-8")
    assert {"restricted": "受限", "destroyed": "密钥已按规定销毁"}[state] in page
    assert NAME not in page
    assert json.loads((out / "manifest.json").read_text())["masked"] is False


async def test_a_record_that_the_tree_does_not_hold_is_not_exported(told, exporter, tmp_path, insider, seal):
    insider.execute(
        "UPDATE audit.records SET leaf = convert_to(replace(convert_from(leaf, 'UTF8'), '\"turn\":1', '\"turn\":7'), 'UTF8') WHERE turn = 1"
    )
    insider.commit()
    with pytest.raises(ExportRefused, match="cannot be proven"):
        await exporter.make(order(tmp_path))
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []


async def test_records_that_no_checkpoint_covers_yet_are_not_exported(told, exporter, tmp_path, monkeypatch):
    monkeypatch.setattr("tightrope.audit.export.service.PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(TreeProofs, "checkpoint", lambda self, shard: None)
    with pytest.raises(ExportRefused, match="no checkpoint covers"):
        await exporter.make(order(tmp_path))


async def test_the_export_shows_what_profiles_ask_for(told, exporter, tmp_path):
    await exporter.make(order(tmp_path, question={"conversation": "1-3"}, profiles=("otel-genai", "ocsf"), pdf=False))
    otel, ocsf = lines(tmp_path / "out", "otel-genai.jsonl"), lines(tmp_path / "out", "ocsf.jsonl")
    details = [line for line in otel if line["event_name"] == "gen_ai.client.inference.operation.details"]
    assert [line["attributes"]["gen_ai.usage.input_tokens"] for line in details] == [812]
    assert {line["class_uid"] for line in ocsf} == {6003}
    assert [line["metadata"]["profiles"] for line in ocsf] == [[], ["ai_operation"], []]
