// The customer's chat: state, the calls it makes, and what it shows. Works by websocket, and by polling while that is away.
import { Cable } from "./cable.js";
import { el, icon, toEnd } from "./dom.js";
import { plain } from "./markdown.js";
import { call, currentToken, framed, hearHost, tellHost, useToken } from "./widget-api.js";
import { conversationNodes, isBots, isCustomers } from "./widget-view.js";
import { WORDS } from "./widget-words.js";

const POLL_MS = 4000;
const THINKING_MS = 25000;
const FILE_LIMIT = 10 * 1024 * 1024;
const $ = (id) => document.getElementById(id);
const short = (value) => (String(value || "").toLowerCase().startsWith("en") ? "en" : "zh");

const state = {
  locale: short(new URLSearchParams(location.search).get("locale") || navigator.language),
  conversation: null,
  messages: new Map(),
  outgoing: [],
  attributes: {},
  open: !framed,
  connected: false,
  reachable: true,
  typing: null,
  lastAsk: 0,
  more: false,
  begun: false,
};
let cable = null;
let mayBegin;
// One after the other, and the first when there is a session and it is known whether it has a conversation: a press on a slow line waits.
let sending = new Promise((resolve) => (mayBegin = resolve));
const words = () => WORDS[state.locale];

// ---- showing -------------------------------------------------------------------------------------------------------------------

function ordered() {
  return [...[...state.messages.values()].sort((a, b) => a.id - b.id), ...state.outgoing];
}

function statusText() {
  const w = words();
  if (!state.begun) return w.statusConnecting;
  const status = state.conversation?.status;
  if (status === "resolved") return w.statusResolved;
  if (status === "open" || status === "snoozed") {
    const person = [...state.messages.values()].reverse().find((one) => one.message_type === 1 && !isBots(one));
    return person ? w.statusPerson(person.sender?.name ?? w.staff) : w.statusWaiting;
  }
  return w.statusBot;
}

function thinking() {
  const last = ordered().at(-1);
  return state.conversation?.status === "pending" && Date.now() - state.lastAsk < THINKING_MS && (last === undefined || isCustomers(last) || last.busy);
}

function showTyping() {
  const on = state.typing !== null || thinking();
  $("typing").hidden = !on;
  const person = state.typing && state.typing.type !== "agent_bot" ? state.typing.name : null;
  $("typing-text").textContent = on ? (person ? words().typingPerson(person) : words().typingBot) : "";
}

function showFrame() {
  const w = words();
  document.documentElement.lang = state.locale === "zh" ? "zh-CN" : "en";
  document.title = w.title;
  $("title").textContent = w.title;
  $("status").textContent = statusText();
  $("language").textContent = w.switch;
  $("language").setAttribute("aria-label", w.switchLabel);
  $("close").hidden = !framed;
  $("close").replaceChildren(icon("close", w.close));
  $("text").placeholder = w.placeholder;
  $("text").setAttribute("aria-label", w.inputLabel);
  $("send").replaceChildren(icon("send"), el("span", {}, w.send));
  const held = state.conversation?.status === "open";
  $("person").replaceChildren(icon("person"), el("span", {}, held ? w.personDone : w.person));
  $("person").disabled = held;
  $("attach").title = w.attach;
  $("file").setAttribute("aria-label", w.attach);
  $("offline").hidden = navigator.onLine && state.reachable;
  $("offline").textContent = navigator.onLine ? w.failedLoad : w.offline;
  $("older").hidden = !state.more;
  $("older").textContent = w.older;
  $("empty").hidden = !state.begun || ordered().length > 0;
  $("empty").replaceChildren(el("h2", {}, w.emptyTitle), el("p", {}, w.emptyBody));
}

function show({ follow = true } = {}) {
  const scroll = $("scroll");
  const atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
  const focused = document.activeElement?.closest?.("#log") ? document.activeElement.textContent : null;
  const fresh = conversationNodes(ordered(), words(), state.locale, { choose, retry });
  patch($("log"), fresh);
  if (focused) [...$("log").querySelectorAll("button:not(:disabled)")].find((one) => one.textContent === focused)?.focus();
  showFrame();
  showTyping();
  if (follow && atEnd) toEnd(scroll);
}

// Replace only what differs, so that screen readers announce new messages and nothing twice.
function patch(log, fresh) {
  fresh.forEach((node, at) => {
    const old = log.children[at];
    if (!old) log.append(node);
    else if (!old.isEqualNode(node)) old.replaceWith(node);
  });
  while (log.children.length > fresh.length) log.lastChild.remove();
}

// ---- hearing -------------------------------------------------------------------------------------------------------------------

function keep(message) {
  const known = state.messages.get(message.id);
  if (message.echo_id !== undefined) state.outgoing = state.outgoing.filter((one) => one.echo_id !== message.echo_id);
  state.messages.set(message.id, { ...known, ...message, busy: false });
  if (!known && !isCustomers(message)) {
    state.typing = null;
    tellHost("onEvent", { eventIdentifier: "on-message", data: message });
    if (state.open && document.hasFocus()) seen();
  }
}

