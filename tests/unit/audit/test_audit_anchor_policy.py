"""k of n within T minutes, the anchors that the settings ask for, and what is handed to verifiers."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tightrope.audit.anchors.bundle import anchors_json, policy_for
from tightrope.audit.anchors.errors import AnchorsUnfit
from tightrope.audit.anchors.models import Place, Receipt
from tightrope.audit.anchors.policy import AnchorPolicy, Chosen, Reached, covered_by, sentence, standing
from tightrope.audit.anchors.repository import Kept
from tightrope.audit.anchors.settings import anchors_from, names_from, policy_from, trust_from
from tightrope.audit.stores.folder import LocalFolderStore
from tightrope.audit.tlog.note import CosignatureSigner, Ed25519Signer
from tightrope.infra.clock import FixedClock
from tightrope.infra.settings import Settings

NOW = datetime(2026, 11, 20, 2, 31, tzinfo=UTC)
NAMES = ("one", "two", "three")
SHARDS = (2026, 2027, 2028)
places = st.builds(Place, st.sampled_from(SHARDS), st.integers(1, 50))
reached_by = st.dictionaries(
    st.sampled_from([*NAMES, "stranger"]), st.dictionaries(st.sampled_from(SHARDS), st.integers(1, 50), min_size=1)
)


def policy(need: int = 2, minutes: float = 10) -> AnchorPolicy:
    return AnchorPolicy(NAMES, need, timedelta(minutes=minutes))


@given(reached_by, st.sampled_from(SHARDS), st.integers(1, 3))
def test_what_is_covered_is_reached_by_as_many_as_needed_and_no_more_is(reached: Reached, shard: int, need: int) -> None:
    ours = {name: sizes[shard] for name, sizes in reached.items() if name in NAMES and shard in sizes}
    covered = covered_by(policy(need), reached, shard)
    if covered is None:
        assert len(ours) < need
        return
    assert covered.shard == shard
    assert sum(size >= covered.size for size in ours.values()) >= need
    assert all(sum(size >= more for size in ours.values()) < need for more in ours.values() if more > covered.size)


@given(reached_by, st.lists(st.tuples(places, st.integers(0, 3600)), max_size=8), st.integers(1, 3))
def test_late_means_that_a_checkpoint_waited_too_long(reached: Reached, waits: list[tuple[Place, int]], need: int) -> None:
    chosen = [Chosen(place, NOW - timedelta(seconds=seconds)) for place, seconds in waits]
    found = standing(policy(need), chosen, reached, NOW)
    for shard in SHARDS:
        covered = covered_by(policy(need), reached, shard)
        uncovered = [one for one in chosen if one.place.shard == shard and (covered is None or one.place.size > covered.size)]
        [one] = [one for one in found.shards if one.shard == shard] or [None]
        if not uncovered:
            assert one is None or (one.open, one.late, one.age) == (None, False, timedelta())
            continue
        assert one is not None
        assert one.open is not None
        assert one.open.place == min(item.place for item in uncovered)
        assert one.late == (one.age > timedelta(minutes=10))
        assert len(NAMES) - len(one.missing) < need
    text = sentence(policy(need), found)
    assert (text is None) == found.met
    assert all(f"the record of {one.shard} has not been anchored" in (text or "") for one in found.late)
    assert found.age == max((one.age for one in found.shards), default=timedelta())


@given(reached_by, places, st.sampled_from(NAMES), st.integers(1, 3))
def test_a_further_receipt_never_makes_it_worse_and_changes_no_other_shard(
    reached: Reached, further: Place, name: str, need: int
) -> None:
    sizes = reached.get(name, {})
    more = {**reached, name: {**sizes, further.shard: max(further.size, sizes.get(further.shard, 0))}}
    for shard in SHARDS:
        before, after = covered_by(policy(need), reached, shard), covered_by(policy(need), more, shard)
        if shard != further.shard:
            assert after == before
        assert before is None or (after is not None and after.covers(before))


def test_a_tree_covers_smaller_ones_of_its_own_shard_alone() -> None:
    assert Place(2026, 5).covers(Place(2026, 5))
    assert not Place(2026, 5).covers(Place(2026, 6))
    assert not Place(2027, 9).covers(Place(2026, 5)), "the new year's witness never saw the old year's leaves"
    assert not Place(2026, 9).covers(Place(2027, 5))


def test_a_clock_that_was_set_back_gives_no_negative_wait() -> None:
    found = standing(policy(), [Chosen(Place(2026, 5), NOW + timedelta(days=1))], {}, NOW)
    assert found.age == timedelta()


def test_the_sentence_says_who_is_missing() -> None:
    found = standing(policy(), [Chosen(Place(2026, 5), NOW - timedelta(minutes=31))], {"two": {2026: 9}}, NOW)
    text = sentence(policy(), found)
    assert text is not None
    assert "for 31 min" in text
    assert "2026/5 has 1 of 2 receipts that are due within 10 min; waiting for one, three" in text


def test_the_sentence_names_each_late_shard() -> None:
    waits = [Chosen(Place(2026, 900), NOW - timedelta(minutes=31)), Chosen(Place(2027, 5), NOW - timedelta(minutes=11))]
    reached = {"one": {2026: 800, 2027: 4}, "two": {2027: 7}}
    found = standing(policy(), waits, reached, NOW)
    assert [one.shard for one in found.late] == [2026, 2027]
    text = sentence(policy(), found)
    assert text is not None
    assert "the record of 2026 has not been anchored for 31 min: the checkpoint 2026/900 has 0 of 2" in text
    assert "the record of 2027 has not been anchored for 11 min: the checkpoint 2027/5 has 1 of 2" in text


@pytest.mark.parametrize(
    ("names", "need", "minutes", "word"),
    [
        (("a",), 2, 10, "NEED"),
        (("a",), 0, 10, "NEED"),
        ((), 1, 10, "NEED"),
        (("a", "a"), 1, 10, "same name"),
        (("a",), 1, 0, "MINUTES"),
    ],
)
def test_policies_that_cannot_be(names: tuple[str, ...], need: int, minutes: float, word: str) -> None:
    with pytest.raises(AnchorsUnfit, match=word):
        AnchorPolicy(names, need, timedelta(minutes=minutes))


# From the settings

LOG = Ed25519Signer.from_seed("log.example/audit/2026", bytes(range(32)))
WITNESS = CosignatureSigner.from_seed("audit.example/witness", bytes(range(1, 33)))
SILENT = CosignatureSigner.from_seed("other.example/witness", bytes(range(2, 34)))


async def nothing(_shard: int, _old: int, _new: int) -> list[bytes]:
    return []


def test_the_demo_has_one_folder_and_it_counts(settings: Settings, clock: FixedClock, tmp_path: Path) -> None:
    trust = trust_from(settings)
    [anchor] = anchors_from(settings, trust, store=LocalFolderStore(tmp_path), clock=clock, consistency=nothing)
    assert anchor.kind == "worm-folder"
    assert policy_from(settings, trust, {"worm": anchor.kind}).names == ("worm",)
    assert anchor.name == "worm"


def test_beside_another_anchor_only_a_real_worm_store_counts(settings: Settings, clock: FixedClock, tmp_path: Path) -> None:
    file = tmp_path / "policy"
    file.write_text(f"log {LOG.vkey}\nwitness w {WITNESS.vkey} http://w/\nwitness silent {SILENT.vkey}\nquorum w\n")
    given_settings = settings.model_copy(update={"audit_policy_file": file})
    trust = trust_from(given_settings)
    assert names_from(given_settings, trust) == ["worm", "audit.example/witness"], "a witness without address is not asked"
    assert policy_from(given_settings, trust, {"worm": "worm-folder"}).names == ("audit.example/witness",)
    assert policy_from(given_settings, trust, {"worm": "worm-s3"}).names == ("worm", "audit.example/witness")
    anchors = anchors_from(given_settings, trust, store=LocalFolderStore(tmp_path), clock=clock, consistency=nothing)
    assert [anchor.name for anchor in anchors] == names_from(given_settings, trust)


def test_files_that_cannot_be_read_are_named_by_their_setting(settings: Settings, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_text("nonsense\n")
    for name, file, word in [
        ("audit_policy_file", bad, "AUDIT_POLICY_FILE"),
        ("audit_policy_file", tmp_path / "gone", "AUDIT_POLICY_FILE"),
        ("audit_tsa_certificates", bad, "AUDIT_TSA_CERTIFICATES"),
        ("audit_tsa_certificates", tmp_path / "gone", "AUDIT_TSA_CERTIFICATES"),
        ("audit_chain_nodes", bad, "AUDIT_CHAIN_NODES.*line 1"),
        ("audit_chain_nodes", tmp_path / "gone", "AUDIT_CHAIN_NODES"),
    ]:
        with pytest.raises(AnchorsUnfit, match=word):
            trust_from(settings.model_copy(update={name: file}))


@pytest.mark.parametrize("name", ["audit_tsa_url", "audit_chain_url"])
def test_an_address_without_anything_to_check_its_answers_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="worth nothing"):
        Settings(**{name: "http://anchor"})


# For verifiers


def test_receipts_as_the_format_has_them() -> None:
    receipt = Receipt("tsa", "rfc3161", 2026, 5, NOW, NOW - timedelta(milliseconds=1), b"body")
    [one] = anchors_json([Kept(receipt, "note — x\n".encode(), NOW, 1)])
    assert one == {
        "anchor": "tsa",
        "kind": "rfc3161",
        "shard": 2026,
        "size": 5,
        "checkpoint": "note — x\n",
        "received": "2026-11-20T02:31:00.000Z",
        "asserted": "2026-11-20T02:30:59.999Z",
        "body": base64.b64encode(b"body").decode(),
    }


def test_the_policy_that_is_handed_out(settings: Settings, tmp_path: Path) -> None:
    own = policy_for(None, [LOG.vkey])
    assert own.text() == f"log {LOG.vkey}\nquorum none\n"
    file = tmp_path / "policy"
    file.write_text(f"witness w {WITNESS.vkey} http://w/\nquorum w\n")
    witnesses_only = trust_from(settings.model_copy(update={"audit_policy_file": file})).log
    assert policy_for(witnesses_only, [LOG.vkey]).text() == f"log {LOG.vkey}\nwitness w {WITNESS.vkey} http://w/\nquorum w\n"
    assert policy_for(own, ["never read"]) == own, "a file that names logs is not extended by what the database says"
