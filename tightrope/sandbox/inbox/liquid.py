"""The part of Liquid that outgoing messages go through in Chatwoot (app/models/concerns/liquidable.rb).

Enough to show what a bot must neutralise: `{{ drop.field }}` is replaced (unknown drops by nothing), known tags vanish, backtick
spans are exempt, and a text that does not parse stays as it was.
"""

from __future__ import annotations

import re
from typing import Any

_CODE = re.compile(r"`.*?`", re.DOTALL)
_TOKEN = re.compile(r"\{\{(.*?)\}\}|\{%-?\s*(\w*)(.*?)%\}", re.DOTALL)
_PATH = re.compile(r"^[A-Za-z_][\w-]*(?:\.[\w-]+|\['[^']*'\]|\[\"[^\"]*\"\])*$")
_PART = re.compile(r"[\w-]+")
_TAGS = frozenset(
    [
        "if",
        "elsif",
        "else",
        "endif",
        "unless",
        "endunless",
        "for",
        "endfor",
        "assign",
        "capture",
        "endcapture",
        "comment",
        "endcomment",
        "case",
        "when",
        "endcase",
        "raw",
        "endraw",
        "increment",
        "decrement",
        "cycle",
    ]
)


class _SyntaxError(Exception):
    pass


def _value(expression: str, drops: dict[str, Any]) -> str:
    path, *filters = (part.strip() for part in expression.split("|"))
    if path[:1] in "'\"" and path[-1:] == path[:1] and len(path) > 1:
        found: Any = path[1:-1]
    elif not path:
        found = None
    elif _PATH.match(path):
        found = drops
        for part in _PART.findall(path):
            found = found.get(part) if isinstance(found, dict) else None
    else:
        found = None
    text = "" if found is None or isinstance(found, dict) else str(found)
    for name in filters:
        text = _filtered(text, name)
    return text


def _filtered(text: str, name: str) -> str:
    word, _, argument = name.partition(":")
    match word.strip():
        case "upcase":
            return text.upper()
        case "downcase":
            return text.lower()
        case "capitalize":
            return text.capitalize()
        case "default":
            return text or argument.strip().strip("'\"")
        case _:
            return text


def _render(text: str, drops: dict[str, Any]) -> str:
    def one(match: re.Match[str]) -> str:
        if match.group(1) is not None:
            return _value(match.group(1), drops)
        if match.group(2) not in _TAGS:
            raise _SyntaxError(match.group(2))
        return ""

    rendered = _TOKEN.sub(one, text)
    rest = _TOKEN.sub("", text)
    if "{{" in rest or "{%" in rest:
        raise _SyntaxError("unterminated")
    return rendered


def render(content: str, drops: dict[str, Any]) -> str:
    """`content` with drops filled in; unchanged where it is not valid Liquid.

    Args:
        drops: nested mapping, e.g. `{"contact": {"email": "ana@example.test"}}`.
    """
    if "{{" not in content and "{%" not in content:
        return content
    out: list[str] = []
    end = 0
    try:
        for span in _CODE.finditer(content):
            out += [_render(content[end : span.start()], drops), span.group()]
            end = span.end()
        out.append(_render(content[end:], drops))
    except _SyntaxError:
        return content
    return "".join(out)


def words(name: str) -> str:
    """A name as Chatwoot's drops give it: each word capitalised."""
    return " ".join(word[:1].upper() + word[1:].lower() for word in name.split())
