"""How long records are kept: a JSON file of classes, ours (tightrope/audit/retention.json) or the firm's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

LEAST_YEARS: Final = 5
"""Production refuses a class that is kept for less; the Chinese Securities Law, article 137, says twenty."""

CLASSES: Final = frozenset({"conversation", "system"})
"""Classes that records are written in: what belongs to a conversation, and what explains it (releases, switches, custody)."""

MOST_YEARS: Final = 100


def read_retention(path: Path) -> dict[str, int]:
    """Years by class: `{"conversation": {"years": 20, "why": "..."}, ...}`.

    Raises:
        ValueError: the file is missing, is no such JSON, lacks a class or has an unknown one, or a period is no whole number of years from 1 to 100;
            names the file and the place.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        years = {str(name): entry["years"] for name, entry in data.items()}
    except OSError as error:
        raise ValueError(f"the retention classes {path} cannot be read ({error.strerror})") from None
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ValueError(
            f'the retention classes {path} are not of the form {{"conversation": {{"years": 20, "why": "..."}}, ...}}'
        ) from None
    if set(years) != CLASSES:
        raise ValueError(f"the retention classes {path} name {sorted(years)}; the classes are {sorted(CLASSES)}")
    for name, number in years.items():
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MOST_YEARS:
            raise ValueError(
                f"the retention class {name!r} in {path}: years is a whole number from 1 to {MOST_YEARS}, found {number!r}"
            )
    return years
