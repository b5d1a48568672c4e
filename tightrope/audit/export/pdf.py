"""A conversation's page on paper: A4 landscape, the conversation beside its trail, line by line. Pure but for the font file.

The font is embedded, cut down to the letters that are used, so that the file reads the same on every machine. A letter that the font lacks
is shown by its number, as in `<1f600>`. The same page gives the same bytes.
"""

from __future__ import annotations

import logging
import shutil
import string
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont
from fpdf import FPDF
from fpdf.enums import MethodReturnValue, WrapMode, XPos, YPos
from fpdf.fonts import TTFFont

from tightrope.audit.errors import ExportRefused
from tightrope.audit.export.pages import Page, PageLine
from tightrope.audit.export.words import words
from tightrope.audit.wording import labels

FONTS = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
)
"""Where distributions put a font with Chinese (Debian: fonts-noto-cjk, OFL 1.1)."""

_FAMILY = "export"
_SIMPLIFIED = 2
"""Number of the simplified Chinese font in Noto's collection."""

_MARGIN, _TIME, _GAP = 14.0, 22.0, 5.0
_LEFT = 108.0
_LINE = 4.3
_SIZE = 8.5
_COLOURS = {
    "customer": (11, 110, 138),
    "bot": (29, 122, 68),
    "agent": (138, 45, 138),
    "note": (138, 45, 138),
    "good": (29, 122, 68),
    "bad": (179, 38, 30),
    "dim": (91, 102, 117),
    "head": (11, 87, 164),
}
_INK = (28, 36, 48)

logging.getLogger("fontTools").setLevel(logging.ERROR)
logging.getLogger("fpdf").setLevel(logging.ERROR)


