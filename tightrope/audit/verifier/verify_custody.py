"""What the log says of its keys: destroyed, restricted, kept longer; by whose word, and not too early. Used by verify.py."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from verify_anchors import Anchors, parse
from verify_notes import b64, climb, ed25519, fail, need, sha


def text_of(value: Any) -> bytes:
    """JSON in its one form: keys in order, no blanks."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Custody(Anchors):
    """What records do to keys (custody.md).

    Of each key: `kept` is the last day of what lies under it, and the place; `gone` its destructions, day and place; `shut` where it was
    restricted. `backed` is a note -> the places for which it stands.
    """

    def __init__(self, late: float, given: Any) -> None:
        super().__init__(late, given)
        self.kept, self.gone, self.shut, self.backed = [dict[Any, Any]() for _ in range(4)]
        self.custodians = dict[str, Any]()
        if given.custodians:
            with open(given.custodians, "rb") as file:
                self.custodians = {sha(b64(row["public_key"])).hex(): row for row in parse(file.read())["custodians"]}

    def act(self, leaf: Any, shard: int, index: int, payload: bytes | None) -> None:
        """What a proven record says of keys, its own and others; records come in order of place."""
        facts, event, place = leaf["facts"], leaf["event"], (shard, index)
        ends = [(leaf["kid"], leaf["until"])] if leaf["kid"] else []
        if event == "audit:retention:extended":
            ends += [(kid, facts["until"]) for kid in facts["kids"]]
        for kid, end in ends:
            self.kept[kid] = max(self.kept.get(kid, ("",)), (end, place))
        if event == "audit:subject:restricted":
            self.shut.update(dict.fromkeys(facts["kids"], place))
        if event == "audit:subject:opened" and facts["for"] == "good":
            self.shut.update(dict.fromkeys(facts["kids"]))
        if event == "audit:key:destroyed":
            who = "its two signatures are NOT checked: they lie encrypted in the record; tightrope audit keys check"
            if payload is not None:
                who = self.two_people(facts, parse(payload))
            self.gone.setdefault(facts["kid"], []).append((leaf["ts"][:10], place))
            self.backed.setdefault(f"destruction 销毁: {who}", []).append(f"{shard}/{index}")

    def two_people(self, facts: Any, payload: Any) -> str:
        """Whether two people signed this destruction (custody.md): what they signed, that it is about this key, and who they are."""
        both, kid = payload["statements"], bytes.fromhex(facts["kid"].replace("-", ""))
        said, keys = [item["statement"] for item in both], [b64(item["public_key"]) for item in both]
        named = [sha(text_of(item)).hex() for item in both]
        need(named == facts["statements"], "its statements are not those that the leaf names")
        need([sha(key).hex() for key in keys] == facts["people"], "other people than the leaf names")
        good = [ed25519(key, text_of(item["statement"]), b64(item["signature"])) for item, key in zip(both, keys)]
        need(good == [True, True], "it is not signed by two people")
        first, second = ({name: one.get(name) for name in ("kind", "act", "id", "keys", "hold")} for one in said)
        meant = {"kind": "tightrope-custody/1", "act": "destroy", "hold": None}
        need(first == second == first | meant, "the two did not sign the same destruction")
        steps = [said[0]["step"], said[1]["step"], said[1]["proposal"]]
        need(steps == ["propose", "approve", facts["statements"][0]], "the second did not approve what the first proposed")
        where, proof = payload["inclusion"]["index"], [bytes.fromhex(step) for step in payload["inclusion"]["proof"]]
        root = climb(where, first["keys"]["count"] - 1, sha(b"\0" + kid), proof)
        need(root.hex() == first["keys"]["root"], "they signed for other keys")
        need(keys[0] != keys[1] and said[0]["person"] != said[1]["person"], "one person signed twice")
        names = f"signed by {said[0]['person']} and {said[1]['person']}"
        if not self.custodians:
            return names + "; NOT checked: that these keys are theirs, --custodians FILE"
        rows = [self.custodians.get(sha(key).hex()) or fail("a key that is not in the file of custodians") for key in keys]
        need(len({row["office"] for row in rows}) == 2, "the two are not of two offices")
        for row, one in zip(rows, said):
            in_office = one["signed"][:10] <= (row.get("until") or "9")
            need(row["person"] == one["person"] and in_office, "the key of another, or of somebody out of office")
        return names + ", of two offices of the file of custodians"

    def custody(self, claims: list[Any]) -> None:
        """No key before the last day of what lies under it; every claim of an export backed by a record."""
        for kid, acts in self.gone.items():
            last, *where = self.kept.get(kid, ("",))
            for _, place in (act for act in acts if act[0] <= last):
                early = f"destroys the key of record {where[0][0]}/{where[0][1]} before its last day {last} is over"
                self.find("altered", early, *place)
        for shard, index, kid, state in claims:
            good = [place for day, place in self.gone.get(kid, ()) if day > self.kept[kid][0]]
            if state == "restricted" and self.shut.get(kid):
                said = "restricted 受限: payload withheld, as record {}/{} says".format(*self.shut[kid])
                self.backed.setdefault(said, []).append(f"{shard}/{index}")
            elif state == "restricted":
                self.find("missing", "said to be restricted: an audit:subject:restricted record that names its key", shard, index)
            elif good:
                self.find("destroyed", "its key was destroyed by policy, see record {}/{}".format(*good[0]), shard, index)
            else:
                self.find("altered", "said to be destroyed, but no good audit:key:destroyed record names its key", shard, index)
        for said, places in self.backed.items():
            self.notes.append(f"{said} ({len(places)} records 条: {', '.join(places[:9])}{' …' * (len(places) > 9)})")
