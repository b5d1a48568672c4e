"""The witness service, spoken to in raw requests written from C2SP tlog-witness, without the product's client."""

from __future__ import annotations

import base64
import stat
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.audit.tlog.checkpoint import Checkpoint, sign_checkpoint
from tightrope.audit.tlog.merkle import EMPTY_ROOT, consistency_proof, leaf_hash, root_of
from tightrope.audit.tlog.note import CosignatureSigner, Ed25519Signer, Note, VerifierKey, verify
from tightrope.audit.witness.api import create_app
from tightrope.audit.witness.protocol import BODY_LIMIT, Refusal, read_logs, read_request
from tightrope.audit.witness.state import Witness, WitnessUnready, init
from tightrope.infra.clock import FixedClock

ORIGIN = "log.example/audit/2026"
LOG = Ed25519Signer.from_seed(ORIGIN, bytes(range(32)))
LEAVES = [leaf_hash(b"%d" % number) for number in range(400)]


def node(level: int, index: int) -> bytes:
    return root_of(LEAVES[index << level : (index + 1) << level])


def checkpoint(size: int, *, root: bytes | None = None, signer: Ed25519Signer = LOG, origin: str = ORIGIN) -> bytes:
    return sign_checkpoint(Checkpoint(origin, size, root or root_of(LEAVES[:size])), [signer])


def request(old: int, size: int, *, proof: list[bytes] | None = None, note: bytes | None = None) -> bytes:
    hashes = consistency_proof(old, size, node) if proof is None else proof
    lines = [f"old {old}", *(base64.b64encode(one).decode() for one in hashes), "", ""]
    return "\n".join(lines).encode() + (note or checkpoint(size))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    state = tmp_path / "witness"
    init(state, "witness.example/audit")
    (state / "logs.txt").write_text(f"# ours\nlog {LOG.vkey}\n")
    return state


@pytest.fixture
async def client(folder: Path, clock: FixedClock) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Witness(folder, clock), clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://witness") as made:
        yield made


async def post(client: httpx.AsyncClient, body: bytes) -> httpx.Response:
    return await client.post("/add-checkpoint", content=body)


async def test_it_cosigns_a_growing_log(client: httpx.AsyncClient, folder: Path, clock: FixedClock) -> None:
    key = VerifierKey.parse(Witness(folder, clock).vkey)
    for old, size in [(0, 7), (7, 8), (8, 8), (8, 300), (300, 400)]:
        answer = await post(client, request(old, size))
        assert answer.status_code == 200, answer.text
        assert answer.text.startswith("— witness.example/audit ")
        assert answer.text.endswith("\n")
        [found] = verify(checkpoint(size) + answer.content, [key]).verified
        assert found.time == int(clock.now().timestamp())


async def test_unknown_origin_is_404(client: httpx.AsyncClient) -> None:
    other = Ed25519Signer.from_seed("other.example/log", bytes(32))
    answer = await post(client, request(0, 3, note=checkpoint(3, signer=other, origin="other.example/log")))
    assert answer.status_code == 404


async def test_a_key_that_is_not_trusted_is_403(client: httpx.AsyncClient) -> None:
    forged = Ed25519Signer.from_seed(ORIGIN, bytes(32))
    assert (await post(client, request(0, 3, note=checkpoint(3, signer=forged)))).status_code == 403


async def test_a_broken_signature_of_the_trusted_key_is_403(client: httpx.AsyncClient) -> None:
    good = Note.parse(checkpoint(3))
    changed = Note(Checkpoint(ORIGIN, 4, root_of(LEAVES[:4])).text(), good.signatures).encode()
    assert (await post(client, request(0, 4, note=changed))).status_code == 403


async def test_signatures_of_unknown_keys_are_ignored(client: httpx.AsyncClient) -> None:
    stranger = CosignatureSigner.from_seed("someone.example", bytes(32))
    note = Note.parse(checkpoint(5))
    both = note.with_signatures([stranger.sign(note.text, 5)]).encode()
    assert (await post(client, request(0, 5, note=both))).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0",
        b"old 0\n" + checkpoint(3),
        b"old 00\n\n" + checkpoint(3),
        b"old -1\n\n" + checkpoint(3),
        b"old +0\n\n" + checkpoint(3),
        b"old  0\n\n" + checkpoint(3),
        b"OLD 0\n\n" + checkpoint(3),
        b"old 0\r\n\r\n" + checkpoint(3),
        b"old 0\n" + b"A" * 44 + b"\n\n" + checkpoint(3),
        b"old 1\nnot base64\n\n" + checkpoint(3),
        b"old 1\n" + (base64.b64encode(bytes(32)) + b"\n") * 64 + b"\n" + checkpoint(3),
        b"old 0\n\n" + checkpoint(3)[:-1],
        b"old 0\n\n" + checkpoint(3).partition(b"\n\n")[0] + b"\n",
        b"old 0\n\nhello\n\n" + checkpoint(3).partition(b"\n\n")[2],
        "old ٠\n\n".encode() + checkpoint(3),
    ],
)
async def test_what_is_malformed_is_400(client: httpx.AsyncClient, body: bytes) -> None:
    assert (await post(client, body)).status_code == 400


