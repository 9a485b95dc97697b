// Answers and addresses in a folder of pages: each table has a file that tells its columns and what is beside it.

const frame = document.getElementById("graph");
const root = frame.dataset.root;
const places = new Map([[frame.dataset.name, frame.dataset.at]]);
const told = new Map(); // name -> promise of what its file tells
const kept = (window.headwaterKept ??= new Map());

const endOf = (table, column) => JSON.stringify([table, column]);

function tell(name) {
  if (!told.has(name)) {
    const coming = new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `${root}${places.get(name)}/graph.js`;
      script.onload = () => (kept.has(name) ? resolve(kept.get(name)) : reject(new Error(`The file of ${name} tells of another table.`)));
      script.onerror = () => reject(new Error(`The folder has no file of ${name}; it is not whole.`));
      document.head.append(script);
    });
    told.set(name, coming.then((one) => (one.nodes.forEach((node) => places.set(node.name, node.at)), one)));
  }
  return told.get(name);
}

// Follows edges one way, step by step, as the running catalog does: every end is entered once.
async function walk(answer, start, way, { depth, limit }, edgesOf, end) {
  const [near, far] = way === "up" ? ["target", "source"] : ["source", "target"];
  const seen = new Set([end(start, near, start)]);
  let frontier = [start];
  for (let step = 0; step < depth && frontier.length; step++) {
    const next = [];
    const files = await Promise.all(frontier.map((one) => tell(one[near])));
    files.forEach((file, at) => {
      for (const one of file.nodes) answer.known.set(one.name, one);
      for (const one of edgesOf(file)) {
        if (end(one, near) !== end(frontier[at], near, start)) continue;
        const key = end(one, far);
        if (!seen.has(key)) {
          if (seen.size >= limit) {
            answer.cut = true;
            continue;
          }
          seen.add(key);
          next.push({ [near]: one[far], [`${near}_column`]: one[`${far}_column`] });
        }
        answer.found.add(one);
        answer.reached.add(one.source).add(one.target);
      }
    });
    frontier = next;
  }
}

async function lineage({ name, column, columns, direction, depth, limit }) {
  const answer = { known: new Map(), found: new Set(), reached: new Set([name]), cut: false };
  const file = await tell(name);
  for (const one of file.nodes) answer.known.set(one.name, one);
  if (columns) return { table: name, nodes: [], edges: [], columns: file.columnEdges, cut: false };
  const end = column === undefined ? (one, side) => one[side] : (one, side) => endOf(one[side], one[`${side}_column`]);
  for (const way of direction ? [direction] : ["up", "down"]) {
    const near = way === "up" ? "target" : "source";
    const start = { [near]: name, [`${near}_column`]: column };
    await walk(answer, start, way, { depth, limit }, (one) => (column === undefined ? one.edges : one.columnEdges.filter((flow) => flow.target_column)), end);
  }
  const nodes = [...answer.reached].map((one) => answer.known.get(one));
  const found = [...answer.found];
  return { table: name, nodes, edges: column === undefined ? found : [], columns: column === undefined ? [] : found, cut: answer.cut };
}

export async function ask(question, given) {
  return question === "lineage" ? lineage(given) : tell(given.name);
}

export const pageOf = (node) => `${root}${places.get(node.name)}/index.html`;

export const firstColumn = () => decodeURIComponent(location.hash.slice(1));

export function remember(model) {
  const column = model.path?.table === model.start ? model.path.column : "";
  history.replaceState(null, "", `#${encodeURIComponent(column)}`);
}

// A worker from a text works from a disk, too, where one from a file is refused.
export function engine() {
  const made = URL.createObjectURL(new Blob([window.headwaterElk], { type: "text/javascript" }));
  return new window.ELK({ workerUrl: made });
}
