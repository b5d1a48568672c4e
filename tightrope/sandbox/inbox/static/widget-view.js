// How a message looks to the customer. Pure: state in, nodes out.
import { el, icon } from "./dom.js";
import { markdown } from "./markdown.js";
import { clockTime, dayLine } from "./when.js";

export const isCustomers = (message) => message.message_type === 0;
export const isBots = (message) => message.sender?.type === "agent_bot" || message.message_type === 3;

/** Who speaks, in words that cannot be mistaken. */
function speaker(message, words) {
  if (isCustomers(message)) return el("span", { class: "sr" }, words.me);
  if (isBots(message)) return el("span", { class: "label bot" }, icon("bot"), el("span", {}, words.automated));
  return el("span", { class: "label staff" }, icon("person"), el("span", {}, `${message.sender?.name ?? ""} · ${words.staff}`));
}

function choices(message, words, onChoose) {
  const items = message.content_attributes?.items ?? [];
  const chosen = message.content_attributes?.submitted_values?.[0];
  const group = el("div", { class: "choices", attrs: { role: "group", "aria-label": words.choices } });
  for (const item of items) {
    const picked = chosen !== undefined && chosen.value === item.value;
    group.append(
      el(
        "button",
        { type: "button", class: picked ? "choice picked" : "choice", disabled: chosen !== undefined || message.busy === true, attrs: { "aria-pressed": String(picked) }, onclick: () => onChoose(message.id, item) },
        picked ? icon("check", words.chosen) : null,
        el("span", {}, item.title),
      ),
    );
  }
  return group;
}

function files(message, words) {
  return (message.attachments ?? []).map((file) =>
    el("a", { class: "file", href: file.data_url, target: "_blank", rel: "noopener noreferrer" }, icon("clip"), decodeURIComponent(file.data_url.split("/").pop() || words.file)),
  );
}

function delivery(message, words, onRetry) {
  if (!isCustomers(message)) return null;
  if (message.failed)
    return el("span", { class: "state failed" }, icon("alert"), words.failed, " ", el("button", { type: "button", class: "retry", onclick: () => onRetry(message.echo_id) }, words.retry));
  return el("span", { class: "state" }, icon(message.pending ? "clock" : "check"), el("span", { class: "sr" }, message.pending ? words.sending : words.sent));
}

/** One message. */
export function messageNode(message, words, locale, actions) {
  const deleted = message.content_attributes?.deleted === true;
  const content = deleted ? [el("p", { class: "deleted" }, words.deleted)] : isCustomers(message) ? [el("p", { class: "typed" }, message.content ?? "")] : markdown(message.content ?? "");
  const bubble = el("div", { class: "bubble" }, ...(message.content || deleted ? content : []), ...files(message, words));
  const kind = isCustomers(message) ? "mine" : isBots(message) ? "bot" : "staff";
  const node = el("article", { class: `message ${kind}`, attrs: { "data-id": String(message.id ?? message.echo_id) } }, speaker(message, words), bubble);
  if (message.content_type === "input_select" && !deleted) node.append(choices(message, words, actions.choose));
  node.append(el("footer", {}, el("time", {}, clockTime(message.created_at, locale)), delivery(message, words, actions.retry)));
  return node;
}

/** The whole conversation with a line for each day. */
export function conversationNodes(messages, words, locale, actions) {
  const nodes = [];
  let day = "";
  for (const message of messages) {
    const line = dayLine(message.created_at, locale);
    if (line !== day) nodes.push(el("p", { class: "day" }, el("span", {}, line)));
    day = line;
    nodes.push(messageNode(message, words, locale, actions));
  }
  return nodes;
}
