"""A consortium chain over plain HTTP and JSON: a digest in, a transaction with a certificate of the chain's nodes out.

Contract (docs/anchors.md, A consortium chain): `POST <url>/attestations` with digest and metadata; the answer's `certificate` is a C2SP signed
note whose text is the statement below, signed by the nodes under Ed25519. More than half of the nodes that the firm trusts have to sign:

    tightrope-chain-attestation/v1
    <network>
    <transaction>
    <block height>
    <block time, RFC 3339, UTC, seconds>
    sha256:<SHA-256 of the checkpoint's note, hex>
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from tightrope.audit.anchors.errors import AnchorPending, AnchorRefused, AnchorUnavailable, ReceiptInvalid
from tightrope.audit.anchors.models import Kind, Point, Receipt, Verdict
from tightrope.audit.errors import NoteInvalid
from tightrope.audit.tlog.checkpoint import Checkpoint
from tightrope.audit.tlog.encoding import from_decimal
from tightrope.audit.tlog.keys import ED25519, VerifierKey
from tightrope.audit.tlog.note import Note
from tightrope.infra.clock import Clock

HEADER = "tightrope-chain-attestation/v1"
MAX_ANSWER = 65_536
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Statement:
    """What the nodes of a chain sign."""

    network: str
    transaction: str
    height: int
    at: datetime
    digest: bytes

    def text(self) -> str:
        """The note's text."""
        lines = [
            HEADER,
            self.network,
            self.transaction,
            str(self.height),
            f"{self.at.astimezone(UTC):{_TIME}}",
            f"sha256:{self.digest.hex()}",
        ]
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> Statement:
        """Read a statement. Raises ValueError when it is none, or not in its one form."""
        lines = text.split("\n")
        if len(lines) != 7 or lines[0] != HEADER or not lines[5].startswith("sha256:"):
            raise ValueError(f"the certificate's text is no {HEADER}")
        at = datetime.strptime(lines[4], _TIME).replace(tzinfo=UTC)
        found = cls(lines[1], lines[2], from_decimal(lines[3]), at, bytes.fromhex(lines[5].removeprefix("sha256:")))
        if found.text() != text:
            raise ValueError("the certificate's text is not in its one form")
        return found


class ChainAnchor:
    """Hands checkpoints to a chain's gateway.

    Args:
        client: made by `tightrope.infra.http.outbound_client`, with the bearer token if the gateway wants one.
        nodes: keys of the nodes that the firm trusts, never taken from the gateway.
    """

    newest_only = True
    kind: Kind = "chain-http"

    def __init__(
        self, client: httpx.AsyncClient, url: str, nodes: tuple[VerifierKey, ...], clock: Clock, *, name: str = "chain"
    ) -> None:
        self.name = name
        self._client = client
        self._url = url.rstrip("/")
        self._nodes = nodes
        self._clock = clock

    async def submit(self, point: Point) -> Receipt:
        """Attest the digest of the note; the chain sees no record, only digest, origin and size."""
        body = {
            "v": 1,
            "kind": "tlog-checkpoint",
            "digest": f"sha256:{hashlib.sha256(point.note).hexdigest()}",
            "origin": Checkpoint.parse(Note.parse(point.note).text).origin,
            "size": point.place.size,
        }
        answer = await self._post(body)
        certificate = answer.get("certificate")
        if not isinstance(certificate, str):
            raise ReceiptInvalid(f"the chain at {self._url} answered without a certificate")
        place = point.place
        receipt = Receipt(self.name, self.kind, place.shard, place.size, self._clock.now(), None, certificate.encode())
        verdict = check(point.note, receipt, self._nodes)
        if not verdict.ok:
            raise ReceiptInvalid(f"the certificate of the chain at {self._url} does not hold: {verdict.why}")
        return Receipt(self.name, self.kind, place.shard, place.size, receipt.received, verdict.asserted, receipt.body)

    async def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = await self._client.post(f"{self._url}/attestations", json=body)
        except httpx.HTTPError as error:
            raise AnchorUnavailable(f"the chain does not answer at {self._url}: {error!r}") from error
        if answer.status_code == 202:
            raise AnchorPending("the chain took the digest and has no block for it yet")
        if answer.status_code >= 500 or answer.status_code == 429:
            raise AnchorUnavailable(f"the chain at {self._url} answered {answer.status_code}")
        if answer.status_code not in {200, 201}:
            raise AnchorRefused(f"the chain at {self._url} answered {answer.status_code}: {answer.text[:200]}")
        if len(answer.content) > MAX_ANSWER:
            raise ReceiptInvalid(f"the chain at {self._url} answered {len(answer.content)} bytes; at most {MAX_ANSWER}")
        try:
            found = answer.json()
        except ValueError as error:
            raise ReceiptInvalid(f"the chain at {self._url} answered no JSON") from error
        if not isinstance(found, dict):
            raise ReceiptInvalid(f"the chain at {self._url} answered no JSON object")
        return found

    async def health(self) -> str | None:
        """Whether the gateway calls itself unwell."""
        try:
            answer = await self._client.get(f"{self._url}/health")
        except httpx.HTTPError:
            return None
        return f"the chain answers {answer.status_code} to /health" if answer.status_code >= 500 else None

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()


def check(note: bytes, receipt: Receipt, nodes: tuple[VerifierKey, ...]) -> Verdict:
    """Whether a receipt is a certificate over this checkpoint by more than half of the trusted nodes; pure, offline.

    A node that signed something else is counted as not having signed, so that one liar cannot spoil the word of the others.
    """
    who = "the chain"
    if not nodes:
        return Verdict(False, None, who, "no key of a node is given (TIGHTROPE_AUDIT_CHAIN_NODES)")
    try:
        certificate = Note.parse(receipt.body)
        said = Statement.parse(certificate.text)
    except ValueError as error:
        return Verdict(False, None, who, f"the certificate cannot be read: {error}")
    who = f"chain {said.network}"
    if said.digest != hashlib.sha256(note).digest():
        return Verdict(False, None, who, "the certificate is of another checkpoint")
    signed = sorted(key.name for key in nodes if _signed_by(key, certificate))
    if 2 * len(signed) <= len(nodes):
        names = ", ".join(signed) or "none"
        return Verdict(
            False, None, who, f"{len(signed)} of {len(nodes)} trusted nodes signed ({names}); more than half are needed"
        )
    return Verdict(True, said.at, who, f"transaction {said.transaction} in block {said.height}, signed by {', '.join(signed)}")


def _signed_by(key: VerifierKey, certificate: Note) -> bool:
    for one in certificate.signatures:
        if (one.name, one.key_id) == (key.name, key.key_id):
            try:
                key.check(certificate.text, one.body)
            except NoteInvalid:
                continue
            return True
    return False


def read_nodes(text: str) -> tuple[VerifierKey, ...]:
    """The nodes' keys: one vkey a line, `#` begins a comment.

    Raises:
        ValueError: names the line.
    """
    found: list[VerifierKey] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        try:
            key = VerifierKey.parse(words[0])
        except NoteInvalid as error:
            raise ValueError(f"line {number}: {error}") from error
        if key.kind != ED25519 or len(words) > 1:
            raise ValueError(f"line {number} reads one Ed25519 vkey")
        if any(key.public == other.public for other in found):
            raise ValueError(f"line {number}: {key.name} has the key of another node; one voice would count twice")
        found.append(key)
    return tuple(found)
