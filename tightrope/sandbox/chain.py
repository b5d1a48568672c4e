"""A SIMULATOR of a consortium chain with three nodes, for demo and tests. It calls itself a simulator in every answer and in every statement that
its nodes sign: no court, notary or forensic centre stands behind it, and its ledger is one file on this machine.

`python -m tightrope.sandbox.chain --state DIR --port 8095` writes the nodes' keys to `DIR/nodes.txt`.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from tightrope.audit.anchors.chain import Statement
from tightrope.audit.tlog.note import Ed25519Signer, Note
from tightrope.infra.clock import Clock, SystemClock

NETWORK = "simulator.tightrope.example"
NOTICE = "SIMULATOR: no court, notary or forensic centre stands behind this; proves nothing to anybody"
NODES = ("court.simulator.tightrope.example", "notary.simulator.tightrope.example", "forensics.simulator.tightrope.example")


@dataclass
class SimulatedChain:
    """Three nodes over one ledger.

    Attributes:
        lying: nodes that sign another digest than they were given (by number, 0 to 2).
        silent: nodes that sign nothing.
        slow: how many times a digest is answered with "not yet" before its block is there.
    """

    folder: Path
    clock: Clock
    lying: set[int] = field(default_factory=set)
    silent: set[int] = field(default_factory=set)
    slow: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._signers = [Ed25519Signer.from_seed(name, self._seed(name)) for name in NODES]
        self._ledger = self.folder / "ledger.jsonl"
        self._blocks: dict[str, dict[str, Any]] = {}
        self._asked: dict[str, int] = {}
        if self._ledger.exists():
            for line in self._ledger.read_text().splitlines():
                block = json.loads(line)
                self._blocks[block["digest"]] = block
        (self.folder / "nodes.txt").write_text(f"# {NOTICE}\n" + "".join(f"{key}\n" for key in self.vkeys))

    def _seed(self, name: str) -> bytes:
        path = self.folder / f"{name}.seed"
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(base64.b64encode(os.urandom(32)))
        return base64.b64decode(path.read_bytes())

    @property
    def vkeys(self) -> list[str]:
        """The nodes' keys."""
        return [signer.vkey for signer in self._signers]

    def attest(self, digest: str, meta: Mapping[str, Any]) -> dict[str, Any] | None:
        """The answer for a digest; the same digest gets the same transaction. None: no block yet."""
        with self._lock:
            self._asked[digest] = self._asked.get(digest, 0) + 1
            if digest not in self._blocks:
                if self._asked[digest] <= self.slow:
                    return None
                self._append(digest, meta)
            return dict(self._blocks[digest])

    def _append(self, digest: str, meta: Mapping[str, Any]) -> None:
        height = len(self._blocks) + 1
        transaction = hashlib.sha256(f"{height} {digest}".encode()).hexdigest()
        statement = Statement(NETWORK, transaction, height, self.clock.now(), bytes.fromhex(digest.removeprefix("sha256:")))
        block = {
            "digest": digest,
            "transaction": transaction,
            "height": height,
            "time": statement.text().split("\n")[4],
            "meta": dict(meta),
            "certificate": self._certificate(statement),
        }
        with self._ledger.open("a") as file:
            file.write(json.dumps(block) + "\n")
        self._blocks[digest] = block

    def _certificate(self, statement: Statement) -> str:
        note = Note(statement.text())
        for number, signer in enumerate(self._signers):
            if number in self.silent:
                continue
            said = replace(statement, digest=bytes(32)) if number in self.lying else statement
            note = note.with_signatures([signer.sign(said.text())])
        return note.encode().decode()


def create_app(chain: SimulatedChain) -> FastAPI:
    """The gateway of the simulated chain."""
    app = FastAPI(title="Chain simulator", docs_url=None, redoc_url=None, openapi_url=None)

    def answer(status: int, body: Mapping[str, Any]) -> JSONResponse:
        return JSONResponse({"v": 1, "simulator": True, "notice": NOTICE, **body}, status, headers={"x-simulator": "true"})

    @app.post("/attestations")
    async def attest(request: Request) -> JSONResponse:
        try:
            asked = json.loads(await request.body())
            digest = asked["digest"]
            if asked["v"] != 1 or asked["kind"] != "tlog-checkpoint" or not digest.startswith("sha256:"):
                raise ValueError("v is 1, kind is tlog-checkpoint, digest is sha256:<hex>")
            if len(bytes.fromhex(digest.removeprefix("sha256:"))) != 32 or digest != digest.lower():
                raise ValueError("the digest has 64 lower-case hex digits")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return answer(400, {"error": f"not understood: {error!r}"})
        block = chain.attest(digest, {name: asked.get(name) for name in ("origin", "size")})
        return answer(202, {"digest": digest}) if block is None else answer(201, block)

    @app.get("/nodes")
    async def nodes() -> JSONResponse:
        return answer(200, {"network": NETWORK, "nodes": chain.vkeys})

    @app.get("/health")
    async def health() -> JSONResponse:
        return answer(200, {"status": "ok", "part": "chain simulator"})

    @app.exception_handler(404)
    async def unknown(_request: Request, _error: Exception) -> JSONResponse:
        return answer(404, {"error": "there are POST /attestations, GET /nodes and GET /health"})

    return app


def main() -> None:
    """Run the simulator alone."""
    import uvicorn

    parser = argparse.ArgumentParser(description=NOTICE)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8095)
    given = parser.parse_args()
    uvicorn.run(create_app(SimulatedChain(given.state, SystemClock())), host="127.0.0.1", port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
