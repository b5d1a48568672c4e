// One conversation as the agent sees it: customer, bot, agents, private notes and activity lines, each unmistakable.
import { activityText } from "./desk-words.js";
import { el, icon } from "./dom.js";
import { markdown } from "./markdown.js";
import { clockTime, dayLine } from "./when.js";

function head(message, words, locale) {
  const kind = message.sender?.type;
  const parts = [];
  if (message.private) parts.push(el("span", { class: "private-label" }, icon("note"), words.private));
  if (message.message_type === 0) parts.push(el("strong", {}, message.sender?.name ?? words.customer));
  else if (kind === "agent_bot" || message.message_type === 3) parts.push(icon("bot"), el("strong", {}, message.sender?.name ?? words.bot), el("span", {}, words.automated));
  else parts.push(icon("person"), el("strong", {}, message.sender?.name ?? words.staff));
  parts.push(el("time", {}, clockTime(message.created_at, locale)));
  return el("header", {}, ...parts);
}

function offer(message, words) {
  const items = message.content_attributes?.items ?? [];
  const chosen = message.content_attributes?.submitted_values?.[0];
  return el("div", { class: "offer" },
    el("span", { class: "small" }, chosen ? words.chosen : words.offered),
    ...items.map((item) => el("span", { class: chosen?.value === item.value ? "choice picked" : "choice" }, chosen?.value === item.value ? icon("check") : null, item.title)));
}

/** One message. */
export function threadMessage(message, { words, locale, me, onRemove }) {
  if (message.message_type === 2) return el("p", { class: "activity", attrs: { "data-id": String(message.id) } }, `${activityText(message.content, locale)} · ${clockTime(message.created_at, locale)}`);
  const kind = message.private ? "note" : message.message_type === 0 ? "customer" : message.sender?.type === "agent_bot" || message.message_type === 3 ? "bot" : "agent";
  const deleted = message.content_attributes?.deleted === true;
  const body = deleted ? [el("p", { class: "deleted" }, words.deleted)] : message.message_type === 0 ? [el("p", { class: "typed" }, message.content ?? "")] : markdown(message.content ?? "");
  const files = (message.attachments ?? []).map((file) => el("a", { class: "file", href: file.data_url, target: "_blank", rel: "noopener noreferrer" }, icon("clip"), decodeURIComponent(file.data_url.split("/").pop())));
  const mine = !deleted && message.sender?.type === "user" && message.sender.id === me.id;
  return el("article", { class: `message ${kind}`, attrs: { "data-id": String(message.id) } },
    head(message, words, locale),
    el("div", { class: "bubble" }, ...body, ...files),
    message.content_type === "input_select" && !deleted ? offer(message, words) : null,
    kind === "customer" || message.private ? null : el("footer", {}, message.status === "read" ? words.read : words.sent, mine ? el("button", { type: "button", class: "remove", onclick: () => onRemove(message.id) }, words.remove) : null),
    message.private && mine ? el("footer", {}, el("button", { type: "button", class: "remove", onclick: () => onRemove(message.id) }, words.remove)) : null);
}

/** All messages with a line for each day. */
export function threadNodes(messages, context) {
  const nodes = [];
  let day = "";
  for (const message of messages) {
    const line = dayLine(message.created_at, context.locale);
    if (line !== day) nodes.push(el("p", { class: "day" }, line));
    day = line;
    nodes.push(threadMessage(message, context));
  }
  return nodes;
}

/** Name, status and the actions that fit it. */
export function threadHead(conversation, { words, me, act }) {
  const { status, meta } = conversation;
  const button = (key, kind = "") => el("button", { type: "button", class: `action ${kind}`, attrs: { title: key === "take" ? words.takeHint : null, "data-action": key }, onclick: () => act[key]() }, words[key]);
  const actions = [];
  if (status === "pending") actions.push(button("take", "main"));
  if (status === "open" && meta.assignee?.id !== me.id) actions.push(button("assignMe", "main"));
  if (status === "resolved" || status === "snoozed") actions.push(button("reopen", "main"));
  if (status === "open") actions.push(button("give"));
  if (status !== "resolved") actions.push(button("resolve"));
  const priority = el("select", { attrs: { "aria-label": words.priorityLabel, "data-value": conversation.priority ?? "" }, class: "priority-pick", onchange: (event) => act.priority(event.target.value || null) },
    ...["", "urgent", "high", "medium", "low"].map((value) => el("option", { value, selected: (conversation.priority ?? "") === value }, value ? words.priority[value] : words.noPriority)));
  return el("header", { class: "thread-head" },
    el("button", { type: "button", class: "plain back", attrs: { "aria-label": words.back }, onclick: act.back }, icon("back")),
    el("div", { class: "title" },
      el("h2", {}, meta.sender.name || words.anonymous),
      el("p", {}, el("span", { class: `status ${status}` }, words.status[status]), ` ${words.conversation(conversation.id)}${meta.sender.email ? ` · ${meta.sender.email}` : ""}`)),
    el("div", { class: "actions" }, priority, ...actions));
}

/** Labels of the conversation, each removable, and a field for another. */
export function labelRow(conversation, { words, act }) {
  const tags = conversation.labels.map((label) =>
    el("span", { class: "tag" }, label, el("button", { type: "button", attrs: { "aria-label": `${words.remove} ${label}` }, onclick: () => act.labels(conversation.labels.filter((one) => one !== label)) }, "×")));
  const field = el("input", { type: "text", placeholder: words.addLabel, maxLength: 40, attrs: { "aria-label": words.addLabel }, onkeydown: (event) => {
    if (event.key !== "Enter" || event.isComposing || !event.target.value.trim()) return;
    const label = event.target.value.trim();
    event.target.value = "";
    act.labels([...conversation.labels, label]);
  } });
  return el("div", { class: "labels" }, ...tags, field);
}
