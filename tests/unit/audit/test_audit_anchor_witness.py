"""Our client of witnesses, against our witness, against another one written from the specification, and against every wrong answer."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from anchor_points import LOG, ORIGIN, answering, consistency, point, through

from tightrope.audit.anchors import errors, witness
from tightrope.audit.anchors.models import Trust
from tightrope.audit.anchors.verifying import verify
from tightrope.audit.tlog.note import CosignatureSigner, Ed25519Signer, Note, VerifierKey
from tightrope.audit.tlog.policy import Log, Policy, Witness
from tightrope.audit.witness.api import create_app
from tightrope.audit.witness.state import Witness as WitnessState
from tightrope.audit.witness.state import init
from tightrope.infra.clock import FixedClock
from tightrope.infra.http import outbound_client
from tightrope.infra.settings import Settings


@pytest.fixture
def state(tmp_path: Path, clock: FixedClock) -> WitnessState:
    init(tmp_path / "w", "witness.example/audit")
    (tmp_path / "w" / "logs.txt").write_text(f"log {LOG.vkey}\n")
    return WitnessState(tmp_path / "w", clock)


def witness_client(state: WitnessState, clock: FixedClock) -> witness.WitnessAnchor:
    return witness.WitnessAnchor(
        through(create_app(state, clock)), "http://anchor/", VerifierKey.parse(state.vkey), consistency, clock
    )


async def test_the_witness_cosigns_through_our_client(state: WitnessState, clock: FixedClock) -> None:
    anchor = witness_client(state, clock)
    trust = Trust(Policy((Log(LOG.key),), (Witness("audit", VerifierKey.parse(state.vkey)),), (), "audit"))
    for size in (5, 6, 6, 200):
        receipt = await anchor.submit(point(size))
        verdict = verify(point(size).note, receipt, trust)
        assert verdict.ok, verdict
        assert receipt.asserted == verdict.asserted == clock.now()
        assert trust.log is not None
        trust.log.check(point(size).note + receipt.body)
        clock.advance(60)
    assert await anchor.health() is None


async def test_a_client_that_knows_nothing_takes_the_size_that_the_witness_names(state: WitnessState, clock: FixedClock) -> None:
    await witness_client(state, clock).submit(point(100))
    receipt = await witness_client(state, clock).submit(point(250))
    assert receipt.size == 250


async def test_a_witness_with_an_older_copy_of_its_memory_is_found_out(
    state: WitnessState, clock: FixedClock, tmp_path: Path
) -> None:
    anchor = witness_client(state, clock)
    await anchor.submit(point(5))
    old = {path.name: path.read_bytes() for path in (tmp_path / "w").iterdir()}
    clock.advance(60)
    last = await anchor.submit(point(50))
    for path in (tmp_path / "w").iterdir():
        path.unlink()
    for name, data in old.items():
        (tmp_path / "w" / name).write_bytes(data)
    with pytest.raises(errors.WitnessSetBack, match="remembers 5"):
        await anchor.submit(point(60))
    # A restart of the log does not forget: the kept receipt says what was cosigned.
    again = witness_client(WitnessState(tmp_path / "w", clock), clock)
    again.remember(point(50).note, last)
    with pytest.raises(errors.WitnessSetBack):
        await again.submit(point(60))
    # And if the log's side is in on it, the receipts tell whoever reads them.
    clock.advance(60)
    silent = await witness_client(WitnessState(tmp_path / "w", clock), clock).submit(point(20))
    assert witness.set_back([last, silent])
    assert witness.set_back([silent]) == []


async def test_a_log_that_was_set_back_is_found_out_by_the_witness(state: WitnessState, clock: FixedClock) -> None:
    await witness_client(state, clock).submit(point(100))
    with pytest.raises(errors.WitnessAhead, match="set back"):
        await witness_client(state, clock).submit(point(90))


async def test_two_histories_are_named_a_fork(state: WitnessState, clock: FixedClock) -> None:
    await witness_client(state, clock).submit(point(100))
    with pytest.raises(errors.WitnessSawFork):
        await witness_client(state, clock).submit(point(100, root=bytes(32)))
    with pytest.raises(errors.WitnessRefusesProof):
        await witness_client(state, clock).submit(point(101, root=bytes(32)))
    assert "two trees" in (await witness_client(state, clock).health() or "")


async def test_a_witness_that_knows_other_keys(state: WitnessState, clock: FixedClock, tmp_path: Path) -> None:
    other = Ed25519Signer.from_seed(ORIGIN, bytes(32))
    (tmp_path / "w" / "logs.txt").write_text(f"log {other.vkey}\n")
    with pytest.raises(errors.WitnessDistrustsKey):
        await witness_client(state, clock).submit(point(3))
    (tmp_path / "w" / "logs.txt").write_text("\n\n")
    with pytest.raises(errors.WitnessUnaware, match=r"logs\.txt"):
        await witness_client(state, clock).submit(point(3))


KEY = CosignatureSigner.from_seed("second.example/w", bytes(range(1, 33)))
STRANGER = CosignatureSigner.from_seed("second.example/w", bytes(32))


class SecondWitness:
    """Another witness, written from the specification alone and as small as it gets."""

    def __init__(self) -> None:
        self.size = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        head, _, note = request.content.partition(b"\n\n")
        old = int(head.split(b"\n")[0].removeprefix(b"old "))
        text = note.partition(b"\n\n")[0].decode() + "\n"
        if old != self.size:
            return httpx.Response(409, text=f"{self.size}\n", headers={"content-type": "text/x.tlog.size"})
        self.size = int(text.split("\n")[1])
        lines = [STRANGER.sign(text, 7).line(), KEY.sign(text, 1700000000).line()]
        return httpx.Response(200, text="".join(lines))


async def test_our_client_against_another_witness(clock: FixedClock) -> None:
    server = SecondWitness()
    anchor = witness.WitnessAnchor(answering(server), "http://anchor", KEY.key, consistency, clock)
    receipt = await anchor.submit(point(5))
    assert receipt.body.decode() == KEY.sign(Note.parse(point(5).note).text, 1700000000).line(), "the stranger's line is dropped"
    server.size = 9
    assert (await anchor.submit(point(12))).size == 12


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(400, text="no"), errors.WitnessCannotRead),
        (httpx.Response(403, text="no"), errors.WitnessDistrustsKey),
        (httpx.Response(404, text="no"), errors.WitnessUnaware),
        (httpx.Response(422, text="no"), errors.WitnessRefusesProof),
        (httpx.Response(500, text="no"), errors.AnchorUnavailable),
        (httpx.Response(302, headers={"location": "http://evil/"}), errors.AnchorUnavailable),
        (httpx.Response(409, text=""), errors.AnchorUnavailable),
        (httpx.Response(409, text="07\n"), errors.AnchorUnavailable),
        (httpx.Response(409, text="7"), errors.AnchorUnavailable),
        (httpx.Response(409, text="99999\n"), errors.WitnessAhead),
        (httpx.Response(200, text=""), errors.ReceiptInvalid),
        (httpx.Response(200, text="— a b\n"), errors.ReceiptInvalid),
        (httpx.Response(200, text="x" * 20_000), errors.ReceiptInvalid),
        (httpx.Response(200, text=STRANGER.sign(Note.parse(point(5).note).text, 7).line()), errors.ReceiptInvalid),
        (httpx.Response(200, text=KEY.sign(Note.parse(point(6).note).text, 7).line()), errors.ReceiptInvalid),
        (httpx.Response(200, text=KEY.sign(Note.parse(point(5).note).text, 2**62).line()), errors.ReceiptInvalid),
    ],
)
async def test_every_wrong_answer_of_a_witness_has_its_name(
    answer: httpx.Response, error: type[Exception], clock: FixedClock
) -> None:
    anchor = witness.WitnessAnchor(answering(lambda _: answer), "http://anchor", KEY.key, consistency, clock)
    with pytest.raises(error):
        await anchor.submit(point(5))


async def test_a_witness_off_the_allow_list_is_never_asked(clock: FixedClock) -> None:
    asked: list[str] = []
    client = outbound_client(
        Settings(allowed_hosts="127.0.0.1"), purpose="witness", transport=httpx.MockTransport(lambda r: asked.append(str(r.url)))
    )
    with pytest.raises(errors.AnchorUnavailable, match="TIGHTROPE_ALLOWED_HOSTS"):
        await witness.WitnessAnchor(client, "http://anchor", KEY.key, consistency, clock).submit(point(5))
    assert asked == []


async def test_a_witness_that_always_names_another_size_is_given_up(clock: FixedClock) -> None:
    sizes = iter(range(1, 100))
    anchor = witness.WitnessAnchor(
        answering(lambda _: httpx.Response(409, text=f"{next(sizes)}\n")), "http://anchor", KEY.key, consistency, clock
    )
    with pytest.raises(errors.AnchorUnavailable, match="3 times"):
        await anchor.submit(point(50))
    assert next(sizes) == 4
