// The lineage page: what buttons and keys do to the model, and the drawing after it.

import { firstColumn, remember } from "./asked.js";
import { counted } from "./counted.js";
import { Drawing } from "./draw.js";
import { asFile, save } from "./export.js";
import { Layout } from "./layout.js";
import { Model } from "./model.js";

const MANY = 60;
const STEP = 70;

const frame = document.getElementById("graph");
const status = frame.querySelector("[data-status]");
const model = new Model(frame.dataset.name, frame.dataset.asOf);
const drawing = new Drawing(frame.querySelector(".canvas"));
const layout = new Layout();
let busy = Promise.resolve();

// One change after the other; what fails is said, and the drawing stays as it was.
function change(work, anchor) {
  busy = busy.then(async () => {
    frame.setAttribute("aria-busy", "true");
    try {
      await work();
      drawing.show(model, await layout.of(model), anchor);
      say();
    } catch (error) {
      status.textContent = error.message;
    } finally {
      frame.removeAttribute("aria-busy");
    }
  });
  return busy;
}

function amount(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function say() {
  const of = (nodes) => counted(nodes.map((node) => node?.kind), frame.dataset.kinds);
  const parts = [`${of([...model.nodes.values()])}; ${amount(model.edges.size, "edge")}`];
  if (model.path) parts.push(`the path of ${model.path.table}.${model.path.column}: ${amount(model.path.columns.size, "column")} in ${of([...model.path.tables].map((name) => model.nodes.get(name)))}`);
  if (model.cut || model.path?.cut) parts.push("cut: there is more than is drawn");
  status.textContent = parts.join(" · ");
  const open = [...model.nodes.values()].some((node) => node.shown === "all");
  frame.querySelector("[data-do=columns]").setAttribute("aria-pressed", open);
}

const does = {
  reset: () => change(() => model.begin()).then(() => remember(model)),
  all: () => change(() => model.expandAll()),
  columns: () => {
    const names = [...model.nodes.values()].filter((node) => node.kind !== "files").map((node) => node.name);
    const open = [...model.nodes.values()].some((node) => node.shown === "all");
    if (!open && names.length > MANY) {
      status.textContent = `The columns of ${names.length} tables at once would hide the graph; show them table by table.`;
      return;
    }
    change(() => model.showColumns(names, open ? "none" : "all"), model.start);
  },
  in: () => drawing.by(1.3),
  out: () => drawing.by(1 / 1.3),
  fit: () => drawing.fit(),
  svg: () => save(asFile(drawing), `lineage of ${model.start}.svg`.replace(/[^\w. -]+/g, "_")),
  unlight: () => model.path && change(() => model.dim(), model.path.table).then(() => remember(model)),
};

function press(target) {
  const [what, way] = target.dataset.press.split(" ");
  const name = target.dataset.name;
  if (what === "expand") change(() => model.expand(name, way), name);
  if (what === "collapse") change(() => model.collapse(name, way), name);
  if (what === "toggle") change(() => model.showColumns([name], model.nodes.get(name).shown === "none" ? "all" : "none"), name);
  if (what === "all") change(() => model.showColumns([name], "all"), name);
  if (what === "light") {
    const column = target.dataset.column;
    const again = model.path?.table === name && model.path?.column === column;
    change(() => (again ? model.dim() : model.light(name, column)), name).then(() => remember(model));
  }
}

frame.addEventListener("click", (event) => {
  const tool = event.target.closest("[data-do]");
  const pressed = event.target.closest("[data-press]");
  if (tool) does[tool.dataset.do]();
  else if (pressed) press(pressed);
});

const moves = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
const keys = { "+": "in", "=": "in", "-": "out", 0: "fit", c: "columns", Escape: "unlight" };

frame.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const pressed = event.target.closest("[data-press]");
  if (pressed && (event.key === "Enter" || event.key === " ")) press(pressed);
  else if (drawing.frame.contains(event.target) && moves[event.key]) drawing.move(...moves[event.key]);
  else if (keys[event.key]) does[keys[event.key]]();
  else return;
  event.preventDefault();
});

// A table that is reached with Tab comes into view.
drawing.frame.addEventListener("focusin", (event) => {
  if (event.target === drawing.frame || !event.target.matches(":focus-visible")) return;
  const [view, one] = [drawing.frame.getBoundingClientRect(), event.target.getBoundingClientRect()];
  const away = (low, high, from, to) => (low < from ? from - low + 20 : high > to ? to - high - 20 : 0);
  const [x, y] = [away(one.left, one.right, view.left, view.right), away(one.top, one.bottom, view.top, view.bottom)];
  if (x || y) drawing.move(x, y);
});

change(async () => {
  await model.begin();
  const column = firstColumn(frame);
  if (column) await model.light(model.start, column);
});
