// The drawing as a file of its own: colours, fonts and edges inside, nothing to load.

const KEPT = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-family", "font-size", "font-weight", "text-anchor", "text-decoration-line"];
const ROOM = 24;

export function asFile(drawing) {
  const { boxes, width, height } = drawing.found;
  const copy = drawing.svg.cloneNode(true);
  style(drawing.svg, copy);
  for (const group of copy.querySelectorAll(".node")) {
    const box = boxes.get(group.getAttribute("data-name"));
    group.setAttribute("transform", `translate(${box.x} ${box.y})`);
  }
  for (const one of copy.querySelectorAll("[data-press^=expand], [data-press^=collapse], [data-press=toggle]")) one.remove();
  for (const one of copy.querySelectorAll("a")) one.setAttribute("href", new URL(one.getAttribute("href"), location.href).href);
  copy.querySelector(".view").setAttribute("transform", `translate(${ROOM} ${ROOM})`);
  for (const one of [copy, ...copy.querySelectorAll("*")])
    for (const name of [...one.getAttributeNames()]) if (/^(class|style|tabindex|role|data-|aria-)/.test(name)) one.removeAttribute(name);
  const [wide, high] = [Math.ceil(width + 2 * ROOM), Math.ceil(height + 2 * ROOM)];
  for (const [name, text] of Object.entries({ xmlns: "http://www.w3.org/2000/svg", width: wide, height: high, viewBox: `0 0 ${wide} ${high}` })) copy.setAttribute(name, text);
  const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  ground.setAttribute("width", "100%");
  ground.setAttribute("height", "100%");
  ground.setAttribute("fill", getComputedStyle(document.querySelector(".graph")).backgroundColor);
  copy.prepend(ground);
  return new XMLSerializer().serializeToString(copy);
}

function style(from, to) {
  const [real, copied] = [from.querySelectorAll("rect, path, line, circle, text"), to.querySelectorAll("rect, path, line, circle, text")];
  real.forEach((one, at) => {
    const said = getComputedStyle(one);
    for (const name of KEPT) {
      const text = said.getPropertyValue(name);
      if (text && text !== "none" && !(name === "opacity" && text === "1")) copied[at].setAttribute(name, text);
      else if (name === "fill" || name === "stroke") copied[at].setAttribute(name, "none");
    }
  });
}

export function save(text, name) {
  const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
