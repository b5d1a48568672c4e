// The list of conversations: who, what last, how long waiting, how urgent, whose.
import { el, icon } from "./dom.js";
import { plain } from "./markdown.js";
import { lasting } from "./when.js";

const URGENCY = { urgent: 0, high: 1, medium: 2, low: 3 };

/** Seconds since the customer began to wait, null when nobody waits. */
export function waited(conversation, now) {
  return conversation.waiting_since > 0 && conversation.status !== "resolved" ? Math.max(0, now - conversation.waiting_since) : null;
}

/** Conversations in the order the agent asked for; urgent ones first when by waiting time. */
export function sorted(conversations, order) {
  const rank = (one) => URGENCY[one.priority] ?? 4;
  const since = (one) => one.waiting_since || Number.MAX_SAFE_INTEGER;
  const recent = (a, b) => b.last_activity_at - a.last_activity_at || b.id - a.id;
  const waiting = (a, b) => rank(a) - rank(b) || since(a) - since(b) || recent(a, b);
  return [...conversations].sort(order === "waiting" ? waiting : recent);
}

function holder(conversation, me, words) {
  const { assignee, assignee_type: kind } = conversation.meta;
  if (kind === "AgentBot") return el("span", { class: "holder bot" }, icon("bot"), words.holder.bot);
  if (!assignee) return el("span", { class: "holder none" }, words.holder.none);
  return el("span", { class: "holder" }, icon("person"), assignee.id === me.id ? words.you : assignee.name);
}

/** One entry. */
export function listItem(conversation, { me, words, locale, now, selected, onOpen }) {
  const last = conversation.last_non_activity_message ?? conversation.messages?.at(-1);
  const wait = waited(conversation, now);
  const unread = conversation.unread_count;
  const late = wait !== null && conversation.status === "open" && wait > 120;
  const prefix = last && last.message_type !== 0 ? `${last.private ? words.note : last.sender?.type === "agent_bot" ? words.bot : words.staff}${locale === "zh" ? "：" : ": "}` : "";
  const lines = [
    el("span", { class: "row" },
      el("strong", { class: "name" }, conversation.meta.sender.name || words.anonymous),
      el("span", { class: "number" }, `#${conversation.id}`),
      el("span", { class: "grow" }),
      unread ? el("span", { class: "unread", attrs: { "aria-label": words.unread(unread) } }, unread > 9 ? "9+" : String(unread)) : null),
    el("span", { class: last?.private ? "snippet private" : "snippet" }, prefix + (plain(last?.content) || (last?.attachments?.length ? "📎" : ""))),
    el("span", { class: "row small" },
      conversation.priority ? el("span", { class: `priority ${conversation.priority}` }, words.priority[conversation.priority]) : null,
      wait !== null ? el("span", { class: late ? "wait late" : "wait" }, icon("clock"), words.waiting(lasting(wait, locale))) : null,
      el("span", { class: "grow" }),
      holder(conversation, me, words)),
  ];
  if (conversation.labels.length) lines.push(el("span", { class: "row small" }, ...conversation.labels.map((label) => el("span", { class: "tag" }, label))));
  const button = el("button", { type: "button", class: `item${selected ? " selected" : ""}${unread ? " fresh" : ""}`, attrs: { "data-id": String(conversation.id), "aria-current": selected ? "true" : null }, onclick: () => onOpen(conversation.id) }, ...lines);
  return el("li", {}, button);
}
