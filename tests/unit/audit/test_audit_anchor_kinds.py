"""Time stamps, the store and the chain: what each client refuses, and what a check of its receipts refuses. No sockets."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from anchor_points import LOG, ORIGIN, answering, point, through
from hypothesis import given
from hypothesis import strategies as st
from tsa import TestAuthority

from tightrope.audit.anchors import chain, errors, rfc3161, worm
from tightrope.audit.anchors.models import Place, Receipt, Trust
from tightrope.audit.anchors.verifying import verify
from tightrope.audit.errors import StoreError
from tightrope.audit.stores.folder import LocalFolderStore
from tightrope.audit.stores.models import StoreInfo
from tightrope.audit.tlog.checkpoint import Checkpoint, sign_checkpoint
from tightrope.audit.tlog.note import CosignatureSigner, Ed25519Signer
from tightrope.audit.tlog.policy import Log, Policy, Witness
from tightrope.infra.clock import FixedClock
from tightrope.sandbox import chain as simulator

KEY = CosignatureSigner.from_seed("second.example/w", bytes(range(1, 33)))

# Time stamps


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    return TestAuthority(tmp_path_factory.mktemp("tsa"))


@pytest.fixture(scope="module")
def forger(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    """The same names under other keys."""
    return TestAuthority(tmp_path_factory.mktemp("forger"))


def stamping(
    authority: TestAuthority, clock: FixedClock, roots: tuple[bytes, ...], change=lambda body: body
) -> rfc3161.TimeStampAnchor:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["content-type"] == "application/timestamp-query"
        return httpx.Response(200, content=change(authority.answer(request.content)))

    return rfc3161.TimeStampAnchor(answering(answer), "http://anchor/tsa", roots, clock)


async def test_a_stamp_verifies_here_and_with_openssl(authority: TestAuthority, clock: FixedClock) -> None:
    receipt = await stamping(authority, clock, (authority.root,)).submit(point(5))
    verdict = verify(point(5).note, receipt, Trust(tsa=(authority.root,)))
    assert verdict.ok, verdict
    assert verdict.who == "Test TSA"
    assert authority.openssl_verifies(point(5).note, receipt.body)
    assert not authority.openssl_verifies(point(6).note, receipt.body)


async def test_a_forged_authority_is_refused(authority: TestAuthority, forger: TestAuthority, clock: FixedClock) -> None:
    with pytest.raises(errors.ReceiptInvalid, match="does not verify"):
        await stamping(forger, clock, (authority.root,)).submit(point(5))
    forged = await stamping(forger, clock, (forger.root,)).submit(point(5))
    assert not verify(point(5).note, forged, Trust(tsa=(authority.root,))).ok
    assert verify(point(5).note, forged, Trust(tsa=(authority.root, forger.root))).ok
    assert "no trusted certificate" in verify(point(5).note, forged, Trust()).why


async def test_a_root_has_to_be_among_the_trusted_certificates(authority: TestAuthority, clock: FixedClock) -> None:
    receipt = await stamping(authority, clock, (authority.root,)).submit(point(5))
    own = (authority.folder / "tsa.crt").read_bytes()
    assert not rfc3161.check(point(5).note, receipt.body, (own,)).ok
    assert rfc3161.check(point(5).note, receipt.body, (own + authority.root,)).ok
    assert rfc3161.check(point(5).note, receipt.body, (own, authority.root)).ok


async def test_a_stamp_of_another_checkpoint_is_refused(authority: TestAuthority, clock: FixedClock) -> None:
    receipt = await stamping(authority, clock, (authority.root,)).submit(point(5))
    trust = Trust(tsa=(authority.root,))
    assert "the receipt is for 2026/5" in verify(point(6).note, receipt, trust).why
    assert "over other bytes" in verify(point(6).note, replace(receipt, size=6), trust).why
    assert "its body says" in verify(point(5).note, replace(receipt, asserted=receipt.asserted - timedelta(days=1)), trust).why


async def test_an_old_answer_to_another_request_is_refused(authority: TestAuthority, clock: FixedClock) -> None:
    kept: list[bytes] = []

    def replay(body: bytes) -> bytes:
        kept.append(body)
        return kept[0]

    anchor = stamping(authority, clock, (authority.root,), replay)
    await anchor.submit(point(5))
    with pytest.raises(errors.ReceiptInvalid, match="Nonce"):
        await anchor.submit(point(5))


async def test_a_changed_byte_is_found_or_changes_nothing_that_was_said(authority: TestAuthority, clock: FixedClock) -> None:
    """CMS leaves a few bytes of its envelope unsigned (an algorithm's spelling); none of them carries the time or the digest."""
    receipt = await stamping(authority, clock, (authority.root,)).submit(point(5))
    body, accepted = receipt.body, 0
    for index in range(0, len(body), 7):
        changed = body[:index] + bytes([body[index] ^ 0x20]) + body[index + 1 :]
        verdict = rfc3161.check(point(5).note, changed, (authority.root,))
        assert not verdict.ok or verdict.asserted == receipt.asserted, f"byte {index} of {len(body)}"
        assert not rfc3161.check(point(6).note, changed, (authority.root,)).ok
        accepted += verdict.ok
    assert accepted <= 5


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(500), errors.AnchorUnavailable),
        (httpx.Response(429), errors.AnchorUnavailable),
        (httpx.Response(404), errors.AnchorRefused),
        (httpx.Response(200, content=b""), errors.ReceiptInvalid),
        (httpx.Response(200, content=b"<html>"), errors.ReceiptInvalid),
        (httpx.Response(200, content=b"x" * 100_000), errors.ReceiptInvalid),
        # A DER TimeStampResp that says rejection (status 2), without a token.
        (httpx.Response(200, content=bytes.fromhex("30053003020102")), errors.ReceiptInvalid),
    ],
)
async def test_every_wrong_answer_of_an_authority(
    answer: httpx.Response, error: type[Exception], authority, clock: FixedClock
) -> None:
    anchor = rfc3161.TimeStampAnchor(answering(lambda _: answer), "http://anchor", (authority.root,), clock)
    with pytest.raises(error):
        await anchor.submit(point(5))


