// Search in a folder of pages: every table is in the page already, with all that is said of it; this shows those that fit.

import { counted } from "./counted.js";

const form = document.querySelector("[data-finder]");
const results = document.getElementById("results");
const list = results.querySelector(".hits");
const count = results.querySelector(".count");
const weights = JSON.parse(results.dataset.weights);
const parts = (text) => text.toLowerCase().match(/[^\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+/g) ?? [];
const hits = list ? [...list.children].map((item) => ({ item, ...JSON.parse(item.dataset.said) })) : [];
for (const one of hits) one.words = one.said.map(([what, text]) => ({ what, text, words: parts(text) }));

// Whether two words differ by one letter that is wrong, missing, too many, or swapped with the next.
function isNear(a, b) {
  if (Math.abs(a.length - b.length) > 1 || Math.min(a.length, b.length) < 3) return false;
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  const [restA, restB] = [a.slice(at), b.slice(at)];
  return (
    restA.slice(1) === restB.slice(1) || restA.slice(1) === restB || restA === restB.slice(1) ||
    (restA.slice(2) === restB.slice(2) && restA[0] === restB[1] && restA[1] === restB[0])
  );
}

function fits(typed, word) {
  if (word.startsWith(typed)) return 0.8 + (0.2 * typed.length) / word.length;
  if (typed.length > 2 && word.includes(typed)) return 0.75;
  return isNear(typed, word) || isNear(typed, word.slice(0, typed.length)) ? 0.6 : 0;
}

// How well a table fits what was typed, and what of it fits best; nothing where a word is nowhere.
function rank(one, typed) {
  let best = { score: 0, what: "", text: "" };
  const each = typed.map(() => 0);
  for (const { what, text, words } of one.words) {
    const weight = weights[what] ?? weights[""];
    const found = typed.map((word) => Math.max(0, ...words.map((other) => fits(word, other))) * weight);
    found.forEach((fit, at) => (each[at] = Math.max(each[at], fit)));
    const length = words.join("").length || 1;
    const score = found.reduce((sum, fit) => sum + fit, 0) / typed.length + Math.min(1, typed.join("").length / length) / 10;
    if (found.some(Boolean) && score > best.score) best = { score, what, text };
  }
  return each.every(Boolean) ? { ...best, score: best.score + each.reduce((sum, fit) => sum + fit, 0) / typed.length } : null;
}

function isWanted(one, wanted) {
  return (
    (!wanted.zone || one.name.startsWith(`${wanted.zone}.`)) &&
    (!wanted.owner || one.owner === wanted.owner) &&
    (!wanted.domain || one.domain === wanted.domain) &&
    (!wanted.tag || one.tags.includes(wanted.tag)) &&
    (!wanted.freshness || one.freshness === wanted.freshness)
  );
}

function why(item, found) {
  item.querySelector(".why")?.remove();
  if (!found || ["", "name", "title"].includes(found.what)) return;
  const line = document.createElement("p");
  line.className = "why";
  const said = document.createElement("span");
  said.textContent = found.what;
  line.append(said, ` ${found.text}`);
  item.append(line);
}

function show() {
  const wanted = Object.fromEntries(new FormData(form));
  const typed = parts(wanted.q ?? "").slice(0, 12);
  let found = hits.filter((one) => isWanted(one, wanted)).map((one) => ({ one, found: typed.length ? rank(one, typed) : { score: 0, what: "" } }));
  found = found.filter((each) => each.found);
  found.sort((a, b) => b.found.score - a.found.score); // stable: the same score leaves the order of the page
  for (const each of found) why(each.one.item, each.found);
  list?.replaceChildren(...found.map((each) => each.one.item));
  if (count) count.textContent = found.length ? counted(found.map((each) => each.one.kind), results.dataset.kinds) : "Nothing is like that.";
}

let waiting = 0;
form.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(show, 60);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  show();
});

for (const [name, text] of new URLSearchParams(location.search)) {
  const field = form.elements[name];
  if (field) field.value = text;
}
if (location.search) show();
