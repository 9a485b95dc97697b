// Draws boxes and lines as SVG, and moves the view over them.

import { pageOf } from "./asked.js";
import { HEAD, ROW, fit, isLit } from "./layout.js";

const SVG = "http://www.w3.org/2000/svg";
const ZONES = new Set(["raw", "partitioned", "curated"]);
const SAID = { files: "folder of files", dataset: "saved query", chart: "chart", dashboard: "dashboard" }; // in place of an owner
const ROUND = 7;
const READABLE = 0.5;
const MANY = 120; // more than that do not glide to their places

export const zoneOf = (name) =>
  /^(files|chart|dashboard):/.test(name) ? name.split(":", 1)[0] : name.includes(".") && ZONES.has(name.split(".", 1)[0]) ? name.split(".", 1)[0] : "other";

const called = (node) => node.title || node.name;

export function make(kind, attributes = {}, ...inside) {
  const made = document.createElementNS(SVG, kind);
  for (const [name, text] of Object.entries(attributes)) if (text !== null) made.setAttribute(name, text);
  made.append(...inside);
  return made;
}

export class Drawing {
  constructor(frame) {
    this.frame = frame;
    this.svg = frame.querySelector(".sheet");
    this.lines = make("g", { class: "lines" });
    this.boxes = make("g", { class: "boxes" });
    this.view = make("g", { class: "view" }, this.lines, this.boxes);
    this.svg.replaceChildren(this.view);
    this.groups = new Map();
    this.found = null;
    this.sharp = 1;
    this.zoom = d3
      .zoom()
      .scaleExtent([0.05, 2.5])
      .on("zoom", ({ transform: { x, y, k } }) => (this.svg.style.transform = `translate(${x}px, ${y}px) scale(${k})`))
      .on("end", () => this.sharpen());
    d3.select(frame).call(this.zoom).on("dblclick.zoom", null);
  }

  // The sheet is a layer of its own, so that moving it paints nothing anew; at another scale it is painted once more.
  sharpen() {
    if (this.sharp === this.scale) return;
    this.sharp = this.scale;
    this.svg.style.willChange = "auto";
    requestAnimationFrame(() => requestAnimationFrame(() => (this.svg.style.willChange = "transform")));
  }

  // Draws anew; `anchor` stays where it is on the screen.
  show(model, found, anchor) {
    const before = anchor && this.found?.boxes.get(anchor);
    const focus = this.boxes.contains(document.activeElement) ? document.activeElement : null;
    const [key, of] = focus ? [focus.getAttribute("data-key"), focus.closest(".node").getAttribute("data-name")] : [];
    this.found = found;
    this.svg.setAttribute("width", Math.ceil(found.width));
    this.svg.setAttribute("height", Math.ceil(found.height));
    this.svg.classList.toggle("many", found.boxes.size > MANY);
    this.lines.replaceChildren(...found.lines.map((one) => drawLine(one)));
    const sides = model.sides();
    const order = [...found.boxes].sort(([, a], [, b]) => a.x - b.x || a.y - b.y);
    const groups = new Map();
    for (const [name, box] of order) {
      const group = this.groups.get(name) ?? make("g");
      group.style.transform = `translate(${box.x}px, ${box.y}px)`;
      drawBox(group, model, model.nodes.get(name), box, sides.get(name));
      groups.set(name, group);
    }
    this.groups = groups;
    this.boxes.replaceChildren(...groups.values());
    this.svg.classList.toggle("dim", model.path !== null);
    const after = anchor && found.boxes.get(anchor);
    if (before && after) this.move((before.x - after.x) * this.scale, (before.y - after.y) * this.scale);
    else this.fit(false);
    if (focus) (this.keyed(key) ?? this.keyed(`title ${of}`) ?? this.frame).focus({ preventScroll: true });
  }

  keyed(key) {
    return this.boxes.querySelector(`[data-key="${CSS.escape(key)}"]`);
  }