async def test_an_authority_that_does_not_answer(clock: FixedClock) -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("slow", request=request)

    with pytest.raises(errors.AnchorUnavailable):
        await rfc3161.TimeStampAnchor(answering(broken), "http://anchor", (), clock).submit(point(5))


def test_certificates_that_cannot_be_read() -> None:
    with pytest.raises(errors.AnchorsUnfit, match="TSA_CERTIFICATES"):
        rfc3161.certificates([b"nothing"])


# The store


async def test_the_store_keeps_the_checkpoint_under_its_digest(tmp_path: Path, clock: FixedClock) -> None:
    store = LocalFolderStore(tmp_path / "store")
    anchor = worm.WormAnchor(store, clock)
    receipt = await anchor.submit(point(5))
    assert await anchor.submit(point(5)) == receipt, "again is harmless"
    assert receipt.kind == "worm-folder"
    key = json.loads(receipt.body)["key"]
    assert key.startswith("checkpoint/2026/000000000005.")
    assert store.get(key) == point(5).note
    verdict = verify(point(5).note, receipt, Trust())
    assert verdict.ok
    assert verdict.asserted is None
    assert "not WORM" in verdict.who


async def test_a_store_receipt_of_another_checkpoint_is_refused(tmp_path: Path, clock: FixedClock) -> None:
    receipt = await worm.WormAnchor(LocalFolderStore(tmp_path), clock).submit(point(5))
    assert not verify(point(6).note, receipt, Trust()).ok
    assert "another checkpoint" in verify(point(6).note, replace(receipt, size=6), Trust()).why
    assert "not readable" in verify(point(5).note, replace(receipt, body=b"[]"), Trust()).why