def font_file(chosen: Path | None) -> Path:
    """The font to embed.

    Raises:
        ExportRefused: there is none; says what to do.
    """
    found = [chosen] if chosen is not None else [Path(name) for name in FONTS]
    for path in found:
        if path.is_file():
            return path
    where = f"{chosen} is not there" if chosen is not None else "this machine has no font with Chinese"
    raise ExportRefused(
        f"a PDF needs a font with Chinese letters, and {where}: install Debian's fonts-noto-cjk, name a file in TIGHTROPE_AUDIT_PDF_FONT, or use --no-pdf"
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of one column: text, colour, width of the bar before it."""

    text: str
    colour: tuple[int, int, int]
    bar: tuple[int, int, int] | None = None


class _Paper(FPDF):
    """Pages with a foot."""

    def __init__(self, language: str, title: str) -> None:
        super().__init__(orientation="landscape", unit="mm", format="A4")
        self._words = words(language)
        self._title = title
        self.alias_nb_pages("{nb}")

    def footer(self) -> None:
        """Page numbers and what it is of."""
        self.set_y(-11)
        self.set_font(_FAMILY, size=7)
        self.set_text_color(*_COLOURS["dim"])
        self.cell(0, 4, f"{self._title} · {self._words['page'].format(n=self.page_no(), total='{nb}')}", align="C")


class Printer:
    """Prints pages with one font, which is read once."""

    def __init__(self, font: Path) -> None:
        """Raises ExportRefused where the file is no font."""
        self._font = self._cut = font
        try:
            _check(font)
            probe = FPDF()
            self._add(probe)
        except Exception as error:  # fontTools raises whatever it meets in a broken file
            raise ExportRefused(
                f"{font} cannot be embedded in a PDF ({error}); choose another TrueType or OpenType font"
            ) from error
        embedded = probe.fonts[_FAMILY]
        self._known: frozenset[int] = frozenset(embedded.cmap) if isinstance(embedded, TTFFont) else frozenset()
        _close(probe)
        self._letters = frozenset[int]()
        self._folder = Path(tempfile.mkdtemp(prefix="tightrope-font-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)

    def print(self, page: Page, made: datetime) -> bytes:
        """A page as PDF."""
        told, said = labels(page.language), words(page.language)
        title = self._text(f"{told['conversation']} {page.name}")
        self._cut_down(page)
        paper = _Paper(page.language, title)
        self._add(paper)
        paper.set_creation_date(made)
        paper.set_title(title)
        paper.set_lang("zh-CN" if page.language == "zh" else "en")
        paper.set_margins(_MARGIN, _MARGIN, _MARGIN)
        paper.set_auto_page_break(auto=False)
        paper.add_page()
        paper.set_font(_FAMILY, size=14)
        paper.set_text_color(*_INK)
        paper.cell(0, 8, title, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        paper.set_font(_FAMILY, size=_SIZE)
        self._note(paper, said["masked_note" if page.masked else "unmasked_note"], _COLOURS["dim" if page.masked else "bad"])
        for label, text in page.facts:
            self._note(paper, f"{label}　{text}", _INK)
        self._note(paper, said["verify"], _COLOURS["dim"])
        paper.ln(2)
        self._table(paper, page)
        try:
            return bytes(paper.output())
        finally:
            _close(paper)

    def _add(self, paper: FPDF) -> None:
        whole = self._cut == self._font
        paper.add_font(_FAMILY, fname=self._cut, collection_font_number=self._number() if whole else 0)

    def _number(self) -> int:
        return _SIMPLIFIED if self._font.name.startswith("NotoSansCJK") and self._font.suffix == ".ttc" else 0

    def _cut_down(self, page: Page) -> None:
        """Cut the font down to the letters of the pages so far: reading tens of thousands for each page is most of its cost."""
        asked = {ord(one) for one in _letters(page)} & self._known
        if asked <= self._letters:
            return
        letters = self._letters | asked
        options = subset.Options(layout_features=[], notdef_outline=True, recalc_timestamp=False, hinting=False, name_IDs=["*"])
        with TTFont(self._font, fontNumber=self._number(), lazy=True, recalcTimestamp=False) as whole:
            cutter = subset.Subsetter(options)
            cutter.populate(unicodes=letters)
            cutter.subset(whole)
            path = self._folder / f"{len(letters)}.otf"
            whole.save(path)
        self._cut, self._letters = path, letters

    def _note(self, paper: FPDF, text: str, colour: tuple[int, int, int]) -> None:
        paper.set_text_color(*colour)
        paper.multi_cell(0, _LINE + 0.4, self._text(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _table(self, paper: FPDF, page: Page) -> None:
        right = paper.w - 2 * _MARGIN - _TIME - _LEFT - _GAP
        self._head(paper, page)
        for block in page.blocks:
            times = [_Row(text, _COLOURS["dim"]) for text in (block.day, block.time) if text]
            left = [row for one in block.said for row in self._said(paper, one.speaker, one.name, one.text, one.marks)]
            trail = [row for lines in block.trail for row in self._trail(paper, lines, right)]
            for row in zip_longest(times, left[:-1] if left else [], trail[:-1] if trail else []):
                if paper.get_y() > paper.h - 19:
                    paper.add_page()
                    self._head(paper, page)
                self._row(paper, row)
            paper.set_draw_color(217, 222, 229)
            paper.line(_MARGIN, paper.get_y() + 1, paper.w - _MARGIN, paper.get_y() + 1)
            paper.ln(2.4)

    def _head(self, paper: FPDF, page: Page) -> None:
        told = labels(page.language)
        self._row(paper, tuple(_Row(told[name], _COLOURS["dim"]) for name in ("time", "said", "why")))
        paper.set_draw_color(*_COLOURS["dim"])
        paper.line(_MARGIN, paper.get_y() + 0.6, paper.w - _MARGIN, paper.get_y() + 0.6)
        paper.ln(2)

    def _row(self, paper: FPDF, row: tuple[_Row | None, ...]) -> None:
        top = paper.get_y()
        for cell, x in zip(row, (_MARGIN, _MARGIN + _TIME, _MARGIN + _TIME + _LEFT + _GAP), strict=True):
            if cell is None:
                continue
            if cell.bar is not None:
                paper.set_draw_color(*cell.bar)
                paper.line(x, top, x, top + _LINE)
            paper.set_xy(x + (2 if cell.bar is not None else 0), top)
            paper.set_font(_FAMILY, size=_SIZE)
            paper.set_text_color(*cell.colour)
            paper.cell(0, _LINE, cell.text)
        paper.set_xy(_MARGIN, top + _LINE)

    def _said(self, paper: FPDF, speaker: str, name: str, text: str, marks: str) -> Iterator[_Row]:
        bar = _COLOURS.get(speaker, _COLOURS["dim"])
        yield _Row(self._text(name), bar, bar)
        for line in self._wrapped(paper, text, _LEFT - 2):
            yield _Row(line, _INK, bar)
        if marks:
            for line in self._wrapped(paper, marks, _LEFT - 2):
                yield _Row(line, _COLOURS["dim"], bar)
        yield _Row("", _INK)

    def _trail(self, paper: FPDF, lines: tuple[PageLine, ...], width: float) -> Iterator[_Row]:
        for line in lines:
            text = line.text if line.head or not line.label else f"{line.label}　{line.text}"
            colour = _COLOURS["head"] if line.head else _COLOURS.get(line.style, _INK)
            for part in self._wrapped(paper, text, width):
                yield _Row(part, colour)
        yield _Row("", _INK)

    def _wrapped(self, paper: FPDF, text: str, width: float) -> list[str]:
        clean = self._text(text)
        if not clean.strip():
            return [""]
        lines = paper.multi_cell(
            width, _LINE, clean, align="L", wrapmode=WrapMode.CHAR, dry_run=True, output=MethodReturnValue.LINES
        )
        return [str(line) for line in lines] if isinstance(lines, list) else [clean]

    def _text(self, text: str) -> str:
        """Without letters that the font lacks: they are shown by their number."""
        return "".join(
            one if one == "\n" or ord(one) in self._known else "  " if one == "\t" else f"<{ord(one):02x}>" for one in text
        )


def _letters(page: Page) -> set[str]:
    """Every letter that a page can show: its own, those of its labels and of the numbers by which missing ones are shown."""
    texts = [*labels(page.language).values(), *words(page.language).values(), page.name, string.printable, "　 "]
    texts += [text for fact in page.facts for text in fact]
    for block in page.blocks:
        texts += [block.day, block.time, *(text for one in block.said for text in (one.name, one.text, one.marks))]
        texts += [text for lines in block.trail for line in lines for text in (line.label, line.text)]
    return set("".join(texts))


def _check(font: Path) -> None:
    """Refuse what does not even begin as a font; the library would leave such a file open."""
    with font.open("rb") as file:
        if file.read(4) not in {b"\x00\x01\x00\x00", b"OTTO", b"ttcf", b"true"}:
            raise ValueError("neither TrueType nor OpenType")


def _close(paper: FPDF) -> None:
    """Close the font's file, which the library leaves open."""
    for font in paper.fonts.values():
        if isinstance(font, TTFFont):
            font.ttfont.close()
