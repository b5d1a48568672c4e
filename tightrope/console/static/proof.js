// Checks inclusion proofs in the browser: RFC 6962 leaf and node hashes, RFC 9162 2.1.3.2 for the path, C2SP signed-note and checkpoint.
// It trusts nothing that the server computed: only the leaf, the path, the checkpoint and the log's public keys.
"use strict";

(() => {
  const home = document.getElementById("proofs");
  if (!home) return;
  const words = JSON.parse(home.dataset.words);
  const say = (name, values = {}) => words[name].replace(/\{(\w+)\}/g, (_, key) => String(values[key]));
  const text = new TextEncoder();

  const bytes = (encoded) => Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
  const hex = (data) => Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const same = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);
  const join = (...parts) => {
    const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  };
  const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", join(...parts)));
  const leafHash = (leaf) => sha256(Uint8Array.of(0), leaf);
  const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);

  // The root that leaf and path lead to, or null where the path cannot belong to this place and size.
  async function rootOf(leaf, index, size, path) {
    if (!(index >= 0 && index < size)) return null;
    let at = BigInt(index);
    let last = BigInt(size) - 1n;
    let hash = await leafHash(leaf);
    for (const step of path) {
      if (last === 0n || step.length !== 32) return null;
      if (at % 2n === 1n || at === last) {
        hash = await nodeHash(step, hash);
        while (at % 2n === 0n && at !== 0n) {
          at /= 2n;
          last /= 2n;
        }
      } else {
        hash = await nodeHash(hash, step);
      }
      at /= 2n;
      last /= 2n;
    }
    return last === 0n ? hash : null;
  }

  function parseNote(note) {
    const cut = note.lastIndexOf("\n\n");
    const body = note.slice(0, cut + 1);
    const [origin, size, root] = body.split("\n");
    if (cut < 0 || !/^(0|[1-9][0-9]{0,15})$/.test(size)) throw new Error("checkpoint");
    const signatures = note.slice(cut + 2).trimEnd().split("\n").map((line) => {
      const [dash, name, encoded] = line.split(" ");
      if (dash !== "\u2014") throw new Error("signature line");
      const data = bytes(encoded);
      return { name, id: data.slice(0, 4), body: data.slice(4) };
    });
    return { body, origin, size: Number(size), root: bytes(root), signatures };
  }

  async function parseKey(vkey) {
    const first = vkey.indexOf("+");
    const second = vkey.indexOf("+", first + 1);
    const name = vkey.slice(0, first);
    const data = bytes(vkey.slice(second + 1));
    const id = (await sha256(text.encode(name + "\n"), data)).slice(0, 4);
    return { name, id, type: data[0], key: data.slice(1), whole: hex(id) === vkey.slice(first + 1, second) };
  }

  // true, false, null where the checkpoint has no signature of these keys, undefined where this browser has no Ed25519.
  async function signed(note, vkeys) {
    let found = null;
    let by = "";
    for (const vkey of vkeys) {
      const key = await parseKey(vkey);
      if (key.type !== 1 || key.key.length !== 32 || !key.whole) continue;
      const line = note.signatures.find((one) => one.name === key.name && same(one.id, key.id));
      if (!line) continue;
      let imported;
      try {
        imported = await crypto.subtle.importKey("raw", key.key, { name: "Ed25519" }, false, ["verify"]);
      } catch {
        return { found: undefined, by: key.name };
      }
      if (!(await crypto.subtle.verify({ name: "Ed25519" }, imported, line.body, text.encode(note.body)))) return { found: false, by: key.name };
      found = true;
      by = key.name;
    }
    return { found, by };
  }

  // [state, line] of every check; state: good, bad, part.
  async function checks(given, shown) {
    const out = [];
    const add = (holds, good, bad, values) => out.push([holds ? "good" : "bad", say(holds ? good : bad, values)]);
    const raw = bytes(given.leaf);
    const leaf = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(raw));
    add(leaf.id === shown.record, "js_leaf", "js_leaf_bad", { id: shown.record });
    add(leaf.event === shown.event, "js_shown", "js_shown_bad", { event: shown.event });
    if (leaf.ct_sha256 !== null) add(given.ct !== null && hex(await sha256(bytes(given.ct))) === leaf.ct_sha256, "js_ct", "js_ct_bad");
    const note = parseNote(given.checkpoint);
    if (note.origin !== given.origin) out.push(["bad", say("js_origin_bad", { origin: note.origin })]);
    const path = given.proof.map(bytes);
    const root = await rootOf(raw, Number(shown.index), note.size, path);
    add(root !== null && same(root, note.root), "js_path", "js_path_bad", { n: path.length, size: note.size, root: hex(note.root).slice(0, 16) });
    const { found, by } = await signed(note, given.vkeys);
    if (found === undefined) out.push(["part", say("js_sig_cannot")]);
    else if (found === null) out.push(["bad", say("js_sig_none")]);
    else add(found, "js_sig", "js_sig_bad", { name: by });
    const others = note.signatures.length - 1;
    if (others > 0) out.push(["info", say("js_others", { n: others })]);
    return out;
  }

  const SIGNS = { good: "✓", bad: "✗", part: "○", wait: "○", info: "·" };

  function show(box, state, title, lines) {
    box.className = `proof ${state}`;
    const head = document.createElement("p");
    head.textContent = `${SIGNS[state] || ""} ${title}`;
    const list = document.createElement("ul");
    for (const [kind, line] of lines) {
      const item = document.createElement("li");
      item.textContent = `${SIGNS[kind]} ${line}`;
      list.append(item);
    }
    box.replaceChildren(head, ...(lines.length ? [list] : []));
    return state;
  }

  async function check(button) {
    const box = button.closest(".record").querySelector(".proof");
    const shown = button.dataset;
    button.disabled = true;
    show(box, "", say("js_checking"), []);
    try {
      if (!window.crypto || !crypto.subtle) return show(box, "wait", say("js_wait"), [["wait", say("js_insecure")]]);
      const answer = await fetch(`/proof/${shown.shard}/${shown.index}`, { cache: "no-store", redirect: "error" }).catch(() => null);
      if (answer === null) return show(box, "wait", say("js_wait"), [["wait", say("js_unreachable", { why: "network" })]]);
      if (answer.status === 401) return show(box, "wait", say("js_wait"), [["wait", say("js_gone")]]);
      const given = await answer.json();
      if (!answer.ok) {
        const state = given.wrong ? "bad" : "wait";
        return show(box, state, say(given.wrong ? "js_bad" : "js_wait"), [[state, say("js_unreachable", { why: given.error })]]);
      }
      const lines = await checks(given, shown);
      if (lines.some(([state]) => state === "bad")) return show(box, "bad", say("js_bad"), lines);
      if (lines.some(([state]) => state === "part")) return show(box, "part", say("js_partly"), lines);
      return show(box, "good", say("js_good"), lines);
    } catch (error) {
      return show(box, "bad", say("js_bad"), [["bad", say("js_unreachable", { why: error.message })]]);
    } finally {
      button.disabled = false;
    }
  }

  const buttons = [...document.querySelectorAll("button.check")];
  const all = home.querySelector("[data-check-all]");
  const summary = home.querySelector("[data-summary]");
  for (const button of buttons) {
    button.hidden = false;
    button.addEventListener("click", () => check(button));
  }
  all.hidden = buttons.length === 0;
  all.addEventListener("click", async () => {
    all.disabled = true;
    const count = { good: 0, bad: 0, rest: 0 };
    for (const button of buttons) {
      const state = await check(button);
      count[state === "good" || state === "bad" ? state : "rest"] += 1;
      summary.textContent = say("js_summary", count);
    }
    all.disabled = false;
  });
})();
