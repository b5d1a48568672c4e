// Small helpers that build the page from nodes; text is always a text node, so nothing a person or a model wrote is read as HTML.

/** An element with properties, attributes (`attrs`), a `class`, listeners (`onclick` …) and children (nodes or strings). */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name !== "attrs") node[name] = value;
    else {
      for (const [key, text] of Object.entries(value)) {
        if (text !== null) node.setAttribute(key, text);
      }
    }
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** An icon of the page's own drawings. */
export function icon(name, label = "") {
  const paths = {
    send: "M3 11.5 21 3l-5.5 18-3.6-7.4z M11.9 13.6 21 3",
    check: "M5 12.5l4.5 4.5L19 7",
    clock: "M12 7v5l3 2 M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18",
    alert: "M12 8v5 M12 16.5v.5 M12 3 2.5 20h19z",
    back: "M15 5l-7 7 7 7",
    person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8z M4.5 21c.6-4 3.6-6 7.5-6s6.9 2 7.5 6",
    bot: "M5 9h14v10H5z M12 5v4 M9.500 13.500v1 M14.500 13.500v1",
    note: "M5 4h14v11l-5 5H5z M14 20v-5h5",
    close: "M6 6l12 12 M18 6 6 18",
    clip: "M8 12.500l6-6a3 3 0 0 1 4.500 4.500l-8 8a5 5 0 0 1-7-7l7.500-7.500",
  };
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", class: "icon", fill: "none", stroke: "currentColor" })) svg.setAttribute(key, value);
  svg.setAttribute(label ? "aria-label" : "aria-hidden", label || "true");
  if (label) svg.setAttribute("role", "img");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", paths[name]);
  svg.append(path);
  return svg;
}

/** Keep the end of a scrolling list in view. */
export function toEnd(node) {
  node.scrollTop = node.scrollHeight;
}