  get scale() {
    return d3.zoomTransform(this.frame).k;
  }

  move(x, y) {
    const now = d3.zoomTransform(this.frame);
    d3.select(this.frame).call(this.zoom.transform, d3.zoomIdentity.translate(now.x + x, now.y + y).scale(now.k));
  }

  by(factor) {
    d3.select(this.frame).call(this.zoom.scaleBy, factor);
  }

  // Shows the whole, or, at first and where that would be too small to read, the start with what is around it.
  fit(whole = true) {
    const { width, height } = this.frame.getBoundingClientRect();
    if (!this.found || !width || !height) return;
    const room = 40;
    const most = Math.min(1, (width - room) / this.found.width, (height - room - 24) / this.found.height);
    const scale = whole ? most : Math.max(most, READABLE);
    const start = this.boxes.querySelector(".start");
    const box = start && this.found.boxes.get(start.getAttribute("data-name"));
    const centre = most >= scale || !box ? [this.found.width / 2, this.found.height / 2] : [box.x + box.width / 2, box.y + box.height / 2];
    const to = d3.zoomIdentity.translate(width / 2 - centre[0] * scale, height / 2 - centre[1] * scale).scale(scale);
    d3.select(this.frame).call(this.zoom.transform, to);
  }
}

function drawLine(line) {
  const seen = line.origins.has("observed");
  const said = line.origins.has("declared") || line.origins.has("parsed");
  const kind = seen && said ? "both" : seen ? "observed" : "declared";
  const names = line.source_column === undefined ? "" : " columns";
  const path = make("path", { class: `edge ${kind}${names}${line.lit ? " lit" : ""}`, d: curve(line.points) });
  path.append(make("title", {}, title(line)));
  return path;
}

function title(line) {
  const end = (table, column) => (column === undefined ? table : `${table}.${column}`);
  const how = line.kind ? `, ${line.kind}` : "";
  return `${end(line.source, line.source_column)} → ${end(line.target, line.target_column)}${how} (${[...line.origins].sort().join(", ")})`;
}

// A way of straight parts with round corners.
function curve(points) {
  if (!points.length) return "";
  let made = `M${points[0].x},${points[0].y}`;
  for (let at = 1; at < points.length - 1; at++) {
    const [a, b, c] = [points[at - 1], points[at], points[at + 1]];
    const before = Math.hypot(b.x - a.x, b.y - a.y);
    const after = Math.hypot(c.x - b.x, c.y - b.y);
    const r = Math.min(ROUND, before / 2, after / 2);
    if (!r) continue;
    const from = { x: b.x + ((a.x - b.x) / before) * r, y: b.y + ((a.y - b.y) / before) * r };
    const to = { x: b.x + ((c.x - b.x) / after) * r, y: b.y + ((c.y - b.y) / after) * r };
    made += `L${from.x},${from.y}Q${b.x},${b.y} ${to.x},${to.y}`;
  }
  const last = points[points.length - 1];
  return `${made}L${last.x},${last.y}`;
}

function drawBox(group, model, node, box, sides) {
  const lit = model.path?.tables.has(node.name);
  const zone = zoneOf(node.name);
  group.setAttribute("class", ["node", `zone-${zone}`, node.name === model.start && "start", node.dropped && "dropped", lit && "lit"].filter(Boolean).join(" "));
  group.setAttribute("data-name", node.name);
  const parts = [
    make("rect", { class: "node-box", width: box.width, height: box.height, rx: 6 }),
    make("path", { class: "node-zone", d: `M6,0H5V${box.height}H6A6,6 0 0 1 0,${box.height - 6}V6A6,6 0 0 1 6,0Z` }),
    drawTitle(node, box),
    make("text", { class: "node-sub", x: 14, y: 34 }, SAID[zone] || fit(node.owner || "no owner", "column", box.width - 100)),
  ];
  if (zone !== "files") parts.push(drawToggle(node, box));
  if (box.rows.length || box.more) parts.push(make("line", { class: "node-line", x1: 5, x2: box.width, y1: HEAD, y2: HEAD }));
  parts.push(...box.rows.map((row) => drawRow(model, node, box, row)));
  if (box.more) parts.push(drawMore(node, box));
  for (const way of ["up", "down"]) if (sides?.[way]) parts.push(drawSide(node, box, way, sides[way]));
  group.replaceChildren(...parts);
}

