"""Words that carry no topic, and words of the trade that the Chinese segmenter must not cut. Data of the search, no logic."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STOP_WORDS = _words(
    """
    的 了 吗 呢 啊 吧 呀 我 你 您 我们 你们 他 是 在 有 和 与 或 及 或者 以及 就 都 也 还 要 会 能 可以 怎么 怎样 如何 什么 哪些
    哪里 哪 请问 请 一下 想 想要 知道 这 那 这个 那个 一个 个 把 被 给 对 为 为了 从 到 么 多少 几 是不是 有没有 能不能 可不可以 应该
    需要 该 如果 的话 时候 问 问下 咨询 告诉 那么 现在 目前 到底 上 里 下 中 不 没 没有 谁 去 来 后 前
    a an the i you your my me we our it its is are was were be been do does did can could will would should shall may might must
    have has had what how when where which who why whether if to of in on at for by with from and or not no as this that these those there
    then than please tell about any some need want get know much many long am so just let us
    """
)

DOMAIN_WORDS = _words(
    """
    融资融券 两融 科创板 创业板 港股通 银证转账 打新 中签 新股申购 维持担保比例 平仓线 警戒线 印花税 过户费 经手费 证管费 佣金
    风险测评 适当性 三方存管 销户 荐股 涨跌幅 撤单 弃购 折算率 北交所 新三板 逆回购 可转债 期权
    """
)
