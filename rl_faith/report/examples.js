// Shows the examples of the report. Every text comes from models or data sets and becomes a text
// node, nothing else. The address (#task=…&example=…) is the state; the page follows from it.

const STEP = 25; // built at a time: thousands of entries would take seconds to lay out
const FILTERS = ["task", "style", "words", "outcome", "model", "text"];

const section = document.getElementById("examples");
const [form, list, status, more] = [".ex-filters", ".ex-list", ".ex-status", ".ex-more"].map(
  (name) => section.querySelector(name),
);
let data; // {models, outcomes, filters, examples}, from examples.py
let found = []; // the examples that pass the filters
let filtered = ""; // the filters that gave them
let typing; // a timer

// The edit

function edit(before, after) {
  // Of two long texts the beginnings alone are here, which would differ where the texts do not.
  if (before === null || isCut(before) || isCut(after)) return text(after);
  const runs = difference(before, after);
  return isolated(
    ...runs.flatMap(([tag, words]) => {
      const nodes = visible(words);
      return tag ? element(tag, {}, ...nodes) : nodes;
    }),
  );
}

// An example

function entry(example) {
  const summary = element(
    "summary",
    {},
    element("bdi", { class: "ex-input", dir: "auto" }, ...visible(brief(example))),
    element("span", { class: "ex-place" }, place(example)),
    element("span", { class: "ex-chips" }, ...asked(example).map(chip)),
  );
  const details = element("details", {}, summary);
  details.addEventListener("toggle", () => details.open && fill(details, example));
  // Behind the click, when it has opened or closed.
  const point = () => went({ example: details.open ? example.link : "" });
  summary.addEventListener("click", () => setTimeout(point));
  const item = element("li", {}, details);
  item.dataset.link = example.link;
  return item;
}

function brief({ input, context }) {
  const letters = [...[input, context].map(start).filter(Boolean).join(" — ")];
  return letters.length > 200 ? `${letters.slice(0, 200).join("")}…` : letters.join("");
}

const place = (example) =>
  ["task", "style", "words"]
    .map((name) => data.filters[name].find(([value]) => value === example[name])[1])
    .join(" · ");

/** The answers of the models that were asked, each with its model. */
const asked = ({ answers }) =>
  answers.flatMap((answer, i) => (answer ? [[answer, data.models[i]]] : []));

function chip([answer, model]) {
  const [mark, label, good] = data.outcomes[answer.outcome];
  const sign = element("span", { role: "img", "aria-label": label, title: label }, mark);
  return element("span", { class: "ex-chip", "data-good": good }, sign, " ", ...visible(model));
}

/** What an entry holds beside its summary is built when it is opened first. */
function fill(details, example) {
  if (details.childElementCount > 1) return;
  const facts = [["Input", text(example.input)]];
  if (example.context) facts.push(["Second input", text(example.context)]);
  for (const [name, option] of example.options) facts.push([name, text(option)]);
  facts.push(["Right answer", text(example.gold)]);
  const others = data.models.filter((_, i) => !example.answers[i]);
  if (others.length) facts.push(["Not asked", text(others.join(", "))]);
  const cards = asked(example).map(([answer, model]) => card(example, answer, model));
  const side = element("div", { class: "ex-cards" }, ...cards);
  side.style.setProperty("--models", cards.length);
  const address = `#${new URLSearchParams({ example: example.link })}`;
  const link = element("p", {}, element("a", { href: address }, "Link to this example"));
  details.append(element("div", { class: "ex-asked" }, pairs(facts)), side, link);
}

const pairs = (facts) =>
  element(
    "dl",
    {},
    ...facts.map(([name, ...told]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, ...told)),
    ),
  );

function card(example, answer, model) {
  const [mark, label, good] = data.outcomes[answer.outcome];
  const verdict = element("p", { class: "ex-verdict", "data-good": good }, `${mark} ${label}`);
  const why = element("p", {}, text(answer.why));
  const head = element("header", {}, element("h3", {}, ...visible(model)), verdict, why);
  const [old, now] = [answer.label, answer.new_label].map(start);
  const right = old === start(example.gold) ? "right" : "wrong";
  const changed = old === now ? "as before" : "changed";
  const edited = answer.edited === null ? null : edit(example[answer.place], answer.edited);
  return element(
    "article",
    { class: "ex-card" },
    head,
    pairs([
      ["Prediction", text(answer.label, "none"), old && note(right)],
      ["Reply", text(answer.reply)],
      ["Edit", edited ?? text(null, "none")],
      ["New prediction", text(answer.new_label, "none"), now && note(changed)],
    ]),
    table(answer),
    element("ul", {}, ...answer.facts.map((fact) => element("li", {}, ...visible(fact)))),
  );
}

const note = (words) => element("span", { class: "ex-note" }, ` (${words})`);

