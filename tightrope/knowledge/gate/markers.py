"""Words that turn a sentence: negations, bounds, duties and permissions, exceptions, alternatives. Grammar of the two languages; data, with one reader.

The order of the table matters: what stands first takes its characters, so that 不低于 is a bound and not a negation, and 不同 is neither.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from tightrope.knowledge.models import Language

PLAIN = "plain"
_ZH: tuple[tuple[str, str], ...] = (
    (
        PLAIN,
        "不同|不断|不仅|不论|无论|不管|不久|不动产|未来|未成年|非常|除权|除息|除以|免密|无限售|非限售|限售|能力|功能|可能|可转换|可转债|可充抵|要求|主要|重要|"
        "要素|要约|摘要|简要|必要|需求|应用|应付|应收|应计|供应|反应|仅供|超过部分|内地|内容|内部|室内|国内|场内|境内|行内|以外|场外|最近|最新|最后|最终|后果|前提|"
        "优先|预先|目前|当前|后台|背后|满意|不满意|不良",
    ),
    (
        "GE",
        "不(?:得|能|可|应|会)?(?:低于|少于|小于|早于)|最[低少](?:不?(?:得|能)?(?:低于|少于))?|至少|以上|起码|大于等于|满(?=[半\\d一二三四五六七八九十两])",
    ),
    (
        "LE",
        "最[长多高大](?:(?:不得|不能|不可|不)?(?:超过|高于))?|不(?:得|能|可|应|会)?(?:超过|高于|多于|大于|迟于|晚于)|至多|以下|以内|之内|(?<=[日月年天时钟周度])内|小于等于|上限",
    ),
    ("LT", "低于|少于|不足|不满|未满|小于|不到"),
    ("GT", "超过|高于|多于|大于|超出|逾"),
    ("NONEED", "无需|无须|不需要?|不必|不用|不须"),
    ("BAN", "不得|不能|不可以?|不应当?|不许|不准|不允许|禁止|严禁|不予"),
    ("EXCEPT", "除外|除非|除了?(?=.{1,30}外)|例外"),
    ("ONLY", "只能|只有|只需|只|仅"),
    ("THEN", "方可|方能|方才|才可以?|才能?"),
    ("NEG", "没有|并非|不会|不再|不|未|无|没|非|勿|免"),
    ("SHOULD", "建议|宜|最好"),
    ("MUST", "应当|应该|必须|务必|须|需要?|应|要"),
    ("MAY", "可以|可(?=[买卖申办开提取转购撤用享查在通交预])|允许|有权|能够|能"),
    ("OR", "或者|或"),
    ("IF", "如果|如需|如(?=[有果发遇出])|若|假如|一旦|时(?![间段候点期代])|的(?=,)"),
)
_EN: tuple[tuple[str, str], ...] = (
    (
        PLAIN,
        r"at all times|not only|no matter|no\. ?(?=\d)|other than that|over time|under (?=[\"“])|if any\b|as well as|whether or not",
    ),
    (
        "GE",
        r"(?:(?:may|must|can|shall|should|is|are) ?)?(?:not|no) (?:be )?(?:below|under|less than|lower than|fewer than|smaller than|earlier than)|"
        r"cannot be (?:below|less than|lower than)|"
        r"at least|or more|or over|or above|or higher|or older|minimum|a minimum of",
    ),
    (
        "LE",
        r"(?:(?:may|must|can|shall|should|is|are|does|do) ?)?(?:not|no) (?:be )?"
        r"(?:exceed|more than|above|over|higher than|greater than|longer than|later than)|"
        r"cannot (?:exceed|be more than|be above)|"
        r"at most|up to(?! and including)|within|or less|or fewer|or below|maximum",
    ),
    ("LT", r"less than|fewer than|lower than|below|under (?=cny|hk\$|\d)|insufficient"),
    ("GT", r"more than|greater than|higher than|longer than|above|over (?=cny|hk\$|\d)|exceed(?:s|ed|ing)?"),
    ("NONEED", r"need not|(?:do|does) not need|not required|no need|not have to|needn't|don't need"),
    (
        "BAN",
        r"may not|must not|can ?not|can't|may neither|can neither|must neither|not allowed|not permitted|prohibited|forbidden|barred|(?:may|can|must) never",
    ),
    ("EXCEPT", r"except(?:ion)?|unless|apart from|other than|excluding"),
    ("ONLY", r"only|solely|not until|nobody but"),
    ("NEG", r"not|n't|no|never|neither|without|none|nobody|nothing|free of charge|exempt|refuse|unable|nor"),
    ("SHOULD", r"should|best|recommended?|advisable"),
    ("MUST", r"must|needs?|needed|required?s?|requires|requiring|ha(?:s|ve) to|has to|shall"),
    ("MAY", r"may|can|could|allowed|permitted|able to|right"),
    ("OR", r"or"),
    ("IF", r"if|when|provided|where|once|in case"),
)
_KEY = {"zh": _ZH, "en": _EN}


@lru_cache(maxsize=2)
def _reader(language: Language) -> re.Pattern[str]:
    bound = r"(?<![a-z])(?:{})(?![a-z])" if language == "en" else "(?:{})"
    return re.compile("|".join(f"(?P<M{at}>{bound.format(words)})" for at, (_, words) in enumerate(_KEY[language])))


def folded(text: str) -> str:
    """Half width, lower case, straight apostrophes."""
    return unicodedata.normalize("NFKC", text).lower().replace("’", "'")


@lru_cache(maxsize=8192)
def markers(text: str, language: Language) -> tuple[tuple[str, int, int], ...]:
    """The turning words of a text in order: kind, start and end in `folded(text)`."""
    return tuple(
        (kind, match.start(), match.end())
        for match in _reader(language).finditer(folded(text))
        if (kind := _KEY[language][int((match.lastgroup or "M0")[1:])][0]) != PLAIN
    )


def of(found: Iterable[tuple[str, int, int]], *kinds: str) -> list[str]:
    """The kinds asked for, in order."""
    return [kind for kind, _, _ in found if kind in kinds]
