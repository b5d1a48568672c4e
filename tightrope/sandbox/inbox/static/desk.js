// The agents' desk: state, live updates, and the actions of the selected conversation.
import { Cable } from "./cable.js";
import { account, logout, session } from "./desk-api.js";
import { listItem, sorted } from "./desk-list.js";
import { chooseAgent } from "./desk-login.js";
import { labelRow, threadHead, threadNodes } from "./desk-thread.js";
import { $, filters, fits, now, remember, state, words } from "./desk-state.js";
import { el, icon, toEnd } from "./dom.js";

let api = null;
let cable = null;
let listing = 0;

// ---- the list ------------------------------------------------------------------------------------------------------------------

async function loadList(page = 1) {
  const turn = (listing += 1);
  const found = await api.list({ ...filters(), page });
  if (turn !== listing) return;
  if (page === 1) state.conversations = new Map();
  for (const one of found.payload) state.conversations.set(one.id, one);
  Object.assign(state, { page, more: found.payload.length === 25 });
  showList();
  loadCounts();
}

let countTimer;
function loadCounts() {
  clearTimeout(countTimer);
  countTimer = setTimeout(async () => {
    for (const tab of ["open", "pending"]) if (state.me) state.counts[tab] = (await api.meta({ status: tab })).all_count;
    showTabs();
  }, 300);
}

function showTabs() {
  $("tabs").replaceChildren(...Object.entries(words().tabs).map(([key, text]) =>
    el("button", { type: "button", class: state.tab === key ? "tab on" : "tab", attrs: { role: "tab", "aria-selected": String(state.tab === key), "data-tab": key }, onclick: () => (remember("tab", key), clearSearch(), showTabs(), loadList()) },
      text, state.counts[key] === undefined ? null : el("span", { class: "count" }, String(state.counts[key])))));
  document.title = `${state.counts.open ? `(${state.counts.open}) ` : ""}${words().title}`;
}

function showList() {
  const w = words();
  const context = { me: state.me, words: w, locale: state.locale, now: now(), onOpen: open };
  const rows = sorted([...state.conversations.values()].filter(fits), state.order);
  const focused = document.activeElement?.dataset?.id;
  const inList = document.activeElement?.closest?.("#list");
  $("list").replaceChildren(...rows.map((one) => listItem(one, { ...context, selected: one.id === state.selected })));
  if (!rows.length) $("list").append(el("li", { class: "none" }, state.query ? w.emptySearch : w.empty));
  if (state.more) $("list").append(el("li", {}, el("button", { type: "button", class: "more", onclick: () => loadList(state.page + 1) }, w.more)));
  if (inList && focused) $("list").querySelector(`[data-id="${focused}"]`)?.focus({ preventScroll: true });
}

function clearSearch() {
  state.query = "";
  $("search").value = "";
}

// ---- the conversation ----------------------------------------------------------------------------------------------------------

async function open(number) {
  keepDraft();
  Object.assign(state, { selected: number, messages: new Map(), typing: false, mode: "reply" });
  document.body.classList.add("reading");
  history.replaceState(null, "", `#${number}`);
  if (!state.conversations.has(number)) state.conversations.set(number, await api.show(number));
  showList();
  buildThread();
  await loadMessages();
  toEnd($("messages"));
}

async function loadMessages() {
  const number = state.selected;
  const found = await api.messages(number);
  if (number !== state.selected) return;
  for (const message of found) state.messages.set(message.id, message);
  state.older = found.length === 20;
  showMessages(true);
  seen();
}

async function loadOlder() {
  const found = await api.messages(state.selected, { before: Math.min(...state.messages.keys()) });
  for (const message of found) state.messages.set(message.id, message);
  state.older = found.length === 20;
  const box = $("messages");
  const height = box.scrollHeight;
  showMessages(false);
  box.scrollTop += box.scrollHeight - height;
}

function seen() {
  const one = state.conversations.get(state.selected);
  if (!one || !document.hasFocus()) return;
  if (one.unread_count) api.seen(one.id).catch(() => {});
  one.unread_count = 0;
  showList();
}

function showHead() {
  const one = state.conversations.get(state.selected);
  if (!one || !$("head")) return;
  const context = { words: words(), me: state.me, act };
  const failed = state.failed ? [el("p", { class: "failed", attrs: { role: "alert" } }, words().failed)] : [];
  redrawHead([threadHead(one, context), labelRow(one, context), ...failed]);
  $("hint").textContent = one.status === "pending" ? words().botHolds : "";
}

// A push must not take away the label that the agent is typing.
function redrawHead(fresh) {
  const head = $("head");
  if (fresh.length === head.children.length && fresh.every((node, at) => node.isEqualNode(head.children[at]))) return;
  const field = head.querySelector(".labels input");
  const typed = field?.value ?? "";
  const focused = document.activeElement === field;
  head.replaceChildren(...fresh);
  const next = head.querySelector(".labels input");
  if (head.dataset.number === String(state.selected)) next.value = typed;
  if (focused) next.focus();
  head.dataset.number = state.selected;
}

