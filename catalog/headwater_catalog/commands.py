"""The commands of the catalog, thin over its REST interface."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from headwater.box.serving import require_running
from headwater.cli.output import as_table, objects_as_table, output_option
from headwater.profile import Profile

from headwater_catalog.client import Client
from headwater_catalog.model import FRESHNESS

__all__ = ["catalog", "explain", "history", "impact", "lineage", "search", "table"]

_DOC_WIDTH = 60
_FEW = 3


@click.command()
@click.argument("text")
@click.option("--zone", default="", help="Only tables of this zone.")
@click.option("--owner", default="", help="Only tables of this owner.")
@click.option("--tag", default="", help="Only tables with this tag, inherited ones included.")
@click.option("--domain", default="", help="Only tables of this domain.")
@click.option("--freshness", default="", type=click.Choice(("", *FRESHNESS)), help="Only fresh or stale tables.")
@click.option("--limit", default=20, show_default=True, help="At most so many.")
@output_option("table", "json")
def search(*, text: str, limit: int, output: str, **narrowed: str) -> None:
    """Find tables and terms by name, column, doc, owner or tag; a typo does no harm."""
    answer = _ask("search", q=text, limit=limit, **narrowed)
    rows = [
        {"table": one["name"], "because": f"{one['in']}: {_short(one['matched'])}", "owner": one["owner"]}
        for one in answer["results"]
    ]
    _show(answer, output, objects_as_table(rows) or f"Nothing is like {text!r}.")


@click.command()
@click.argument("name")
@output_option("table", "json")
def table(name: str, output: str) -> None:
    """Show what the catalog knows of a table; NAME is zone.name, a location or any other of its names."""
    answer = _ask("table", name=name)
    about = [
        ("table", answer["name"]),
        ("doc", answer["doc"]),
        ("owner", _with_source(answer, "owner")),
        ("domain", _with_source(answer, "domain")),
        ("tags", ", ".join(map(_label, answer["labels"]))),
        ("terms", ", ".join(one["term"] for one in answer["terms"])),
        ("defined in", answer["place"]),
        ("made from", ", ".join(answer["upstreams"])),
        ("read by", ", ".join(answer["downstreams"])),
        *_figures(answer),
        ("commit", _commit(answer)),
        ("dropped", answer["dropped_at"]),
        ("problem", answer["problem"]),
    ]
    columns = [
        {
            "column": one["name"],
            "type": one["type"],
            "tags": ", ".join(map(_label, one["labels"])),
            "terms": ", ".join(said["term"] for said in one["terms"]),
            "doc": _short(one["doc"]),
        }
        for one in answer["columns"]
    ]
    settled = [
        {"column": one["column"], "differs": one["what"], "definition": one["declared"], "metastore": one["there"],
         "what settles it": one["command"] or one["advice"]}
        for one in answer["there"]["columns"]
    ]  # fmt: skip
    aliases = [{"alias": one["text"], "kind": one["kind"]} for one in answer["aliases"]]
    lists = (columns, settled, _checks(answer), aliases)
    parts = [as_table(("what", "value"), [row for row in about if row[1]]), *map(objects_as_table, lists)]
    _show(answer, output, "\n\n".join(part for part in parts if part))


@click.command()
@click.argument("name", metavar="TABLE[.COLUMN]")
@click.option("--direction", type=click.Choice(("both", "up", "down")), default="both", show_default=True)
@click.option("--depth", default=3, show_default=True, help="Steps away.")
@click.option("--columns", is_flag=True, help="Column by column.")
@click.option("--as-of", metavar="RUN|TIME|SNAPSHOT", default="", help="As it was then.")
@output_option("table", "json")
def lineage(*, name: str, direction: str, depth: int, columns: bool, as_of: str, output: str) -> None:
    """Show what a table or column is made of, and what is made of it."""
    given, column = _split(name)
    answer = _ask(
        "lineage",
        name=given,
        column=column,
        columns=str(columns).lower(),
        direction=direction,
        depth=depth,
        as_of=as_of,
    )
    rows = [
        {
            "from": f"{one['source']}.{one['source_column']}",
            "to": f"{one['target']}.{one['target_column']}".rstrip("."),
            "kind": one["kind"],
            "said": ", ".join(one["origins"]),
        }
        for one in answer["columns"]
    ] or [{"from": one["source"], "to": one["target"], "said": ", ".join(one["origins"])} for one in answer["edges"]]
    _show(answer, output, objects_as_table(rows) or f"The catalog knows no lineage of {name}.")
    for one in answer["nodes"]:
        if one.get("readable") is False:
            click.echo(
                f"The data of {one['name']} as of snapshot {one['snapshot']} are gone; this is what was.", err=True
            )
    _say_if_cut(answer)


@click.command()
@click.argument("name", metavar="TABLE[.COLUMN]")
@click.option("--fail", is_flag=True, help="End with exit code 1 when anything breaks.")
@output_option("table", "json")
def impact(*, name: str, fail: bool, output: str) -> None:
    """Show every table, column, chart and dashboard that breaks when a table or column goes, and whose they are."""
    given, column = _split(name)
    answer = _ask("impact", name=given, column=column)
    rows = [
        {
            "what": one["table"],
            "kind": one["kind"],
            "columns and charts": ", ".join([*one["columns"], *one["charts"]]) or "which rows",
            "certain": one["certain"],
            "owner": one["owner"],
            "steps": one["steps"],
            "url": one["url"],
        }
        for one in answer["breaks"]
    ]
    _show(answer, output, objects_as_table(rows) or f"Nothing that the catalog knows depends on {name}.")
    _say_if_cut(answer)
    if fail and rows:
        sys.exit(1)


@click.command()
@click.argument("name", metavar="TABLE|CHART")
@click.option("--partition", default="", metavar="KEY", help="Only this partition's rows.")
@click.option("--column", default="", help="Only what this column, or a chart's metric, is made of.")
@output_option("table", "json")
def explain(*, name: str, partition: str, column: str, output: str) -> None:
    """Show the very runs, snapshots and files that a table's or chart's numbers come from, and what is still there."""
    answer = _ask("explain", name=name, partition=partition, column=column)
    writes = [
        {
            "step": one["steps"],
            "table": one["table"] if one["certain"] else f"{one['table']} (as of then)",
            "partitions": _spans(one["partitions"]),
            "at": one["at"],
            "how": one["how"],
            "run": one["run"],
            "snapshot": one["snapshot"],
            "rows": one["rows"],
            "data": _there(one),
        }
        for one in answer["writes"]
    ]
    files = [
        {key: one[key] for key in ("table", "partition", "name", "size", "lines")} | {"data": _there(one)}
        for one in answer["files"]
    ]
    parts = filter(None, map(objects_as_table, (writes, files)))
    _show(answer, output, "\n\n".join(parts) or f"No run has told what {name} is made of.")
    _say_if_cut(answer)


@click.command()
@click.argument("name")
@click.option("--limit", default=20, show_default=True, help="At most so many runs and changes.")
@output_option("table", "json")
def history(name: str, limit: int, output: str) -> None:
    """Show a table's runs, what happened to it, and who edited it."""
    answer = _ask("history", name=name, limit=limit)
    keys = ("ended_at", "state", "direction", "job", "partition", "snapshot", "rows", "run")
    runs = [{**{key: one[key] for key in keys}, "data": _there(one)} for one in answer["runs"]]
    checks = [
        {key: one[key] for key in ("at", "name", "passed", "broken", "partition", "run")} for one in answer["checks"]
    ]
    edits = [{"at": one["at"], "edit": one["said"]} for one in answer["edits"]]
    parts = [objects_as_table(one) for one in (runs, checks, _schema(answer["schema"]), answer["changes"], edits)]
    _show(answer, output, "\n\n".join(part for part in parts if part) or f"Nothing has happened to {name} yet.")


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
        often = f"{reads['last_7_days']} queries in 7 days, {reads['last_30_days']} in 30, last {reads['last_at']}"
        told.append(("read", often))
    return told


