"""What the catalog gets to know of a definition, for tests that need no files of a project."""

from __future__ import annotations

from headwater_catalog.model import ColumnEdge, ColumnFacts, Lineage, Origin, TableFacts

__all__ = ["declared"]


def declared(
    name: str, *sources: str, columns: tuple[str, ...] = ("id",), edges: tuple[ColumnEdge, ...] = ()
) -> TableFacts:
    """Return a table with its upstreams, its columns' names, and what of their lineage was read from its SQL."""
    said = [(Origin.DECLARED, Lineage(target=name, sources=sources))]
    if edges:
        said.append((Origin.PARSED, Lineage(target=name, sources=sources, columns=frozenset(edges))))
    return TableFacts(
        name=name,
        doc=f"Rows of {name}.",
        owner="team:t",
        columns=tuple(ColumnFacts(one, "int") for one in columns),
        lineage=tuple(said),
    )
