"""Exports on a real Postgres with a real tree: selections, rights, masking, proofs, and that no half export is ever left."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pypdfium2
import pytest
from audit_turns import BALANCE, CARD, CUSTOMER, IDENTITY, NAME, PHONE, SECRETS, agent_message, cited, margin, message, turn

from tightrope.audit.errors import ExportRefused
from tightrope.audit.export.models import Order
from tightrope.audit.export.outside import Outside
from tightrope.audit.export.proofs import TreeProofs
from tightrope.audit.export.service import Exporter, Parts
from tightrope.audit.index.models import Question
from tightrope.audit.index.query import month
from tightrope.audit.leaf import commitment
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.tlog.checkpoint import Checkpoint
from tightrope.audit.tlog.note import CosignatureSigner, Note
from tightrope.audit.tlog.policy import Policy
from tightrope.audit.tlog.proof import TlogProof
from tightrope.generation.masking import mask

pytestmark = pytest.mark.integration

OLD = date(2024, 1, 10)
VERIFIER = Path(__file__).resolve().parents[3] / "tightrope/audit/verifier/verify.py"
WORDS = f"我叫{NAME}，手机{PHONE}，身份证{IDENTITY}，卡号{CARD}，我能开通融资融券吗"


def hide(text: str) -> str:
    found = mask(text)
    return found.text if found.kinds or found.cut else text


@pytest.fixture
async def told(log, worker, recorder, clock, seal, superuser):
    """Four conversations of May 2026, sealed."""
    with superuser("tightrope") as conn:
        conn.execute("TRUNCATE audit_index.records; UPDATE audit_index.state SET shard = 0, next = 0, version = 0")
    clock.at = datetime(2026, 5, 4, 2, 31, tzinfo=UTC)
    today = clock.at.date()
    async with worker.connection() as conn:
        for draft in (
            message("1-2", WORDS),
            turn("1-2", 1, margin(today, OLD), customer=CUSTOMER, text=WORDS),
            message("1-3", "佣金多少"),
            turn("1-3", 1, cited("fees-brokerage", "v3"), text="佣金多少"),
            agent_message("1-3", "您好，我是人工客服"),
            turn("1-4", 1, margin(today, date(2026, 3, 1)), customer="C1002"),
            message("1-2", "为什么"),
            turn("1-2", 2, margin(today, OLD), customer=CUSTOMER, text="为什么"),
            RecordDraft(Event.SWITCH_ENGAGED, facts={"scope": "all"}, payload={"reason": "drill", "who": "ops1"}),
        ):
            await recorder.record(conn, draft)
            clock.advance(1)
    await seal()


@pytest.fixture
def exporter(log, auditor, keyring, recorder, clock):
    settings = log.model_copy(update={"audit_unmasked_readers": "chief, second"})
    return Exporter(
        Parts(
            settings,
            auditor,
            keyring,
            recorder,
            clock,
            hide,
            TreeProofs(settings),
            Outside(settings),
            VERIFIER.read_bytes(),
            "local folder, not WORM",
        )
    )


def order(tmp_path: Path, name: str = "out", **changes) -> Order:
    question = Question(**changes.pop("question", {"conversation": "1-2"}))
    return Order(question, tmp_path / name, who=changes.pop("who", "auditor1"), **changes)


def lines(folder: Path, name: str) -> list[dict]:
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


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
        out.append(
            leaf["facts"]
            | json.loads(keyring.decrypt(keyring.cached_kid(row["kid"]), row["id"], bytes.fromhex(leaf["commit"]), row["ct"]))
        )
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
        "verify.py",
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
        conn.execute("UPDATE audit.keys SET state = %s", (state,))
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


@pytest.mark.parametrize(("form", "unmasked"), [("out", False), ("out.zip", False), ("out", True)])
@pytest.mark.parametrize("question", [{"conversation": "1-2"}, {"customer": CUSTOMER}, {"journey": "check_margin_eligibility"}])
async def test_the_verifier_finds_nothing_wrong(told, exporter, tmp_path, form, unmasked, question):
    await exporter.make(
        order(tmp_path, form, question=question, who="chief", unmasked=unmasked, reason="regulator's request", pdf=False)
    )
    code, said = verified(tmp_path / form)
    assert code == 0, said


async def test_the_verifier_is_told_by_whose_word_a_key_was_destroyed(
    told, exporter, tmp_path, worker, recorder, seal, superuser
):
    with superuser("tightrope") as conn:
        kids = [row[0] for row in conn.execute("SELECT DISTINCT kid FROM audit.records WHERE turn = 1 AND conv IN "
                "(SELECT conv FROM audit.conversations WHERE conversation_id = '1-2')").fetchall()]  # fmt: skip
        conn.execute("UPDATE audit.keys SET state = 'destroyed', wrapped = '' WHERE kid = ANY(%s)", (kids,))
    async with worker.connection() as conn:
        for kid in kids:
            await recorder.record(conn, RecordDraft(Event.KEY_DESTROYED, facts={"kid": str(kid)}))
    await seal()
    made = await exporter.make(order(tmp_path, pdf=False))
    assert made.counts.unreadable == 2
    (gone,) = json.loads((tmp_path / "out/destroyed.json").read_text())
    assert gone["kid"] == str(kids[0])
    assert gone["place"] in {f"{record['shard']}/{record['index']}" for record in lines(tmp_path / "out", "records.jsonl")}
    code, said = verified(tmp_path / "out")
    assert code == 0, said
    assert "destroyed" in said


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


def verified(bundle: Path, *options: str) -> tuple[int, str]:
    """What the verifier says of a bundle, run as an examiner runs it."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(VERIFIER), str(bundle), *options], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr
