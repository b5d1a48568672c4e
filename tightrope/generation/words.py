"""Recognisers of what is written in words: e-mail, addresses, account and contact identifiers, secrets; zh and en. Pure.

Every repetition is bounded, so that no text takes more than a fixed time a character.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tightrope.generation.spans import Kind, Span, found

_EMAIL: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}"
    r"(?: ?@ ?| ?[(\[<{] ?at ?[)\]>}] ?| at (?=[A-Za-z0-9-]{1,40} ?(?:\.|dot|点))|艾特)"
    r"[A-Za-z0-9-]{1,63}(?:(?: ?\. ?| ?[(\[<{] ?dot ?[)\]>}] ?| dot |点)[A-Za-z][A-Za-z0-9-]{1,24}){1,4}",
    re.IGNORECASE,
)
_IS: Final = r"(?: ?(?:is|are|as|号码|号|编号|no\.?|number|id|#|:|=|是|为|叫|->|=>)){0,3} ?[\"'“”‘’「『(]? ?"
_PLAIN_WORD: Final = (
    r"(?!(?:locked|blocked|not|for|what|wrong|the|an?|and|or|expired|incorrect|invalid|required|different|same|too|still|never|always|case"
    r"|correct|right|ok)\b|[什啥哪不否一同同取银多几])"
)
_SECRET: Final = re.compile(
    r"(?:密码|口令|验证码|校验码|动态码|交易密|(?<![a-z])(?:password|passcode|passwd|pwd|pin|otp|one-time code|verification code|security code))"
    + r"(?: ?(?:is|are|号码|:|=|是|为|叫)){1,3} ?[\"'“”‘’「『(]? ?"
    + _PLAIN_WORD
    + r"(?P<x>[^\s\"'“”‘’「」『』()\[\],，。;；!！?？]{3,32})",
    re.IGNORECASE,
)
_SECRET_DIGITS: Final = re.compile(
    r"(?:密码|口令|验证码|校验码|动态码|(?<![a-z])(?:password|passcode|pin|otp|code))[^\w\n]{0,3}(?P<x>\d{4,8})(?!\d)",
    re.IGNORECASE | re.ASCII,
)
_CONTACT: Final = re.compile(
    r"(?:微信|支付宝|(?<![a-z])(?:wechat|weixin|vx|qq|telegram|whatsapp|line))(?P<is>"
    + _IS
    + r")(?P<x>(?=[A-Za-z+-]{0,31}[\d_])[A-Za-z0-9][A-Za-z0-9_+-]{4,31})",
    re.IGNORECASE,
)
_ACCOUNT: Final = re.compile(
    r"(?:[账帐][号户]|卡号|尾号|客户|资金|股东|保单|工单|订单|委托|合同|流水|受理|登录名|用户名"
    r"|\baccounts?|\bacct|\bcard|\bcustomer|\bclient|\border|\bticket|\bpolicy|\breference|\blogin|\buser ?name|\bending(?: in)?)"
    + _IS
    + r"(?P<x>[A-Za-z]{0,6}[-_]?\d(?:[A-Za-z\d]|[-_ ](?=\d)){3,31})",
    re.IGNORECASE | re.ASCII,
)
_IDENTIFIER: Final = re.compile(
    r"(?<![A-Za-z0-9])(?=[A-Za-z0-9_-]{0,40}\d)[A-Za-z][A-Za-z0-9]{0,31}(?:[-_][A-Za-z0-9]{1,16}){0,4}", re.ASCII
)
_LISTED: Final = re.compile(r"(?:sh|sz|bj|hk|etf|lof|st|\*st|csi|gb|iso|t)[-_]?\d{1,6}(?:\.[a-z]{2})?", re.IGNORECASE | re.ASCII)
_HONG_KONG: Final = re.compile(r"(?<![A-Za-z])[A-Za-z]{1,2}\d{6} ?\(? ?[\dAa] ?\)?(?![A-Za-z0-9])", re.ASCII)
_CREDIT_CODE: Final = re.compile(r"(?<![A-Za-z0-9])[1-9A-Y][0-9A-HJ-NPQRTUWXY]{17}(?![A-Za-z0-9])", re.IGNORECASE | re.ASCII)

_AREA: Final = re.compile(r"[省市区县旗镇乡村]")
_HAN: Final = re.compile(r"[\u4e00-\u9fff]*")
_LEADING: Final = re.compile(r"住在|家在|地址是?|地址为|寄[到往]|住|在|是|到")
_STREET: Final = r"[\u4e00-\u9fff0-9]{1,10}?(?:大道|路|街|巷|弄|胡同|里|道)"
_ESTATE: Final = r"[\u4e00-\u9fff]{2,10}?(?:小区|花园|公寓|大厦|家园|苑|新村)"
_NUMERAL: Final = r"[0-9A-Za-z零一二三四五六七八九十百〇甲乙丙丁-]{1,8}"
_ADDRESS_HAN: Final = re.compile(
    rf"(?:{_STREET} ?{_NUMERAL} ?(?:号|弄|巷)|{_ESTATE} ?{_NUMERAL} ?(?:号楼|号|栋|幢|座|楼))"
    rf"(?:[\u4e00-\u9fff]{{0,12}}? ?{_NUMERAL} ?(?:号楼|号院|号|栋|幢|座|单元|楼|层|室|房|户)){{0,5}}"
)
_ADDRESS_KNOWN: Final = re.compile(
    r"(?:住址|地址|我住在?|家住|寄到|寄往|邮寄至?|住在)(?:是|为|:|：)? ?(?P<x>[\u4e00-\u9fff0-9A-Za-z号()（）# -]{4,60})"
)
_ADDRESS_LATIN: Final = re.compile(
    r"(?:\b(?:room|flat|apt\.?|apartment|unit|suite|no\.|#) ?[0-9A-Z-]{1,6},? )?"
    r"\b(?:no\. ?)?\d{1,5}[A-Z]?,? (?:[A-Z][A-Za-z'’.-]{1,20} ){1,4}"
    r"(?:street|st|road|rd|avenue|ave|lane|ln|drive|dr|boulevard|blvd|way|court|ct|square|sq|terrace|place|pl|highway|hwy)\b\.?"
    r"(?:,? (?:room|flat|apt\.?|apartment|unit|suite|floor|#) ?[0-9A-Z-]{1,6})?(?:,? [A-Z][A-Za-z]{2,20}){0,3}(?:,? \d{5,6})?",
    re.IGNORECASE,
)
_ADDRESS_EN: Final = re.compile(
    r"\b(?:my address is|i live (?:at|in)|address ?:) ?(?P<x>[A-Za-z0-9][A-Za-z0-9 ,.#'’-]{5,80})", re.IGNORECASE
)


def email(text: str) -> Iterator[Span]:
    """E-mail addresses, also with "(at)", "艾特" and "dot" spelt out."""
    yield from found(_EMAIL, Kind.EMAIL, text)


def secrets(text: str) -> Iterator[Span]:
    """Passwords and codes that a customer typed although nobody asks for them."""
    yield from found(_SECRET, Kind.SECRET, text)
    yield from found(_SECRET_DIGITS, Kind.SECRET, text)


def identifiers(text: str) -> Iterator[Span]:
    """Account and customer numbers by the word before them, and anything that mixes letters with four digits and is no security code."""
    yield from found(_CONTACT, Kind.CONTACT, text)
    yield from found(_ACCOUNT, Kind.ACCOUNT, text)
    yield from found(_HONG_KONG, Kind.IDENTITY, text)
    for match in _CREDIT_CODE.finditer(text):
        if re.search(r"\d", match[0]):
            yield Span(*match.span(), Kind.IDENTITY)
    for match in _IDENTIFIER.finditer(text):
        if sum(one.isdigit() for one in match[0]) >= 4 and not _LISTED.fullmatch(match[0]):
            yield Span(*match.span(), Kind.ACCOUNT)


def addresses(text: str) -> Iterator[Span]:
    """Postal addresses from the street down; a city or a district alone is no address."""
    yield from found(_ADDRESS_LATIN, Kind.ADDRESS, text)
    for match in _ADDRESS_HAN.finditer(text):
        yield Span(_begins(text, match.start()), match.end(), Kind.ADDRESS)
    for pattern in (_ADDRESS_KNOWN, _ADDRESS_EN):
        yield from (
            span for span in found(pattern, Kind.ADDRESS, text) if re.search(r"[0-9路街号村区县]", text[span.start : span.end])
        )


def _begins(text: str, start: int) -> int:
    """Where an address begins whose street was found at `start`: after the verb that leads to it, with the province, city and district before it."""
    end = _HAN.match(text, start).end()  # type: ignore[union-attr]  # matches the empty text as well
    first = start
    while first > max(0, start - 20) and _HAN.fullmatch(text[first - 1]):
        first -= 1
    if leading := _LEADING.search(text, first, end - 1):
        return leading.end()
    return first if _AREA.search(text, first, start) else start
