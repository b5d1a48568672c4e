// Everything the desk says, in both languages, and the translation of Chatwoot's English activity lines.

export const WORDS = {
  zh: {
    title: "坐席工作台", switch: "English", switchLabel: "Switch to English", logout: "退出", loginTitle: "选择坐席登录", loginHint: "演示环境，无需密码。",
    tabs: { open: "待处理", pending: "机器人接待", resolved: "已结束", all: "全部" },
    whose: { all: "全部坐席", me: "我的", unassigned: "未分配" }, order: { waiting: "等待最久优先", recent: "最近消息优先" },
    search: "搜索客户或消息", sideLabel: "会话列表", empty: "没有会话", emptySearch: "没有符合条件的会话", more: "加载更多", choose: "从左侧选择一个会话",
    waiting: (time) => `已等待 ${time}`, unread: (n) => `${n} 条未读`, holder: { bot: "机器人", none: "未分配" }, you: "我",
    priority: { urgent: "紧急", high: "高", medium: "中", low: "低" }, status: { open: "待处理", pending: "机器人接待", resolved: "已结束", snoozed: "稍后处理" },
    back: "返回列表", take: "接管会话", takeHint: "机器人将停止回复，会话分配给您", assignMe: "分配给我", resolve: "结束会话", give: "交还机器人", reopen: "重新打开",
    reply: "回复客户", note: "内部备注", replyPlaceholder: "回复客户，Enter 发送，Shift+Enter 换行", notePlaceholder: "内部备注，客户不可见", send: "发送", sendNote: "添加备注",
    customer: "客户", automated: "自动应答", staff: "坐席", private: "内部备注 · 客户不可见", older: "更早的消息", deleted: "消息已撤回", remove: "撤回", removeSure: "撤回这条消息？客户将看不到它的内容。",
    typing: "客户正在输入…", read: "已读", sent: "已送达", lost: "连接已断开，正在重连…", failed: "操作未成功，请重试。", chosen: "客户已选择", offered: "待客户选择", labels: "标签",
    botHolds: "机器人正在接待。接管后机器人停止回复。", conversation: (n) => `会话 #${n}`, newMessage: (name) => `${name} 发来新消息`, details: "客户信息", language: "浏览器语言", page: "来源页面", started: "开始时间",
    anonymous: "匿名访客", bot: "机器人", addLabel: "添加标签", noPriority: "无优先级", priorityLabel: "优先级", shortcuts: "快捷键：J/K 切换会话，R 回复，N 备注",
  },
  en: {
    title: "Agent desk", switch: "中文", switchLabel: "切换到中文", logout: "Log out", loginTitle: "Choose an agent", loginHint: "Demo: no password needed.",
    tabs: { open: "Open", pending: "With the bot", resolved: "Resolved", all: "All" },
    whose: { all: "Everybody's", me: "Mine", unassigned: "Unassigned" }, order: { waiting: "Longest wait first", recent: "Latest message first" },
    search: "Search customers and messages", sideLabel: "Conversations", empty: "No conversations", emptySearch: "Nothing matches", more: "Load more", choose: "Choose a conversation from the list",
    waiting: (time) => `waiting ${time}`, unread: (n) => `${n} unread`, holder: { bot: "Bot", none: "Unassigned" }, you: "Me",
    priority: { urgent: "Urgent", high: "High", medium: "Medium", low: "Low" }, status: { open: "Open", pending: "With the bot", resolved: "Resolved", snoozed: "Snoozed" },
    back: "Back to the list", take: "Take over", takeHint: "The bot stops replying and the conversation is yours", assignMe: "Assign to me", resolve: "Resolve", give: "Give back to the bot", reopen: "Reopen",
    reply: "Reply", note: "Private note", replyPlaceholder: "Reply to the customer. Enter sends, Shift+Enter breaks the line", notePlaceholder: "Private note, the customer never sees it", send: "Send", sendNote: "Add note",
    customer: "Customer", automated: "Automated assistant", staff: "Agent", private: "Private note · not shown to the customer", older: "Earlier messages", deleted: "Message removed", remove: "Remove", removeSure: "Remove this message? The customer will no longer see its text.",
    typing: "The customer is typing…", read: "Read", sent: "Delivered", lost: "Connection lost, reconnecting…", failed: "That did not work, please try again.", chosen: "Customer chose", offered: "Waiting for a choice", labels: "Labels",
    botHolds: "The bot is answering. It stops once you take over.", conversation: (n) => `Conversation #${n}`, newMessage: (name) => `New message from ${name}`, details: "Customer", language: "Browser language", page: "Page", started: "Started",
    anonymous: "Anonymous visitor", bot: "Bot", addLabel: "Add label", noPriority: "No priority", priorityLabel: "Priority", shortcuts: "Keys: J/K next and previous, R reply, N note",
  },
};

const PRIORITY = { urgent: "紧急", high: "高", medium: "中", low: "低" };
const ACTIVITY = [
  [/^Conversation was marked resolved by (.+)$/, (m) => `${m[1]} 结束了会话`],
  [/^Conversation was reopened by (.+)$/, (m) => `${m[1]} 将会话转为人工处理`],
  [/^Conversation was marked as pending by (.+)$/, (m) => `${m[1]} 将会话交给机器人`],
  [/^Conversation was snoozed by (.+)$/, (m) => `${m[1]} 将会话设为稍后处理`],
  [/^Conversation was marked open by system due to an error with the agent bot\.$/, () => "机器人出错，系统已将会话转为人工处理"],
  [/^(.+) set the priority to (\w+)$/, (m) => `${m[1]} 将优先级设为${PRIORITY[m[2]] ?? m[2]}`],
  [/^(.+) changed the priority from (\w+) to (\w+)$/, (m) => `${m[1]} 将优先级由${PRIORITY[m[2]] ?? m[2]}改为${PRIORITY[m[3]] ?? m[3]}`],
  [/^(.+) removed the priority$/, (m) => `${m[1]} 取消了优先级`],
  [/^(.+) self-assigned this conversation$/, (m) => `${m[1]} 领取了会话`],
  [/^Assigned to (.+) by (.+)$/, (m) => `${m[2]} 将会话分配给 ${m[1]}`],
  [/^Conversation unassigned by (.+)$/, (m) => `${m[1]} 取消了分配`],
  [/^(.+) added (.+)$/, (m) => `${m[1]} 添加了标签 ${m[2]}`],
  [/^(.+) removed (.+)$/, (m) => `${m[1]} 移除了标签 ${m[2]}`],
];

/** An activity line in the desk's language; unknown lines stay as they are. */
export function activityText(text, locale) {
  if (locale !== "zh") return text;
  for (const [pattern, write] of ACTIVITY) {
    const match = pattern.exec(text);
    if (match) return write(match);
  }
  return text;
}
