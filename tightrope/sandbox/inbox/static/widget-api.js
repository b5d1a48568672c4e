// The widget's calls to the inbox. The session token stays in this module and with the host page's cookie.

const params = new URLSearchParams(location.search);
export const websiteToken = params.get("website_token") || "tightrope-demo-widget";
const STORE = `cw_conversation_${websiteToken}`;
export const framed = window.parent !== window;

let token = params.get("cw_conversation") || (framed ? "" : localStorage.getItem(STORE) || "");

export function useToken(next) {
  token = next;
  if (!framed) localStorage.setItem(STORE, next);
}

export const currentToken = () => token;

/** One call; throws an Error with `status` (0 when the network failed). */
export async function call(method, path, body, query = {}) {
  const url = new URL(`/api/v1/widget/${path}`, location.origin);
  for (const [key, value] of Object.entries({ website_token: websiteToken, ...query })) url.searchParams.set(key, value);
  const form = body instanceof FormData;
  const headers = { "X-Auth-Token": token, ...(form || body === undefined ? {} : { "Content-Type": "application/json" }) };
  let response;
  try {
    response = await fetch(url, { method, headers, body: form ? body : body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw Object.assign(new Error("network"), { status: 0 });
  }
  if (!response.ok) throw Object.assign(new Error(`HTTP ${response.status}`), { status: response.status });
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

const host = () => {
  const given = location.ancestorOrigins?.[0] ?? (document.referrer ? new URL(document.referrer).origin : null);
  return given && given !== "null" ? given : location.origin;
};

/** Tell the host page something. */
export function tellHost(event, data = {}) {
  if (framed) window.parent.postMessage(`chatwoot-widget:${JSON.stringify({ event, ...data })}`, host());
}

/** Hear the host page; only the frame's parent is listened to. */
export function hearHost(handle) {
  addEventListener("message", (event) => {
    if (event.source !== window.parent || !framed || typeof event.data !== "string" || !event.data.startsWith("chatwoot-widget:")) return;
    const { event: name, ...data } = JSON.parse(event.data.slice("chatwoot-widget:".length));
    handle(name, data);
  });
}
