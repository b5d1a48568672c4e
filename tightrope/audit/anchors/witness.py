"""Client of a C2SP tlog-witness: hands in a checkpoint with the proof that it continues what the witness saw, and takes its cosignature."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import httpx

from tightrope.audit.anchors.errors import (
    AnchorRefused,
    AnchorUnavailable,
    ReceiptInvalid,
    WitnessAhead,
    WitnessCannotRead,
    WitnessDistrustsKey,
    WitnessRefusesProof,
    WitnessSawFork,
    WitnessSetBack,
    WitnessUnaware,
)
from tightrope.audit.anchors.models import Consistency, Kind, Place, Point, Receipt, Verdict
from tightrope.audit.errors import NoteInvalid
from tightrope.audit.tlog.encoding import from_decimal
from tightrope.audit.tlog.keys import VerifierKey
from tightrope.audit.tlog.note import Note, Signature
from tightrope.infra.clock import Clock

MAX_ANSWER = 16_384
_TRIES = 3
"""Requests in one submission: the first may meet a size we did not know, the second a writer beside us."""


class WitnessAnchor:
    """One witness.

    Args:
        client: made by `tightrope.infra.http.outbound_client`.
        url: the witness's submission prefix.
        key: the witness's key from the policy, never from the witness.
        consistency: proofs of the log's own tree.
    """

    newest_only = True
    kind: Kind = "witness-c2sp"

    def __init__(self, client: httpx.AsyncClient, url: str, key: VerifierKey, consistency: Consistency, clock: Clock) -> None:
        self.name = key.name
        self._client = client
        self._url = url.rstrip("/")
        self._key = key
        self._consistency = consistency
        self._clock = clock
        self._cosigned: dict[int, int] = {}

    def remember(self, note: bytes, receipt: Receipt) -> None:
        """Take up what it cosigned before a restart, so that a witness that was set back meanwhile is found out."""
        if check(note, receipt, (self._key,)).ok:
            self._cosigned[receipt.shard] = max(receipt.size, self._cosigned.get(receipt.shard, 0))

    async def submit(self, point: Point) -> Receipt:
        """Hand in a checkpoint; a size that the witness names is taken up once it is plausible.

        Raises:
            WitnessSetBack: it remembers less than it cosigned for us.
            WitnessAhead: it cosigned more than this log has.
            WitnessSawFork: it cosigned another tree of this size.
            WitnessUnaware, WitnessDistrustsKey, WitnessCannotRead, WitnessRefusesProof: 404, 403, 400, 422.
        """
        shard, size = point.place.shard, point.place.size
        cosigned = self._cosigned.get(shard, 0)
        if cosigned > size:
            raise WitnessAhead(
                f"{self.name} cosigned {shard}/{cosigned}, this checkpoint has {size} leaves; the newest one is handed in next"
            )
        old = cosigned
        for _ in range(_TRIES):
            answer = await self._post(await self._request(point, old))
            if answer.status_code == 200:
                return self._take(point, answer.text)
            if answer.status_code != 409:
                raise self._refusal(answer, shard)
            knows = self._size(answer)
            if knows < cosigned:
                raise WitnessSetBack(
                    f"{self.name} cosigned {shard}/{cosigned} and now remembers {knows}: its state was set back. Tell internal audit; a witness that "
                    "lost its memory gets a new name and key (docs/anchors.md, A witness lost its memory)"
                )
            if knows > size:
                raise WitnessAhead(
                    f"{self.name} has cosigned {shard}/{knows}, this log has {size} leaves: the log was set back or another writer signs in its "
                    "name; run `tightrope audit verify` before anything else"
                )
            if knows == old == size:
                raise WitnessSawFork(
                    f"{self.name} has cosigned another tree of {shard}/{size}: two histories were signed; start an incident"
                )
            old = knows
        raise AnchorUnavailable(f"{self.name} named another size {_TRIES} times; another writer is at work with it")

    async def _request(self, point: Point, old: int) -> bytes:
        proof = await self._consistency(point.place.shard, old, point.place.size) if 0 < old < point.place.size else []
        lines = [f"old {old}", *(base64.b64encode(one).decode() for one in proof), "", ""]
        return "\n".join(lines).encode() + point.note

    async def _post(self, body: bytes) -> httpx.Response:
        try:
            return await self._client.post(f"{self._url}/add-checkpoint", content=body)
        except httpx.HTTPError as error:
            raise AnchorUnavailable(f"the witness {self.name} does not answer at {self._url}: {error!r}") from error

    def _refusal(self, answer: httpx.Response, shard: int) -> AnchorRefused | AnchorUnavailable:
        said = answer.text[:200].strip()
        match answer.status_code:
            case 404:
                return WitnessUnaware(
                    f"{self.name} does not know this log's {shard}; internal audit adds the `log` line of that year to logs.txt ({said})"
                )
            case 403:
                return WitnessDistrustsKey(
                    f"{self.name} does not trust the key of this checkpoint of {shard}; internal audit adds the `log` line of that year ({said})"
                )
            case 400:
                return WitnessCannotRead(f"{self.name} calls the request malformed: {said}")
            case 422:
                return WitnessRefusesProof(f"{self.name} says that this tree does not continue the one it cosigned: {said}")
            case status:
                return AnchorUnavailable(f"the witness {self.name} answered {status}: {said}")

    def _size(self, answer: httpx.Response) -> int:
        try:
            if not answer.text.endswith("\n"):
                raise ValueError("no newline at its end")
            return from_decimal(answer.text[:-1])
        except ValueError as error:
            raise AnchorUnavailable(f"{self.name} answered 409 without a size: {answer.text[:80]!a} ({error})") from error

    def _take(self, point: Point, text: str) -> Receipt:
        body = text.encode()
        if len(body) > MAX_ANSWER:
            raise ReceiptInvalid(f"{self.name} answered {len(body)} bytes; at most {MAX_ANSWER}")
        place = point.place
        receipt = Receipt(self.name, self.kind, place.shard, place.size, self._clock.now(), None, body)
        verdict = check(point.note, receipt, (self._key,))
        if not verdict.ok:
            raise ReceiptInvalid(f"the cosignature of {self.name} does not hold: {verdict.why}")
        self._cosigned[place.shard] = place.size
        lines = "".join(one.line() for one in _lines(body) if (one.name, one.key_id) == (self._key.name, self._key.key_id))
        return Receipt(self.name, self.kind, place.shard, place.size, receipt.received, verdict.asserted, lines.encode())

    async def health(self) -> str | None:
        """What the witness says of itself; one without /health (the specification has none) is not blamed."""
        try:
            answer = await self._client.get(f"{self._url}/health")
            if answer.status_code == 503:
                return f"{self.name} says: {answer.json().get('detail', 'unwell')}"[:300]
        except (httpx.HTTPError, ValueError, AttributeError):
            return None
        return None

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()


def _lines(body: bytes) -> list[Signature]:
    text = body.decode()
    if not text.endswith("\n"):
        raise NoteInvalid("the last signature line has no newline")
    return [Signature.parse(line) for line in text[:-1].split("\n")]


def check(note: bytes, receipt: Receipt, keys: tuple[VerifierKey, ...]) -> Verdict:
    """Whether a receipt is a cosignature of this checkpoint by one of the witnesses one trusts; pure, offline."""
    known = {(key.name, key.key_id): key for key in keys if key.name == receipt.anchor}
    who = f"witness {receipt.anchor}"
    if not known:
        return Verdict(False, None, who, "no trusted key has this name; add its `witness` line to the policy")
    try:
        text = Note.parse(note).text
        found = [(known.get((one.name, one.key_id)), one) for one in _lines(receipt.body)]
        times = [key.check(text, one.body) for key, one in found if key is not None]
    except (NoteInvalid, UnicodeDecodeError) as error:
        return Verdict(False, None, who, str(error))
    if not times or times[0] is None:
        return Verdict(False, None, who, "no line is by its trusted key")
    try:
        at = datetime.fromtimestamp(times[0], UTC)
    except (ValueError, OverflowError, OSError):
        return Verdict(False, None, who, f"it names the time {times[0]}, which is none")
    return Verdict(True, at, who, "cosignature of a tree that continues all it saw before")


def set_back(receipts: list[Receipt]) -> list[str]:
    """Where a witness contradicts itself: by its own times, a later cosignature of a smaller tree in one shard. One sentence for each.

    Found by whoever holds the receipts, even if witness and log agree to say nothing.
    """
    found: list[str] = []
    highest: dict[tuple[str, int], tuple[Place, datetime]] = {}
    timed = [(receipt.asserted, receipt) for receipt in receipts if receipt.kind == "witness-c2sp" and receipt.asserted]
    for asserted, receipt in sorted(timed, key=lambda item: (item[0], item[1].size)):
        key = (receipt.anchor, receipt.shard)
        before = highest.get(key)
        if before and before[0].size > receipt.size:
            found.append(
                f"{receipt.anchor} cosigned {before[0].shard}/{before[0].size} at {before[1]:%Y-%m-%d %H:%M:%S} and the smaller "
                f"{receipt.shard}/{receipt.size} at {asserted:%Y-%m-%d %H:%M:%S}: its state was set back"
            )
        else:
            highest[key] = (receipt.place, asserted)
    return found
