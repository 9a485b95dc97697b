"""Finds nodes by any name, or says that there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwater_catalog.store._nodes import Nodes

__all__ = ["NotFound", "found_node"]


class NotFound(LookupError):  # noqa: N818 - reads as the outcome it is
    """There is no such table, column, run or snapshot; its text says which."""


def found_node(nodes: Nodes, name: str) -> int:
    """Return the node that a name means.

    Raises:
        NotFound: There is none.
    """
    try:
        found = nodes.find(name)
    except ValueError as error:
        raise NotFound(str(error)) from error
    if found is None:
        raise NotFound(f"The catalog knows no table {name!r}; look for it with `headwater search`.")
    return found
