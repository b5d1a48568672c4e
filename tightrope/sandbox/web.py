"""What the sandbox's pages share: headers, language, cookies and templates."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import unquote_plus, urlsplit

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

HERE: Final = Path(__file__).parent
Language = Literal["zh", "en"]
LANGUAGE_COOKIE: Final = "lang"

_environment = Environment(
    loader=FileSystemLoader([HERE / "templates"]),
    autoescape=select_autoescape(default=True, default_for_string=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


def origin(url: str) -> str:
    """Scheme, host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def language_of(request: Request, asked: str = "") -> Language:
    """The page's language: what is asked, else the cookie, else the browser's first, Chinese when nothing says."""
    for value in (asked, request.query_params.get("lang", ""), request.cookies.get(LANGUAGE_COOKIE, "")):
        if value in {"zh", "en"}:
            return "en" if value == "en" else "zh"
    return "en" if request.headers.get("accept-language", "zh").lower().startswith("en") else "zh"


def page(template: str, context: dict[str, Any], *, csp: str, status: int = 200) -> HTMLResponse:
    """A rendered page with the headers that every page of the sandbox has."""
    return HTMLResponse(
        _environment.get_template(template).render(context),
        status_code=status,
        headers={
            "Content-Security-Policy": csp,
            "Referrer-Policy": "strict-origin-when-cross-origin",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
            "Cache-Control": "no-store",
        },
    )


def set_cookie(
    response: Response, name: str, value: str, *, public_url: str, path: str = "/", max_age: int | None = None
) -> None:
    """A cookie that scripts cannot read and other sites do not send with their requests; Secure behind TLS."""
    secure = urlsplit(public_url).scheme == "https"
    response.set_cookie(name, value, max_age=max_age, path=path, httponly=True, samesite="lax", secure=secure)


def basic_credentials(header: str | None) -> tuple[str, str] | None:
    """Client id and secret of an Authorization header (RFC 6749 2.3.1), or None."""
    scheme, _, value = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, separator, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (unquote_plus(user), unquote_plus(password)) if separator else None
