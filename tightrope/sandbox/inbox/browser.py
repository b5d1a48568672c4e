"""What Chatwoot notes of a browser in a conversation's additional attributes; all of it is the client's word."""

from __future__ import annotations

import re

from tightrope.sandbox.inbox.models import Json

_BROWSERS = (("Edg", "Microsoft Edge"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Version", "Safari"))
_PLATFORMS = (
    ("Android", "Android"),
    ("iPhone", "iOS (iPhone)"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def browser_of(user_agent: str) -> Json:
    """Name and version of browser and platform, `Unknown Browser` when not recognised."""
    name, version = "Unknown Browser", "0"
    for token, title in _BROWSERS:
        if found := re.search(rf"{token}[A-Za-z]*/([\d.]+)", user_agent):
            name, version = title, found.group(1)
            break
    platform = next((title for token, title in _PLATFORMS if token in user_agent), "Unknown")
    return {
        "browser_name": name,
        "browser_version": version,
        "device_name": "Unknown",
        "platform_name": platform,
        "platform_version": "0",
    }


def accept_language(header: str) -> str | None:
    """The first language of Accept-Language, without its region."""
    first = header.split(",", maxsplit=1)[0].split(";", maxsplit=1)[0].strip()
    return first.split("-")[0].lower() or None if first and first != "*" else None
