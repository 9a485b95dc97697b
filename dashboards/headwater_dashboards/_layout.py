"""A dashboard's layout: nested lists in YAML, a flat map of parts with ids in Superset. Pure.

In YAML a part is a mapping with one key that says what it is; its other keys are Superset's own settings of that part::

    layout:
      - row:
          - {chart: loans_made, width: 8, height: 40}
          - {text: "Some *Markdown*.", width: 4}
      - {header: Quality}
      - tabs:
          - {tab: By state, layout: [...]}

The two functions undo each other, so a dashboard edited in Superset comes back without loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater.errors import DashboardError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from headwater_dashboards.documents import Place

__all__ = ["GRID_COLUMNS", "charts_in", "layout_of", "parts_in", "position_of"]

GRID_COLUMNS = 12


@dataclass(frozen=True)
class _Part:
    """One kind of part: Superset's name, where its text is kept, whether it holds others, settings when not given."""

    type: str
    text: str = ""
    holds: bool = False
    settings: Mapping[str, Any] | None = None


_CLEAR = {"background": "BACKGROUND_TRANSPARENT"}
_PARTS = {
    "row": _Part("ROW", holds=True, settings=_CLEAR),
    "column": _Part("COLUMN", holds=True, settings={**_CLEAR, "width": 4}),
    "tabs": _Part("TABS", holds=True),
    "tab": _Part("TAB", text="text", holds=True),
    "chart": _Part("CHART", text="uuid", settings={"width": 4, "height": 50}),
    "text": _Part("MARKDOWN", text="code", settings={"width": 4, "height": 50}),
    "header": _Part("HEADER", text="text", settings={**_CLEAR, "headerSize": "MEDIUM_HEADER"}),
    "divider": _Part("DIVIDER"),
}
_WORDS = {part.type: word for word, part in _PARTS.items()}


def position_of(dashboard: Mapping[str, Any], chart_uuid: Callable[[str], str]) -> dict[str, Any]:
    """Return Superset's parts of a dashboard's ``layout`` or ``tabs``.

    Args:
        dashboard: What the YAML says; ``parts_in`` must have found nothing wrong in it.
        chart_uuid: Gives the uuid of a chart by its name.
    """
    parts: dict[str, Any] = {}
    tabs, layout = dashboard.get("tabs"), dashboard.get("layout", [])
    grid = [_add(parts, item, f"{index}", chart_uuid) for index, item in enumerate(layout, 1)]
    top = [_add(parts, {"tabs": tabs}, "0", chart_uuid)] if tabs else ["GRID_ID"]
    parts["GRID_ID"] = {"type": "GRID", "id": "GRID_ID", "children": grid, "meta": {}}
    parts["ROOT_ID"] = {"type": "ROOT", "id": "ROOT_ID", "children": top, "meta": {}}
    return parts


def layout_of(position: Mapping[str, Any], chart_name: Callable[[str], str]) -> dict[str, Any]:
    """Return ``layout`` or ``tabs`` of Superset's parts.

    Raises:
        DashboardError: There is a part that YAML has no word for.
    """
    top = position.get("ROOT_ID", {}).get("children", ["GRID_ID"])
    if top != ["GRID_ID"] and len(top) == 1 and position[top[0]]["type"] == "TABS":
        return {"tabs": _item(position, top[0], "0", chart_name)["tabs"]}
    children = position.get("GRID_ID", {}).get("children", [])
    return {"layout": [_item(position, name, f"{index}", chart_name) for index, name in enumerate(children, 1)]}


def parts_in(dashboard: Mapping[str, Any]) -> Iterator[tuple[Place, str, Any]]:
    """Yield every part's place, word and mapping; the word is empty where the mapping names none or more than one."""
    for key in ("layout", "tabs"):
        yield from _walk(dashboard.get(key, []), (key,))


def charts_in(dashboard: Mapping[str, Any]) -> list[tuple[Place, str]]:
    """Return the place and name of every chart."""
    return [((*place, "chart"), str(part["chart"])) for place, word, part in parts_in(dashboard) if word == "chart"]


def _walk(items: Any, place: Place) -> Iterator[tuple[Place, str, Any]]:
    for index, item in enumerate(items if isinstance(items, list) else []):
        here = (*place, index)
        words = [word for word in _PARTS if isinstance(item, dict) and word in item]
        word = words[0] if len(words) == 1 else ""
        yield here, word, item
        if word and _PARTS[word].holds:
            inner = "layout" if word == "tab" else word
            yield from _walk(item.get(inner, []), (*here, inner))


def _add(parts: dict[str, Any], item: Mapping[str, Any], path: str, chart_uuid: Callable[[str], str]) -> str:
    word = next(word for word in _PARTS if word in item)
    kind = _PARTS[word]
    inner = "layout" if word == "tab" else word
    meta = {**(kind.settings or {}), **{key: value for key, value in item.items() if key not in (word, inner, "id")}}
    if kind.text:
        meta[kind.text] = chart_uuid(str(item[word])) if word == "chart" else item[word]
    name = str(item.get("id", f"{kind.type}-{path}"))
    below: Sequence[Any] = (item.get(inner) or []) if kind.holds else []
    children = [_add(parts, child, f"{path}-{index}", chart_uuid) for index, child in enumerate(below, 1)]
    parts[name] = {"type": kind.type, "id": name, "children": children, "meta": meta}
    return name


def _item(position: Mapping[str, Any], name: str, path: str, chart_name: Callable[[str], str]) -> dict[str, Any]:
    part = position[name]
    word = _WORDS.get(part["type"])
    if word is None:
        raise DashboardError(f"The dashboard holds a part of type {part['type']}, which YAML cannot say; remove it.")
    kind = _PARTS[word]
    meta = dict(part.get("meta", {}))
    text: Any = meta.pop(kind.text, "") if kind.text else True
    below = [_item(position, child, f"{path}-{index}", chart_name) for index, child in enumerate(part["children"], 1)]
    named = text if kind.text or not kind.holds else below
    item: dict[str, Any] = {word: chart_name(text) if word == "chart" else named}
    if name != f"{kind.type}-{path}":
        item["id"] = name
    defaults = kind.settings or {}
    item |= {key: value for key, value in meta.items() if key not in defaults or defaults[key] != value}
    return {**item, "layout": below} if word == "tab" else item
