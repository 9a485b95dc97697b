// Results as one types. The server makes them, so what is shown is escaped in one place.

const form = document.querySelector("[data-finder]");
const results = document.getElementById("results");
const PAUSE = 120;
let waiting = 0;
let asked = 0;

function address(part) {
  const given = new URLSearchParams();
  for (const [name, text] of new FormData(form)) if (text) given.set(name, text);
  if (part) given.set("part", part);
  const text = given.toString();
  return text ? `/?${text}` : "/";
}

async function show() {
  const mine = ++asked;
  results.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address("results"));
    const text = await answer.text();
    if (mine !== asked) return; // a later question has been asked since
    const made = new DOMParser().parseFromString(text, "text/html");
    results.replaceChildren(...(answer.ok ? made.body.childNodes : made.querySelector("main").childNodes));
    history.replaceState(null, "", address(""));
  } catch {
    if (mine === asked) results.textContent = "The catalog does not answer; see `headwater status`.";
  } finally {
    if (mine === asked) results.removeAttribute("aria-busy");
  }
}

form.addEventListener("input", (event) => {
  clearTimeout(waiting);
  waiting = setTimeout(show, event.target.type === "search" ? PAUSE : 0);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(waiting);
  show();
});
