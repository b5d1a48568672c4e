"""Pages of exports: attacks in what customers write, huge texts, both languages, PDF."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pypdfium2
import pytest

from tightrope.audit.errors import ExportRefused
from tightrope.audit.export.pages import TEXT_LIMIT, Listed, ShardLine, conversation_html, index_html, page_of
from tightrope.audit.export.pdf import Printer, font_file
from tightrope.audit.models import Entry, Event, Place

AT = datetime(2026, 11, 20, 2, 31, tzinfo=UTC)
ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</td></table><h1>fake",
    '"><svg onload=alert(1)>',
    "{{ 7*7 }}{% raw %}",
    "javascript:alert(1)",
    "&lt;b&gt;",
    "<!--",
    "]]>",
    "' onmouseover='x",
]


def entry(text: str, number: int = 1, event: str = Event.CUSTOMER_MESSAGE_RECEIVED, **changes) -> Entry:
    fields = {
        "record_id": UUID(int=number), "place": Place(2026, number), "at": AT + timedelta(seconds=number), "event": str(event), "turn": None,
        "leaf": {"release": "r-1", "conv": str(UUID(int=7)), "facts": {"code": text[:100]}}, "payload": {"content": text, "extra": text}, "problem": None,
    }  # fmt: skip
    return Entry(**(fields | changes))


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_a_customer_writes_is_text_and_nothing_else(attack):
    page = conversation_html(page_of(attack, [entry(attack)], "zh", masked=True))
    for tag in ("<script", "<img", "<svg", "<h1>fake"):
        assert tag not in page
    assert "49" not in page.split("</style>")[1].replace("2026", "") or "7*7" in page
    assert page.count("<table>") == 1
    assert "default-src 'none'" in page
    assert "http://" not in page
    assert "https://" not in page


def test_direction_and_control_signs_are_shown_and_do_not_act():
    page = conversation_html(page_of("1-7", [entry("abc\u202egnp.exe\u2066\x1b[31m\x00")], "en", masked=True))
    for sign in ("\u202e", "\u2066", "\x1b", "\x00"):
        assert sign not in page
    assert "&lt;202e&gt;" in page


def test_a_huge_text_is_cut_with_the_place_of_the_whole():
    page = conversation_html(page_of("1-7", [entry("长" * (TEXT_LIMIT * 5))], "zh", masked=True))
    assert page.count("长") < TEXT_LIMIT + 1000
    assert "events.jsonl" in page


def test_lone_surrogates_do_not_break_a_page():
    conversation_html(page_of("1-7", [entry("x\ud800y")], "zh", masked=False)).encode("utf-8")


@pytest.mark.parametrize(
    ("language", "words"), [("zh", ("审计导出", "决策过程", "已脱敏")), ("en", ("Audit export", "How it came about", "masked"))]
)
def test_both_languages(language, words):
    listed = [Listed("1-7", "…", 1, 2, "check_balance", "conversations/0001.html", "conversations/0001.pdf")]
    shards = [ShardLine("tightrope.example/audit/2026", 3, "ab" * 32)]
    told = index_html(language, masked=True, facts=[("form", words[2])], shards=shards, conversations=listed, others=[entry("x")])
    for word in words:
        assert word in told
    assert "</b>" in conversation_html(page_of("1-7", [entry("x")], language, masked=True))


@pytest.fixture(scope="module")
def printer() -> Printer:
    return Printer(font_file(None))


def text_of(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    return "\n".join(page.get_textpage().get_text_range() for page in document)


def test_the_pdf_says_what_the_page_says_and_is_the_same_each_time(printer):
    page = page_of("1-7", [entry("我能开通融资融券吗？😀", 1), entry("您好", 2, Event.AGENT_MESSAGE_RECEIVED)], "zh", masked=True)
    pdf = printer.print(page, AT)
    text = text_of(pdf)
    for part in ("会话 1-7", "我能开通融资融券吗？", "您好", "人工客服", "<1f600>", "2026/1", "第 1 页"):
        assert part in text, part
    assert printer.print(page, AT) == pdf
    assert b"http" not in pdf.split(b"stream")[0]


def test_a_pdf_goes_on_over_pages_and_loses_no_line(printer):
    long = "\n".join(f"line {number}" for number in range(300))
    text = text_of(printer.print(page_of("1-7", [entry(long)], "en", masked=True), AT))
    assert all(f"line {number}" in text for number in range(0, 300, 17))
    assert "Page 2 of" in text


def test_a_pdf_of_attacks_is_printed(printer):
    for attack in (*ATTACKS, "\u202egnp.exe", "x\ud800y", "", "\t", "𠮷" * 50, "w" * 5000):
        assert printer.print(page_of("1-7", [entry(attack)], "zh", masked=True), AT).startswith(b"%PDF")


def test_a_later_page_has_letters_that_no_earlier_one_had():
    printer = Printer(font_file(None))  # its font is cut down to the letters of the pages so far
    for number, said in enumerate(("您好", "鑫龘淼", "Ω≥é", "您好")):
        pdf = printer.print(page_of("1-7", [entry(said, number)], "zh", masked=True), AT)
        assert said in text_of(pdf)


def test_without_a_font_the_way_out_is_told(tmp_path: Path):
    with pytest.raises(ExportRefused, match="fonts-noto-cjk"):
        font_file(tmp_path / "none.ttf")
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    with pytest.raises(ExportRefused, match="cannot be embedded"):
        Printer(tmp_path / "broken.ttf")