async def test_an_old_size_above_the_checkpoint_is_400(client: httpx.AsyncClient) -> None:
    assert (await post(client, request(9, 3, proof=[]))).status_code == 400


async def test_another_old_size_is_409_with_the_known_one(client: httpx.AsyncClient) -> None:
    assert (await post(client, request(0, 7))).status_code == 200
    for old in (0, 3, 8):
        answer = await post(client, request(old, 9))
        assert (answer.status_code, answer.text, answer.headers["content-type"]) == (409, "7\n", "text/x.tlog.size")
    assert (await post(client, request(3, 5))).text == "7\n"


async def test_a_proof_that_does_not_hold_is_422_and_changes_nothing(client: httpx.AsyncClient) -> None:
    assert (await post(client, request(0, 7))).status_code == 200
    assert (await post(client, request(7, 20, proof=[bytes(32)]))).status_code == 422
    assert (await post(client, request(7, 20, proof=[]))).status_code == 422
    assert (await post(client, request(7, 20, proof=[*consistency_proof(7, 20, node), bytes(32)]))).status_code == 422
    rewritten = [leaf_hash(b"other"), *LEAVES[1:20]]
    note = checkpoint(20, root=root_of(rewritten))
    assert (await post(client, request(7, 20, note=note))).status_code == 422
    assert (await post(client, request(7, 20))).status_code == 200
    assert "Consistency proofs refused" in (await client.get("/")).text


async def test_a_proof_from_nothing_is_empty(client: httpx.AsyncClient) -> None:
    assert (await post(client, request(0, 7, proof=[bytes(32)]))).status_code == 422


async def test_two_trees_of_one_size_are_a_fork_and_kept_as_evidence(
    client: httpx.AsyncClient, folder: Path, clock: FixedClock
) -> None:
    assert (await post(client, request(0, 7))).status_code == 200
    assert (await client.get("/health")).status_code == 200
    other = checkpoint(7, root=root_of([leaf_hash(b"other"), *LEAVES[1:7]]))
    for old in (7, 0):  # whatever the client says that it knew
        answer = await post(client, request(old, 7, proof=[], note=other))
        assert (answer.status_code, answer.text) == (409, "7\n")
    [fork] = Witness(folder, clock).forks()
    assert (fork.note, fork.known_note) == (other, checkpoint(7))
    health = await client.get("/health")
    assert health.status_code == 503
    assert "two trees of size 7" in health.json()["detail"]
    assert "Forks seen: 1." in (await client.get("/")).text
    assert (await post(client, request(7, 8))).status_code == 200, "what continues the first history is still cosigned"


async def test_somebody_without_the_key_cannot_make_evidence(client: httpx.AsyncClient, folder: Path, clock: FixedClock) -> None:
    assert (await post(client, request(0, 7))).status_code == 200
    forged = checkpoint(7, root=bytes(32), signer=Ed25519Signer.from_seed(ORIGIN, bytes(32)))
    assert (await post(client, request(7, 7, proof=[], note=forged))).status_code == 403
    assert Witness(folder, clock).forks() == []


async def test_an_empty_log(client: httpx.AsyncClient) -> None:
    empty = checkpoint(0, root=EMPTY_ROOT)
    assert (await post(client, request(0, 0, proof=[], note=empty))).status_code == 200
    assert (await post(client, request(0, 5))).status_code == 200


async def test_a_large_body_is_refused_before_it_is_read_whole(client: httpx.AsyncClient) -> None:
    assert (await post(client, b"old 0\n\n" + b"x" * BODY_LIMIT)).status_code == 413


def test_of_two_requests_from_one_old_size_one_wins(folder: Path, clock: FixedClock) -> None:
    """The rollback race of the specification: a slower request for a smaller tree must not set the witness back."""
    witnesses = [Witness(folder, clock) for _ in range(2)]
    witnesses[0].add_checkpoint(request(0, 5))

    def ask(number: int) -> str:
        try:
            return witnesses[number % 2].add_checkpoint(request(5, 6 + number))
        except Refusal as refusal:
            return str(refusal.status)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(40)))
    assert len([one for one in answers if one.startswith("—")]) == 1
    assert answers.count("409") == 39
    [seen] = witnesses[0].seen()
    assert seen.note == checkpoint(seen.size)


