"""The reading form of an export: one page for each conversation, one index. Pure; HTML without scripts and without anything from outside.

Whatever customers wrote is text here: escaped, its control and direction signs shown as `<202e>`, and cut where it is longer than a reader
would read, with the place of the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from tightrope.audit.exchanges import Exchange, exchanges
from tightrope.audit.export.words import words
from tightrope.audit.index.rows import SHANGHAI
from tightrope.audit.models import Entry
from tightrope.audit.trail import Line, visible
from tightrope.audit.wording import labels

TEXT_LIMIT = 20_000
"""Characters of one text that a page shows."""


@dataclass(frozen=True, slots=True)
class PageLine:
    """One line of the trail; `head` begins a record; `style` is `good`, `bad`, `dim` or empty."""

    label: str
    text: str
    style: str
    head: bool


@dataclass(frozen=True, slots=True)
class PageSaid:
    """One thing that was said."""

    speaker: str
    name: str
    text: str
    marks: str


@dataclass(frozen=True, slots=True)
class PageBlock:
    """One exchange. `day` is empty where it is the day of the block before."""

    day: str
    time: str
    said: tuple[PageSaid, ...]
    trail: tuple[tuple[PageLine, ...], ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A conversation, ready to be drawn as HTML or PDF.

    Attributes:
        name: the inbox's id of the conversation.
        facts: label and text, for its head.
    """

    name: str
    language: str
    masked: bool
    facts: tuple[tuple[str, str], ...]
    blocks: tuple[PageBlock, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """A conversation in the index; `page` and `pdf` are paths beside it, empty where there is none."""

    name: str
    period: str
    turns: int
    records: int
    journeys: str
    page: str
    pdf: str


@dataclass(frozen=True, slots=True)
class ShardLine:
    """A shard in the index."""

    origin: str
    size: int
    root: str


def page_of(name: str, entries: Sequence[Entry], language: str, *, masked: bool) -> Page:
    """A conversation's page.

    Args:
        entries: oldest first, not empty.
    """
    told = labels(language)
    releases = sorted({str(entry.leaf.get("release")) for entry in entries if entry.leaf.get("release")})
    places = [str(entry.place) for entry in entries if entry.place]
    facts = (
        (told["conv"], str(next((entry.leaf.get("conv") for entry in entries if entry.leaf.get("conv")), ""))),
        (told["period"], period(entries)),
        (told["release"], ", ".join(releases)),
        (told["records"], f"{len(entries)} · {places[0]} … {places[-1]}" if places else str(len(entries))),
    )
    return Page(name, language, masked, facts, tuple(blocks_of(entries, language)))


def blocks_of(entries: Sequence[Entry], language: str) -> list[PageBlock]:
    """The exchanges of some records as a page shows them."""
    told, day, out = labels(language), "", []
    for block in exchanges(entries, language):
        local = block.at.astimezone(SHANGHAI)
        out.append(_block(block, told, language, "" if f"{local:%Y-%m-%d}" == day else f"{local:%Y-%m-%d}"))
        day = f"{local:%Y-%m-%d}"
    return out


def period(entries: Sequence[Entry]) -> str:
    """First and last time of some records, in the firm's time."""
    return f"{_local(entries[0].at)} – {_local(entries[-1].at)} (UTC+8)"


def conversation_html(page: Page) -> str:
    """A conversation as a page."""
    return (
        _environment()
        .get_template("conversation.html.jinja2")
        .render(
            title=f"{labels(page.language)['conversation']} {page.name}",
            language="zh-CN" if page.language == "zh" else "en",
            l=labels(page.language),
            w=words(page.language),
            name=visible(page.name),
            masked=page.masked,
            facts=page.facts,
            blocks=page.blocks,
        )
    )


def index_html(
    language: str,
    *,
    masked: bool,
    facts: Sequence[tuple[str, str]],
    shards: Sequence[ShardLine],
    conversations: Sequence[Listed],
    others: Sequence[Entry],
) -> str:
    """The export's first page."""
    return (
        _environment()
        .get_template("index.html.jinja2")
        .render(
            title=words(language)["export"],
            language="zh-CN" if language == "zh" else "en",
            l=labels(language),
            w=words(language),
            masked=masked,
            facts=[(label, visible(text)) for label, text in facts],
            shards=shards,
            conversations=conversations,
            others=blocks_of(others, language),
        )
    )


def shown(text: str, language: str) -> str:
    """A text as a page shows it."""
    kept = visible(text[:TEXT_LIMIT])
    return kept if len(text) <= TEXT_LIMIT else kept + words(language)["cut"].format(n=len(text))


def _block(block: Exchange, told: dict[str, str], language: str, day: str) -> PageBlock:
    said = tuple(
        PageSaid(one.speaker, told[one.speaker], shown(one.text, language), shown("  ".join(one.marks), language))
        for one in block.left
    )
    trail = tuple(tuple(_line(line, language) for line in lines) for lines in block.right)
    return PageBlock(day, f"{block.at.astimezone(SHANGHAI):%H:%M:%S}", said, trail)


def _line(line: Line, language: str) -> PageLine:
    style = next(
        (name for word, name in (("red", "bad"), ("yellow", "bad"), ("green", "good"), ("dim", "dim")) if word in line.style), ""
    )
    return PageLine(visible(line.label).strip(), shown(line.text, language), style, head=line.label == "●")


def _local(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=select_autoescape(("html", "jinja2"), default=True),
        undefined=StrictUndefined,
        trim_blocks=False,
    )
