"""What an export's pages say, in Chinese and English."""

from __future__ import annotations

_WORDS: dict[str, tuple[str, str]] = {
    "export": ("审计导出", "Audit export"),
    "made": ("生成时间", "Made"),
    "log": ("日志", "Log"),
    "selection": ("选取条件", "Selection"),
    "records_n": ("记录数", "Records"),
    "conversations_n": ("会话数", "Conversations"),
    "unreadable_n": ("不可读取", "Not readable"),
    "form": ("形式", "Form"),
    "masked": ("已脱敏", "masked"),
    "unmasked": ("未脱敏", "not masked"),
    "masked_note": (
        "客户身份与金额已由方括号代替，例如 [NAME]、[AMOUNT]；被脱敏的文字以规范字形显示。",
        "What says who a customer is or what he has stands as [NAME], [AMOUNT] and the like; a text in which something was masked is shown in plain letters.",
    ),
    "unmasked_note": (
        "本文件含个人信息，仅供获准人员使用。",
        "This file holds personal data, for those alone to whom it was granted.",
    ),
    "checkpoint": ("检查点", "Checkpoint"),
    "leaves": ("条目数", "Leaves"),
    "verify": (
        "核验：运行 python verify.py（见 README.txt）。本页仅供阅读，证据是 records.jsonl 与 proofs。",
        "To verify: run python verify.py (see README.txt). This page is for reading; the evidence is records.jsonl and proofs.",
    ),
    "store": ("存储", "Store"),
    "others": ("不属于任何会话的记录", "Records of no conversation"),
    "turns": ("轮次", "Turns"),
    "page": ("第 {n} 页，共 {total} 页", "Page {n} of {total}"),
    "cut": ("……（全文 {n} 字，见 events.jsonl）", "… ({n} characters in all, see events.jsonl)"),
    "whole_log": ("整个日志", "the whole log"),
    "none": ("无", "none"),
    "restricted": ("受限：内容已停止处理，仅保留存证", "restricted: kept as evidence, its content is not processed"),
    "destroyed": ("密钥已按规定销毁，内容不可恢复", "key destroyed by policy: the content cannot be recovered"),
}


def words(language: str) -> dict[str, str]:
    """Every text in one language, `zh` or `en`."""
    return {name: forms[0 if language == "zh" else 1] for name, forms in _WORDS.items()}