def test_a_crash_between_memory_and_answer_is_harmless(folder: Path, clock: FixedClock) -> None:
    """The answer was lost, the memory was not: the client learns the size and is cosigned again."""
    Witness(folder, clock).add_checkpoint(request(0, 5))
    again = Witness(folder, clock)
    with pytest.raises(Refusal, match="5") as refused:
        again.add_checkpoint(request(0, 5))
    assert refused.value.status == 409
    assert again.add_checkpoint(request(5, 5)).startswith("—")


async def test_a_clock_that_was_set_back_stops_it(client: httpx.AsyncClient, clock: FixedClock) -> None:
    assert (await post(client, request(0, 5))).status_code == 200
    clock.advance(-3600)
    assert (await post(client, request(5, 6))).status_code == 503
    assert (await client.get("/health")).status_code == 503
    clock.advance(3600)
    assert (await post(client, request(5, 6))).status_code == 200


async def test_a_log_is_added_while_it_runs(client: httpx.AsyncClient, folder: Path) -> None:
    next_year = "log.example/audit/2027"
    signer = Ed25519Signer.from_seed(next_year, bytes(32))
    body = request(0, 3, note=checkpoint(3, signer=signer, origin=next_year))
    assert (await post(client, body)).status_code == 404
    (folder / "logs.txt").write_text(f"log {LOG.vkey}\nlog {signer.vkey}\n")
    assert (await post(client, body)).status_code == 200


async def test_the_last_checkpoint_of_the_old_year_is_cosigned_after_the_new_one(client: httpx.AsyncClient, folder: Path) -> None:
    next_year = "log.example/audit/2027"
    signer = Ed25519Signer.from_seed(next_year, bytes(32))
    (folder / "logs.txt").write_text(f"log {LOG.vkey}\nlog {signer.vkey}\n")
    assert (await post(client, request(0, 300))).status_code == 200
    assert (await post(client, request(0, 3, note=checkpoint(3, signer=signer, origin=next_year)))).status_code == 200
    assert (await post(client, request(300, 400))).status_code == 200


async def test_a_list_of_logs_that_cannot_be_read_is_said_and_nothing_is_cosigned(
    client: httpx.AsyncClient, folder: Path
) -> None:
    (folder / "logs.txt").write_text("log nonsense\n")
    assert (await post(client, request(0, 3))).status_code == 503
    assert "logs.txt: line 1" in (await client.get("/health")).json()["detail"]
    assert "cannot be read" in (await client.get("/")).text


def test_a_policy_file_names_the_logs_too() -> None:
    witness = CosignatureSigner.from_seed("w.example", bytes(32))
    logs = read_logs(f"# p\nlog {LOG.vkey} https://x/\nwitness w {witness.vkey}\ngroup g all w\nquorum g\n")
    assert list(logs) == [ORIGIN]
    for line in (f"log {witness.vkey}", "log", f"log {LOG.vkey} a b", "logs x", f"log {LOG.vkey[:-8]}"):
        with pytest.raises(ValueError, match="line 1"):
            read_logs(line)


def test_a_key_is_made_once_and_only_its_owner_reads_it(folder: Path, clock: FixedClock) -> None:
    assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600
    with pytest.raises(WitnessUnready, match="already"):
        init(folder, "witness.example/audit")
    (folder / "witness.db").unlink()
    with pytest.raises(WitnessUnready, match="forgot"):
        Witness(folder, clock)
    with pytest.raises(WitnessUnready, match="init"):
        Witness(folder / "elsewhere", clock)
    (folder / "key").write_text("name only\nnot-base64!\n")
    with pytest.raises(WitnessUnready, match="cannot be read"):
        Witness(folder, clock)


async def test_the_page_says_what_was_seen(client: httpx.AsyncClient, folder: Path) -> None:
    assert "Waiting for the first checkpoint" in (await client.get("/")).text
    (await post(client, request(0, 7)))
    text = (await client.get("/")).text
    assert "No fork seen." in text
    assert "<b>7</b> records, cosigned 2026-11-20 02:31:00 UTC (0 s ago)" in text
    (folder / "logs.txt").write_text("# none\n")
    assert "No longer watched" in (await client.get("/")).text


@given(st.binary(max_size=300))
def test_no_body_breaks_the_reader(body: bytes) -> None:
    logs = read_logs(f"log {LOG.vkey}")
    for data in (body, b"old 0\n" + body, b"old 0\n\n" + body):
        with pytest.raises(Refusal):
            read_request(data, logs)
