// The choice of agent: the demo's log-in.
import { agents, login } from "./desk-api.js";
import { WORDS } from "./desk-words.js";
import { el, icon } from "./dom.js";

/** Show the agents in `box`; `begin` runs once one is logged in. */
export async function chooseAgent(box, locale, { begin, switchLanguage }) {
  const words = WORDS[locale];
  document.documentElement.lang = locale === "zh" ? "zh-CN" : "en";
  const people = await agents();
  box.hidden = false;
  box.replaceChildren(
    el("div", { class: "card" },
      el("p", { class: "brand" }, words.title),
      el("h1", {}, words.loginTitle),
      el("p", {}, words.loginHint),
      ...people.map((one) => el("button", { type: "button", class: "pick", attrs: { "data-agent": String(one.id) }, onclick: async () => (await login(one.id), begin()) }, icon("person"), one.name)),
      el("button", { type: "button", class: "plain", onclick: switchLanguage }, words.switch)));
}
