// Texts of models and data sets as nodes: text nodes alone, so that nothing in them is HTML.

// Control, format and surrogate characters but line breaks, tabs and what joins letters.
const HIDDEN = /(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Characters that hide, or turn a text around, are replaced by their code. */
function visible(text) {
  const nodes = [];
  let done = 0;
  for (const match of text.matchAll(HIDDEN)) {
    const code = match[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    const attributes = { class: "ex-code", title: "a character that does not show" };
    nodes.push(text.slice(done, match.index), element("span", attributes, `U+${code}`));
    done = match.index + match[0].length;
  }
  return [...nodes, text.slice(done)];
}

const count = (number) => number.toLocaleString("en");
const isCut = Array.isArray;
const start = (value) => (isCut(value) ? value[0] : (value ?? ""));

/** In an element of its own, lest Hebrew in a reply turn around what stands beside it. */
const isolated = (...nodes) => element("bdi", { class: "ex-text", dir: "auto" }, ...nodes);

/** A text of the data: a string, [its beginning, its length] where it was cut, or null. */
function text(value, missing = "not recorded") {
  if (value === null) return element("em", {}, missing);
  if (value === "") return element("em", {}, "empty");
  if (!isCut(value)) return isolated(...visible(value));
  const [beginning, length] = value;
  const note = ` … cut here: ${count([...beginning].length)} of ${count(length)} characters`;
  return isolated(...visible(beginning), element("em", {}, note));
}
