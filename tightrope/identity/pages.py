"""The few pages that a customer sees on the way to a login and back: zh and en, self-contained, readable at 390 px."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from pathlib import Path
from typing import Any, Final, Literal

import yaml

Language = Literal["zh", "en"]
PageName = Literal["done", "mismatch", "expired", "used", "declined", "unavailable"]

_HERE: Final = Path(__file__).parent
_STYLE: Final = (_HERE / "page.css").read_text(encoding="utf-8")

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


_TEXTS: Final[dict[str, dict[str, Any]]] = yaml.safe_load((_HERE / "pages.yml").read_text(encoding="utf-8"))


def language_of(accept: str | None) -> Language:
    """The reader's language by `Accept-Language`; Chinese when nothing else is asked for."""
    ranked: list[tuple[float, int, Language]] = []
    for place, item in enumerate((accept or "")[:200].split(",")):
        tag, _, rest = item.strip().lower().partition(";")
        language: Language | None = "zh" if tag.split("-")[0] == "zh" else "en" if tag.split("-")[0] == "en" else None
        weight = re.search(r"q=([01](?:\.\d+)?)", rest)
        if language is not None:
            ranked.append((-(float(weight[1]) if weight else 1.0), place, language))
    return min(ranked)[2] if ranked else "zh"


def page(name: PageName, language: Language, chat_url: str) -> str:
    """One page as HTML; `done` goes back to the chat by itself after a few seconds."""
    entry = _TEXTS[name]
    text = {key: html.escape(value) for key, value in entry[language].items()}
    url = html.escape(chat_url, quote=True)
    refresh = f'<meta http-equiv="refresh" content="4;url={url}">' if name == "done" else ""
    return (
        f'<!doctype html><html lang="{"zh-CN" if language == "zh" else "en"}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">{refresh}'
        f"<title>{text['title']}</title><style>{_STYLE}</style></head><body><main>"
        f'<div class="mark {entry["tone"]}" aria-hidden="true">{entry["mark"]}</div><h1>{text["title"]}</h1>'
        f'<p class="lead">{text["lead"]}</p><p>{text["more"]}</p>'
        f'<a class="button" href="{url}">{text["button"]}</a></main></body></html>'
    )
