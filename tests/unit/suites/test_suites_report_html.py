"""The HTML report: what it tells, that it stands alone, and that nothing a test or a customer wrote becomes HTML."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_samples import BROKEN, FAILED, NOT_RUN, bot, case, expectation, suite, turn

from tightrope.engine.loader import load_project
from tightrope.suites.report_html import render_html, write_html

TAGS = {
    "html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section", "h1", "h2", "h3", "h4", "h5", "p", "span",
    "strong", "small", "code", "pre", "mark", "br", "a", "ul", "ol", "li", "dl", "dt", "dd", "div", "i", "details", "summary",
    "table", "thead", "tbody", "tr", "th", "td",
    "svg", "g", "path", "rect", "circle", "text", "desc",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "name", "content", "http-equiv", "class", "id", "href", "style", "open", "role", "aria-label", "aria-labelledby",
    "aria-hidden",
    "xmlns", "width", "height", "viewbox", "fill", "transform", "d", "x", "y", "r", "rx", "cx", "cy", "text-anchor",
    "data-flow", "data-step", "data-way",
}  # fmt: skip


class Page(HTMLParser):
    """The tags, attributes and text of a page, and whether every tag was closed where it had to be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.extend((name, value or "") for name, value in attrs)
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))

    def values(self, name: str) -> list[str]:
        return [value for found, value in self.attributes if found == name]


def stands(text: str) -> Page:
    page = Page(text)
    assert page.open == []
    assert set(page.tags) <= TAGS
    assert {name for name, _ in page.attributes} <= ATTRIBUTES
    assert all(re.fullmatch(r"width: [\d.]+%", value) for value in page.values("style"))
    assert all(value.startswith("#") and value[1:] in page.values("id") for value in page.values("href"))
    assert len(page.values("id")) == len(set(page.values("id")))
    return page


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return bot(tmp_path_factory.mktemp("html") / "bot")


@pytest.fixture(scope="module")
def page(project):
    good = case("greets", "passed", turn("hi", visited=(("greet", "hello"),), expectations=(expectation(kind="utter"),)))
    judged = replace(FAILED, turns=(*FAILED.turns, turn("ok", visited=(("buy", "ticker"),))))
    return stands(render_html(suite(good, judged, NOT_RUN, replace(BROKEN, file="tests/e2e/sell.yml")), project))


