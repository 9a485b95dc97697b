// Answers and addresses of the running catalog; a folder of pages has `kept.js` in place of this.

export async function ask(question, given, asOf) {
  const asked = new URLSearchParams({ ...given, ...(asOf && question === "lineage" ? { as_of: asOf } : {}) });
  let answer;
  try {
    answer = await fetch(`/api/v1/${question}?${asked}`);
  } catch {
    throw new Error("The catalog does not answer; see `headwater status`.");
  }
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

export const pageOf = (node) => `/table?${new URLSearchParams({ name: node.name })}`;

export const firstColumn = (frame) => frame.dataset.column;

// Lets the address lead to what is drawn.
export function remember(model) {
  const given = new URLSearchParams({ name: model.start });
  if (model.path?.table === model.start) given.set("column", model.path.column);
  if (model.asOf) given.set("as_of", model.asOf);
  history.replaceState(null, "", `/lineage?${given}`);
}

export const engine = () => new window.ELK({ workerUrl: "/libraries/elkjs/lib/elk-worker.min.js" });
