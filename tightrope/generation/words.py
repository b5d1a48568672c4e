"""Recognisers of what is written in words: e-mail, names, addresses, account and contact identifiers, secrets; zh and en. Pure.

Every repetition is bounded, so that no text takes more than a fixed time a character.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tightrope.generation.spans import Kind, Span

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

_SURNAME: Final = (
    "欧阳|司马|上官|诸葛|东方|皇甫|尉迟|公孙|慕容|令狐|司徒|夏侯|端木|长孙|宇文|轩辕|百里|南宫|"
    "[赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏窦章苏潘葛奚范彭郎鲁韦昌马苗凤花方俞任袁柳鲍史唐费廉岑薛雷贺倪汤滕殷罗毕郝"
    "安常乐于傅皮卞齐康伍余元卜顾孟平黄穆萧尹姚邵汪祁毛禹狄贝明臧计伏成戴谈宋茅庞熊纪舒屈项祝董梁杜阮蓝闵席季麻强贾路娄危江童颜郭梅盛林刁钟徐邱骆高夏蔡"
    "田樊胡凌霍虞万支柯管卢莫房裘缪解应宗丁宣邓郁单杭洪包诸左石崔吉龚程邢裴陆荣翁荀羊惠甄曲封储靳段富巫乌焦巴谷车侯全班仰秋仲伊宫宁仇栾甘厉祖武符刘景詹束"
    "龙叶幸司韶黎薄印宿白怀蒲邰鄂索咸赖卓蔺屠蒙池乔阴胥苍闻莘党翟谭贡劳姬申扶堵冉宰郦桑桂牛寿通边扈燕冀浦尚农温别庄晏柴瞿阎充慕连茹习艾鱼容向古易慎戈廖庾"
    "终暨居衡步都耿满弘匡国文寇广禄东沃利蔚越夔隆师巩聂晁勾敖融冷訾辛阚那简饶空曾毋沙养鞠须丰巢关蒯相查后荆红游竺权盖益桓公肖涂代闫]"
)
_NAME_HAN: Final = re.compile(
    r"(?:我叫|我的名字(?:是|叫)|名字[是叫:]|本人[是叫]?|我是|这里是|他叫|她叫|名叫|(?:姓名|户名|联系人|收款人|经办人|开户人)[是为:]?)"
    rf" ?(?P<x>(?:{_SURNAME})[\u4e00-\u9fff·]{{1,3}}?)"
    r"(?=$|[^\u4e00-\u9fff·]|的|想|要|请|在|今|昨|身份|电话|手机|账|帐|客户|住|我|你|现|之前|已经|刚)"
)
_NAME_DOTTED: Final = re.compile(
    r"(?:我叫|名字[是叫]|我是|本人|姓名[是为:]?|户名[是为:]?)?(?P<x>[\u4e00-\u9fff]{1,6}(?:[·・•‧][\u4e00-\u9fff]{1,8}){1,3})"
)
_GIVEN: Final = r"[^\W\d_a-zA-Z我你您他她它们的是了在有把给让要看查开和或万元币]"
_BOUNDARY: Final = r"(?:(?<![\u4e00-\u9fff0-9])|(?<=[查看找问请叫让把将给替帮下是的和与跟向]))"
_NAME_OF: Final = re.compile(
    rf"{_BOUNDARY}(?P<x>(?:{_SURNAME}){_GIVEN}{{1,2}})"
    r"(?=(?:的|名下的?)(?:账户|帐户|账号|帐号|余额|持仓|资产|股票|身份证|电话|手机|密码|银行卡|订单))"
)
_NAME_TITLE: Final = re.compile(
    rf"{_BOUNDARY}(?P<x>(?:{_SURNAME}){_GIVEN}{{0,2}}?)(?=(?:先生|女士|小姐|太太|老师|总(?![共额数体计是量部的要得总资算])|(?:客户)?经理(?![人们])))"
)
_NOT_NAMES: Final = re.compile(
    r"(?:客户|投资|证券|基金|期权|融资|融券|个人|机构|股民|新手|老人|外国|香港|专业|普通|单位|公司|企业|学生|安全|成功|高龄|高净|全部|任何|明天|国内|国外|大户|相关|通过|交易|"
    r"居民|老师|理财|应该|那个|这个|万一|关于|方便|成年|都是|都想|平台|平时|空仓|满仓|养老|温馨|解除|别人|何时|单方|程序|广大|连续|管理|单个|向您|向你|常见|强制|后来|元宵|于是|任意|易|都|农行|单亲|怀疑|康康|满足|顾问|和客户|明明|银行卡)"
)
_EN_WORD: Final = r"[A-Z][A-Za-z'’-]{1,24}"
_NAME_LATIN: Final = re.compile(
    r"\b(?:[Mm]y (?:full )?name(?:'s| is)|(?:[Nn]ame|NAME) ?:|[Nn]ame of|[Aa]ccount holder(?: is| ?:)?|[Hh]older ?:"
    r"|I am|I'm|[Tt]his is|[Cc]all me|[Rr]egards,|[Dd]ear)"
    rf" ?(?P<x>(?:(?:Mr|Ms|Mrs|Dr|Miss)\.? )?{_EN_WORD}(?: {_EN_WORD}){{0,3}})"
)
_NAME_LOWER: Final = re.compile(
    r"\bmy (?:full )?name(?:'s| is) (?P<x>[a-z][a-z'’-]{1,24}(?: [a-z][a-z'’-]{1,24})?)\b", re.IGNORECASE
)
_NAME_MR: Final = re.compile(rf"\b(?P<x>(?:Mr|Ms|Mrs|Dr|Miss)\.? {_EN_WORD}(?: {_EN_WORD}){{0,2}})")
_NOT_LATIN: Final = re.compile(
    r"(?:Chinese|American|British|Canadian|Australian|Japanese|Korean|Singaporean|German|French|Not|New|Looking|Trying|Asking|Interested"
    r"|Hengyuan|Stock|Hong Kong|STAR|ChiNext|Shanghai|Shenzhen|Beijing|China|English|Retired|Able|Allowed|Still|Just|Sir|Madam|Customer"
    r"|Team|Support|The|An?|In|On|At|From|Over|Under|Very|Sure|Sorry)\b"
)
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
    yield from _found(_EMAIL, Kind.EMAIL, text)


def secrets(text: str) -> Iterator[Span]:
    """Passwords and codes that a customer typed although nobody asks for them."""
    yield from _found(_SECRET, Kind.SECRET, text)
    yield from _found(_SECRET_DIGITS, Kind.SECRET, text)


def identifiers(text: str) -> Iterator[Span]:
    """Account and customer numbers by the word before them, and anything that mixes letters with four digits and is no security code."""
    yield from _found(_CONTACT, Kind.CONTACT, text)
    yield from _found(_ACCOUNT, Kind.ACCOUNT, text)
    yield from _found(_HONG_KONG, Kind.IDENTITY, text)
    for match in _CREDIT_CODE.finditer(text):
        if re.search(r"\d", match[0]):
            yield Span(*match.span(), Kind.IDENTITY)
    for match in _IDENTIFIER.finditer(text):
        if sum(one.isdigit() for one in match[0]) >= 4 and not _LISTED.fullmatch(match[0]):
            yield Span(*match.span(), Kind.ACCOUNT)


def names(text: str) -> Iterator[Span]:
    """Names where the words around say that it is one; a name without any such word is not recognised."""
    for pattern in (_NAME_HAN, _NAME_DOTTED, _NAME_OF, _NAME_TITLE):
        yield from (span for span in _found(pattern, Kind.NAME, text) if not _NOT_NAMES.match(text, span.start))
    for pattern in (_NAME_LATIN, _NAME_MR):
        yield from (span for span in _found(pattern, Kind.NAME, text) if not _NOT_LATIN.match(text, span.start))
    yield from _found(_NAME_LOWER, Kind.NAME, text)


def addresses(text: str) -> Iterator[Span]:
    """Postal addresses from the street down; a city or a district alone is no address."""
    yield from _found(_ADDRESS_LATIN, Kind.ADDRESS, text)
    for match in _ADDRESS_HAN.finditer(text):
        yield Span(_begins(text, match.start()), match.end(), Kind.ADDRESS)
    for pattern in (_ADDRESS_KNOWN, _ADDRESS_EN):
        yield from (
            span for span in _found(pattern, Kind.ADDRESS, text) if re.search(r"[0-9路街号村区县]", text[span.start : span.end])
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


def _found(pattern: re.Pattern[str], kind: Kind, text: str) -> Iterator[Span]:
    group: str | int = "x" if "x" in pattern.groupindex else 0
    for match in pattern.finditer(text):
        yield Span(match.start(group), match.end(group), kind)
