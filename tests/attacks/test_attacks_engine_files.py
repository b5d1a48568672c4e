"""Files of a project that mean harm, or that somebody generated carelessly: the reader refuses them at once and says where."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tightrope.engine.errors import ProjectError
from tightrope.engine.loader import load_project
from tightrope.engine.prompt import Prompt
from tightrope.engine.yamlfile import value

FLOWS = "flows: {f: {description: d, steps: [{action: utter_x}]}}\n"
DOMAIN = "responses: {utter_x: [{text: hi}]}\n"
LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 10))
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 400))


def written(folder: Path, flows: str = FLOWS, domain: str = DOMAIN, config: str = "language: en\n") -> Path:
    (folder / "data").mkdir()
    for name, text in (("data/flows.yml", flows), ("domain.yml", domain), ("config.yml", config)):
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("text", [LAUGHS, MERGES, CHAIN], ids=["laughs", "merges", "chain"])
def test_aliases_that_stand_for_billions_are_refused_at_once(text):
    began = time.monotonic()
    with pytest.raises(ProjectError, match="aliases"):
        value(text, "bomb.yml")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "parts",
    [
        {"domain": LAUGHS + "responses: {utter_x: [{custom: {a: *a9}}]}\n"},
        {"flows": LAUGHS + "flows: {f: {description: d, steps: *a9}}\n"},
        {"config": "language: en\n" + LAUGHS},
    ],
    ids=["domain", "flows", "config"],
)
def test_a_project_with_such_a_file_says_which(tmp_path, parts):
    with pytest.raises(ProjectError, match="aliases") as refused:
        load_project(written(tmp_path, **parts))
    assert next(iter(parts)) in str(refused.value)


def test_ordinary_aliases_and_merges_are_read(tmp_path):
    found = value("base: &b {x: 1, y: [1, 2]}\none: {<<: *b, z: 3}\ntwo: [*b, *b]\n", "f.yml")
    assert found["one"] == {"x": 1, "y": [1, 2], "z": 3}
    assert found["two"][1]["y"] == [1, 2]


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}"])
def test_an_alias_for_what_it_stands_in_is_refused(text):
    with pytest.raises(ProjectError):
        value(text, "f.yml")


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "[{a: "])
def test_nesting_that_would_end_the_process_is_refused(opening):
    """In a process of its own: without the limit PyYAML's reader overflows the C stack and no exception is left to catch."""
    code = (
        "from tightrope.engine.errors import ProjectError\n"
        "from tightrope.engine.yamlfile import value\n"
        f"try: value({opening!r} * 30_000, 'deep.yml')\n"
        "except ProjectError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert "stand within each other" in done.stdout


def test_what_a_person_nests_is_read():
    assert value("[" * 99 + "x" + "]" * 99, "f.yml")


def test_a_prompt_outside_the_project_is_not_read(tmp_path):
    """Its text would go to the model with every message."""
    (tmp_path / "secret").write_text("a password", encoding="utf-8")
    (tmp_path / "project").mkdir()
    config = "language: en\npipeline: [{name: CompactLLMCommandGenerator, prompt_template: ../secret}]\n"
    with pytest.raises(ProjectError, match="outside"):
        Prompt.load(load_project(written(tmp_path / "project", config=config)))


@pytest.mark.parametrize(
    "parts",
    [
        {"domain": "slots: {a: {type: text, mappings: [{type: [from_llm]}]}}\n" + DOMAIN},
        {"domain": "responses: {utter_x: [{text: a, channel: [rest]}]}\n"},
    ],
    ids=["mapping", "channel"],
)
def test_a_list_where_a_name_belongs_is_an_error_of_the_file(tmp_path, parts):
    with pytest.raises(ProjectError, match=r"domain\.yml:1"):
        load_project(written(tmp_path, **parts))


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ slots.__class__.__init__.__globals__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{% include '/etc/passwd' %}",
        "{{ context | attr('__class__') }}",
        "{{ '{0.__class__.__mro__}'.format(slots) }}",
    ],
)
def test_no_template_of_a_response_gets_out_of_its_sandbox(tmp_path, text):
    from tightrope.engine.testing import Conversation

    domain = "responses:\n  utter_x:\n    - metadata: {template: jinja}\n      text: |-\n        " + text + "\n"
    said = " ".join(Conversation(load_project(written(tmp_path, domain=domain))).texts("x", "start flow f"))
    assert not any(word in said for word in ("<class", "uid=", "root:", "builtins", "TemplateReference"))
