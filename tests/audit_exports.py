"""A small log to export, and how an examiner looks at what came out."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

from audit_turns import CARD, CUSTOMER, IDENTITY, NAME, PHONE, agent_message, cited, margin, message, turn

from tightrope.audit.export.models import Order
from tightrope.audit.export.outside import Outside
from tightrope.audit.export.proofs import TreeProofs
from tightrope.audit.export.service import Exporter, Parts
from tightrope.audit.index.models import Question
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.verifier import FILES
from tightrope.generation.masking import mask

ROOT = Path(__file__).resolve().parents[1]
VERIFIER = {name: (ROOT / "tightrope/audit/verifier" / name).read_bytes() for name in FILES}
OLD = date(2024, 1, 10)
WORDS = f"我叫{NAME}，手机{PHONE}，身份证{IDENTITY}，卡号{CARD}，我能开通融资融券吗"


def hide(text: str) -> str:
    found = mask(text)
    return found.text if found.kinds or found.cut else text


async def tell(worker, recorder, clock, superuser) -> None:
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


def exporter_of(log, auditor, keyring, recorder, clock) -> Exporter:
    """An exporter that lets `chief` and `second` make unmasked exports."""
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
            VERIFIER,
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


def verified(bundle: Path, *options: str) -> tuple[int, str]:
    """What the bundle's own verifier says of it, run as an examiner runs it: of a zip the verifier's files are taken out first."""
    with tempfile.TemporaryDirectory() as beside:
        folder = bundle
        if bundle.suffix == ".zip":
            folder = Path(beside)
            with zipfile.ZipFile(bundle) as packed:
                for name in FILES:
                    packed.extract(name, folder)
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-B", str(folder / "verify.py"), str(bundle), *options],
            capture_output=True,
            text=True,
            check=False,
        )
    return done.returncode, done.stdout + done.stderr
