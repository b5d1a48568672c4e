// The desk's calls. The session is an HttpOnly cookie; the header says that this page is the caller.

async function request(method, path, body) {
  const headers = { "X-Desk": "1", ...(body === undefined ? {} : { "Content-Type": "application/json" }) };
  const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  if (response.status === 401) {
    dispatchEvent(new Event("desk:logged-out"));
    return new Promise(() => {}); // whoever waits for the answer is gone
  }
  if (!response.ok) throw Object.assign(new Error(`HTTP ${response.status}`), { status: response.status });
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

export const session = () => request("GET", "/desk/session");
export const agents = () => request("GET", "/desk/agents");
export const login = (id) => request("POST", "/desk/session", { agent_id: id });
export const logout = () => request("DELETE", "/desk/session");

/** Calls of one account. */
export function account(id) {
  const base = `/api/v1/accounts/${id}/conversations`;
  const query = (fields) => new URLSearchParams(Object.entries(fields).filter(([, value]) => value)).toString();
  return {
    list: (fields) => request("GET", `${base}?${query(fields)}`).then((found) => found.data),
    meta: (fields) => request("GET", `${base}/meta?${query(fields)}`).then((found) => found.meta),
    show: (number) => request("GET", `${base}/${number}`),
    messages: (number, fields = {}) => request("GET", `${base}/${number}/messages?${query(fields)}`).then((found) => found.payload),
    post: (number, body) => request("POST", `${base}/${number}/messages`, body),
    remove: (number, message) => request("DELETE", `${base}/${number}/messages/${message}`),
    status: (number, status) => request("POST", `${base}/${number}/toggle_status`, { status }),
    assign: (number, body) => request("POST", `${base}/${number}/assignments`, body),
    priority: (number, priority) => request("POST", `${base}/${number}/toggle_priority`, { priority }),
    labels: (number, labels) => request("POST", `${base}/${number}/labels`, { labels }),
    seen: (number) => request("POST", `${base}/${number}/update_last_seen`, {}),
    typing: (number, on, note) => request("POST", `${base}/${number}/toggle_typing_status`, { typing_status: on ? "on" : "off", is_private: note }),
  };
}
