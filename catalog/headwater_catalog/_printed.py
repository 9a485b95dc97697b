"""What `headwater table`, `lineage` and `history` print of the catalog's answers, as rows. Pure."""

from __future__ import annotations

from typing import Any

from headwater.words import amount

from headwater_catalog.model import decides_rows, how_in_words

__all__ = [
    "check_rows",
    "column_rows",
    "cut_sentence",
    "difference_rows",
    "fact_rows",
    "impact_rows",
    "lineage_rows",
    "schema_rows",
    "short",
    "titled",
]

_DOC_WIDTH = 60
_BESIDE = (("made from", "upstreams"), ("read by", "downstreams"))


def fact_rows(answer: dict[str, Any], page: str) -> list[tuple[str, str]]:
    """Return what is known of a table as a whole, without what nobody told.

    Args:
        answer: What the catalog says.
        page: The address where it shows the table.
    """
    about = [
        ("table", titled(answer["name"], answer["title"])),
        ("doc", answer["doc"]),
        ("owner", _with_source(answer, "owner")),
        ("domain", _with_source(answer, "domain")),
        ("tags", ", ".join(map(_label, answer["labels"]))),
        ("terms", ", ".join(one["term"] for one in answer["terms"])),
        ("defined in", answer["place"]),
        *(
            (what, ", ".join(titled(one, answer["titles"].get(one, "")) for one in answer[way]))
            for what, way in _BESIDE
        ),
        *_figures(answer),
        ("commit", _commit(answer)),
        ("dropped", answer["dropped_at"]),
        ("problem", answer["problem"]),
        ("page", page),
    ]
    return [row for row in about if row[1]]


def column_rows(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a table's columns: each tag with who said it, and terms."""
    return [
        {
            "column": one["name"],
            "type": one["type"],
            "tags": ", ".join(map(_label, one["labels"])),
            "terms": ", ".join(said["term"] for said in one["terms"]),
            "doc": short(one["doc"]),
        }
        for one in answer["columns"]
    ]


def difference_rows(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return where definition and metastore differ, with what settles it."""
    return [
        {"column": one["column"], "differs": one["what"], "definition": one["declared"], "metastore": one["there"],
         "what settles it": one["command"] or one["advice"]}
        for one in answer["there"]["columns"]
    ]  # fmt: skip


def _figures(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Return how large a table is and how often it is read, where that is known."""
    known, reads = answer["size"] or {}, answer["reads"]
    told = [
        ("rows", f"{known['rows']:,}" if known.get("rows") is not None else ""),
        ("bytes", f"{known['bytes']:,}" if known.get("bytes") is not None else ""),
        ("files", f"{known['files']:,}" if known.get("files") is not None else ""),
        ("partitions", str(known.get("partitions") or "")),
        ("figures as of", str(known.get("at") or "")),
        ("written since", str(known.get("written_since") or "")),
    ]
    if reads["last_at"]:
        week, month = amount(reads["last_7_days"], "query"), reads["last_30_days"]
        told.append(("read", f"{week} in 7 days, {month} in 30, last {reads['last_at']}"))
    return told


def _commit(answer: dict[str, Any]) -> str:
    state = "changed since, not committed" if answer["revision"] else "not committed"
    return ", ".join(filter(None, (answer["revision"], state if answer["uncommitted"] else "")))


def check_rows(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a table's checks, each with its last results as dots and crosses."""
    return [
        {
            "check": one["name"],
            "now": ("holds" if one["passed"] else "broken") if one["current"] else "no longer asked",
            "broken in": ", ".join(one["failing"]),
            "broken rows": one["broken"],
            "asked": one["at"],
            "last": "".join("." if past["passed"] else "x" for past in reversed(one["history"])),
        }
        for one in answer["checks"]
    ]


def schema_rows(changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return changes of columns: added, dropped, or of another type."""
    rows = []
    for one in changes:
        said = {"at": one["at"], "said by": one["origin"]}
        rows += [{**said, "column": f"+ {column['name']}", "type": column["type"]} for column in one["added"]]
        rows += [{**said, "column": f"- {column['name']}", "type": column["type"]} for column in one["dropped"]]
        rows += [
            {**said, "column": f"~ {column['name']}", "type": f"{column['before']} to {column['after']}"}
            for column in one["retyped"]
        ]
    return rows


def _with_source(answer: dict[str, Any], what: str) -> str:
    """Return a fact with who says it; of what code says nothing is added."""
    said = answer["said"].get(what, {})
    return f"{answer[what]} (by {said['who']})" if said.get("from") == "hand" else str(answer[what])


def _label(one: dict[str, Any]) -> str:
    if one["from"] == "inherited":
        return f"{one['tag']} (from {one['table']}.{one['column']})"
    return f"{one['tag']} (by {one['who']})" if one["from"] == "hand" else str(one["tag"])


def lineage_rows(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what leads to what, of columns what values are made of first; without columns table by table."""
    titles = {one["name"]: one["title"] for one in answer.get("nodes", ())}

    def end(one: dict[str, Any], side: str) -> str:
        name, title, column = one[side], titles.get(one[side], ""), one.get(f"{side}_column", "")
        if f"{side}_column" in one and not column:
            return f"rows of {titled(name, title)}"
        return ", ".join(filter(None, (titled(name, title), column))) if title else f"{name}.{column}".rstrip(".")

    flows = sorted(answer["columns"], key=lambda one: decides_rows(one["kind"], one["target_column"]))
    return [
        {
            "from": end(one, "source"),
            "to": end(one, "target"),
            "how": how_in_words(one["kind"], one["target_column"]),
            "said": ", ".join(one["origins"]),
        }
        for one in flows
    ] or [
        {"from": end(one, "source"), "to": end(one, "target"), "said": ", ".join(one["origins"])}
        for one in answer["edges"]
    ]


def impact_rows(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what breaks, without the addresses, which are long; JSON has them."""
    return [
        {
            "what": one["title"] or one["table"],
            "kind": one["kind"],
            "columns and charts": ", ".join([*one["columns"], *one["charts"]]) or "which rows",
            "certain": one["certain"],
            "owner": one["owner"],
            "steps": one["steps"],
        }
        for one in answer["breaks"]
    ]


def titled(name: str, title: str) -> str:
    """Return a title with the name that leads to it, or the name of what has no title."""
    return f"{title} ({name})" if title else name


def cut_sentence(**bounds: int) -> str:
    """Return that an answer is cut, and which options, with what they were, give more."""
    said = " and ".join(f"--{option} {bound}" for option, bound in bounds.items())
    show, larger = ("show", "larger ones") if len(bounds) > 1 else ("shows", "a larger one")
    return f"The answer is cut: there is more than {said} {show}; give {larger}."


def short(text: str) -> str:
    """Return a text that fits into a cell."""
    return text if len(text) <= _DOC_WIDTH else f"{text[: _DOC_WIDTH - 1]}…"
