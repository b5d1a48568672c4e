"""One spelling for text that customers type: compatibility forms, invisible characters and spaces made plain.

The gateway normalises before it hands text to the assistant; the understanding server normalises again, so that it holds for
whoever asks it. What is stored and shown stays the customer's own spelling.
"""

from __future__ import annotations

import re
import unicodedata

_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
"""General categories that carry no wording: controls, format characters (bidi, zero width), surrogates, private use, unassigned."""

_SPACES = re.compile(r"\s+")
_FILLERS = dict.fromkeys(map(ord, "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"))
"""Letters and marks that print nothing and are used to break up words."""


def normalise(text: str) -> str:
    """NFKC, without control, bidi and other invisible characters, with single spaces and none at the ends.

    Idempotent. Full-width forms become ASCII (so `／` becomes `/`: see `typed`), line breaks become spaces.
    """
    # Composing again after the strip joins what an invisible character had kept apart, so one more round would change nothing.
    previous = None
    while text != previous:
        previous = text
        visible = "".join(_visible(c) for c in unicodedata.normalize("NFKC", text).translate(_FILLERS))
        text = _SPACES.sub(" ", unicodedata.normalize("NFKC", visible)).strip()
    return text


def typed(text: str) -> str:
    """Normalised text that can never be read as a button payload: a leading `/` is the full-width `／` (docs/wire-contracts.md)."""
    plain = normalise(text)
    return "／" + plain[1:] if plain.startswith("/") else plain


def _visible(char: str) -> str:
    if char.isspace():
        return " "
    return "" if unicodedata.category(char) in _INVISIBLE else char


_SIMPLIFIED = str.maketrans(
    "轉帳賬餘額買賣應該嗎麼這為證資產開戶戶權條評風險級費稅單結算難過還錢幾時間個們會說話請問國語務員客服聯繫電號碼網頁點擊銀行實際現關於處理規則漲跌報價總"
    "對錯讓聽見夠檢測選擇後續無爾東進態誰將來並愛寫給從歲廣與樂業學體氣紅親萬億兩歷經濟長門頭題類華",
    "转账账余额买卖应该吗么这为证资产开户户权条评风险级费税单结算难过还钱几时间个们会说话请问国语务员客服联系电号码网页点击银行实际现关于处理规则涨跌报价总"
    "对错让听见够检测选择后续无尔东进态谁将来并爱写给从岁广与乐业学体气红亲万亿两历经济长门头题类华",
)


def folded(text: str) -> str:
    """The form that patterns and features look at: normalised, lower case, common traditional characters simplified."""
    return normalise(text).casefold().translate(_SIMPLIFIED)
