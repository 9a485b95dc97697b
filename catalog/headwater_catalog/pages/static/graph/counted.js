// How many there are of each kind, in the words that the page brings along.

export function counted(kinds, words) {
  const known = new Map(JSON.parse(words));
  const found = new Map([...known.keys()].map((kind) => [kind, 0]));
  for (const kind of kinds) {
    const one = found.has(kind) ? kind : "table";
    found.set(one, found.get(one) + 1);
  }
  return [...found].filter(([, count]) => count).map(([kind, count]) => `${count} ${known.get(kind)[count === 1 ? 0 : 1]}`).join(", ");
}
