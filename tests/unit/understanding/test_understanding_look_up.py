"""A button that offers a passage leads to the search, whatever journey the title names."""

from __future__ import annotations

import pytest

from tightrope.knowledge.compose.decide import LOOK_UP
from tightrope.understanding import patterns
from tightrope.understanding.normalise import folded


@pytest.mark.parametrize("said", ["注销证券账户：销户步骤", "Closing a securities account: How to close"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_the_button_sends_is_known(language: str, said: str):
    assert patterns.LOOK_UP.found(folded(LOOK_UP[language] + said))  # type: ignore[index]


@pytest.mark.parametrize("text", ["我要注销账户", "查看资料", "查看资料：", "look up my balance", "please look up: fees"])
def test_nothing_else_is(text: str):
    assert not patterns.LOOK_UP.found(folded(text))
