"use strict";
(() => {
  const root = document.documentElement, find = (id) => document.getElementById(id);
  const cases = new Map(JSON.parse(find("data").textContent).map((one) => [one.id, one]));
  const zh = () => root.dataset.lang === "zh";
  find("switch").addEventListener("click", () => { root.dataset.lang = zh() ? "en" : "zh"; root.lang = zh() ? "zh-CN" : "en"; });

  const search = find("search"), failedOnly = find("failed-only");
  const narrow = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const one of document.querySelectorAll("#all details.case")) {
      const text = one.textContent.toLowerCase();
      one.hidden = (failedOnly.checked && !one.classList.contains("failed")) || !words.every((word) => text.includes(word));
    }
  };
  search.addEventListener("input", narrow);
  failedOnly.addEventListener("change", narrow);

  // "this is wrong": a case file out of what an officer says
  const dialog = find("wrong"), form = find("wrong-form");
  let current = null;
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-case]");
    if (!button) return;
    current = cases.get(button.dataset.case);
    form.reset();
    find("made").value = "";
    find("f-case").textContent = current.id;
    find("f-turn").replaceChildren(...current.turns.map((turn, at) => {
      const [what, said] = Object.entries(turn).find(([key]) => key !== "expect");
      return new Option(`${at + 1}. ${what}: ${typeof said === "string" ? said : JSON.stringify(said)}`, String(at));
    }));
    find("f-turn").value = String(Math.max(0, current.at));
    find("f-outcome").value = [current.outcome].flat()[0];
    dialog.showModal();
  });
  for (const one of document.querySelectorAll("[data-close]")) one.addEventListener("click", () => dialog.close());

  const lines = (id) => find(id).value.split("\n").map((line) => line.trim()).filter(Boolean);
  const literal = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const quoted = (text) => JSON.stringify(text);
  const yaml = (made) => {
    const out = ["cases:"];
    const { turns, ...head } = made;
    Object.entries(head).forEach(([key, value], at) => out.push(`${at ? "    " : "  - "}${key}: ${quoted(value)}`));
    out.push("    turns:");
    for (const turn of turns) {
      Object.entries(turn).forEach(([key, value], at) => out.push(`${at ? "        " : "      - "}${key}: ${quoted(value)}`));
    }
    return out.join("\n") + "\n";
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const at = Number(find("f-turn").value), fresh = find("f-new").checked;
    const turns = current.turns.slice(0, fresh ? at + 1 : undefined).map((turn) => ({ ...turn }));
    const expect = {};
    if (find("f-start").value) expect.starts = [find("f-start").value];
    if (lines("f-say").length) expect.contains = lines("f-say").map(literal);
    if (lines("f-not").length) expect.forbids = lines("f-not").map(literal);
    if (find("f-person").value === "no") expect.handoff = "none";
    if (find("f-person").value === "yes") expect.handoff = { reason: find("f-reason").value };
    turns[at] = { ...turns[at], expect };
    if (!Object.keys(expect).length) delete turns[at].expect;
    const { turns: _turns, at: _at, ...head } = current;
    const made = { ...head, note: find("f-why").value.trim(), outcome: find("f-outcome").value, turns };
    if (!made.note) delete made.note;
    if (fresh) {
      made.id = `${current.id}-${Date.now().toString(36)}`;
      for (const key of ["red_line", "twin"]) delete made[key];
      if (made.kind === "red_line") made.kind = "refusal";
    }
    find("made").value = yaml(made);
    find("f-save").disabled = false;
  });
  find("f-save").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([find("made").value], { type: "application/yaml" }));
    link.download = `${current.id}.yml`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
})();
