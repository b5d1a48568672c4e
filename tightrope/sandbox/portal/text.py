"""The words of the portal's page."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from tightrope.sandbox.catalogue import DemoCustomer
from tightrope.sandbox.web import Language

_TEXT: Final[dict[str, tuple[str, str]]] = {
    "brand": ("衡远证券", "Hengyuan Securities"),
    "brand_sub": ("网上营业厅", "Client portal"),
    "demo": (
        "演示站点：公司、客户与数据均为虚构，不构成任何投资建议。",
        "Demo site: firm, customers and data are invented. No investment advice.",
    ),
    "switch": ("English", "中文"),
    "login": ("登录", "Sign in"),
    "logout": ("退出登录", "Sign out"),
    "logging_out": ("正在退出…", "Signing out…"),
    "logout_failed": ("退出失败，请重试。", "Signing out failed. Please try again."),
    "guest": ("未登录", "Not signed in"),
    "guest_title": ("有问题，随时问", "Ask us anything"),
    "guest_lead": (
        "不登录也可以咨询业务规则。查询账户信息时，客服会请您先登录，登录后您的问题会接着得到答复。",
        "You can ask about rules without signing in. For your account the chat asks you to sign in, then answers your question right away.",
    ),
    "hello": ("您好，", "Hello, "),
    "hello_lead": (
        "您已登录，打开在线客服即可直接查询账户，无需再次验证。",
        "You are signed in, so the chat can look at your account without another check.",
    ),
    "open_chat": ("打开在线客服", "Open the chat"),
    "chat_down": ("在线客服暂时无法加载，请稍后刷新页面。", "The chat cannot be loaded right now. Please reload later."),
    "try": ("可以这样问", "Try asking"),
    "try_1": ("我的账户余额是多少？", "What is my account balance?"),
    "try_2": ("我可以开通融资融券吗？", "Can I enable margin trading?"),
    "try_3": ("新股申购需要满足什么条件？", "What do I need to subscribe to an IPO?"),
    "try_4": ("转人工", "Talk to a person"),
    "customers": ("演示客户", "Demo customers"),
    "customers_lead": (
        "二百位虚构客户，各对应一种情形。选择一位登录，对照客服的答复。",
        "Two hundred invented customers, one case each. Sign in as one and compare the answers.",
    ),
    "login_as": ("以此客户登录", "Sign in"),
    "current": ("当前客户", "Signed in"),
    "failed": ("登录未完成，请重试。", "The sign-in was not completed. Please try again."),
    "footer": (
        "在线客服首先由自动助手应答，对话会被记录；您可以随时要求转人工。",
        "An automated assistant answers first and conversations are recorded; you can ask for a person at any time.",
    ),
}

_TIERS: Final = {
    "retail_restricted": ("受限普通投资者", "restricted retail"),
    "retail": ("普通投资者", "retail"),
    "premium": ("高净值客户", "premium"),
    "professional": ("专业投资者", "professional"),
}
_STANDINGS: Final = {
    "normal": ("账户正常", "account normal"),
    "dormant": ("账户休眠", "account dormant"),
    "restricted": ("账户受限", "account restricted"),
    "frozen": ("账户冻结", "account frozen"),
}


def text(language: Language) -> dict[str, str]:
    """All words in one language."""
    return {name: pair[language == "en"] for name, pair in _TEXT.items()}


def chips(customer: DemoCustomer, language: Language) -> list[str]:
    """A customer's facts in a few words, for the demo's reader."""
    english = language == "en"
    if not customer.accounts:
        return ["no account" if english else "无账户", _level(customer, english=english)]
    average = f"{Decimal(customer.average_assets):,}"
    return [
        _TIERS[customer.tier][english],
        _level(customer, english=english),
        f"20-day avg CNY {average}" if english else f"20日日均 {average} 元",
        _STANDINGS[customer.standing][english],
    ]


def _level(customer: DemoCustomer, *, english: bool) -> str:
    return customer.risk_level or ("not assessed" if english else "未测评")