class TestWhatItTells:
    @pytest.mark.parametrize(
        "words",
        [
            "End-to-end tests of bot",
            "2 of 4 cases failed",
            "passed 1 failed 2 not run 1",
            "expectations met 2 of 4 judged",
            "flow steps run 1 of 6",
            "Played on 2026-11-20 10:00:00 +0800 in 1.5 s against the flows in /firm/bot",
            "buys_and_asks tests/e2e/buy.yml:4 bot_uttered in line 8 (and 1 more): expected text_matches: 按万分之三收取, got text: 请确认",
            "stub action_x answers with no list of events",
            "1 case: excluded: voice only",
            "1 expectation: generative_response_is_relevant: needs a model as judge",
            "tests/e2e/buy.yml 1 passed 1 failed 1 not run",
            "tests/e2e/sell.yml 1 failed",
            "needs_voice not run: excluded: voice only",
            "Customer 买入10手贵州茅台，手续费是多少？",
            "Customer presses a button /SetSlots(sure=true)",
            "commands start flow buy set slot quantity 10",
            "slots quantity = 10.0 ticker = empty",
            "[是] /SetSlots(sure=true)",
            'custom {"envelope": {"kind": "handoff"}}',
            "Problem prediction cap: too many actions",
            "✗ Not met: a slot is set slot_was_set line 9 the slot was emptied Expected ticker = 600519 Actual nothing like it",
            "– Not run: the answer is to the point generative_response_is_relevant line 10 needs a model as judge",
            "✓ 1 expectation met",
            "买入股票 buy data/flows.yml 0 of 4 (+1 only in failed cases)",
            "ask lines 8–16",
            "greet data/flows.yml 1 of 1",
            "Built-in patterns: 0 of ",
            "StartFlow 4",
            "CancelFlow 0",
        ],
    )
    def test_totals_transcripts_expectations_reasons_coverage_and_commands(self, page, words):
        assert words in page.text

    def test_failed_cases_are_open_and_others_closed(self, page):
        opened = [value for name, value in page.attributes if name == "open"]
        assert len(opened) == 2

    def test_what_differs_is_marked_on_both_sides(self, project):
        wrong = expectation("failed", expected="费率万分之三", actual="费率万分之五")
        text = render_html(suite(case("a", "failed", turn(expectations=(wrong,)))), project)
        assert re.findall(r"<mark>([^<]*)</mark>", text) == ["三", "五"]

    def test_the_start_of_a_session_has_no_customer(self, project):
        text = stands(render_html(suite(case("a", "passed", turn("", opening=True, replies=()))), project)).text
        assert "The session starts" in text
        assert "Customer" not in text
        assert "The bot said nothing" not in text

    def test_what_a_reader_has_to_know_of_the_run_stands_at_its_head(self, project):
        text = render_html(suite(case(), notes=("no actions are <run>",)), project)
        assert "no actions are &lt;run&gt;" in text[: text.index("<main>")]

    @pytest.mark.parametrize(
        ("cases", "verdict"),
        [
            ((), "No case was found"),
            ((case(),), "All 1 case passed"),
            ((case(), case("b"), NOT_RUN), "All 2 cases passed, 1 not run"),
            ((NOT_RUN,), "No case was run"),
            ((case("a", "failed"), case("b")), "1 of 2 cases failed"),
        ],
    )
    def test_the_verdict_stands_in_title_and_heading(self, project, cases, verdict):
        text = render_html(suite(*cases), project)
        assert f"<title>{verdict} · bot</title>" in text
        assert re.search(rf"<h1[^>]*>{re.escape(verdict)}</h1>", text)

    def test_a_start_that_is_no_time_is_told_as_it_is(self, project):
        assert "Played on yesterday in 3.0 minutes" in stands(render_html(suite(started="yesterday", seconds=180), project)).text

    def test_chinese_text_is_said_to_be_chinese(self, project):
        text = render_html(suite(case("a", "passed", turn("你好"), turn("hello"))), project)
        assert '<p lang="zh-CN">你好</p>' in text
        assert "<p>hello</p>" in text

    def test_it_is_written_where_it_was_asked_for(self, project, tmp_path):
        write_html(suite(FAILED), project, tmp_path / "new" / "report.html")
        assert (tmp_path / "new" / "report.html").read_text(encoding="utf-8") == render_html(suite(FAILED), project)


class TestTheWay:
    WALK = (("buy", "ticker"), ("pattern_collect_information", "x"), ("gone", "y"), ("buy", "old"), ("buy", "ask"))

    def test_a_failed_case_shows_its_way_through_flows_of_the_project_with_more_than_one_step(self, project):
        one = case("a", "failed", turn(visited=self.WALK), turn(visited=(("buy", "done"), ("pattern_chitchat", "chat"))))
        text = render_html(suite(one), project)
        assert re.findall(r"The way through <code>(\w+)</code>", text) == ["buy"]
        on = [step for mark, step in re.findall(r'class="tf-node([^"]*)" data-step="(\w+)"', text) if "tf-on" in mark]
        assert on == ["ticker", "ask", "done"]
        stands(text)

    def test_other_cases_have_no_picture(self, project):
        assert "<svg" not in render_html(suite(case("a", "passed", turn(visited=self.WALK))), project)

    def test_of_very_many_failed_cases_the_first_are_drawn_and_that_is_said(self, project):
        text = render_html(suite(*(case(f"c{n}", "failed", turn(visited=self.WALK)) for n in range(42))), project)
        assert text.count("<svg") == 40
        assert "drawn for the first 40 of them" in text


