"""Everything that the catalog has a page for, for those that make all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

__all__ = ["Entry", "entries"]


@dataclass(frozen=True)
class Entry:
    """One table, chart, dashboard, folder of files or term.

    Args:
        id: Its node.
        name: What it is called now.
        kind: What it is.
        title: What people call it, where that is not its name.
        doc: What one row is.
        owner: Whose it is.
        domain: What it belongs to.
        tags: Its own, as search shows them.
        all_tags: Those of its columns, too, inherited ones included: what search narrows by.
        columns: Those that it has, and those that only lineage names.
        said: What search finds it by: what it is, and its text.
    """

    id: int
    name: str
    kind: str
    title: str
    doc: str
    owner: str
    domain: str
    tags: list[str]
    all_tags: list[str]
    columns: list[str]
    said: list[list[str]]


def entries(connection: Connection[Any]) -> Iterator[Entry]:
    """Yield what there is, in the order in which search shows it, the dropped last."""
    for row in connection.execute(_ENTRIES):
        yield Entry(*row)


_ENTRIES = b"""
SELECT n.id, n.name, n.kind, n.title, n.doc, n.owner, n.domain, n.tags,
  ARRAY(SELECT unnest(n.tags)
    UNION SELECT unnest(f.tags) FROM column_fact AS f WHERE f.node_id = n.id AND f.until IS NULL
    UNION SELECT h.key FROM by_hand AS h WHERE h.node_id = n.id AND h.what = 'tag'
    UNION SELECT i.tag FROM inherited AS i WHERE i.node_id = n.id ORDER BY 1),
  ARRAY(SELECT f.name FROM column_fact AS f WHERE f.node_id = n.id AND f.until IS NULL
    UNION SELECT c.target_column FROM edge AS e JOIN column_edge AS c ON c.edge_id = e.id
      WHERE e.target_id = n.id AND c.target_column <> ''
    UNION SELECT c.source_column FROM edge AS e JOIN column_edge AS c ON c.edge_id = e.id WHERE e.source_id = n.id),
  coalesce((SELECT json_agg(json_build_array(w.what, w.text) ORDER BY w.what, w.text) FROM word AS w
    WHERE w.node_id = n.id), '[]')
FROM node AS n ORDER BY n.dropped_at IS NOT NULL, n.kind <> 'table', n.name, n.id
"""