async def test_somebody_wrote_other_bytes_under_the_key(tmp_path: Path, clock: FixedClock) -> None:
    path = tmp_path / worm.checkpoint_key(Place(2026, 5), point(5).note)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"other")
    with pytest.raises(errors.AnchorRefused, match="tightrope audit verify"):
        await worm.WormAnchor(LocalFolderStore(tmp_path), clock).submit(point(5))


async def test_a_store_that_is_worm_and_one_that_is_gone(clock: FixedClock) -> None:
    def refuse(*_: object) -> None:
        raise StoreError("gone")

    store = SimpleNamespace(put=refuse, describe=lambda: StoreInfo("s3", worm=True, text="bucket"))
    anchor = worm.WormAnchor(store, clock)  # type: ignore[arg-type]
    assert anchor.kind == "worm-s3"
    with pytest.raises(errors.AnchorUnavailable, match="gone"):
        await anchor.submit(point(5))


# The chain


@pytest.fixture
def simulated(tmp_path: Path, clock: FixedClock) -> simulator.SimulatedChain:
    return simulator.SimulatedChain(tmp_path / "chain", clock)


def chain_client(simulated: simulator.SimulatedChain, clock: FixedClock) -> chain.ChainAnchor:
    nodes = chain.read_nodes((simulated.folder / "nodes.txt").read_text())
    return chain.ChainAnchor(through(simulator.create_app(simulated)), "http://anchor", nodes, clock)


async def test_the_chain_attests_and_says_that_it_is_a_simulator(simulated: simulator.SimulatedChain, clock: FixedClock) -> None:
    anchor = chain_client(simulated, clock)
    receipt = await anchor.submit(point(5))
    trust = Trust(chain=chain.read_nodes((simulated.folder / "nodes.txt").read_text()))
    verdict = verify(point(5).note, receipt, trust)
    assert verdict.ok, verdict
    assert "simulator" in verdict.who
    assert await anchor.submit(point(5)) == receipt, "the same digest, the same transaction"
    assert (await anchor.submit(point(6))).body != receipt.body
    assert await anchor.health() is None
    client = through(simulator.create_app(simulated))
    for path in ("/health", "/nodes", "/elsewhere"):
        assert (await client.get(f"http://anchor{path}")).json()["simulator"] is True
    refused = await client.post("http://anchor/attestations", json={"v": 1, "kind": "tlog-checkpoint", "digest": "sha256:zz"})
    assert (refused.status_code, refused.json()["simulator"]) == (400, True)


async def test_the_ledger_outlives_a_restart(simulated: simulator.SimulatedChain, clock: FixedClock) -> None:
    before = await chain_client(simulated, clock).submit(point(5))
    again = simulator.SimulatedChain(simulated.folder, clock)
    assert (await chain_client(again, clock).submit(point(5))).body == before.body
    assert again.vkeys == simulated.vkeys


@pytest.mark.parametrize("kind", ["lying", "silent"])
async def test_one_bad_node_is_outvoted_and_two_are_not(
    simulated: simulator.SimulatedChain, kind: str, clock: FixedClock
) -> None:
    getattr(simulated, kind).add(1)
    receipt = await chain_client(simulated, clock).submit(point(5))
    verdict = chain.check(point(5).note, receipt, chain.read_nodes("\n".join(simulated.vkeys)))
    assert verdict.ok
    assert "notary" not in verdict.why
    getattr(simulated, kind).add(0)
    with pytest.raises(errors.ReceiptInvalid, match="1 of 3 trusted nodes"):
        await chain_client(simulated, clock).submit(point(6))


async def test_a_chain_that_is_slow_is_asked_again(simulated: simulator.SimulatedChain, clock: FixedClock) -> None:
    simulated.slow = 1
    anchor = chain_client(simulated, clock)
    with pytest.raises(errors.AnchorPending):
        await anchor.submit(point(5))
    assert (await anchor.submit(point(5))).size == 5


