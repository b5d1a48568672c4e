"""What a rule was given, as plain data that a record can hold, and back again: so that the rule can be run again years later. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def plain(value: Any) -> Any:
    """Facts as JSON holds them: dates in ISO form, decimals as text, dataclasses as objects.

    Raises:
        TypeError: a value of another kind; a float too, since it would not come back as it was.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    raise TypeError(f"{type(value).__name__} cannot stand in a record of what a rule was given")


def restored(kind: type[T], found: Mapping[str, Any]) -> T:
    """The facts that `plain` wrote.

    Args:
        kind: their dataclass.

    Raises:
        ValueError: something is missing or of another form.
    """
    hints = get_type_hints(kind)
    try:
        return kind(**{field.name: _restored(hints[field.name], found[field.name]) for field in fields(kind)})  # type: ignore[arg-type]
    except (KeyError, TypeError, ArithmeticError) as error:
        raise ValueError(f"the record of what the rule was given is no {kind.__name__}: {error!r}") from None


def _restored(kind: Any, found: Any) -> Any:
    origin, parts = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        return None if found is None else _restored(next(part for part in parts if part is not type(None)), found)
    if origin is tuple:
        return tuple(_restored(parts[0], item) for item in found)
    if kind is Decimal:
        return Decimal(found)
    if kind in {date, datetime}:
        return kind.fromisoformat(found)
    if is_dataclass(kind):
        return restored(kind, found)  # type: ignore[arg-type]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(found)
    if not isinstance(found, kind) or (isinstance(found, bool) and kind is not bool):
        raise TypeError(f"{found!r} is no {kind.__name__}")
    return found
