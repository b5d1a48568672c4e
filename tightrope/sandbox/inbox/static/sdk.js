// The script a host page loads: a launcher, the chat in an iframe, and the page's side of the conversation with it.
// API as Chatwoot's: chatwootSDK.run({websiteToken, baseUrl}); then window.$chatwoot and the events chatwoot:*.
(() => {
  "use strict";
  const PREFIX = "chatwoot-widget:";
  const COOKIE = "cw_conversation";
  const YEAR = 365 * 24 * 3600;
  const WORDS = {
    zh: { open: "打开在线客服", close: "关闭在线客服", title: "在线客服" },
    en: { open: "Open customer chat", close: "Close customer chat", title: "Customer chat" },
  };
  const settings = () => window.chatwootSettings || {};
  const short = (locale) => (String(locale || "").toLowerCase().startsWith("en") ? "en" : "zh");
  const say = (name, detail) => window.dispatchEvent(new CustomEvent(name, { detail }));
  const readCookie = () => document.cookie.split("; ").find((one) => one.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1) || "";
  const writeCookie = (value) => {
    document.cookie = `${COOKIE}=${value}; Path=/; SameSite=Lax; Max-Age=${value ? YEAR : 0}${location.protocol === "https:" ? "; Secure" : ""}`;
  };

  const run = ({ websiteToken, baseUrl }) => {
    if (window.$chatwoot) return;
    const origin = new URL(baseUrl, location.href).origin;
    let locale = short(settings().locale || document.documentElement.lang || navigator.language);
    let ready = false;
    let open = false;
    let waiting = [];

    const holder = document.createElement("div");
    holder.className = "woot-widget-holder woot--hide";
    const frame = document.createElement("iframe");
    frame.id = "chatwoot_live_chat_widget";
    frame.allow = "clipboard-write";
    holder.append(frame);
    const bubble = document.createElement("button");
    bubble.type = "button";
    bubble.className = "woot-widget-bubble";
    bubble.innerHTML =
      '<svg viewBox="0 0 24 24" width="26" height="26" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linejoin="round" aria-hidden="true"><path d="M4 5h16v11H11l-5 4v-4H4z"/></svg><span class="woot-unread" hidden></span>';
    const unread = bubble.querySelector(".woot-unread");
    let count = 0;

    const post = (event, data = {}) => {
      if (!ready) return void waiting.push([event, data]);
      frame.contentWindow?.postMessage(PREFIX + JSON.stringify({ event, ...data }), origin);
    };
    const source = () => `${origin}/widget?website_token=${encodeURIComponent(websiteToken)}&cw_conversation=${encodeURIComponent(readCookie())}&locale=${locale}`;
    const label = () => {
      bubble.setAttribute("aria-label", open ? WORDS[locale].close : WORDS[locale].open);
      bubble.setAttribute("aria-expanded", String(open));
      frame.title = WORDS[locale].title;
    };
    const badge = (n) => {
      count = n;
      unread.hidden = n === 0;
      unread.textContent = n > 9 ? "9+" : String(n);
    };
    const toggle = (state) => {
      const next = state === "open" ? true : state === "close" ? false : !open;
      if (next === open) return;
      open = next;
      holder.classList.toggle("woot--hide", !open);
      bubble.classList.toggle("woot--open", open);
      label();
      if (open) badge(0);
      post("toggle-open", { isOpen: open });
      if (!open) bubble.focus();
      say(open ? "chatwoot:opened" : "chatwoot:closed");
    };

    window.addEventListener("message", (event) => {
      if (event.origin !== origin || event.source !== frame.contentWindow || typeof event.data !== "string" || !event.data.startsWith(PREFIX)) return;
      const message = JSON.parse(event.data.slice(PREFIX.length));
      if (message.event === "loaded") {
        writeCookie(message.config.authToken);
        const first = !ready;
        ready = true;
        window.$chatwoot.hasLoaded = true;
        const held = waiting;
        waiting = [];
        held.forEach(([name, data]) => post(name, data));
        if (open) post("toggle-open", { isOpen: true });
        if (first) say("chatwoot:ready");
      } else if (message.event === "setAuthCookie") {
        writeCookie(message.data.widgetAuthToken);
      } else if (message.event === "onEvent") {
        say(`chatwoot:${message.eventIdentifier}`, message.data);
        if (message.eventIdentifier === "on-message" && !open && message.data?.message_type === 1) badge(count + 1);
      } else if (message.event === "closeWindow") {
        toggle("close");
      } else if (message.event === "error") {
        say("chatwoot:error", message.data);
      }
    });
    window.addEventListener("keydown", (event) => event.key === "Escape" && open && toggle("close"));

    window.$chatwoot = {
      baseUrl: origin,
      websiteToken,
      hasLoaded: false,
      get isOpen() {
        return open;
      },
      get locale() {
        return locale;
      },
      toggle,
      toggleBubbleVisibility: (state) => bubble.classList.toggle("woot--hide", state === "hide"),
      popoutChatWindow: () => window.open(source(), "tightrope-chat", "noopener,width=420,height=680"),
      setUser(identifier, user) {
        if (typeof identifier !== "string" && typeof identifier !== "number") throw new Error("Identifier should be a string or a number");
        if (!user || !["name", "email", "avatar_url"].some((key) => user[key])) throw new Error("User object should have one of the keys [avatar_url, email, name]");
        post("set-user", { identifier: String(identifier), user });
      },
      setCustomAttributes: (customAttributes) => post("set-custom-attributes", { customAttributes }),
      setConversationCustomAttributes: (customAttributes) => post("set-conversation-custom-attributes", { customAttributes }),
      deleteConversationCustomAttribute: (customAttribute) => post("delete-conversation-custom-attribute", { customAttribute }),
      setLocale(next) {
        locale = short(next);
        label();
        post("set-locale", { locale });
      },
      setColorScheme: (darkMode) => post("set-color-scheme", { darkMode }),
      reset() {
        writeCookie("");
        ready = false;
        waiting = [];
        badge(0);
        frame.src = source();
      },
    };

    const sheet = document.createElement("link");
    sheet.rel = "stylesheet";
    sheet.href = `${origin}/assets/sdk.css`;
    document.head.append(sheet);
    label();
    frame.src = source();
    if (settings().hideMessageBubble) bubble.classList.add("woot--hide");
    if (settings().position === "left") for (const node of [holder, bubble]) node.classList.add("woot--left");
    document.body.append(holder, bubble);
  };

  window.chatwootSDK = { run };
})();