function drawTitle(node, box) {
  return make(
    "a",
    { href: pageOf(node), "data-key": `title ${node.name}` },
    make("rect", { class: "node-focus", x: 10, y: 4, width: box.width - 22, height: 19, rx: 3 }),
    make("text", { class: "node-title", x: 14, y: 18 }, fit(called(node), "title", box.width - 30)),
    make("title", {}, node.name),
  );
}

function press(does, node, label, more, ...inside) {
  const key = [more.key ?? does, node.name, more.column ?? ""].join(" ");
  return make("g", { class: more.class ?? "press", role: "button", tabindex: 0, "aria-label": label, "aria-pressed": more.pressed ?? null, "data-press": does, "data-name": node.name, "data-column": more.column ?? null, "data-key": key, transform: more.transform ?? null }, ...inside, make("title", {}, label));
}

function drawToggle(node, box) {
  const open = node.shown !== "none";
  const label = `${open ? "Hide" : "Show"} the columns of ${called(node)}`;
  const text = make("text", { x: box.width - 46, y: 34 }, open ? "columns ▴" : "columns ▾");
  return press("toggle", node, label, { pressed: open, class: "press" }, make("rect", { x: box.width - 78, y: 23, width: 64, height: 16, rx: 4 }), text);
}

function drawRow(model, node, box, row) {
  const lit = isLit(model, node.name, row.name);
  const label = `${lit ? "Column" : "Path of column"} ${row.name} of ${called(node)}${row.type ? `, ${row.type}` : ""}`;
  const type = fit(row.type, "column", Math.max(0, Math.min(110, box.width - 40)));
  return press(
    "light", node, label,
    { column: row.name, class: lit ? "row lit" : "row", pressed: lit, transform: `translate(0 ${row.y})` },
    make("rect", { class: "row-box", x: 6, width: box.width - 7, height: ROW, rx: 3 }),
    make("text", { class: "node-column", x: 14, y: 14 }, fit(row.name, "column", box.width - 130 > 60 ? box.width - 40 - Math.min(110, type.length * 7) : box.width - 30)),
    make("text", { class: "node-sub", x: box.width - 12, y: 14, "text-anchor": "end" }, type),
  );
}

function drawMore(node, box) {
  const y = HEAD + 3 + box.rows.length * ROW;
  const columns = box.more === 1 ? "column" : "columns";
  const text = box.rows.length ? `and ${box.more} more ${columns}` : `${box.more} ${columns}`;
  return press("all", node, `Show all columns of ${called(node)}`, { class: "row", transform: `translate(0 ${y})` }, make("rect", { class: "row-box", x: 6, width: box.width - 7, height: ROW, rx: 3 }), make("text", { class: "node-sub", x: 14, y: 14 }, text));
}

function drawSide(node, box, way, { does, hidden }) {
  const what = way === "up" ? "what it is made from" : "what reads it";
  const label = does === "expand" ? `Show ${hidden} more of ${what}: ${called(node)}` : `Hide ${what}: ${called(node)}`;
  const x = way === "up" ? 0 : box.width;
  // One button whatever it does next: who pressed it finds it again.
  return press(`${does} ${way}`, node, label, { key: `side ${way}`, transform: `translate(${x} ${HEAD / 2})` }, make("circle", { r: 8.5 }), make("text", { y: 4 }, does === "expand" ? "+" : "−"));
}
