"""The commands of the catalog, thin over its REST interface."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from headwater.box.serving import require_running
from headwater.cli.output import as_table, objects_as_table, output_option, terminal_width
from headwater.profile import Profile

from headwater_catalog._printed import (
    check_rows,
    column_rows,
    cut_sentence,
    difference_rows,
    fact_rows,
    impact_rows,
    lineage_rows,
    schema_rows,
    short,
    titled,
)
from headwater_catalog.client import Client
from headwater_catalog.links import table_page
from headwater_catalog.model import FRESHNESS

__all__ = ["catalog", "explain", "history", "impact", "lineage", "search", "table"]

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
        {
            "table": titled(one["name"], one["title"]),
            "because": f"{one['in']}: {short(one['matched'])}",
            "owner": one["owner"],
        }
        for one in answer["results"]
    ]
    _show(answer, output, objects_as_table(rows) or f"Nothing is like {text!r}.")


@click.command()
@click.argument("name")
@output_option("table", "json")
def table(name: str, output: str) -> None:
    """Show what the catalog knows of a table; NAME is zone.name, a location or any other of its names."""
    answer = _ask("table", name=name)
    aliases = [{"alias": one["text"], "kind": one["kind"]} for one in answer["aliases"]]
    lists = (column_rows(answer), difference_rows(answer), check_rows(answer), aliases)
    facts = fact_rows(answer, table_page(Profile.load(), answer["name"]))
    parts = [as_table(("what", "value"), facts, width=terminal_width()), *map(objects_as_table, lists)]
    _show(answer, output, "\n\n".join(part for part in parts if part))


@click.command()
@click.argument("name", metavar="TABLE[.COLUMN]")
@click.option("--direction", type=click.Choice(("both", "up", "down")), default="both", show_default=True)
@click.option("--depth", default=3, show_default=True, help="Steps away.")
@click.option("--limit", default=1000, show_default=True, help="At most so many tables, or columns.")
@click.option("--columns", is_flag=True, help="Column by column.")
@click.option("--as-of", metavar="RUN|TIME|SNAPSHOT", default="", help="As it was then.")
@output_option("table", "json")
def lineage(*, name: str, direction: str, depth: int, limit: int, columns: bool, as_of: str, output: str) -> None:
    """Show what a table or column is made of, and what is made of it."""
    given, column = _split(name)
    answer = _ask(
        "lineage",
        name=given,
        column=column,
        columns=str(columns).lower(),
        direction=direction,
        depth=depth,
        limit=limit,
        as_of=as_of,
    )
    nothing = f"The catalog knows no lineage of {name}."
    if columns or column:
        nothing = (
            f"The catalog knows of no column that {name} is made of or goes into; `headwater lineage {given}` shows "
            "its tables."
        )
    _show(answer, output, objects_as_table(lineage_rows(answer)) or nothing)
    for one in answer["nodes"]:
        if one.get("readable") is False:
            click.echo(
                f"The data of {one['name']} as of snapshot {one['snapshot']} are gone; this is what was.", err=True
            )
    _say_if_cut(answer, cut_sentence(depth=depth, limit=limit))


@click.command()
@click.argument("name", metavar="TABLE[.COLUMN]")
@click.option("--fail", is_flag=True, help="End with exit code 1 when anything breaks.")
@click.option("--limit", default=1000, show_default=True, help="At most so many tables and checks.")
@output_option("table", "json")
def impact(*, name: str, fail: bool, limit: int, output: str) -> None:
    """Show every table, column, check, chart and dashboard that breaks when a table or column goes, and whose."""
    given, column = _split(name)
    answer = _ask("impact", name=given, column=column, limit=limit)
    rows = impact_rows(answer)
    checks = [
        {"check": one["name"], "of": one["table"], "promises": one["promise"], "certain": one["certain"],
         "owner": one["owner"]}
        for one in answer["checks"]
    ]  # fmt: skip
    parts = [objects_as_table(one, width=terminal_width()) for one in (rows, checks) if one]
    _show(answer, output, "\n\n".join(parts) or f"Nothing that the catalog knows depends on {name}.")
    _say_if_cut(answer, cut_sentence(limit=limit))
    if fail and (rows or checks):
        sys.exit(1)


@click.command()
@click.argument("name", metavar="TABLE|CHART")
@click.option("--partition", default="", metavar="KEY", help="Only this partition's rows.")
@click.option("--column", default="", help="Only what this column, or a chart's metric, is made of.")
@output_option("table", "json")
def explain(*, name: str, partition: str, column: str, output: str) -> None:
    """Show the very runs, snapshots and files that a table's or chart's numbers come from, and what is still there."""
    answer = _ask("explain", name=name, partition=partition, column=column)
    if answer["table"] != name:
        click.echo(f"{name} is {answer['table']}.", err=True)
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
    _say_if_cut(answer, "The answer is cut: there is more; give one --partition or --column.")


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
    parts = [objects_as_table(one) for one in (runs, checks, schema_rows(answer["schema"]), answer["changes"], edits)]
    _show(answer, output, "\n\n".join(part for part in parts if part) or f"Nothing has happened to {name} yet.")


@click.group()
def catalog() -> None:
    """Say who may edit the catalog, and share its pages."""


@catalog.command()
@click.option(
    "--static",
    "folder",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder; a former export in it gives way.",
)
def export(folder: Path) -> None:
    """Write all pages as they are now into a folder that opens from a disk or any web server, without the catalog."""
    from headwater_catalog.pages import keep_pages  # noqa: PLC0415 - the web framework is slow to import
    from headwater_catalog.service.serving import site_of, store_of  # noqa: PLC0415

    profile = Profile.load()
    require_running(profile)
    with store_of(profile) as store, click.progressbar(length=1, label="Pages", file=sys.stderr) as bar:

        def told(done: int, of: int) -> None:
            bar.length = of
            bar.update(done - bar.pos)

        kept = keep_pages(store, site_of(profile), folder, told)
    click.echo(
        f"{kept.pages} pages of {kept.tables} tables, charts and terms are in {folder}; open {folder / 'index.html'}."
    )


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


def _say_if_cut(answer: dict[str, Any], sentence: str) -> None:
    if answer["cut"]:
        click.echo(sentence, err=True)