function showMessages(follow) {
  const box = $("messages");
  if (!box) return;
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 120;
  const rows = [...state.messages.values()].sort((a, b) => a.id - b.id);
  const fresh = threadNodes(rows, { words: words(), locale: state.locale, me: state.me, onRemove: removeMessage });
  if (state.older) fresh.unshift(el("button", { type: "button", class: "more", onclick: loadOlder }, words().older));
  fresh.forEach((node, at) => {
    const old = box.children[at];
    if (!old) box.append(node);
    else if (!old.isEqualNode(node)) old.replaceWith(node);
  });
  while (box.children.length > fresh.length) box.lastChild.remove();
  $("typing").textContent = state.typing ? words().typing : "";
  if (follow && atEnd) toEnd(box);
}

function buildThread() {
  const w = words();
  const mode = (key) => el("button", { type: "button", class: state.mode === key ? "mode on" : "mode", attrs: { "aria-pressed": String(state.mode === key), "data-mode": key }, onclick: () => setMode(key) }, key === "note" ? icon("note") : null, w[key]);
  const text = el("textarea", { id: "text", rows: 3, placeholder: state.mode === "note" ? w.notePlaceholder : w.replyPlaceholder, value: state.drafts.get(state.selected) ?? "", attrs: { "aria-label": w[state.mode] }, onkeydown: onKey, oninput: onInput });
  $("thread").replaceChildren(
    el("div", { id: "head" }),
    el("div", { class: "messages", id: "messages", tabIndex: 0, attrs: { role: "log", "aria-live": "polite" } }),
    el("p", { class: "small typing", id: "typing", attrs: { "aria-live": "polite" } }),
    el("form", { class: `composer ${state.mode}`, id: "composer", onsubmit: (event) => (event.preventDefault(), send()) },
      el("div", { class: "modes" }, mode("reply"), mode("note"), el("span", { class: "small hint", id: "hint" })),
      text,
      el("div", { class: "foot" }, el("span", { class: "small keys" }, w.shortcuts), el("button", { type: "submit", class: "send" }, state.mode === "note" ? w.sendNote : w.send))),
  );
  showHead();
  showMessages(true);
}

function setMode(mode) {
  keepDraft();
  state.mode = mode;
  buildThread();
  toEnd($("messages"));
  $("text").focus();
}

function keepDraft() {
  if (state.selected && $("text")) state.drafts.set(state.selected, $("text").value);
}

let typingAt = 0;
function onInput() {
  if (Date.now() - typingAt < 5000) return;
  typingAt = Date.now();
  api.typing(state.selected, true, state.mode === "note").catch(() => {});
}

function onKey(event) {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
}

async function send() {
  const content = $("text").value.trim();
  if (!content) return;
  const number = state.selected;
  const note = state.mode === "note";
  $("text").value = "";
  state.drafts.delete(number);
  typingAt = 0;
  try {
    const made = await api.post(number, { content, private: note });
    if (number === state.selected) state.messages.set(made.id, made);
    api.typing(number, false, note).catch(() => {});
    setFailed(false);
  } catch {
    if (number === state.selected) $("text").value = content;
    state.drafts.set(number, content);
    setFailed(true);
  }
  showMessages(true);
  if (number === state.selected) toEnd($("messages"));
}

async function removeMessage(id) {
  if (!confirm(words().removeSure)) return;
  state.messages.set(id, await api.remove(state.selected, id));
  showMessages(false);
}

function setFailed(failed) {
  state.failed = failed;
  showHead();
}

function acting(run) {
  return async (...args) => {
    const number = state.selected;
    try {
      await run(number, ...args);
      state.conversations.set(number, await api.show(number));
      setFailed(false);
    } catch {
      setFailed(true);
    }
    showList();
    loadCounts();
  };
}

const act = {
  back: () => {
    keepDraft();
    state.selected = null;
    document.body.classList.remove("reading");
    history.replaceState(null, "", "#");
    showThread();
    showList();
  },
  take: acting((number) => api.status(number, "open")),
  reopen: acting((number) => api.status(number, "open")),
  assignMe: acting((number) => api.assign(number, { assignee_id: state.me.id })),
  resolve: acting((number) => api.status(number, "resolved")),
  give: acting(async (number) => {
    await api.assign(number, { assignee_id: state.me.bot_id, assignee_type: "AgentBot" });
    await api.status(number, "pending");
  }),
  priority: acting((number, value) => api.priority(number, value)),
  labels: acting((number, labels) => api.labels(number, labels)),
};

function showThread() {
  if (state.selected) return buildThread();
  $("thread").replaceChildren(el("p", { class: "choose" }, words().choose));
}

// ---- live ----------------------------------------------------------------------------------------------------------------------

let redraw = 0;
function later() {
  if (redraw) return;
  redraw = setTimeout(() => ((redraw = 0), showList(), showHead()), 120);
}

