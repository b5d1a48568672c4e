"""The file of custodians: who counts, and what is no such file."""

from __future__ import annotations

import json

import pytest
from custody_world import key_of

from tightrope.audit.custody.custodians import box_of, entry, load_custodians
from tightrope.audit.errors import CustodiansInvalid
from tightrope.infra.settings import REPOSITORY
from tightrope.release.demo_keys import demo_key


def write(path, *rows):
    path.write_text(json.dumps({"custodians": list(rows)}), encoding="utf-8")
    return path


def test_the_file_of_custodians_is_strict(tmp_path):
    ada, cai = entry(key_of("Ada"), "Ada", "compliance"), entry(key_of("Cai"), "Cai", "data protection")
    path = tmp_path / "c.json"
    assert load_custodians(write(path, ada, cai), production=True).offices == ("compliance", "data protection")
    both = entry(key_of("Ada again"), "ADA ", "data protection")
    for rows, said in (
        ([ada], "two offices"),
        ([ada, entry(key_of("Bo"), "Bo", "compliance")], "two offices"),
        ([ada, cai, entry(key_of("X"), "X", "third")], "two offices"),
        ([ada, cai, both], "both offices"),
        ([ada, cai, ada], "twice"),
        ([ada, {**cai, "box_key": ada["box_key"]}], "twice"),
        ([ada, {**cai, "key_id": ada["key_id"]}], "has the id"),
        ([ada, {**cai, "person": " "}], "no person"),
        ([ada, {**cai, "until": "soon"}], "isoformat"),
        ([ada, {}], "public_key"),
    ):
        with pytest.raises(CustodiansInvalid, match=said):
            load_custodians(write(path, *rows), production=True)
    with pytest.raises(CustodiansInvalid, match="no file of custodians"):
        load_custodians(tmp_path / "none.json", production=True)


def test_demo_keys_do_not_count_in_production(tmp_path):
    rows = [entry(demo_key("demo-maker"), "demo-maker", "a"), entry(demo_key("demo-checker"), "demo-checker", "b")]
    path = write(tmp_path / "c.json", *rows)
    assert len(load_custodians(path, production=False).by_key) == 2
    with pytest.raises(CustodiansInvalid, match="demo keys"):
        load_custodians(path, production=True)


def test_the_box_key_tells_nothing_of_the_signing_key_and_is_the_same_each_time():
    private = key_of("Ada")
    assert box_of(private).public_key() == box_of(private).public_key()
    assert box_of(private).private_bytes_raw() != private.private_bytes_raw()


def test_the_demos_own_file_names_the_demos_people():
    shipped = load_custodians(REPOSITORY / "custody/custodians.json", production=False)
    assert {item.person for item in shipped.by_key.values()} == {"demo-maker", "demo-checker"}
    assert all(item.demo for item in shipped.by_key.values())
    for item in shipped.by_key.values():
        assert item.box_key == box_of(demo_key(item.person)).public_key().public_bytes_raw()
