// What the desk knows; language, tab and order are remembered in this browser.
import { WORDS } from "./desk-words.js";

export const $ = (id) => document.getElementById(id);
const stored = (key, fallback) => localStorage.getItem(`desk.${key}`) ?? fallback;
export const state = {
  locale: stored("locale", navigator.language.toLowerCase().startsWith("en") ? "en" : "zh"),
  tab: stored("tab", "open"), whose: stored("whose", "all"), order: stored("order", "waiting"), query: "",
  page: 1, more: false, counts: {}, conversations: new Map(), selected: null, messages: new Map(), older: false,
  mode: "reply", drafts: new Map(), typing: false, me: null, lost: false, failed: false,
};

export const words = () => WORDS[state.locale];
export const now = () => Date.now() / 1000;
export const remember = (key, value) => ((state[key] = value), localStorage.setItem(`desk.${key}`, value));

/** What the list asks the server for. */
export const filters = () => ({ status: state.query ? "all" : state.tab, assignee_type: state.whose === "all" ? "" : state.whose, q: state.query });

/** Whether a conversation belongs into the list as it is filtered now. */
export function fits(one) {
  if (state.query) return state.conversations.has(one.id);
  if (state.tab !== "all" && one.status !== state.tab) return false;
  const person = one.meta.assignee_type === "User" ? one.meta.assignee?.id : null;
  return state.whose === "all" || (state.whose === "me" ? person === state.me.id : person === null);
}
