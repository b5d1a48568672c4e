"""The words of the provider's pages."""

from __future__ import annotations

from typing import Final

from tightrope.sandbox.web import Language

_TEXT: Final[dict[str, tuple[str, str]]] = {
    "brand": ("衡远证券", "Hengyuan Securities"),
    "demo": ("演示环境 · 客户与数据均为虚构", "Demo · all customers and data are invented"),
    "title": ("统一登录", "Sign in"),
    "lead": ("请选择一位演示客户，并输入页面上的一次性验证码。", "Pick a demo customer and type the one-time code shown below."),
    "for_portal": ("登录后返回网上营业厅。", "You will return to the client portal."),
    "for_tightrope-gateway": (
        "登录后返回客服对话，您刚才的问题会立即得到答复。",
        "You will return to the chat, and your question is answered at once.",
    ),
    "for_tightrope-console": ("登录后进入审计台。", "You will go on to the auditors' pages."),
    "staff": ("公司人员（演示）", "People of the firm (demo)"),
    "staff_lead": ("请选择一位人员，并输入页面上的一次性验证码。", "Pick a person and type the one-time code shown below."),
    "customer": ("演示客户", "Demo customer"),
    "code_label": ("一次性验证码", "One-time code"),
    "code_hint": ("6 位数字", "6 digits"),
    "sms": ("【衡远证券】您的登录验证码是", "[Hengyuan Securities] Your sign-in code is"),
    "sms_note": (
        "真实环境中，验证码会发送到您的手机。请勿向任何人透露，包括自称客服的人员。",
        "In real life it goes to your phone. Never tell it to anyone, not even to someone who says they are from support.",
    ),
    "submit": ("登录", "Sign in"),
    "cancel": ("取消", "Cancel"),
    "error_code": ("验证码不正确，请核对后重新输入。", "That code is not right. Check it and type it again."),
    "error_customer": ("请先选择一位客户。", "Pick a customer first."),
    "expired_title": ("登录页面已失效", "This sign-in page has expired"),
    "expired_body": ("请回到原来的页面，重新发起登录。", "Go back to where you came from and start again."),
    "attempts_title": ("验证码输入错误次数过多", "Too many wrong codes"),
    "attempts_body": (
        "为了您的账户安全，请回到原来的页面重新登录。",
        "To protect the account, go back to where you came from and start again.",
    ),
    "bad_request_title": ("无法处理这个登录请求", "This request cannot be handled"),
    "bad_request_body": (
        "请求的来源或返回地址未登记。没有任何信息被发送。",
        "Its sender or return address is not registered. Nothing was sent anywhere.",
    ),
    "logged_out_title": ("您已退出登录", "You are signed out"),
    "logged_out_body": ("现在可以关闭此页面。", "You can close this page."),
}


def text(language: Language) -> dict[str, str]:
    """All words in one language."""
    return {name: pair[language == "en"] for name, pair in _TEXT.items()}