function table({ bars, whole }) {
  if (!bars.length) return element("p", {});
  const head = ["label", "before", "after"].map((name) => element("th", { scope: "col" }, name));
  const rows = bars.map(([label, before, after]) => {
    const name = element("th", { scope: "row" }, text(label));
    return element("tr", {}, name, bar(before), bar(after));
  });
  const caption = whole ? "Probabilities" : "Probability (of other labels: not recorded)";
  const columns = element("thead", {}, element("tr", {}, ...head));
  return element("table", {}, element("caption", {}, caption), columns, element("tbody", {}, ...rows));
}

/** What is not certain does not look so: a rounded 1 is above 0.999. */
function digits(p) {
  if (p > 0 && p < 0.0005) return "< 0.001";
  return p < 1 && p >= 0.9995 ? "> 0.999" : p.toFixed(3);
}

function bar(probability) {
  if (probability === null) return element("td", {}, "–");
  const part = element("span", { class: "ex-bar" });
  part.style.width = `${100 * Math.min(1, Math.max(0, probability))}%`;
  return element("td", {}, digits(probability), element("span", { class: "ex-track" }, part));
}

// Filters

const chosen = () => Object.fromEntries(FILTERS.map((name) => [name, form.elements[name].value]));

function passes(example, wanted, words) {
  const { model, outcome } = wanted;
  if (["task", "style", "words"].some((at) => wanted[at] && wanted[at] !== example[at])) return false;
  if (words && !example.searched.includes(words)) return false;
  const fits = (answer, i) =>
    answer && (!model || data.models[i] === model) && (!outcome || answer.outcome === outcome);
  return (!model && !outcome) || example.answers.some(fits);
}

function filter() {
  const wanted = chosen();
  const words = wanted.text.toLowerCase();
  filtered = JSON.stringify(wanted);
  found = data.examples.filter((example) => passes(example, wanted, words));
  list.replaceChildren();
  extend();
  const split = found.filter((example) => example.disagree).length;
  status.textContent =
    `${count(found.length)} of ${count(data.examples.length)} examples` +
    (data.models.length > 1 ? `, ${count(split)} on which the models disagree` : "");
}

/** Shows the next examples and returns the first of them. */
function extend() {
  const done = list.childElementCount;
  list.append(...found.slice(done, done + STEP).map(entry));
  more.hidden = list.childElementCount >= found.length;
  return list.children[done];
}

// The address

/** What the address says; null when it points to another part of the page. */
function addressed() {
  const said = new URLSearchParams(location.hash.slice(1));
  const ours = [...FILTERS, "example"].filter((name) => said.has(name));
  if (!ours.length && !["", "#examples"].includes(location.hash)) return null;
  return Object.fromEntries(ours.map((name) => [name, said.get(name)]));
}

function went(change, how = "pushState") {
  clearTimeout(typing);
  const said = Object.entries({ ...chosen(), ...change }).filter(([, value]) => value);
  history[how](null, "", `#${said.length ? new URLSearchParams(said) : "examples"}`);
}

/** Brings the page to what the address says. */
function follow() {
  const wanted = addressed();
  if (!wanted) return;
  for (const name of FILTERS) form.elements[name].value = wanted[name] ?? "";
  if (JSON.stringify(chosen()) !== filtered) filter();
  for (const item of list.children)
    item.firstElementChild.open = item.dataset.link === wanted.example;
  if (wanted.example) point(wanted.example);
}

function point(link) {
  let item = [...list.children].find((shown) => shown.dataset.link === link);
  if (!item) {
    const example = data.examples.find((known) => known.link === link);
    if (!example) {
      status.replaceChildren("The report does not hold the example ", ...visible(link));
      return;
    }
    item = entry(example);
    list.prepend(item);
  }
  item.firstElementChild.open = true;
  item.scrollIntoView();
}

// The beginning

async function read() {
  const letters = atob(document.getElementById("examples-data").text);
  const packed = new Blob([Uint8Array.from(letters, (letter) => letter.charCodeAt(0))]);
  const stream = packed.stream().pipeThrough(new DecompressionStream("gzip"));
  data = await new Response(stream).json();
  for (const example of data.examples) example.searched = searched(example);
}

const searched = ({ link, input, context, answers }) =>
  [link, input, context, ...answers.flatMap((answer) => [answer?.reply, answer?.edited])]
    .map(start)
    .join("\n")
    .toLowerCase();

function listen() {
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", (event) => event.target.name === "text" || (filter(), went({})));
  form.elements.text.addEventListener("input", () => {
    filter();
    // Browsers refuse to change the address with every letter.
    clearTimeout(typing);
    typing = setTimeout(() => went({}, "replaceState"), 200);
  });
  form.addEventListener("reset", () => setTimeout(() => (filter(), went({}))));
  more.addEventListener("click", () => extend().querySelector("summary").focus());
  addEventListener("hashchange", follow);
}

function begin() {
  for (const [name, options] of Object.entries(data.filters))
    form.elements[name].append(
      ...options.map(([value, label]) => element("option", { value }, label)),
    );
  listen();
  filter();
  follow();
}

read().then(begin, (error) => {
  status.textContent = `This browser cannot read the examples: ${error.message}`;
});