def _commit(answer: dict[str, Any]) -> str:
    state = "changed since, not committed" if answer["revision"] else "not committed"
    return ", ".join(filter(None, (answer["revision"], state if answer["uncommitted"] else "")))


def _checks(answer: dict[str, Any]) -> list[dict[str, Any]]:
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


def _schema(changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
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


@click.group()
def catalog() -> None:
    """Say who may edit the catalog."""


@catalog.group()
def user() -> None:
    """Logins of people, beside the box's own token."""


@user.command("add")
@click.argument("name")
def add_user(name: str) -> None:
    """Make a login for NAME and show its token, once: the password on the pages, and the token for REST."""
    answer = _change("POST", "user", json={"name": name})
    click.echo(f"{answer['name']} logs in with {answer['token']}; it is not shown again.")


@user.command("remove")
@click.argument("name")
def remove_user(name: str) -> None:
    """End NAME's login at once; what they changed stays, with their name."""
    _change("DELETE", "user", params={"name": name})
    click.echo(f"{name} can no longer change anything.")


@user.command("list")
@output_option("table", "json")
def list_users(output: str) -> None:
    """Show who has a login of their own."""
    answer = _ask("user")
    _show(answer, output, objects_as_table(answer["users"]) or "Nobody has a login of their own yet.")


def _change(method: str, path: str, **content: Any) -> dict[str, Any]:
    profile = Profile.load()
    require_running(profile)
    return Client(profile).change(method, path, **content)


def _with_source(answer: dict[str, Any], what: str) -> str:
    """Return a fact with who says it; of what code says nothing is added."""
    said = answer["said"].get(what, {})
    return f"{answer[what]} (by {said['who']})" if said.get("from") == "hand" else str(answer[what])


def _label(one: dict[str, Any]) -> str:
    if one["from"] == "inherited":
        return f"{one['tag']} (from {one['table']}.{one['column']})"
    return f"{one['tag']} (by {one['who']})" if one["from"] == "hand" else str(one["tag"])


def _ask(question: str, **parameters: object) -> dict[str, Any]:
    profile = Profile.load()
    require_running(profile)
    return Client(profile).get(question, **parameters)


def _split(name: str) -> tuple[str, str]:
    """Read ``zone.name.column``; every other form is a table's name as a whole."""
    parts = name.split(".")
    if len(parts) == 3 and not {'"', "`", "/", ":"} & set(name):  # noqa: PLR2004
        return ".".join(parts[:2]), parts[2]
    return name, ""


def _show(answer: dict[str, Any], output: str, table_text: str) -> None:
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False) if output == "json" else table_text)


def _there(one: dict[str, Any]) -> str:
    known: dict[Any, str] = {True: "there", False: "gone"}
    return known.get(one.get("readable"), "")


def _spans(keys: list[str]) -> str:
    return ", ".join(keys) if len(keys) <= _FEW else f"{keys[0]} .. {keys[-1]} ({len(keys)})"


def _say_if_cut(answer: dict[str, Any]) -> None:
    if answer["cut"]:
        click.echo("The answer is cut: there is more beyond its depth or bound.", err=True)


def _short(text: str) -> str:
    return text if len(text) <= _DOC_WIDTH else f"{text[: _DOC_WIDTH - 1]}…"
