"""What all pages share: headers, language, times and templates. No script of others, nothing loaded from elsewhere."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tightrope.audit.render import BEIJING
from tightrope.audit.trail import visible
from tightrope.console.words import words

HERE: Final = Path(__file__).parent
Language = Literal["zh", "en"]
LANGUAGE_COOKIE: Final = "console_lang"
PATIENCE_SECONDS: Final = 3.0
"""How long a page waits for the index to read what is new; where that is not enough the page says how far it reads."""

CSP: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PICTURE_CSP: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
"""A picture opened alone: it has a style of its own and nothing else."""
HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


def local_time(at: datetime | None) -> str:
    """A time as the pages show it: Beijing, to the second."""
    return at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S") if at else "—"


def clock_time(at: datetime) -> str:
    """The time of day alone."""
    return at.astimezone(BEIJING).strftime("%H:%M:%S")


_environment = Environment(
    loader=FileSystemLoader([HERE / "templates"]),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_environment.filters |= {"visible": lambda text: visible(str(text)), "at": local_time, "clock": clock_time}


def language_of(request: Request) -> Language:
    """What the address asks for, else the cookie, else the browser's first; Chinese when nothing says."""
    for value in (request.query_params.get("lang", ""), request.cookies.get(LANGUAGE_COOKIE, "")):
        if value in {"zh", "en"}:
            return "en" if value == "en" else "zh"
    return "en" if request.headers.get("accept-language", "zh").lower().startswith("en") else "zh"


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A rendered page. Everything in it is escaped; control and direction characters are shown by the filter `visible`."""
    language = language_of(request)
    other = "en" if language == "zh" else "zh"
    query = "&".join(f"{name}={value}" for name, value in request.query_params.multi_items() if name not in {"lang"})
    switch = str(request.url.include_query_params(lang=other).query) if query else f"lang={other}"
    shared = {
        "language": language,
        "t": words(language),
        "session": getattr(request.state, "session", None),
        "here": request.url.path,
        "switch": f"?{switch}" if request.method == "GET" else f"/?lang={other}",
    }
    response = HTMLResponse(_environment.get_template(f"{template}.html.jinja2").render(shared | context), status_code=status)
    if request.query_params.get("lang") in {"zh", "en"}:
        response.set_cookie(LANGUAGE_COOKIE, language, max_age=31_536_000, httponly=True, samesite="lax")
    return response


def here(request: Request) -> str:
    """The address that was asked for, with its question."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def ask_purpose(request: Request) -> RedirectResponse:
    """To the page that asks why, and back afterwards: nothing is read before."""
    return RedirectResponse(f"/purpose?back={quote(here(request))}", status_code=303)
