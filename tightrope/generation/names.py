"""Recognisers of names, zh and en. Pure. They go by the words around a name, and in English by capitals; every repetition is bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tightrope.generation.spans import Kind, Span, found

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
    r"(?=(?:的|名下的?)(?:账户|帐户|账号|帐号|余额|持仓|资产|股票|身份证|电话|手机|密码|银行卡|订单|对账单|账单|交割单|流水|转账|委托|成交|资金|档案|信息))"
)
_NAME_TITLE: Final = re.compile(
    rf"{_BOUNDARY}(?P<x>(?:{_SURNAME}){_GIVEN}{{0,2}}?)(?=(?:先生|女士|小姐|太太|老师|总(?![共额数体计是量部的要得总资算])|(?:客户)?经理(?![人们])))"
)
_NOT_NAMES: Final = re.compile(
    r"(?:客户|投资|证券|基金|期权|融资|融券|个人|机构|股民|新手|老人|外国|香港|专业|普通|单位|公司|企业|学生|安全|成功|高龄|高净|全部|任何|明天|国内|国外|大户|相关|通过|交易|"
    r"居民|老师|理财|应该|那个|这个|万一|关于|方便|成年|都是|都想|平台|平时|空仓|满仓|养老|温馨|解除|别人|何时|单方|程序|广大|连续|管理|单个|向您|向你|常见|强制|后来|元宵|于是|任意|易|都|农行|单亲|怀疑|康康|满足|顾问|和客户|明明|银行卡)"
)
_NOT_BESIDE: Final = re.compile(
    rf"{_NOT_NAMES.pattern}|那|周[一二三四五六日末]|高[一二三]|应当|管钱|通知|麻烦|师傅|盖章|怀孕|车祸"
)
_NAME_BESIDE: Final = re.compile(
    r"(?:客户|邻居|老婆|老公|妻子|丈夫|爱人|老伴|朋友|同事|同学|徒弟|师傅|老板"
    r"|领导|室友|亲戚|女友|男友|父亲|母亲|爸爸|妈妈|儿子|女儿|哥哥|姐姐|弟弟|妹妹|合伙人) ?"
    rf"(?P<x>(?:{_SURNAME}){_GIVEN}{{1,2}})"
)
_NAME_ALONE: Final = re.compile(
    rf"(?:^|(?<=[,，。;；!！?？:：\s]))(?P<x>(?:{_SURNAME}){_GIVEN}{{1,2}}?)(?=是我|是不是|是你们|说(?![明法清得的])|这个客户|这个人|在你们|也在你们)"
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
_NAME_PAIR: Final = re.compile(rf"\b(?P<x>{_EN_WORD}(?: {_EN_WORD}){{1,3}})")
_COMMON: Final = frozenset(
    """
    a about account accounts advisor advisory ai alipay all am an and any app apr april are area as ask at aug august autumn balance bank banking bei
    beijing board boat bond bonds bought broker brokerage bse buy by call can card cash change chat check chess chi china chinese chinext christmas
    class close closed closing cny co commission company connect could csrc customer day days dear dec december deposit did do does dollar dragon
    english etf etfs eve every exchange feb february fee fees festival fix for free friday from fund funds futures good great growth gtc guide half
    hang have hello help hengyuan hi hkd hkex holding holdings holiday holidays hong how hsgt hsi i id if in index information interest internet
    investment investor ipo ipos is it jan january jul july jun june kind know kong last level limit list listed live local login lot ltd main
    mainland manager mar march margin market markets may me member mid monday money month more morning my name national new next no northbound not
    nov november now oct october of offering office ok on online open opening option options or order orders other our password people phone please
    point policy portal pre price profit public q question questions rate reit reits republic required right rights risk rmb rule rules sale saturday
    securities security sell send sep september service services settlement shanghai share shares shenzhen should sir something sorry southbound
    special spring sse star statement stock stocks street sunday support system szse tax team tell thank thanks the there these thing this thursday
    time to today tomorrow top trade trader trading transfer treatment tuesday two under up us usd user vip want was we wealth website wechat
    wednesday what when where which who why will with withdraw world would year yes yesterday yet you your yuan
    """.split()  # noqa: SIM905 - a list of words reads better so
)
"""Words that customers and the firm write with capitals, and that are no part of a name: two capitalised words without one of these are a name."""


def names(text: str) -> Iterator[Span]:
    """Names where the words around, or capitals, say that it is one; any other name is not recognised."""
    for pattern in (_NAME_BESIDE, _NAME_ALONE):
        yield from (span for span in found(pattern, Kind.NAME, text) if not _NOT_BESIDE.match(text, span.start))
    for pattern in (_NAME_HAN, _NAME_DOTTED, _NAME_OF, _NAME_TITLE):
        yield from (span for span in found(pattern, Kind.NAME, text) if not _NOT_NAMES.match(text, span.start))
    for pattern in (_NAME_LATIN, _NAME_MR):
        yield from (span for span in found(pattern, Kind.NAME, text) if not _NOT_LATIN.match(text, span.start))
    yield from found(_NAME_LOWER, Kind.NAME, text)
    yield from (
        span for span in found(_NAME_PAIR, Kind.NAME, text) if _COMMON.isdisjoint(text[span.start : span.end].lower().split())
    )
