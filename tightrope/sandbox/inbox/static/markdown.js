// A safe subset of Markdown as DOM nodes: paragraphs, breaks, lists, quotes, headings as bold lines, code, emphasis and links.
// Links open in a new tab and only to http, https, mailto and tel; everything else stays text.
import { el } from "./dom.js";

const SAFE = /^(https?:\/\/|mailto:|tel:)/i;
// A label holds no open bracket of its own and code at most three ticks: otherwise thousands of them would take the browser minutes.
const INLINE =
  /(?<!`)(`{1,3})(?!`)([\s\S]*?[^`])\1(?!`)|\[((?:\[[^[\]]*\]|[^[\]])+)\]\(\s*<?([^\s<>()]*(?:\([^\s()]*\)[^\s<>()]*)*)>?(?:\s+"[^"]*")?\s*\)|\*\*([\s\S]+?)\*\*|(?<![\w*])\*(?!\s)([^*\n]+?)\*(?!\w)|(https?:\/\/[^\s<>"'，。；！？、）】》]+[^\s<>"'，。；！？、）】》.,;:!?)])|\\([\\`*_{}[\]()#+.!>~|-])/g;

function link(target, content) {
  const short = /^\[?\d{1,2}\]?$/.test(content);
  const node = el("a", { href: target, target: "_blank", rel: "noopener noreferrer", class: short ? "citation" : "" });
  node.append(...(short ? [content.replace(/[[\]]/g, "")] : inline(content)));
  return node;
}

/** Inline marks of one text as nodes. */
export function inline(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > end) nodes.push(text.slice(end, match.index));
    end = match.index + match[0].length;
    const [whole, , code, label, target, strong, soft, url, escaped] = match;
    if (code !== undefined) nodes.push(el("code", {}, code.trim()));
    else if (label !== undefined) nodes.push(SAFE.test(target) ? link(target, label) : whole);
    else if (strong !== undefined) nodes.push(el("strong", {}, ...inline(strong)));
    else if (soft !== undefined) nodes.push(el("em", {}, ...inline(soft)));
    else if (url !== undefined) nodes.push(el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, url));
    else nodes.push(escaped);
  }
  if (end < text.length) nodes.push(text.slice(end));
  return nodes;
}

function lines(rows) {
  return rows.flatMap((row, n) => (n ? [el("br"), ...inline(row)] : inline(row)));
}

function table(rows) {
  const cells = (row) => row.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
  const head = el("tr", {}, ...cells(rows[0]).map((cell) => el("th", { attrs: { scope: "col" } }, ...inline(cell))));
  const body = rows.slice(2).map((row) => el("tr", {}, ...cells(row).map((cell) => el("td", {}, ...inline(cell)))));
  return el("div", { class: "table" }, el("table", {}, el("thead", {}, head), el("tbody", {}, ...body)));
}

/** A whole message as block nodes. */
export function markdown(text) {
  const rows = text.replace(/\r\n?/g, "\n").split("\n");
  const blocks = [];
  const kinds = [
    [/^\s*[-*•]\s+/, "ul"],
    [/^\s*\d{1,3}[.)、]\s*(?=\S)/, "ol"],
  ];
  let at = 0;
  while (at < rows.length) {
    const row = rows[at];
    if (!row.trim()) {
      at += 1;
    } else if (/^\s*```/.test(row)) {
      const close = rows.findIndex((one, n) => n > at && /^\s*```\s*$/.test(one));
      const stop = close < 0 ? rows.length : close;
      blocks.push(el("pre", {}, el("code", {}, rows.slice(at + 1, stop).join("\n"))));
      at = stop + 1;
    } else if (/^\s*\|.*\|\s*$/.test(row) && /^\s*\|[\s:|-]+\|\s*$/.test(rows[at + 1] ?? "")) {
      let stop = at + 2;
      while (stop < rows.length && /^\s*\|.*\|\s*$/.test(rows[stop])) stop += 1;
      blocks.push(table(rows.slice(at, stop)));
      at = stop;
    } else if (/^#{1,6}\s+/.test(row)) {
      blocks.push(el("p", {}, el("strong", {}, ...inline(row.replace(/^#{1,6}\s+/, "")))));
      at += 1;
    } else if (/^\s*>\s?/.test(row)) {
      const quoted = [];
      while (at < rows.length && /^\s*>\s?/.test(rows[at])) quoted.push(rows[at++].replace(/^\s*>\s?/, ""));
      blocks.push(el("blockquote", {}, ...lines(quoted)));
    } else if (kinds.some(([pattern]) => pattern.test(row))) {
      const [pattern, tag] = kinds.find(([one]) => one.test(row));
      const list = el(tag);
      if (tag === "ol") list.start = Number.parseInt(row.trim(), 10);
      while (at < rows.length && pattern.test(rows[at])) {
        const item = [rows[at++].replace(pattern, "")];
        while (at < rows.length && /^\s{2,}\S/.test(rows[at]) && !kinds.some(([one]) => one.test(rows[at]))) item.push(rows[at++].trim());
        list.append(el("li", {}, ...lines(item)));
      }
      blocks.push(list);
    } else {
      const paragraph = [];
      while (at < rows.length && rows[at].trim() && !/^(\s*```|#{1,6}\s|\s*>\s?|\s*\|.*\|\s*$)/.test(rows[at]) && !(paragraph.length && kinds.some(([one]) => one.test(rows[at])))) paragraph.push(rows[at++]);
      blocks.push(el("p", {}, ...lines(paragraph.length ? paragraph : [rows[at++]])));
    }
  }
  return blocks;
}

/** A message as one line of plain text, for lists and screen readers. */
export function plain(text) {
  return (text ?? "").replace(/\[((?:\[[^[\]]*\]|[^[\]])+)\]\([^)]*\)/g, "$1").replace(/[*`#>|]+/g, " ").replace(/\s+/g, " ").trim();
}
