"""Base64 and decimal numbers in the one form that the formats allow. Pure.

A second spelling of the same value (other padding bits, leading zeroes, white space) would let two files differ and both pass.
"""

from __future__ import annotations

import base64
import binascii
import re

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


def to_base64(data: bytes) -> str:
    """Standard base64 with padding (RFC 4648, section 4)."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str, size: int | None = None) -> bytes:
    """The bytes that a base64 text stands for.

    Args:
        size: how many bytes it must be.

    Raises:
        ValueError: not base64 as RFC 4648, section 4 writes it, or of another length.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64") from None
    if to_base64(data) != text:
        raise ValueError("not the canonical form of base64")
    if size is not None and len(data) != size:
        raise ValueError(f"{size} bytes are expected, these are {len(data)}")
    return data


def from_decimal(text: str) -> int:
    """The number that a decimal text stands for, from 0 to 2^63 - 1, without sign or leading zeroes.

    Raises:
        ValueError: anything else.
    """
    if not _DECIMAL.fullmatch(text) or int(text) >= 2**63:
        raise ValueError("not a decimal number from 0 to 2^63 - 1 without leading zeroes")
    return int(text)
