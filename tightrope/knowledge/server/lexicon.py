"""Words of the search: those that carry no topic, those of the trade, and those that mean the same. Data, no logic.

General to a broker's customers, not to the passages at hand: a topic that no passage covers must weigh in a question, so that it is not
answered from a passage about something else.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STOP_WORDS = _words(
    """
    的 了 吗 呢 啊 吧 呀 我 你 您 我们 你们 他 是 在 有 和 与 或 及 或者 以及 就 都 也 还 还是 要 要做 会 能 可以 怎么 怎样 怎么办 如何 什么
    哪些 哪里 哪 请问 请 一下 想 想要 知道 这 那 这个 那个 这里 一个 个 把 被 给 对 为 为了 从 到 么 多少 多 几 是不是 有没有 能不能
    可不可以 应该 需要 该 如果 的话 时候 问 问下 咨询 告诉 那么 现在 目前 到底 上 里 下 中 不 没 没有 谁 去 来 后 前 之前 之后 以前 以后
    做 让 用 再 才 算 才能 得 着 过 最 一 又 很 太 真的 到时 为什么 为啥 是什么 什么样 怎么样
    a an the i you your my me we our it its is are was were be been do does did can could will would should shall may might must
    have has had what how when where which who why whether if to of in on at for by with from and or not no as this that these
    those there then than please tell about any some need want get know much many long am so just let us into all more
    """
)

TOPICS = _words(
    """
    融资融券 融资 融券 两融 科创板 创业板 主板 北交所 新三板 港股通 港股 美股 银证转账 打新 中签 新股申购 新股 维持担保比例 平仓线 警戒线
    印花税 过户费 经手费 证管费 佣金 风险测评 适当性 三方存管 存管 销户 开户 荐股 涨跌幅 撤单 弃购 折算率 逆回购 可转债 期权 期货 基金 定投
    债券 国债 外汇 黄金 保险 理赔 房贷 贷款 信用卡 比特币 数字货币 股东大会 量化交易 分红 密码 投诉 诈骗 夜市 集合竞价 退税 招聘 社保 税
    option future bitcoin crypto etf fund bond convertible repo treasury forex gold mortgage loan insurance shareholder quantitative
    starmarket chinext stockconnect hongkong beijing american margin commission stampduty dividend ipo complaint fraud password
    mediation overnight salary job credit custody
    """
)
"""Weigh double in a question, found or not."""

PHRASES = {
    "stock connect": "stockconnect",
    "star market": "starmarket",
    "hong kong": "hongkong",
    "stamp duty": "stampduty",
    "stamp tax": "stampduty",
    "text message": "textmessage",
    "call auction": "callauction",
}
"""English names of several words that are one thing."""

SYNONYMS = {
    "券商": "证券公司",
    "打新": "新股申购",
    "打新股": "新股申购",
    "两融": "融资融券",
    "香港股票": "港股",
    "注销": "销户",
    "炒股": "交易",
    "买卖": "交易",
    "扣钱": "缴款",
    "扣款": "缴款",
    "付款": "缴款",
    "收市": "收盘",
    "开市": "开盘",
    "分红": "红利",
    "股息": "红利",
    "利率": "利息",
    "被骗": "诈骗",
    "骗子": "诈骗",
    "骗局": "诈骗",
    "出借": "借",
    "借给": "借",
    "期限": "多久",
    "多长时间": "多久",
    "几天": "多久",
    "到期": "过期",
    "资产": "资金",
    "钱": "资金",
    "买入": "买",
    "卖出": "卖",
    "卖掉": "卖",
    "当日": "当天",
    "今天": "当天",
    "提现": "转出",
    "取钱": "转出",
    "broker": "securitiescompany",
    "stocks": "share",
    "stock": "share",
    "scam": "fraud",
    "scammed": "fraud",
    "defrauded": "fraud",
    "fraudster": "fraud",
    "phone": "mobile",
    "cellphone": "mobile",
    "activate": "enable",
    "expire": "valid",
    "expired": "valid",
    "evening": "overnight",
    "night": "overnight",
    "weekend": "weekends",
    "cancel": "cancellation",
    "cancelled": "cancellation",
    "cost": "fee",
    "charge": "fee",
    "charged": "fee",
    "smallest": "minimum",
    "largest": "maximum",
    "allotted": "allotment",
    "liquidated": "liquidation",
    "liquidate": "liquidation",
}
"""Another word for the same, on both sides of the index."""
