// What the graph shows: tables, edges between them, their columns, and one column's path. No drawing here.

import { ask } from "./asked.js";

const LIMIT = 500;
const EDGES = 5000;
const DEEP = 100;

export class Model {
  constructor(name, asOf) {
    this.start = name;
    this.asOf = asOf;
    this.clear();
  }

  clear() {
    this.nodes = new Map(); // name -> { name, kind, owner, dropped, upstreams, downstreams, columns, shown }
    this.edges = new Map(); // key -> { source, target, origins }
    this.flows = new Map(); // key -> { source, source_column, target, target_column, kind, origins }
    this.path = null; // { table, column, flows: keys, columns: keys, tables: names }
    this.cut = false;
  }

  // Adds what one question about lineage was answered.
  take(answer) {
    for (const one of answer.nodes) {
      const known = this.nodes.get(one.name);
      this.nodes.set(one.name, { columns: null, shown: "none", ...known, ...one });
    }
    for (const one of answer.edges) this.edge(one.source, one.target, Object.keys(one.origins));
    for (const one of answer.columns) {
      this.flows.set(flowKey(one), one);
      if (this.nodes.has(one.source) && this.nodes.has(one.target)) this.edge(one.source, one.target, one.origins);
    }
  }

  edge(source, target, origins) {
    const key = pairKey(source, target);
    const known = this.edges.get(key) ?? { key, source, target, origins: new Set() };
    for (const one of origins) known.origins.add(one);
    this.edges.set(key, known);
  }

  ask(question, given) {
    return ask(question, given, this.asOf);
  }

  async begin() {
    this.clear();
    const answer = await this.ask("lineage", { name: this.start, depth: 1, limit: LIMIT, neighbours: true });
    this.start = answer.table;
    this.take(answer);
    this.cut = false; // that there is more is what the buttons at the tables say
  }

  async expand(name, direction) {
    this.take(await this.ask("lineage", { name, direction, depth: 1, limit: LIMIT, neighbours: true }));
  }

  async expandAll() {
    const answer = await this.ask("lineage", { name: this.start, depth: DEEP, limit: LIMIT, neighbours: true });
    this.take(answer);
    this.cut = answer.cut;
  }

  // How many steps each table is from the start, whichever way the edges point.
  distances(without = () => false) {
    const found = new Map([[this.start, 0]]);
    const beside = new Map();
    for (const one of this.edges.values()) {
      if (without(one)) continue;
      for (const [from, to] of [[one.source, one.target], [one.target, one.source]]) {
        if (!beside.has(from)) beside.set(from, []);
        beside.get(from).push(to);
      }
    }
    let frontier = [this.start];
    while (frontier.length) {
      const next = [];
      for (const name of frontier)
        for (const other of beside.get(name) ?? [])
          if (!found.has(other)) {
            found.set(other, found.get(name) + 1);
            next.push(other);
          }
      frontier = next;
    }
    return found;
  }

  // What a table's two buttons do: "expand" brings what is hidden, "collapse" takes away what hangs on it alone.
  sides() {
    const shown = { up: new Map(), down: new Map() };
    const far = this.distances();
    for (const { source, target } of this.edges.values()) {
      if (source === target) continue;
      (shown.up.get(target) ?? shown.up.set(target, []).get(target)).push(source);
      (shown.down.get(source) ?? shown.down.set(source, []).get(source)).push(target);
    }
    const made = new Map();
    for (const [name, node] of this.nodes) {
      const side = (way, count) => {
        const there = shown[way].get(name) ?? [];
        const hidden = Math.max(0, (count ?? there.length) - there.length);
        if (hidden) return { does: "expand", hidden };
        const away = there.length > 0 && there.every((one) => (far.get(one) ?? 0) > (far.get(name) ?? 0));
        return away ? { does: "collapse", hidden: 0 } : null;
      };
      made.set(name, { up: side("up", node.upstreams), down: side("down", node.downstreams) });
    }
    return made;
  }

  collapse(name, direction) {
    const end = direction === "up" ? "target" : "source";
    const kept = this.distances((one) => one[end] === name && one.source !== one.target);
    for (const one of [...this.nodes.keys()]) if (!kept.has(one) && one !== name) this.nodes.delete(one);
    for (const [key, one] of this.edges)
      if (!this.nodes.has(one.source) || !this.nodes.has(one.target)) this.edges.delete(key);
    this.cut = false;
  }

  // Brings a table's columns and what flows in and out of them, once.
  async learnColumns(name) {
    const node = this.nodes.get(name);
    if (!node || node.columns) return;
    const [table, around] = await Promise.all([
      this.ask("table", { name }),
      this.ask("lineage", { name, columns: true, depth: 1, limit: EDGES }),
    ]);
    for (const one of around.columns) this.flows.set(flowKey(one), one);
    const names = new Set(table.columns.map((one) => one.name));
    for (const one of around.columns) {
      if (one.source === name) names.add(one.source_column);
      if (one.target === name) names.add(one.target_column);
    }
    const types = new Map(table.columns.map((one) => [one.name, one.type]));
    node.columns = [...names].map((column) => ({ name: column, type: types.get(column) ?? "" }));
  }

  async showColumns(names, shown) {
    const waiting = [...names];
    const worker = async () => {
      while (waiting.length) await this.learnColumns(waiting.shift());
    };
    if (shown !== "none") await Promise.all(Array.from({ length: 6 }, worker));
    for (const name of names) this.nodes.get(name).shown = shown;
  }

  // Lights a column's whole path up, from where it begins to where it ends.
  async light(table, column) {
    const answer = await this.ask("lineage", { name: table, column, depth: DEEP, limit: 2000, neighbours: true });
    this.take(answer);
    const columns = new Set([columnKey(table, column)]);
    const tables = new Set([table]);
    for (const one of answer.columns) {
      columns.add(columnKey(one.source, one.source_column)).add(columnKey(one.target, one.target_column));
      tables.add(one.source).add(one.target);
    }
    this.dim();
    this.path = { table, column, columns, tables, flows: new Set(answer.columns.map(flowKey)), cut: answer.cut };
    const closed = [...tables].filter((name) => this.nodes.get(name).shown === "none");
    await this.showColumns(closed, "path");
  }

  dim() {
    this.path = null;
    for (const node of this.nodes.values()) if (node.shown === "path") node.shown = "none";
  }

  // The columns of a table that are to be seen, and how many more there are.
  rows(node) {
    if (node.shown === "none" || !node.columns) return { seen: [], more: 0 };
    const lit = (one) => this.path?.columns.has(columnKey(node.name, one.name));
    const seen = node.shown === "all" ? node.columns : node.columns.filter(lit);
    return { seen, more: node.columns.length - seen.length };
  }
}

// A line separator stands in no name that a person types; quoting keeps even that one apart.
export const pairKey = (source, target) => JSON.stringify([source, target]);
export const columnKey = (table, column) => JSON.stringify([table, column]);
export const flowKey = (one) => JSON.stringify([one.source, one.source_column, one.target, one.target_column, one.kind]);
