/* The portal's side of the chat: tells Chatwoot who is shown, and hands over the signed token that alone counts (gw_session). */
(() => {
  "use strict";
  const { language, customer, contact, name } = document.body.dataset;
  const LAST = "portal:last-customer";

  window.chatwootSettings = { locale: language === "en" ? "en" : "zh_CN", position: "right", type: "standard" };

  const post = (path) =>
    fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}", credentials: "same-origin" });

  const alertBox = document.getElementById("alert");
  const tell = (words) => {
    alertBox.textContent = words;
    alertBox.hidden = false;
  };

  /* A token says who is logged in and which browser this is. It lives minutes and counts once, so a fresh one goes over each time. */
  async function handOver() {
    try {
      const answer = await post("/portal/chat-token");
      if (!answer.ok) return;
      const { token } = await answer.json();
      window.$chatwoot.setConversationCustomAttributes({ gw_session: token });
    } catch {
      /* Without a token the chat still works, for a customer it does not know. */
    }
  }

  window.addEventListener("chatwoot:ready", () => {
    const last = localStorage.getItem(LAST) || "";
    localStorage.setItem(LAST, customer);
    if (last && last !== customer) {
      /* The session ended elsewhere, or somebody else logged in: that chat is not for these eyes. The page starts afresh, so that
         nothing of this one reaches the chat that is being thrown away. */
      window.$chatwoot.reset();
      window.location.reload();
      return;
    }
    /* Never the customer id: the widget lets whoever names an identifier into the chats of its contact. */
    if (customer) window.$chatwoot.setUser(contact, { name });
    const open = document.getElementById("open-chat");
    open.disabled = false;
    open.onclick = () => window.$chatwoot.toggle("open");
    handOver();
  });
  window.addEventListener("chatwoot:on-start-conversation", handOver);
  window.addEventListener("portal:chat-down", () => {
    document.getElementById("chat-down").hidden = false;
  });

  async function logOut() {
    const answer = await post("/portal/logout");
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    localStorage.removeItem(LAST);
    if (window.$chatwoot) window.$chatwoot.reset();
  }

  const button = document.getElementById("logout");
  const words = button && button.textContent;
  async function leave(then) {
    button.disabled = true;
    button.textContent = button.dataset.busy;
    try {
      await logOut();
      window.location.assign(then);
    } catch {
      button.disabled = false;
      button.textContent = words;
      tell(button.dataset.failed);
    }
  }
  if (button) {
    button.addEventListener("click", () => leave("/"));
    /* Another customer: the one who is logged in is logged out first, chat included. */
    for (const link of document.querySelectorAll("a.switch")) {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        leave(link.getAttribute("href"));
      });
    }
  }
})();
