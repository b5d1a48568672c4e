"""The page behind a citation: an approved public document as it is quoted, with the cited passage highlighted.

`router` is mounted by the gateway. No script, nothing loaded from anywhere, every value escaped; documents are public, so no login.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse

from tightrope.infra.clock import Clock, clock_from
from tightrope.infra.settings import Settings, get_settings
from tightrope.knowledge.errors import ReleaseBroken
from tightrope.knowledge.models import LANGUAGES, SHANGHAI, Document, Language, Release
from tightrope.knowledge.passages import cut
from tightrope.knowledge.publishing.store import Active, Store
from tightrope.knowledge.retrieved import Quotable

_HERE = Path(__file__).parent
_STYLE = (_HERE / "templates" / "page.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "public, max-age=60",
}

WORDS: dict[Language, dict[str, str]] = {
    "zh": {
        "version": "版本",
        "effective": "生效日期",
        "until": "有效期至",
        "source": "依据",
        "approved": "审批",
        "quoted": "回答引用了这一段",
        "other": "English",
        "expired": "本版本已失效，不再用于回答。",
        "public": "公开文件",
        "demo": "衡远证券（演示）为虚构公司，本页内容用于演示。",
        "missing": "没有找到这份文件",
        "missing_hint": "链接可能已经过期，或者文件的这个版本不对外公开。您可以回到对话中再次提问，或者请人工客服协助。",
    },
    "en": {
        "version": "Version",
        "effective": "In force from",
        "until": "In force until",
        "source": "Source",
        "approved": "Approved by",
        "quoted": "The answer quotes this passage",
        "other": "中文",
        "expired": "This version is no longer in force and no longer used for answers.",
        "public": "Public document",
        "demo": "Hengyuan Securities (demo) is an invented firm; this page is for demonstration.",
        "missing": "This document was not found",
        "missing_hint": "The link may be out of date, or this version is not public. You can ask again in the chat or ask for a person.",
    },
}


@dataclass(frozen=True)
class Block:
    """Consecutive lines of a passage: a paragraph each, or the items of a numbered or plain list."""

    kind: str
    lines: tuple[str, ...]


def blocks(text: str) -> list[Block]:
    """A passage's lines grouped for showing. Pure; the wording stays as it is."""
    found: list[Block] = []
    for line in filter(None, (raw.strip() for raw in text.split("\n"))):
        head, _, rest = line.partition(" ")
        kind = "ol" if head[:-1].isdigit() and head[-1] in ".)" and rest else "ul" if head in {"-", "*"} and rest else "p"
        shown = rest if kind != "p" else line
        if found and found[-1].kind == kind:
            found[-1] = Block(kind, (*found[-1].lines, shown))
        else:
            found.append(Block(kind, (shown,)))
    return found


@lru_cache(maxsize=1)
def _templates() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@lru_cache(maxsize=4)
def _active(folder: Path, signers: Path, *, production: bool) -> Active:
    return Active(Store(folder, signers, production=production))


async def get_quotable(settings: Annotated[Settings, Depends(get_settings)]) -> Quotable:
    """What may be quoted now; nothing, when no release can be."""
    store = Store.from_settings(settings)
    try:
        return await _active(store.folder, store.signers, production=settings.mode == "production").current()
    except ReleaseBroken:
        return Quotable(Release("", (), ()))


def get_clock(settings: Annotated[Settings, Depends(get_settings)]) -> Clock:
    """The clock that the settings ask for."""
    return clock_from(settings)


router = APIRouter()


@router.get("/knowledge/{document_id}/{version}/{language}", response_class=HTMLResponse)
async def document_page(
    document_id: str,
    version: str,
    language: str,
    quotable: Annotated[Quotable, Depends(get_quotable)],
    clock: Annotated[Clock, Depends(get_clock)],
    passage: Annotated[str, Query()] = "",
) -> HTMLResponse:
    """An approved public document, the passage named in `passage` highlighted; anything else is a 404 page."""
    today = clock.now().astimezone(SHANGHAI).date()
    documents = quotable.release.documents
    document = next(
        (d for d in documents if (d.document_id, d.version, d.language) == (document_id, version, language)),
        None,
    )
    if document is None or document.effective_from > today or not quotable.allows(document_id, version):
        return _missing(language)
    pair = [d for d in documents if d.document_id == document_id and d.version == version and d.language != language]
    html = (
        _templates().get_template("document.html").render(**_view(document, pair, passage, expired=document.effective_to < today))
    )
    return HTMLResponse(html, headers={**HEADERS, "content-language": document.language})


def _view(document: Document, pair: Sequence[Document], cited: str, *, expired: bool) -> dict[str, Any]:
    language = document.language
    passages = [(item, blocks(item.text), item.passage_id == cited) for item in cut(document)]
    other = None
    if pair:
        number = next((item.number for item, _, marked in passages if marked), 0)
        twin = next((item.passage_id for item in cut(pair[0]) if item.number == number), "")
        link = f"/knowledge/{document.document_id}/{document.version}/{pair[0].language}" + (
            f"?passage={twin}#{twin}" if twin else ""
        )
        other = {"href": link, "language": pair[0].language}
    return {
        "style": _STYLE,
        "words": WORDS[language],
        "document": document,
        "passages": passages,
        "other": other,
        "expired": expired,
        "open_end": document.effective_to.year == 9999,
        "join": "、" if language == "zh" else ", ",
    }


def _missing(language: str) -> HTMLResponse:
    shown: list[Language] = [known for known in LANGUAGES if known == language] or list(LANGUAGES)
    html = _templates().get_template("missing.html").render(style=_STYLE, pages=[(known, WORDS[known]) for known in shown])
    return HTMLResponse(html, status_code=404, headers={**HEADERS, "cache-control": "no-store"})