async def test_a_certificate_of_another_checkpoint_or_of_strangers_is_refused(
    simulated: simulator.SimulatedChain, clock: FixedClock, tmp_path: Path
) -> None:
    receipt = await chain_client(simulated, clock).submit(point(5))
    nodes = chain.read_nodes("\n".join(simulated.vkeys))
    assert "another checkpoint" in verify(point(6).note, replace(receipt, size=6), Trust(chain=nodes)).why
    strangers = simulator.SimulatedChain(tmp_path / "strangers", clock)
    assert "0 of 3" in chain.check(point(5).note, receipt, chain.read_nodes("\n".join(strangers.vkeys))).why
    assert "no key" in chain.check(point(5).note, receipt, ()).why
    later = receipt.body.replace(b"T02:31:00Z", b"T02:30:00Z")
    assert later != receipt.body
    assert "0 of 3" in chain.check(point(5).note, replace(receipt, body=later), nodes).why
    assert "cannot be read" in chain.check(point(5).note, replace(receipt, body=b"x"), nodes).why


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(503), errors.AnchorUnavailable),
        (httpx.Response(401, text="who?"), errors.AnchorRefused),
        (httpx.Response(200, text="<html>"), errors.ReceiptInvalid),
        (httpx.Response(200, json=[]), errors.ReceiptInvalid),
        (httpx.Response(200, json={"transaction": "x"}), errors.ReceiptInvalid),
        (httpx.Response(200, json={"certificate": "x"}), errors.ReceiptInvalid),
        (httpx.Response(200, json={"certificate": "x" * 70_000}), errors.ReceiptInvalid),
    ],
)
async def test_every_wrong_answer_of_a_chain(answer: httpx.Response, error: type[Exception], clock: FixedClock) -> None:
    nodes = chain.read_nodes(Ed25519Signer.from_seed("n", bytes(32)).vkey)
    with pytest.raises(error):
        await chain.ChainAnchor(answering(lambda _: answer), "http://anchor", nodes, clock).submit(point(5))


def test_nodes_that_cannot_be() -> None:
    one = Ed25519Signer.from_seed("n", bytes(32))
    assert chain.read_nodes(f"# c\n{one.vkey} # the court\n") == (one.key,)
    for text in ("x", KEY.vkey, f"{one.vkey} {one.vkey}", f"{one.vkey}\n{Ed25519Signer.from_seed('m', bytes(32)).vkey}"):
        with pytest.raises(ValueError, match="line"):
            chain.read_nodes(text)


@given(st.binary(max_size=200))
def test_no_body_breaks_a_check(body: bytes) -> None:
    trust = Trust(Policy((), (Witness("w", KEY.key),), (), "w"), (), (LOG.key,))
    for kind in ("witness-c2sp", "chain-http", "worm-folder", "worm-s3", "rfc3161", "unknown"):
        receipt = Receipt(KEY.key.name, kind, 2026, 5, FixedClock.now, None, body)  # type: ignore[arg-type]
        assert not verify(point(5).note, receipt, trust).ok
        assert not verify(point(5).note, replace(receipt, body=base64.b64encode(body) + b"\n"), trust).ok


def test_a_checkpoint_of_another_log_is_no_place_for_a_receipt(clock: FixedClock) -> None:
    receipt = Receipt("worm", "worm-folder", 2026, 5, clock.now(), None, b"{}")
    other = Ed25519Signer.from_seed(ORIGIN, bytes(32))
    forged = sign_checkpoint(Checkpoint(ORIGIN, 5, bytes(32)), [other])
    assert "does not hold" in verify(forged, receipt, Trust(Policy((Log(LOG.key),), (), ()))).why
    assert "does not hold" in verify(b"nothing", receipt, Trust()).why
