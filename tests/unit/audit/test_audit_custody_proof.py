"""A destruction is proved by its record alone, and by nothing that two people did not sign."""

from __future__ import annotations

import copy
import hashlib
import json
from datetime import date, timedelta
from uuid import uuid4

import pytest
from custody_world import START, World, key_of, people

from tightrope.audit.custody import proof
from tightrope.audit.custody.models import Act
from tightrope.audit.errors import CustodyRefused
from tightrope.audit.leaf import timestamp
from tightrope.audit.models import Event

CT = b"ciphertext"


def leaf_of(facts, at=START, event=Event.KEY_DESTROYED, ct=CT) -> bytes:
    leaf = {
        "event": str(event),
        "id": str(uuid4()),
        "ts": timestamp(at),
        "ct_sha256": hashlib.sha256(ct).hexdigest(),
        "facts": facts,
    }
    return json.dumps(leaf).encode()


@pytest.fixture
async def world(tmp_path) -> World:
    """Three keys, destroyed by Ada and Cai."""
    made = World(tmp_path)
    kids = [made.vault.add(made.keyring, date(2046, 5, 31)) for _ in range(3)]
    proposal = await made.custody.propose(key_of("Ada"), Act.DESTROY, kids, "over")
    assert (await made.custody.approve(key_of("Cai"), proposal.proposal_id)).refused is None
    return made


def records(world: World):
    return [
        (dict(draft.facts), copy.deepcopy(dict(draft.payload)))
        for _, draft in world.vault.records
        if draft.event is Event.KEY_DESTROYED
    ]


async def test_each_key_of_a_proposal_is_proved_by_its_own_record(world):
    assert len(records(world)) == 3
    for facts, payload in records(world):
        found = proof.destroyed(leaf_of(facts), CT)
        assert str(found.kid) == facts["kid"]
        assert proof.check(found, payload, world.custodians) == ("Ada", "Cai")
        assert len(json.dumps(payload)) < 4000  # however many keys go at once


async def test_what_two_people_did_not_sign_is_no_proof(world):
    (facts, payload), (other_facts, other_payload), _ = records(world)
    stranger = str(uuid4())
    one_sided = {**payload, "statements": [payload["statements"][0]] * 2}
    changed = copy.deepcopy(payload)
    changed["statements"][0]["statement"]["reason"] = "because"
    digests = [proof.statements.digest(item) for item in changed["statements"]]
    cases = [
        ({**facts, "kid": stranger}, payload, "not about the key"),
        ({**facts, "kid": other_facts["kid"]}, payload, "not about the key"),
        (facts, {**payload, "inclusion": other_payload["inclusion"]}, "not about the key"),
        (facts, {**payload, "inclusion": None}, "not about the key"),
        (facts, one_sided, "is not what the record"),
        ({**facts, "statements": [facts["statements"][0]] * 2}, one_sided, "step differs"),
        (facts, {**payload, "statements": []}, "no two statements"),
        (facts, {}, "no two statements"),
        (facts, changed, "is not what the record"),
        ({**facts, "statements": digests}, changed, "does not fit the statement"),
    ]
    for bad_facts, bad_payload, said in cases:
        found = proof.destroyed(leaf_of(bad_facts), CT)
        with pytest.raises(CustodyRefused, match=said):
            proof.check(found, bad_payload, world.custodians)


async def test_a_proof_stands_when_its_people_have_left(world, tmp_path):
    later = people(tmp_path, Ada={"until": "2046-06-01"}, Cai={"until": "2046-06-02"})
    for facts, payload in records(world):
        assert proof.check(proof.destroyed(leaf_of(facts), CT), payload, later) == ("Ada", "Cai")
    before = people(tmp_path, Cai={"until": "2046-05-31"})
    facts, payload = records(world)[0]
    with pytest.raises(CustodyRefused, match="acts no more"):
        proof.check(proof.destroyed(leaf_of(facts), CT), payload, before)


async def test_a_record_dated_before_its_signatures_is_no_proof(world):
    facts, payload = records(world)[0]
    with pytest.raises(CustodyRefused, match="in the future"):
        proof.check(proof.destroyed(leaf_of(facts, START - timedelta(days=1)), CT), payload, world.custodians)


async def test_destructions_are_found_in_a_segment_and_rubbish_is_passed_over(world):
    import base64

    facts, _ = records(world)[0]
    good = {"leaf": leaf_of(facts).decode(), "ct": base64.b64encode(CT).decode()}
    lines = [
        b'{"kind": "segment", "v": 2}',
        json.dumps(good).encode(),
        json.dumps({**good, "leaf": leaf_of(facts, event=Event.TURN_MADE).decode() + "audit:key:destroyed"}).encode(),
        json.dumps({**good, "ct": base64.b64encode(b"other").decode()}).encode(),
        json.dumps({**good, "ct": None}).encode(),
        b"audit:key:destroyed",
        json.dumps({**good, "leaf": leaf_of({"kid": "none"}).decode()}).encode(),
        b"",
    ]
    assert [str(item.kid) for item in proof.destroyed_in(b"\n".join(lines))] == [facts["kid"]]
