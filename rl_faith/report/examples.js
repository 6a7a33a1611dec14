"use strict";
// Shows the examples of the report. All texts come from models and data sets and are shown by text
// nodes alone. The address (#task=…&example=…) is the state; what is on the page follows from it.
(() => {
  const STEP = 25; // examples built at a time: thousands of open cards would be slow to lay out
  const FILTERS = ["task", "style", "words", "outcome", "model", "text"];
  const HIDDEN = /(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
  const PIECES = /\s+|\[REDACTED\]|[\p{L}\p{M}\p{N}'’-]+|./gsu;

  const section = document.getElementById("examples");
  const [form, list, status, more] = ["form", ".ex-list", ".ex-status", ".ex-more"].map((name) =>
    section.querySelector(name),
  );
  let data; // {models, outcomes, examples}
  let found = []; // the examples that pass the filters
  let filtered = null; // the filters that gave them

  // ---- texts ----

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  /** Characters that hide, or turn the text around, are replaced by their names. */
  function visible(text) {
    const nodes = [];
    let done = 0;
    for (const match of text.matchAll(HIDDEN)) {
      const code = match[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
      const title = "a character that cannot be seen";
      nodes.push(text.slice(done, match.index), element("span", { class: "ex-code", title }, `U+${code}`));
      done = match.index + match[0].length;
    }
    return [...nodes, text.slice(done)];
  }

  /** A text of the data: a string, [beginning, length] where it was cut, or null. */
  function text(value, missing = "not recorded") {
    if (value === null) return element("span", { class: "ex-none" }, missing);
    if (value === "") return element("span", { class: "ex-none" }, "empty");
    return isolated(visible(start(value)), value);
  }

  const start = (value) => (Array.isArray(value) ? value[0] : (value ?? ""));

  /** In a <bdi>, so that Hebrew in a reply does not turn around what stands beside it. */
  function isolated(nodes, ...values) {
    const box = element("bdi", { class: "ex-text", dir: "auto" }, ...nodes);
    const cut = values.filter(Array.isArray).map(([some, all]) => `${count(some.length)} of ${count(all)}`);
    if (cut.length) box.append(element("span", { class: "ex-cut" }, ` … cut: ${cut.join(", ")} characters are shown`));
    return box;
  }

  const count = (number) => number.toLocaleString("en");

  // ---- the edit ----

  function edit(before, after) {
    // Two beginnings of longer texts do not show where these differ.
    if (Array.isArray(before) || Array.isArray(after)) return text(after);
    const nodes = difference(before, after).map(([tag, words]) =>
      tag ? element(tag, {}, ...visible(words)) : isolated(visible(words)),
    );
    return isolated(nodes);
  }

  /** [tag, words] pairs that lead from one text to the other; tag is "del", "ins" or "". */
  function difference(before, after) {
    const a = before.match(PIECES) ?? [];
    const b = after.match(PIECES) ?? [];
    const least = Math.min(a.length, b.length);
    let head = 0;
    while (head < least && a[head] === b[head]) head++;
    let tail = 0;
    while (tail < least - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
    const middle = (words) => words.slice(head, words.length - tail);
    const end = a.slice(a.length - tail).join("");
    return joined([["", a.slice(0, head).join("")], ...aligned(middle(a), middle(b)), ["", end]]);
  }

  /** Longest common subsequence. */
  function aligned(a, b) {
    if (a.length * b.length > 4e6) return [["del", a.join("")], ["ins", b.join("")]];
    const width = b.length + 1;
    const common = new Uint16Array((a.length + 1) * width);
    for (let i = a.length - 1; i >= 0; i--)
      for (let j = b.length - 1; j >= 0; j--)
        common[i * width + j] =
          a[i] === b[j]
            ? common[(i + 1) * width + j + 1] + 1
            : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
    const pairs = [];
    let i = 0;
    let j = 0;
    while (i < a.length || j < b.length) {
      const without = i < a.length ? common[(i + 1) * width + j] : -1;
      if (i < a.length && j < b.length && a[i] === b[j]) [i, j] = [i + 1, pairs.push(["", b[j]]) && j + 1];
      else if (j === b.length || without >= common[i * width + j + 1]) pairs.push(["del", a[i++]]);
      else pairs.push(["ins", b[j++]]);
    }
    return pairs;
  }

  function joined(pairs) {
    const runs = [];
    for (const [tag, words] of pairs)
      if (runs.length && runs.at(-1)[0] === tag) runs.at(-1)[1] += words;
      else if (words) runs.push([tag, words]);
    return runs;
  }

  // ---- one example ----

  const mark = (answer) => (answer ? data.outcomes[answer.outcome] : ["–", "Not asked", null]);

  function entry(example) {
    const summary = element("summary", {}, element("span", { class: "ex-input" }, ...visible(brief(example))));
    summary.append(element("span", { class: "ex-place" }, place(example)), chips(example));
    const details = element("details", {}, summary);
    details.addEventListener("toggle", () => details.open && fill(details, example));
    summary.addEventListener("click", () => setTimeout(() => went({ example: details.open ? example.link : "" })));
    const item = element("li", {}, details);
    item.dataset.link = example.link;
    return item;
  }

  function brief(example) {
    const whole = [...[example.input, example.context].map(start).filter(Boolean).join(" — ")];
    return whole.length > 200 ? `${whole.slice(0, 200).join("")}…` : whole.join("");
  }

  const place = (example) =>
    FILTERS.slice(0, 3)
      .map((name) => form.elements[name].querySelector(`[value="${CSS.escape(example[name])}"]`)?.text ?? example[name])
      .join(" · ");

  function chips(example) {
    const box = element("span", { class: "ex-chips" });
    example.answers.forEach((answer, i) => {
      const [sign, label, good] = mark(answer);
      const chip = element("span", { class: "ex-chip", "data-good": good, title: label }, `${sign} `, data.models[i]);
      chip.append(element("span", { class: "ex-aside" }, `: ${label}. `));
      box.append(chip);
    });
    return box;
  }

  /** Built when it is opened first. */
  function fill(details, example) {
    if (details.childElementCount > 1) return;
    const facts = [["Input", text(example.input)]];
    if (start(example.context)) facts.push(["Second input", text(example.context)]);
    example.options.forEach((option, i) => facts.push([`Option ${i + 1}`, text(option)]));
    facts.push(["Right answer", text(example.gold)]);
    const address = `#${new URLSearchParams({ example: example.link })}`;
    const link = element("a", { href: address }, "Link to this example");
    const cards = example.answers.map((answer, i) => card(example, answer, data.models[i]));
    details.append(pairs(facts), element("div", { class: "ex-cards" }, ...cards), element("p", {}, link));
  }

  function pairs(facts) {
    const box = element("dl", {});
    for (const [name, value] of facts) box.append(element("dt", {}, name), element("dd", {}, value));
    return box;
  }

  function card(example, answer, model) {
    const [sign, label, good] = mark(answer);
    const verdict = element("p", { class: "ex-verdict", "data-good": good }, `${sign} ${label}`);
    const box = element("article", { class: "ex-card" }, element("h3", {}, model), verdict);
    if (!answer) return box;
    const reason = element("p", { class: "ex-why" }, ...visible(start(answer.why)));
    const right = start(answer.label) === start(example.gold) ? " (right)" : " (wrong)";
    const label_ = element("span", {}, text(answer.label, "none"), answer.label === null ? "" : right);
    const edited = answer.edited === null ? text(null, "none was made") : edit(example[answer.place], answer.edited);
    box.append(
      reason,
      pairs([
        ["Prediction", label_],
        ["Reply", text(answer.reply)],
        ["Edit", edited],
        ["New prediction", text(answer.new_label, "none: nothing was asked again")],
      ]),
      bars(answer),
      element("ul", {}, ...answer.facts.map((fact) => element("li", {}, ...visible(fact)))),
    );
    return box;
  }

  function bars(answer) {
    const labels = [...new Set([...Object.keys(answer.p), ...Object.keys(answer.new_p)])];
    if (!labels.length) return "";
    const head = ["", "before", "after"].map((name) => element("th", { scope: "col" }, name));
    const rows = labels.map((label) =>
      element("tr", {}, element("th", { scope: "row" }, text(label)), bar(answer.p[label]), bar(answer.new_p[label])),
    );
    const caption = answer.whole ? "Probabilities" : "Probability (of the other labels not recorded)";
    return element("table", {}, element("caption", {}, caption), element("tr", {}, ...head), ...rows);
  }

  function bar(probability) {
    if (probability === undefined) return element("td", { class: "ex-none" }, "–");
    const fill = element("span", { class: "ex-bar" });
    fill.style.width = `${100 * Math.min(1, Math.max(0, probability))}%`;
    return element("td", {}, probability.toFixed(3), element("span", { class: "ex-track" }, fill));
  }

  // ---- state ----

  /** What the address says; null when it points somewhere else on the page. */
  function addressed() {
    const said = new URLSearchParams(location.hash.slice(1));
    const ours = [...FILTERS, "example"].some((name) => said.has(name));
    if (!ours && !["", "#examples"].includes(location.hash)) return null;
    return Object.fromEntries([...FILTERS, "example"].map((name) => [name, said.get(name) ?? ""]));
  }

  const chosen = () => Object.fromEntries(FILTERS.map((name) => [name, form.elements[name].value]));

  /** Puts a change into the address; typing changes the last entry of the history. */
  function went(change, how = "pushState") {
    const state = { ...chosen(), ...change };
    const said = new URLSearchParams(Object.entries(state).filter(([, value]) => value));
    history[how](null, "", `#${said.size ? said : "examples"}`);
  }

  function passes(example, wanted, text) {
    if (["task", "style", "words"].some((name) => wanted[name] && example[name] !== wanted[name])) return false;
    if (text && !example.searched.includes(text)) return false;
    if (!wanted.outcome && !wanted.model) return true;
    return example.answers.some(
      (answer, i) =>
        answer &&
        (!wanted.model || data.models[i] === wanted.model) &&
        (!wanted.outcome || answer.outcome === wanted.outcome),
    );
  }

  function filter() {
    const wanted = chosen();
    const text = wanted.text.toLowerCase();
    filtered = JSON.stringify(wanted);
    found = data.examples.filter((example) => passes(example, wanted, text));
    list.replaceChildren();
    extend();
    const among = `${count(found.length)} of ${count(data.examples.length)} examples`;
    status.textContent = found.length ? among : `No example of ${count(data.examples.length)} passes these filters`;
  }

  function extend() {
    const done = list.childElementCount;
    list.append(...found.slice(done, done + STEP).map(entry));
    more.hidden = list.childElementCount >= found.length;
    return list.children[done];
  }

  /** Brings the page to what the address says. */
  function follow() {
    const wanted = addressed();
    if (!wanted) return;
    for (const name of FILTERS) form.elements[name].value = wanted[name];
    if (JSON.stringify(chosen()) !== filtered) filter();
    for (const item of list.children) item.firstElementChild.open = item.dataset.link === wanted.example;
    if (wanted.example) pointed(wanted.example);
  }

  function pointed(link) {
    let item = [...list.children].find((shown) => shown.dataset.link === link);
    if (!item) {
      const example = data.examples.find((known) => known.link === link);
      if (!example) {
        status.textContent += `; the example ${link} is not among them`;
        return;
      }
      list.prepend((item = entry(example)));
    }
    item.firstElementChild.open = true;
    item.scrollIntoView();
  }

  const searched = ({ link, input, context, answers }) =>
    [link, input, context, ...answers.map((answer) => answer?.reply)].map(start).join("\n").toLowerCase();

  async function read() {
    const packed = Uint8Array.from(atob(document.getElementById("examples-data").text), (c) => c.charCodeAt(0));
    const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    data = await new Response(unpacked).json();
    for (const example of data.examples) example.searched = searched(example);
  }

  function listen() {
    let typing;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", (event) => event.target.name !== "text" && (filter(), went({})));
    form.elements.text.addEventListener("input", () => {
      filter();
      clearTimeout(typing); // browsers refuse to change the address with every letter
      typing = setTimeout(() => went({}, "replaceState"), 200);
    });
    form.addEventListener("reset", () => setTimeout(() => (filter(), went({}))));
    more.addEventListener("click", () => extend().querySelector("summary").focus());
    addEventListener("hashchange", follow);
  }

  read().then(
    () => {
      listen();
      filter();
      follow();
    },
    (error) => (status.textContent = `The examples cannot be read by this browser (${error.message})`),
  );
})();
