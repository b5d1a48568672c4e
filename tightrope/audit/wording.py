"""What events and labels are called on the auditor's screen, in Chinese and English."""

from __future__ import annotations

from tightrope.audit.models import Event

_EVENTS: dict[str, tuple[str, str]] = {
    Event.CONVERSATION_OPENED: ("会话开始", "Conversation opened"),
    Event.CONVERSATION_RESOLVED: ("会话已解决", "Conversation resolved"),
    Event.SESSION_STARTED: ("新会话阶段开始", "New session"),
    Event.DISCLOSURE_SHOWN: ("已展示自动客服说明", "Disclosure shown"),
    Event.CUSTOMER_MESSAGE_RECEIVED: ("客户发来消息", "Message from the customer"),
    Event.CUSTOMER_BUTTON_PRESSED: ("客户点击按钮", "Button pressed by the customer"),
    Event.CUSTOMER_ATTACHMENT_RECEIVED: ("客户发来附件", "Attachment from the customer"),
    Event.AGENT_MESSAGE_RECEIVED: ("人工客服回复", "Message from an agent"),
    Event.AGENT_NOTE_RECEIVED: ("人工客服添加备注", "Private note by an agent"),
    Event.AGENT_ATTACHMENT_RECEIVED: ("人工客服发来附件", "Attachment from an agent"),
    Event.SYSTEM_MESSAGE_RECEIVED: ("系统消息", "System message"),
    Event.BOT_MESSAGE_SENT: ("自动客服消息", "Message from the assistant"),
    Event.MESSAGE_EDITED: ("消息被修改", "Message edited"),
    Event.MESSAGE_DELETED: ("消息被删除", "Message deleted"),
    Event.STATUS_CHANGED: ("会话状态变更", "Status changed"),
    Event.ASSIGNEE_CHANGED: ("会话分配变更", "Assignment changed"),
    Event.TURN_MADE: ("自动客服作答", "Answered"),
    Event.TURN_REFUSED: ("自动客服未作答", "Not answered by the assistant"),
    Event.TURN_FAILED: ("自动客服作答失败", "Answering failed"),
    Event.BINDING_CREATED: ("身份验证通过", "Customer verified"),
    Event.BINDING_ENDED: ("身份验证结束", "Verification ended"),
    Event.BINDING_REFUSED: ("身份验证被拒绝", "Verification refused"),
    Event.LOGIN_REQUESTED: ("请客户登录", "Customer asked to log in"),
    Event.HANDOFF_OPENED: ("转人工", "Handed over to a person"),
    Event.HANDOFF_RETURNED: ("交还自动客服", "Given back to the assistant"),
    Event.SWITCH_ENGAGED: ("紧急停用开关已启用", "Kill switch engaged"),
    Event.SWITCH_RELEASED: ("紧急停用开关已解除", "Kill switch released"),
    Event.KNOWLEDGE_PUBLISHED: ("知识库已发布", "Knowledge published"),
    Event.KNOWLEDGE_ROLLED_BACK: ("知识库已回退", "Knowledge rolled back"),
    Event.KNOWLEDGE_WITHDRAWN: ("知识文档已撤回", "Document withdrawn"),
    Event.OUTBOX_SENT: ("消息已送达收件箱", "Message delivered to the inbox"),
    Event.OUTBOX_BLOCKED: ("消息被拦下未发", "Message held back"),
    Event.OUTBOX_FAILED: ("消息发送失败", "Message could not be delivered"),
    Event.WEBHOOK_REFUSED: ("拒收入站通知", "Incoming event refused"),
    Event.CONNECTION_REFUSED: ("外联被拒绝", "Outbound connection refused"),
    Event.RELEASE_STARTED: ("服务进程启动", "Process started"),
    Event.RELEASE_MISMATCH: ("运行版本不一致", "Releases differ"),
    Event.CONVERSATION_READ: ("审计人员查阅", "Read by an auditor"),
    Event.LOG_VERIFIED: ("审计日志已核验", "Log verified"),
    Event.EXPORT_MADE: ("审计导出", "Exported"),
}

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("审计记录", "Audit record"),
    "conversation": ("会话", "Conversation"),
    "conv": ("会话代号", "Named in leaves as"),
    "period": ("时间", "Period"),
    "release": ("运行版本", "Release"),
    "records": ("记录", "Records"),
    "all_sealed": ("全部已封存", "all sealed"),
    "some_sealed": ("{n} 条待封存", "{n} not sealed yet"),
    "unreadable": ("无法读取的记录", "Records that cannot be read"),
    "time": ("时间", "Time"),
    "said": ("对话", "Conversation"),
    "why": ("决策过程", "How it came about"),
    "customer": ("客户", "Customer"),
    "bot": ("自动客服", "Assistant"),
    "agent": ("人工客服", "Agent"),
    "note": ("内部备注", "Private note"),
    "system": ("系统", "System"),
    "deleted": ("（已删除）", "(deleted)"),
    "edited": ("（修改后）", "(after edit)"),
    "no_text": ("（无文字内容）", "(no text)"),
    "attachment": ("附件", "attachment"),
    "turn": ("第 {n} 轮", "Turn {n}"),
    "identity": ("身份", "Identity"),
    "verified": ("已验证", "verified"),
    "anonymous": ("未验证", "not verified"),
    "level": ("级别", "level"),
    "decision": ("决定", "Decision"),
    "commands": ("理解", "Understood"),
    "none": ("无", "nothing"),
    "by": ("来源", "by"),
    "flow": ("流程", "Flow"),
    "action": ("动作", "Action"),
    "rule": ("规则", "Rule"),
    "call": ("业务调用", "Business call"),
    "as_of": ("数据时间", "as of"),
    "passage": ("依据", "Passage"),
    "model": ("模型", "Model"),
    "used": ("已引用", "used"),
    "not_used": ("未引用", "not used"),
    "score": ("得分", "score"),
    "handoff": ("转人工", "Handoff"),
    "login": ("要求登录", "Login asked for"),
    "latency": ("用时", "Took"),
    "content": ("内容哈希", "Content"),
    "language": ("语言", "Language"),
    "failure": ("失败", "Failure"),
    "sealed_as": ("封存", "Sealed"),
    "not_sealed": ("待封存", "not sealed"),
    "problem": ("异常", "Problem"),
    "verification": ("审计日志核验", "Verification of the audit log"),
    "intact": ("完整，未被改动", "Complete and unaltered"),
    "not_intact": ("日志被改动或有缺失", "The log was altered or is incomplete"),
    "sealed": ("已封存", "Sealed"),
    "unsealed": ("待封存", "Not sealed yet"),
    "segments": ("存档段", "Segments"),
    "contents": ("版本内容", "Contents"),
    "head": ("链尾哈希", "Head of the chain"),
    "altered": ("被改动", "Altered"),
    "missing": ("缺失", "Missing"),
    "segment_problems": ("存档段问题", "Segment store"),
    "more": ("另有 {n} 项未列出", "{n} more are not listed"),
}


def labels(language: str) -> dict[str, str]:
    """Every label in one language, `zh` or `en`."""
    return {name: forms[_place(language)] for name, forms in _WORDS.items()}


def event_title(event: str, language: str) -> str:
    """What an event is called; one that is not on the list keeps its machine name."""
    forms = _EVENTS.get(event)
    return forms[_place(language)] if forms else event


def _place(language: str) -> int:
    return 0 if language == "zh" else 1
