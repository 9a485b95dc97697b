// Where everything goes: ELK's layered layout, in a worker, so that the page stays at hand meanwhile.

import { engine } from "./asked.js";
import { columnKey } from "./model.js";

export const HEAD = 42;
export const ROW = 20;
const PAD = 6;
const WIDTH = [168, 340];

const OPTIONS = {
  "elk.algorithm": "layered",
  "elk.direction": "RIGHT",
  "elk.edgeRouting": "ORTHOGONAL",
  "elk.spacing.nodeNode": "22",
  "elk.spacing.edgeNode": "14",
  "elk.spacing.edgeEdge": "8",
  "elk.layered.spacing.nodeNodeBetweenLayers": "64",
  "elk.layered.spacing.edgeNodeBetweenLayers": "22",
  "elk.layered.spacing.edgeEdgeBetweenLayers": "8",
  "elk.layered.nodePlacement.strategy": "BRANDES_KOEPF",
  "elk.layered.nodePlacement.bk.fixedAlignment": "BALANCED",
  "elk.layered.mergeEdges": "false",
  "elk.separateConnectedComponents": "false",
};

// A large graph is not worth looking for the last crossing.
const MANY = 300;
const QUICK = { "elk.layered.thoroughness": "1", "elk.layered.crossingMinimization.greedySwitch.type": "OFF" };

const pen = document.createElement("canvas").getContext("2d");
let fonts = null;

function measure(text, kind) {
  if (!fonts) {
    const mono = getComputedStyle(document.documentElement).getPropertyValue("--mono");
    fonts = { title: `600 12.5px ${mono}`, column: `11.5px ${mono}` };
  }
  pen.font = fonts[kind];
  return pen.measureText(text).width;
}

// Cuts a text where it would not fit any more.
export function fit(text, kind, width) {
  if (measure(text, kind) <= width) return text;
  let [least, most] = [0, text.length];
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    if (measure(`${text.slice(0, middle)}…`, kind) <= width) least = middle;
    else most = middle - 1;
  }
  return `${text.slice(0, least)}…`;
}

export class Layout {
  constructor() {
    this.elk = engine();
  }

  // Returns boxes by table and lines with their points.
  async of(model) {
    const boxes = new Map();
    const ids = new Map();
    const children = [...model.nodes.values()].map((node, at) => {
      const box = sized(node, model.rows(node));
      boxes.set(node.name, box);
      ids.set(node.name, `n${at}`);
      return {
        id: `n${at}`,
        width: box.width,
        height: box.height,
        layoutOptions: { "elk.portConstraints": "FIXED_POS" },
        ports: ports(`n${at}`, box),
      };
    });
    const lines = linesOf(model, boxes);
    const edges = lines.map((line, at) => ({
      id: `e${at}`,
      sources: [portId(ids.get(line.source), "out", boxes.get(line.source), line.source_column)],
      targets: [portId(ids.get(line.target), "in", boxes.get(line.target), line.target_column)],
    }));
    const layoutOptions = edges.length > MANY ? { ...OPTIONS, ...QUICK } : OPTIONS;
    const done = await this.elk.layout({ id: "root", layoutOptions, children, edges });
    const names = [...model.nodes.keys()];
    done.children.forEach((child, at) => Object.assign(boxes.get(names[at]), { x: child.x, y: child.y }));
    done.edges.forEach((edge, at) => {
      const part = edge.sections?.[0];
      lines[at].points = part ? [part.startPoint, ...(part.bendPoints ?? []), part.endPoint] : [];
    });
    return { boxes, lines, width: done.width, height: done.height };
  }
}

function sized(node, { seen, more }) {
  const wide = Math.max(
    measure(node.title || node.name, "title") + 34,
    ...seen.map((one) => measure(one.name, "column") + Math.min(measure(one.type, "column"), 110) + 46),
  );
  const rows = seen.map((one, at) => ({ ...one, y: HEAD + PAD / 2 + at * ROW }));
  const open = rows.length || more;
  return {
    rows,
    more,
    places: new Map(rows.map((one, at) => [one.name, at])),
    width: Math.round(Math.min(Math.max(wide, WIDTH[0]), WIDTH[1])),
    height: HEAD + (open ? PAD + (rows.length + (more ? 1 : 0)) * ROW : 0),
  };
}

function ports(id, box) {
  const at = (side, x, y, key) => ({ id: `${id}:${side}:${key}`, x, y, width: 0, height: 0, layoutOptions: { "elk.port.side": side === "in" ? "WEST" : "EAST" } });
  const made = [at("in", 0, HEAD / 2, "t"), at("out", box.width, HEAD / 2, "t")];
  box.rows.forEach((row, index) => made.push(at("in", 0, row.y + ROW / 2, index), at("out", box.width, row.y + ROW / 2, index)));
  return made;
}

const portId = (id, side, box, column) => `${id}:${side}:${column === undefined ? "t" : box.places.get(column)}`;

// Lines from column to column where both ends are to be seen, else from table to table.
function linesOf(model, boxes) {
  const lines = [];
  const byColumns = new Set();
  for (const [key, one] of model.flows) {
    const seen =
      boxes.get(one.source)?.places.has(one.source_column) && boxes.get(one.target)?.places.has(one.target_column);
    if (!seen) continue;
    byColumns.add(JSON.stringify([one.source, one.target]));
    lines.push({ ...one, key, kind: one.kind, lit: model.path?.flows.has(key) ?? false, origins: new Set(one.origins) });
  }
  for (const [key, one] of model.edges)
    if (!byColumns.has(key)) lines.push({ key, source: one.source, target: one.target, origins: one.origins, lit: false });
  return lines;
}

export const isLit = (model, table, column) => model.path?.columns.has(columnKey(table, column)) ?? false;