function hear(event, data) {
  if (event === "message.created" || event === "message.updated") {
    if (data.private || data.message_type === 2) return;
    if (event === "message.created" && isCustomers(data) && state.outgoing.some((one) => one.content === data.content)) return;
    keep(data);
  } else if (event === "conversation.created" || event === "conversation.status_changed" || event === "conversation.updated") {
    if (state.conversation && data.id < state.conversation.id) return;
    state.conversation = { ...state.conversation, id: data.id, status: data.status };
  } else if (event === "conversation.typing_on" || event === "conversation.typing_off") {
    clearTimeout(hear.timer);
    state.typing = event.endsWith("_on") ? data.user : null;
    if (state.typing) hear.timer = setTimeout(() => ((state.typing = null), showTyping()), 30000);
  }
  show();
}

async function refresh() {
  try {
    const [conversation, list] = [await call("GET", "conversations"), await call("GET", "messages")];
    // An answer can be older than a conversation that was begun meanwhile.
    if (conversation?.id >= (state.conversation?.id ?? 0)) state.conversation = { ...state.conversation, ...conversation };
    const count = list.payload.length;
    const first = list.payload[0]?.id;
    if (first !== undefined && ![...state.messages.keys()].some((id) => id < first)) state.more = count === 20;
    list.payload.forEach(keep);
    state.reachable = true;
  } catch (error) {
    if (error.status === 404) {
      state.conversation = null; // the session is gone, and its conversation with it
      return begin();
    }
    state.reachable = error.status !== 0;
  }
  show();
}

async function older() {
  const first = Math.min(...state.messages.keys());
  const height = $("scroll").scrollHeight;
  const list = await call("GET", "messages", undefined, { before: first });
  list.payload.forEach((message) => state.messages.set(message.id, message));
  state.more = list.payload.length === 20;
  show({ follow: false });
  $("scroll").scrollTop += $("scroll").scrollHeight - height;
}

let seenTimer;
function seen() {
  clearTimeout(seenTimer);
  seenTimer = setTimeout(() => state.conversation && call("POST", "conversations/update_last_seen", {}).catch(() => {}), 400);
}

// ---- speaking ------------------------------------------------------------------------------------------------------------------

function say(content, file = null) {
  const message = { echo_id: crypto.randomUUID(), content, message_type: 0, created_at: Math.floor(Date.now() / 1000), pending: true, file };
  state.outgoing.push(message);
  state.lastAsk = Date.now();
  show();
  toEnd($("scroll"));
  sending = sending.then(() => deliver(message));
}

async function deliver(message) {
  const first = state.conversation === null;
  const attributes = state.attributes;
  const body = { content: message.content, echo_id: message.echo_id, timestamp: new Date().toString(), referer_url: document.referrer || location.href };
  try {
    if (message.file) {
      const form = new FormData();
      form.append("message[attachments][]", message.file, message.file.name);
      form.append("message[echo_id]", message.echo_id);
      if (message.content) form.append("message[content]", message.content);
      keep(await call("POST", "messages", form));
      if (first) await refresh();
      if (first) catchUp({});
    } else if (first) {
      const made = await call("POST", "conversations", { message: body, custom_attributes: attributes });
      state.conversation = { id: made.id, status: made.status };
      made.messages.forEach(keep);
      catchUp(attributes);
      tellHost("onEvent", { eventIdentifier: "on-start-conversation", data: { hasConversation: true } });
    } else {
      keep(await call("POST", "messages", { message: body }));
      if (state.conversation.status === "resolved") await refresh();
    }
    state.reachable = true;
  } catch (error) {
    Object.assign(message, { failed: true, pending: false });
    if (error.status === 0) state.reachable = navigator.onLine;
  }
  show();
}

function retry(echoId) {
  const message = state.outgoing.find((one) => one.echo_id === echoId);
  state.outgoing = state.outgoing.filter((one) => one !== message);
  say(message.content, message.file);
}

async function choose(id, item) {
  const message = state.messages.get(id);
  message.busy = true;
  state.lastAsk = Date.now();
  show();
  try {
    const submitted = [{ title: item.title, value: item.value, name: item.title }];
    keep(await call("PATCH", `messages/${message.id}`, { message: { submitted_values: submitted } }));
  } catch {
    message.busy = false;
    state.reachable = navigator.onLine;
  }
  show();
}

async function setUser({ identifier, user }) {
  const made = await call("PATCH", "contact/set_user", { identifier, ...user });
  if (!made.widget_auth_token) return;
  useToken(made.widget_auth_token);
  tellHost("setAuthCookie", { data: { widgetAuthToken: made.widget_auth_token } });
  Object.assign(state, { conversation: null, messages: new Map(), outgoing: [] });
  await begin();
}

