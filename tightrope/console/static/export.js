// Shows how far an export is, and loads the page anew when it stands or has failed.
"use strict";

(() => {
  const home = document.getElementById("export");
  if (!home) return;
  const line = home.querySelector("[data-stage]");
  const bar = home.querySelector("progress");
  let lost = 0;

  async function look() {
    let told = null;
    let gone = false;
    try {
      const answer = await fetch(home.dataset.state, { cache: "no-store", redirect: "error" });
      gone = answer.status === 401 || answer.status === 404;
      if (answer.ok) told = await answer.json();
    } catch {
      told = null;
    }
    if (gone || (told && told.state !== "running")) return window.location.reload();
    if (told) {
      lost = 0;
      const amount = told.of ? ` ${told.done} / ${told.of}` : "";
      const said = home.dataset[told.stage] + amount;
      if (line.textContent !== said) line.textContent = said;
      if (told.of) {
        bar.max = told.of;
        bar.value = told.done;
      } else {
        bar.removeAttribute("value");
      }
    } else {
      lost += 1;
      if (lost > 2) line.textContent = home.dataset.lost;
    }
    return window.setTimeout(look, lost ? 3000 : 700);
  }

  window.setTimeout(look, 300);
})();
