"""Reading projects: YAML 1.2, lines, every refusal with its place, and overriding what is built in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tightrope.engine.errors import ProjectError
from tightrope.engine.loader import gather, load_project
from tightrope.engine.yamlfile import parse
from tightrope.infra.settings import REPOSITORY


def test_an_unquoted_yes_and_on_are_text_as_in_yaml_1_2():
    found = parse("a: Yes\nb: on\nc: true\nd: 0o10\ne: 0x1F\nf: 1e3\ng: 2026-01-01\nh: ~\ni:\nj: 1_000\nk: 12:30\n", "x.yml")
    assert found == {
        "a": "Yes",
        "b": "on",
        "c": True,
        "d": 8,
        "e": 31,
        "f": 1000.0,
        "g": "2026-01-01",
        "h": None,
        "i": None,
        "j": "1_000",
        "k": "12:30",
    }


def test_lines_of_keys_are_kept():
    found = parse("a: 1\n\nb:\n  c: 2\n", "x.yml")
    assert (found.at("b"), found["b"].at("c"), found["b"].at("missing")) == (3, 4, 4)


def test_a_step_knows_the_lines_that_it_and_the_steps_inside_it_take(project):
    flows = """\
    flows:
      f:
        description: d
        steps:
          - collect: a
            description: |
              two
              lines
          - id: b
            noop: true
            next:
              - if: slots.a
                then:
                  - action: utter_x
                    next: END
              - else: END
          - action: utter_x

    # the end
    """
    steps = project(flows).flows["f"].steps.values()
    assert [(step.place.line, step.end) for step in steps] == [(5, 8), (9, 16), (14, 15), (17, 17)]


def test_anchors_and_merges_are_read():
    assert parse("a: &x {k: 1}\nb:\n  <<: *x\n  l: 2\n", "x.yml")["b"] == {"k": 1, "l": 2}


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: 1\na: 2\n", 2, "twice"),
        ("- a\n", 1, "mapping"),
        ("a: [1\nb: 2\n", 2, ""),
        ("a: !!python/object:os.system x\n", 1, ""),
    ],
)
def test_what_is_no_usable_yaml_is_refused_with_its_line(text, line, says):
    with pytest.raises(ProjectError) as caught:
        parse(text, "x.yml")
    assert caught.value.file == "x.yml"
    assert caught.value.line == line
    assert says in str(caught.value)


def test_a_file_that_is_not_utf_8_is_refused(folder):
    root = folder("flows: {}", "slots: {}")
    (root / "data" / "flows.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProjectError, match="UTF-8"):
        load_project(root)


def test_a_folder_without_a_project_is_refused(tmp_path):
    with pytest.raises(ProjectError, match="no CALM project"):
        load_project(tmp_path)
    with pytest.raises(ProjectError, match="no such folder"):
        load_project(tmp_path / "missing")


def test_domain_files_of_a_folder_are_merged(tmp_path):
    (tmp_path / "domain" / "deep").mkdir(parents=True)
    (tmp_path / "domain" / "a.yml").write_text("slots: {a: {type: text}}\nactions: [action_a]\n")
    (tmp_path / "domain" / "deep" / "b.yaml").write_text("slots: {b: {type: bool}}\nactions: [{action_b: {send_domain: true}}]\n")
    project = load_project(tmp_path)
    assert {"a", "b"} <= set(project.slots)
    assert project.actions == {"action_a", "action_b"}


STEP = "flows:\n  f:\n    description: d\n    steps:\n"


@pytest.mark.parametrize(
    ("flows", "line", "says"),
    [
        (STEP + "      - action: a\n        collect: b\n", 5, "exactly one of"),
        (STEP + "      - id: x\n", 5, "exactly one of"),
        (STEP + "      - collect: a\n        colect: b\n", 6, "no key 'colect'"),
        (STEP + "      - collect: a\n        dtmf: {length: 1}\n", 6, "voice"),
        (STEP + "      - call: a\n        mcp_server: m\n", 6, "MCP"),
        (STEP + "      - noop: true\n", 5, "needs `next`"),
        (STEP + "      - link: a\n        next: END\n", 6, "ends the flow"),
        (STEP + "      - action: a\n        next: nowhere\n", 6, "not in this flow"),
        (STEP + "      - action: a\n        next: {if: x}\n", 6, "`next` is"),
        (STEP + "      - action: a\n        next: [{if: slots.x}]\n", 6, "each item"),
        (STEP + "      - action: a\n        next: [{else: END}, {if: slots.x, then: END}]\n", 6, "must be the last"),
        (STEP + "      - action: a\n        next: [{if: 'slots.x >', then: END}]\n", 6, "expected a value"),
        (STEP + "      - id: x\n        action: a\n      - id: x\n        action: b\n", 7, "twice"),
        (STEP + "      - id: END\n        action: a\n", 5, "no step id"),
        (STEP + "      - action: [a]\n", 5, "must name"),
        (STEP + "      - action: '{{context.'\n", 5, "compiled"),
        (STEP + "      - set_slots: x\n", 5, "list of slot"),
        (STEP + "      - text\n", 5, "must be a mapping"),
        (STEP + "      - collect: a\n        rejections: [{if: slots.a}]\n", 6, "needs `if` and `utter`"),
        ("flows:\n  f:\n    description: d\n    steps: []\n", 4, "at least one step"),
        ("flows:\n  f:\n    steps: [{action: a}]\n", 3, "needs a description"),
        ("flows:\n  f:\n    description: d\n    step: []\n", 4, "no key 'step'"),
        ("flows:\n  f: text\n", 2, "must be a mapping"),
        ("flows: [f]\n", 1, "mapping of flow ids"),
    ],
)
def test_a_flow_that_cannot_run_is_refused_with_file_and_line(folder, flows, line, says):
    with pytest.raises(ProjectError) as caught:
        load_project(folder(flows))
    assert caught.value.file == "data/flows.yml"
    assert says in str(caught.value)
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("domain", "line", "says"),
    [
        ("slots:\n  a: {type: colour}\n", 2, "type 'colour'"),
        ("slots:\n  a: text\n", 2, "at least a type"),
        ("slots:\n  a: {type: categorical}\n", 2, "no values"),
        ("slots:\n  a: {type: text, valuse: []}\n", 2, "unknown key 'valuse'"),
        ("slots:\n  'a=b': {type: text}\n", 2, "break button payloads"),
        ("responses:\n  ask: [{text: x}]\n", 2, "begin with utter_"),
        ("responses:\n  utter_a: text\n", 2, "list of variations"),
        ("responses:\n  utter_a: [text]\n", 2, "list of variations"),
        ("responses:\n  utter_a: [{txt: x}]\n", 2, "unknown key 'txt'"),
        ("responses:\n  utter_a: [{text: x, buttons: [{payload: y}]}]\n", 2, "a button needs"),
        ("responses:\n  utter_a: [{text: '{{ x', metadata: {template: jinja}}]\n", 2, "Jinja"),
        ("responses:\n  utter_a: [{text: x, condition: 'slots.'}, {text: x, condition: 3}]\n", 2, "must be text"),
        ("responses:\n  utter_a: [{text: x, condition: [{name: a}]}]\n", 2, "list condition"),
    ],
)
def test_a_domain_that_cannot_be_used_is_refused_with_file_and_line(folder, domain, line, says):
    with pytest.raises(ProjectError) as caught:
        load_project(folder("", domain))
    assert (caught.value.file, caught.value.line) == ("domain.yml", line)
    assert says in str(caught.value)


def test_defining_something_twice_names_both_places(folder):
    root = folder("flows: {f: {description: d, steps: [{action: a}]}}", "slots: {}")
    (root / "data" / "more.yml").write_text("flows: {f: {description: e, steps: [{action: a}]}}")
    with pytest.raises(ProjectError, match=r"data/more.yml:1: .*also defined in data/flows.yml:1"):
        load_project(root)
    (root / "data" / "more.yml").unlink()
    (root / "domain").mkdir()
    (root / "domain" / "a.yml").write_text("slots: {a: {type: text}}\nresponses: {utter_a: [{text: x}]}")
    (root / "domain" / "b.yml").write_text("slots: {a: {type: text}}")
    with pytest.raises(ProjectError, match=r"slot 'a' is also defined in domain/a\.yml"):
        load_project(root)
    (root / "domain" / "b.yml").write_text("responses: {utter_a: [{text: x}]}")
    with pytest.raises(ProjectError, match="response 'utter_a' is also defined"):
        load_project(root)


def test_a_project_replaces_patterns_responses_and_slots_that_are_built_in(project):
    made = project(
        "flows: {pattern_search: {steps: [{action: action_mine}]}}",
        "slots: {language: {type: categorical, values: [zh, en]}}\nresponses: {utter_ask_rephrase: [{text: mine}]}\nactions: [action_mine]",
    )
    assert not made.flows["pattern_search"].builtin
    assert made.flows["pattern_cannot_handle"].builtin
    assert made.slots["language"].type == "categorical"
    assert made.responses["utter_ask_rephrase"].place.file == "domain.yml"


def test_built_in_wording_is_english_for_a_project_that_is_not_chinese(project):
    made = project("flows: {}", "slots: {}", "language: fr\nadditional_languages: [zh]")
    [variation] = made.responses["utter_ask_continue_conversation"].variations
    assert variation.text.source == "Is there anything else I can do for you?"
    assert variation.translated["zh"].source == "还有什么可以帮您？"
    assert (variation.buttons[0].title.source, variation.buttons[0].translated["zh"][0].source) == ("Yes", "有")


def test_configuration_and_endpoints_are_read(folder):
    root = folder("flows: {}", "session_config: {session_expiration_time: 5, carry_over_slots_to_new_session: false}\nslots: {}")
    (root / "config.yml").write_text(
        "language: zh\nadditional_languages: [en, zh]\npipeline:\n- name: NLUCommandAdapter\n"
        "- {name: CompactLLMCommandGenerator, llm: {model_group: g}, prompt_template: p.jinja2, user_input: {max_characters: 9}}\n"
    )
    (root / "endpoints.yml").write_text(
        "action_endpoint: {url: 'http://a/webhook'}\nmodel_groups:\n- {id: other, models: [{model: x}]}\n- {id: g, models: [{model: m, api_base: 'http://u/v1'}]}\n"
    )
    project = load_project(root)
    assert (project.languages, project.session_minutes, project.carry_over_slots) == (("zh", "en"), 5.0, False)
    assert (project.prompt_template, project.max_characters) == ("p.jinja2", 9)
    assert (project.understanding_base, project.understanding_model, project.actions_url) == (
        "http://u/v1",
        "m",
        "http://a/webhook",
    )


def test_nlu_data_below_data_is_no_flow_and_no_error(folder):
    root = folder("version: '3.1'\nnlu: [{intent: greet}]\n", "slots: {}")
    assert all(flow.builtin for flow in load_project(root).flows.values())


def test_a_flow_owns_the_slots_of_the_flows_it_calls(shop):
    assert shop.owned["paint"] == {"colour", "code"}


def test_the_hash_of_a_flow_changes_with_its_steps_only(project):
    one = project("flows: {f: {description: d, steps: [{action: a}]}, g: {description: e, steps: [{action: a}]}}")
    two = project("flows: {f: {description: d, steps: [{action: b}]}, g: {description: e, steps: [{action: a}]}}")
    assert one.flows["f"].hash != two.flows["f"].hash
    assert one.flows["g"].hash == two.flows["g"].hash
    three = project("flows: {f: {description: other, name: n, steps: [{action: a}]}}")
    assert one.flows["f"].hash == three.flows["f"].hash


def test_this_repository_s_own_project_loads():
    project = load_project(REPOSITORY)
    assert {"check_balance", "check_margin_eligibility", "decline_investment_advice", "talk_to_agent"} <= set(project.flows)
    assert project.languages == ("zh", "en")
    assert Path(project.root) == REPOSITORY


def test_everything_that_is_wrong_with_a_file_is_told_and_the_rest_of_it_read(folder):
    root = folder(
        """\
        flows:
          f:
            description: d
            colour: red
            steps:
              - collect: a
                colect: b
                rejections: [{if: slots.a}]
              - action: x
                next: nowhere
              - id: again
                noop: true
              - id: again
                action: y
              - colect: z
          g:
            description: e
            steps: [{action: x}]
          g:
            description: again
            steps: [{action: x}]
        """,
        """\
        slots:
          a: {type: text, valuse: [], min_value: low}
          b: {type: colour}
          c: {type: categorical, mappings: from_llm}
        responses:
          utter_a: [{txt: x}, {text: x, buttons: [{payload: y}]}, {text: x, condition: "slots.a >"}]
        actions: {a: b}
        """,
    )
    reading = gather(root)
    told = [(p.line, p.message) for p in reading.problems.errors if p.file == "data/flows.yml"]
    for line, says in [(4, "no key 'colour'"), (7, "no key 'colect'"), (8, "needs `if` and `utter`"), (10, "'nowhere'"),
                       (11, "needs `next`"), (13, "twice"), (15, "exactly one of"), (19, "'g' stands here twice")]:  # fmt: skip
        assert any(at == line and says in message for at, message in told), (line, says, told)
    told = [(p.line, p.message) for p in reading.problems.errors if p.file == "domain.yml"]
    for line, says in [(2, "'valuse'"), (2, "must be a number"), (3, "type 'colour'"), (4, "lists no values"), (4, "list of mappings"),
                       (6, "'txt'"), (6, "a button needs"), (6, "expected a value"), (7, "list of names")]:  # fmt: skip
        assert any(at == line and says in message for at, message in told), (line, says, told)
    assert reading.project is not None
    assert set(reading.project.flows["f"].steps) == {"0_collect_a", "1_action_x", "again"}
    assert "b" in reading.problems.unread
    assert "b" not in reading.project.slots


def test_a_tab_and_an_unquoted_colon_are_named_plainly(folder):
    for text, says in [
        ("flows:\n\tf: {}\n", "a tab stands where YAML wants spaces"),
        ("a: b: c\n", "put a text that holds ': '"),
    ]:
        with pytest.raises(ProjectError, match=says):
            parse(text, "x.yml")


def test_another_configuration_can_be_named(folder):
    root = folder("flows: {f: {description: d, steps: [{action: a}]}}", "slots: {}", "language: zh")
    (root / "config").mkdir()
    (root / "config" / "other.yml").write_text("language: en\n")
    assert load_project(root, root / "config" / "other.yml").language == "en"
    with pytest.raises(ProjectError, match="no such file"):
        load_project(root, root / "config" / "missing.yml")
