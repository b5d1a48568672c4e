"""How people write a number so that a pattern does not find it."""

from __future__ import annotations

from collections.abc import Callable

HAN = str.maketrans("0123456789", "零一二三四五六七八九")
FORMAL = str.maketrans("0123456789", "零壹贰叁肆伍陆柒捌玖")
WIDE = str.maketrans("0123456789Xx", "０１２３４５６７８９ＸＸ")
CIRCLED = str.maketrans("0123456789", "⓪①②③④⑤⑥⑦⑧⑨")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
MATHEMATICAL = str.maketrans("0123456789", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗")
SPOKEN = dict(zip("0123456789", ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"], strict=True))
LOOKALIKE = str.maketrans("01", "Ol")


def joined(by: str) -> Callable[[str], str]:
    return by.join


def in_groups(size: int, by: str) -> Callable[[str], str]:
    return lambda digits: by.join(digits[at : at + size] for at in range(0, len(digits), size))


DISGUISES: dict[str, Callable[[str], str]] = {
    "plain": lambda digits: digits,
    "full width": lambda digits: digits.translate(WIDE),
    "chinese": lambda digits: digits.translate(HAN),
    "formal chinese": lambda digits: digits.translate(FORMAL),
    "spoken chinese": lambda digits: digits.translate(HAN).replace("一", "幺").replace("零", "〇"),
    "circled": lambda digits: digits.translate(CIRCLED),
    "arabic": lambda digits: digits.translate(ARABIC),
    "mathematical": lambda digits: digits.translate(MATHEMATICAL),
    "keycaps": lambda digits: "".join(f"{one}\ufe0f\u20e3" if one.isdigit() else one for one in digits),
    "english words": lambda digits: " ".join(SPOKEN.get(one, one) for one in digits),
    "spaces": joined(" "),
    "three spaces": joined("   "),
    "wide spaces": joined("\u3000"),
    "tabs and lines": joined("\n"),
    "zero width": joined("\u200b"),
    "soft hyphens": joined("\u00ad"),
    "word joiners": joined("\u2060"),
    "right to left": joined("\u202e"),
    "combining strokes": joined("\u0336"),
    "hyphens": joined("-"),
    "dots": joined("."),
    "chinese commas": joined("，"),
    "enumeration commas": joined("、"),
    "slashes": joined("/"),
    "stars": joined("*"),
    "underscores": joined("_"),
    "brackets": lambda digits: "".join(f"({one})" for one in digits),
    "bars": joined(" | "),
    "the word bar": joined("杠"),
    "fours": in_groups(4, " "),
    "threes with commas": in_groups(3, ","),
    "mixed": lambda digits: "".join(one.translate(HAN) if at % 2 else one for at, one in enumerate(digits)),
    "letters for digits": lambda digits: digits.translate(LOOKALIKE),
}