function hear(event, data) {
  if (event.startsWith("conversation.typing")) {
    if (data.conversation.id === state.selected && data.user?.type === "contact") {
      state.typing = event.endsWith("_on");
      showMessages(true);
    }
  } else if (event.startsWith("message.")) {
    hearMessage(event, data);
  } else if (data.id !== undefined) {
    const known = state.conversations.get(data.id);
    const merged = { ...known, ...data, last_non_activity_message: data.messages?.[0] ?? known?.last_non_activity_message };
    if (data.id === state.selected && document.hasFocus()) merged.unread_count = 0;
    if (known || fits(merged)) state.conversations.set(data.id, merged);
    loadCounts();
  }
  later();
}

async function hearMessage(event, data) {
  const known = state.conversations.get(data.conversation_id);
  if (data.conversation_id === state.selected) {
    state.messages.set(data.id, data);
    if (data.message_type === 0) state.typing = false;
    showMessages(true);
  }
  if (event === "message.created" && data.message_type !== 2) {
    if (known) {
      Object.assign(known, { last_non_activity_message: data, last_activity_at: data.created_at, unread_count: data.conversation.unread_count });
      if (data.conversation_id === state.selected) seen();
      else if (data.message_type === 0) $("announce").textContent = words().newMessage(data.sender?.name ?? words().customer);
    } else if (data.message_type === 0 && !state.query) {
      const found = await api.show(data.conversation_id);
      if (fits(found)) state.conversations.set(found.id, found);
      later();
    }
  }
}

function onState(connected) {
  state.lost = !connected;
  $("lost").hidden = connected;
  $("lost").textContent = words().lost;
  if (!connected) return;
  loadList().catch(() => {});
  if (state.selected) loadMessages().catch(() => {});
}

// ---- beginning -----------------------------------------------------------------------------------------------------------------

function showFrame() {
  const w = words();
  document.documentElement.lang = state.locale === "zh" ? "zh-CN" : "en";
  $("title").textContent = w.title;
  $("language").textContent = w.switch;
  $("language").setAttribute("aria-label", w.switchLabel);
  $("logout").textContent = w.logout;
  $("me").textContent = state.me?.name ?? "";
  $("side").setAttribute("aria-label", w.sideLabel);
  $("search").placeholder = w.search;
  $("search").setAttribute("aria-label", w.search);
  for (const key of ["whose", "order"]) {
    $(key).replaceChildren(...Object.entries(w[key]).map(([value, text]) => el("option", { value, selected: state[key] === value }, text)));
    $(key).setAttribute("aria-label", w[key][state[key]]);
  }
  showTabs();
}

const showLogin = () => {
  $("desk").hidden = true;
  return chooseAgent($("login"), state.locale, { begin, switchLanguage: () => (remember("locale", state.locale === "zh" ? "en" : "zh"), showLogin()) });
};

async function begin() {
  state.me = await session();
  if (!state.me) return showLogin();
  api = account(state.me.account_id);
  $("login").hidden = true;
  $("desk").hidden = false;
  showFrame();
  showThread();
  cable?.close();
  cable = new Cable({ pubsub_token: state.me.pubsub_token, user_id: state.me.id, account_id: state.me.account_id }, hear, onState);
  await loadList();
  const wanted = Number(location.hash.slice(1));
  if (wanted) open(wanted).catch(() => act.back());
  return undefined;
}

let searchTimer;
$("search").addEventListener("input", () => {
  clearTimeout(searchTimer);
  searchTimer = setTimeout(() => ((state.query = $("search").value.trim()), loadList()), 250);
});
$("whose").addEventListener("change", (event) => (remember("whose", event.target.value), loadList()));
$("order").addEventListener("change", (event) => (remember("order", event.target.value), showList()));
$("language").addEventListener("click", () => {
  keepDraft();
  remember("locale", state.locale === "zh" ? "en" : "zh");
  showFrame();
  showList();
  showThread();
});
function leave() {
  clearTimeout(countTimer);
  cable?.close();
  Object.assign(state, { me: null, selected: null, conversations: new Map() });
  document.body.classList.remove("reading");
  history.replaceState(null, "", "#");
}

$("logout").addEventListener("click", async () => {
  leave();
  await logout();
  showLogin();
});
// The session ended meanwhile: back to the choice of agents.
addEventListener("desk:logged-out", () => state.me && (leave(), showLogin()));
addEventListener("focus", () => state.selected && seen());
addEventListener("keydown", (event) => {
  if (event.target.closest("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey || !state.me) return;
  const ids = [...$("list").querySelectorAll(".item")].map((one) => Number(one.dataset.id));
  const at = ids.indexOf(state.selected);
  if (event.key === "j" && ids[at + 1]) open(ids[at + 1]);
  else if (event.key === "k" && at > 0) open(ids[at - 1]);
  else if (event.key === "r" && state.selected) (event.preventDefault(), setMode("reply"));
  else if (event.key === "n" && state.selected) (event.preventDefault(), setMode("note"));
});
setInterval(() => state.me && showList(), 15000);
setInterval(() => state.me && state.lost && navigator.onLine && (loadList().catch(() => {}), state.selected && loadMessages().catch(() => {})), 5000);
begin();
