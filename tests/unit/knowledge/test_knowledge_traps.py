"""The table of traps in docs/ragflow.md names tests that exist, where it says."""

from __future__ import annotations

import re

from tightrope.infra.settings import REPOSITORY

FILES = {
    "C": "tests/integration/knowledge/test_knowledge_ragflow_contract.py",
    "O": "tests/integration/knowledge/test_knowledge_ragflow_ours.py",
    "S": "tests/integration/knowledge/test_knowledge_server.py",
    "F": "tests/integration/knowledge/test_knowledge_faults.py",
    "A": "tests/integration/knowledge/test_knowledge_attacks.py",
    "K": "tests/unit/knowledge/test_knowledge_client.py",
    "Q": "tests/unit/knowledge/test_knowledge_search.py",
    "V": "tests/unit/knowledge/test_knowledge_versions.py",
    "R": "tests/unit/rasa_files/test_rasa_knowledge_played.py",
}


def test_every_trap_has_a_test_that_exists():
    page = (REPOSITORY / "docs/ragflow.md").read_text(encoding="utf-8")
    table = page[page.index("## Every trap") :]
    named = re.findall(r"\b([COSFAKQVR]) `(test_\w+)`", table)
    assert len(named) > 40
    texts = {letter: (REPOSITORY / path).read_text(encoding="utf-8") for letter, path in FILES.items()}
    assert [f"{letter} {name}" for letter, name in named if f"def {name}(" not in texts[letter]] == []
    rows = [line for line in table[: table.index("Not pinned")].splitlines() if line.startswith("| ")][2:]
    assert [row for row in rows if "test_" not in row] == []