async function setConversationAttributes(attributes) {
  state.attributes = { ...state.attributes, ...attributes };
  if (state.conversation) await call("POST", "conversations/set_custom_attributes", { custom_attributes: attributes });
}

async function deleteConversationAttribute(name) {
  const { [name]: _, ...kept } = state.attributes;
  state.attributes = kept;
  if (state.conversation) await call("POST", "conversations/destroy_custom_attributes", { custom_attribute: [name] });
}

// What the host page set or deleted while the conversation was being made: there was nothing yet to set it on.
// The message was delivered either way, so a failure here is told to the page and is none of the message's.
async function catchUp(sent) {
  if (!state.conversation || JSON.stringify(state.attributes) === JSON.stringify(sent)) return;
  try {
    await call("POST", "conversations/set_custom_attributes", { custom_attributes: state.attributes });
  } catch (error) {
    tellHost("error", { data: { command: "set-conversation-custom-attributes", status: error.status ?? 0 } });
  }
}

// ---- beginning -----------------------------------------------------------------------------------------------------------------

async function begin() {
  try {
    const config = await call("POST", "config", {});
    useToken(config.website_channel_config.auth_token);
    cable?.close();
    cable = new Cable({ pubsub_token: config.contact.pubsub_token }, hear, (connected) => {
      state.connected = connected;
      if (connected) refresh();
      else show();
    });
    const started = state.begun;
    state.begun = true;
    await refresh();
    mayBegin();
    toEnd($("scroll"));
    tellHost("loaded", { config: { authToken: currentToken(), channelConfig: config.website_channel_config } });
    if (started && state.conversation) return;
    call("POST", "events", { name: "webwidget.triggered", event_info: { referer: document.referrer, widget_language: state.locale, initiated_at: { timestamp: new Date().toString() } } }).catch(() => {});
  } catch (error) {
    state.reachable = false;
    showFrame();
    tellHost("error", { data: { status: error.status ?? 0 } });
    setTimeout(begin, POLL_MS);
  }
}

const commands = {
  "set-user": setUser,
  "set-custom-attributes": ({ customAttributes }) => call("PATCH", "contact", { custom_attributes: customAttributes }),
  "set-conversation-custom-attributes": ({ customAttributes }) => setConversationAttributes(customAttributes),
  "delete-conversation-custom-attribute": ({ customAttribute }) => deleteConversationAttribute(customAttribute),
  "set-locale": ({ locale }) => setLocale(locale),
  "set-color-scheme": ({ darkMode }) => (document.documentElement.dataset.scheme = darkMode === "dark" ? "dark" : darkMode === "light" ? "light" : "auto"),
  "toggle-open": ({ isOpen }) => {
    state.open = isOpen;
    if (!isOpen) return;
    toEnd($("scroll"));
    $("text").focus();
    seen();
  },
};

function setLocale(locale) {
  state.locale = short(locale);
  $("log").replaceChildren();
  show();
}

function fit() {
  const text = $("text");
  text.style.height = "auto";
  text.style.height = `${Math.min(text.scrollHeight, 120)}px`;
  $("send").disabled = !text.value.trim();
}

function submit() {
  const text = $("text").value.trim();
  if (!text) return;
  $("text").value = "";
  fit();
  say(text);
}

$("composer").addEventListener("submit", (event) => (event.preventDefault(), submit()));
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    submit();
  }
});
let typingSent = 0;
$("text").addEventListener("input", () => {
  fit();
  if (!state.conversation || Date.now() - typingSent < 5000) return;
  typingSent = Date.now();
  call("POST", "conversations/toggle_typing", { typing_status: "on" }).catch(() => {});
});
$("text").addEventListener("blur", () => state.conversation && typingSent && ((typingSent = 0), call("POST", "conversations/toggle_typing", { typing_status: "off" }).catch(() => {})));
$("person").addEventListener("click", () => say(words().personText));
$("attach").prepend(icon("clip"));
$("file").addEventListener("change", () => {
  const [file] = $("file").files;
  $("file").value = "";
  if (!file) return;
  if (file.size > FILE_LIMIT) return void alert(words().tooLarge);
  say(plain(file.name), file);
});
$("language").addEventListener("click", () => setLocale(state.locale === "zh" ? "en" : "zh"));
$("close").addEventListener("click", () => tellHost("closeWindow"));
$("older").addEventListener("click", older);
addEventListener("keydown", (event) => event.key === "Escape" && tellHost("closeWindow"));
addEventListener("focus", () => state.open && seen());
for (const name of ["online", "offline"]) addEventListener(name, () => (showFrame(), navigator.onLine && state.begun && refresh()));
hearHost((name, data) => Promise.resolve(commands[name]?.(data)).catch((error) => tellHost("error", { data: { command: name, status: error.status ?? 0 } })));
setInterval(() => state.begun && !state.connected && navigator.onLine && refresh(), POLL_MS);
setInterval(showTyping, 1000);
showFrame();
begin();
