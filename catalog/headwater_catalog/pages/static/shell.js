// Every page: "/" goes to the search, arrows go through results, choices that need no button send their form.

const typing = (target) => target.closest("input, textarea, select, [contenteditable]") !== null;

document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !typing(event.target) && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const field = document.querySelector("[data-quick]");
    if (field) {
      event.preventDefault();
      field.focus();
      field.select();
    }
  }
  if (event.key === "ArrowDown" || event.key === "ArrowUp") walk(event);
});

function walk(event) {
  const field = document.querySelector("[data-finder] [data-quick]");
  const hits = [...document.querySelectorAll("[data-hit]")];
  if (!field || !hits.length) return;
  const at = hits.indexOf(document.activeElement);
  if (at < 0 && document.activeElement !== field) return;
  event.preventDefault();
  const next = at + (event.key === "ArrowDown" ? 1 : -1);
  (next < 0 ? field : hits[Math.min(next, hits.length - 1)]).focus();
}

for (const one of document.querySelectorAll("details[data-load]")) {
  one.addEventListener("toggle", () => one.open && load(one), { once: true });
}

// What a page shows only on demand is made by the server, too, so it is escaped in one place.
async function load(part) {
  const place = part.querySelector("[data-place]");
  part.setAttribute("aria-busy", "true");
  try {
    const made = new DOMParser().parseFromString(await (await fetch(part.dataset.load)).text(), "text/html");
    place.replaceChildren(...made.body.childNodes);
  } catch {
    place.textContent = "The catalog does not answer; see `headwater status`.";
  } finally {
    part.removeAttribute("aria-busy");
  }
}

for (const one of document.querySelectorAll("[data-submit]")) {
  one.addEventListener("change", () => one.form.requestSubmit());
}