class TestItStandsAlone:
    def test_no_script_no_request_and_a_policy_that_forbids_both(self, page, project):
        text = render_html(suite(FAILED), project)
        assert "<svg" in text
        assert "default-src 'none'; style-src 'unsafe-inline'" in text
        assert not re.search(r"url\(|@import|src=|https?://(?!www.w3.org/2000/svg)|<script|<link|<img", text)
        assert "script" not in page.tags


EVIL = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</pre></style></title><iframe src=//x>",
    "{{ 7*7 }}{% raw %}",
    "<!-- --><![CDATA[",
    "javascript:alert(1)",
    "&lt;b&gt;&#60;script&#62;",
    "\x00\x1b[31m\u202egnp\ud800\ufffe",
]


def everywhere(evil: str):
    """A report with `evil` in every place that a test, a customer or a bot can write."""
    reply = {
        "text": evil,
        "buttons": [{"title": evil, "payload": evil}],
        "custom": {evil: evil},
        "image": evil,
        "attachment": evil,
    }
    nasty = turn(
        evil,
        commands=(evil,),
        replies=(reply,),
        events=({"event": "slot", "name": evil, "value": evil},),
        visited=((evil, evil),),
        problems=(evil,),
        expectations=tuple(
            expectation(status, kind=evil, expected=f"a b {evil}", actual=f"a c {evil}", reason=evil)
            for status in ("passed", "failed", "not_run")
        ),
    )
    one = case(evil, "failed", nasty, file=evil, reason=evil)
    return suite(
        one, replace(one, status="not_run"), replace(one, status="passed"), replace(one, turns=()), project=evil, started=evil
    )


class TestAttacks:
    @pytest.mark.parametrize("evil", EVIL)
    def test_nothing_that_was_written_becomes_html(self, project, evil):
        text = render_html(everywhere(evil), project)
        page = stands(text)
        assert page.tags == stands(render_html(everywhere("harmless"), project)).tags
        text.encode()

    @pytest.mark.parametrize("evil", EVIL)
    def test_nor_does_what_was_understood(self, project, evil):
        wrong = expectation("failed", kind="commands", expected=f"start flow {evil}", actual=f"{evil}\nstart flow x{evil}")
        tags = [
            stands(render_html(suite(case("a", "failed", turn(expectations=(found,))), kind="du"), project)).tags
            for found in (wrong, replace(wrong, expected="start flow a", actual="b\nstart flow c"))
        ]
        assert [tag for tag in tags[0] if tag != "mark"] == [tag for tag in tags[1] if tag != "mark"]

    def test_what_was_written_is_shown_as_it_was_written(self, project):
        page = Page(render_html(everywhere(EVIL[0]), project))
        assert sum(part.count(EVIL[0]) for part in page.texts) > 20

    def test_nothing_hidden_reaches_the_page(self, project):
        text = render_html(everywhere(EVIL[-1]), project)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff\ufffe]", text)

    def test_names_of_flows_and_steps_are_text_too(self, tmp_path):
        evil = "<script>x</script>"
        folder = tmp_path / "bot"
        bot(folder)
        flows = (folder / "data" / "flows.yml").read_text(encoding="utf-8")
        flows = (
            flows.replace("买入股票", f'"{evil}"').replace("id: sorry", f'id: "{evil}"').replace("else: sorry", f'else: "{evil}"')
        )
        (folder / "data" / "flows.yml").write_text(flows, encoding="utf-8")
        wrong = case("a", "failed", turn(visited=(("buy", "ask"), ("buy", evil))))
        page = stands(render_html(suite(wrong), load_project(folder)))
        assert page.text.count(evil) > 4

    @given(st.text(alphabet=st.sampled_from("<>&\"'{}%#/=! aA\x00\n\u2028é中"), max_size=20))
    @settings(max_examples=60, deadline=None)
    def test_no_text_changes_the_page_s_structure(self, project, text):
        assert stands(render_html(everywhere(text or "x"), project)).tags.count("a") == 2
