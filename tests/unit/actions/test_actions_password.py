"""A password or code that was typed is warned about and never repeated."""

from __future__ import annotations

import pytest
from actions_fakes import FakeContext, run, tracker

from actions.password import WarnOfTypedSecret, holds_secret


@pytest.mark.parametrize(
    "text",
    [
        "我的交易密码是123456，登不上",
        "验证码 884213",
        "验证码：0042 帮我输一下",
        "密码是Abc_2024!",
        "密码就是 hello99",
        "my password is hunter22",
        "PIN: 4821",
        "the code is 993021, please enter it",
        "忘记密码 以前是 197801",
        "888888 还是登不上",
    ],
)
def test_what_looks_like_a_password_or_code_is_seen(text: str) -> None:
    assert holds_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        "忘记密码了",
        "密码是什么时候要改",
        "密码输错5次被锁了",
        "my password is wrong",
        "the code is not arriving",
        "I forgot my password",
        "password was locked yesterday",
        "手机号13800000000换了",
        "2026年11月改过密码",
        "9:30 就登不上了",
        "转 5000元 要资金密码吗",
        "买1000股提示密码错误",
        "资金密码和交易密码有什么区别",
        "",
    ],
)
def test_what_only_speaks_of_passwords_is_not(text: str) -> None:
    assert not holds_secret(text)


async def test_whoever_typed_one_is_warned_without_hearing_it_again(fake: FakeContext) -> None:
    done = await run(WarnOfTypedSecret(), tracker("reset_password", text="密码是123456，登不上"))
    assert done.said == ["utter_password_secret_typed"]
    assert done.slots == {"secret_typed": "seen"}
    assert "123456" not in str(done.messages)


@pytest.mark.parametrize("text", ["忘记密码", "/SetSlots(password_problem=login)"])
async def test_nobody_is_warned_without_a_reason(fake: FakeContext, text: str) -> None:
    done = await run(WarnOfTypedSecret(), tracker("reset_password", text=text, slots={"secret_typed": "seen"}))
    assert done.said == []
    assert done.slots == {"secret_typed": None}
