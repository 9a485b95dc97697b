"""The catalog for assistants: ``headwater mcp`` speaks the Model Context Protocol on its standard input and output.

An assistant finds tables, follows lineage, weighs a change and asks read-only SQL, so it can say where a number comes
from. It reads as a login of its own, and every statement is bounded in time, bytes and rows.
"""

from __future__ import annotations

import json
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal, ParamSpec

import click
from headwater.box.serving import require_running
from headwater.errors import HeadwaterError, QueryError
from headwater.profile import Profile
from headwater.stack import Stack

from headwater_catalog.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp.server.mcpserver import MCPServer

__all__ = ["make_server", "mcp"]

Given = ParamSpec("Given")
Answer = dict[str, Any]

_INSTRUCTIONS = """\
Headwater is a lakehouse with a catalog. Tables are named zone.name; zones are raw (as it arrived), partitioned (typed
and checked) and curated (what people query). Search first, then describe a table before you query it. To say where a
number comes from, ask lineage of its column upwards; charts and dashboards are nodes too: chart:..., dashboard:..."""
_SECONDS = 60
_SCANNED = "4GB"
_ROWS = 100
_MOST_ROWS = 1000
_PARTITIONS = 20
_MOST_CHARACTERS = 100_000


@click.command()
def mcp() -> None:
    """Serve the catalog to an assistant, on standard input and output (Model Context Protocol)."""
    make_server(Profile.load()).run("stdio")


def make_server(profile: Profile) -> MCPServer[Any]:
    """Return the server with its tools; nothing is asked before the first call.

    Args:
        profile: Whose box.
    """
    from mcp.server.mcpserver import MCPServer as Server  # noqa: PLC0415 - slow to import

    server: MCPServer[Any] = Server("headwater", instructions=_INSTRUCTIONS, log_level="WARNING")
    has = _Tools(profile)
    for work in (has.search, has.describe, has.lineage, has.impact, has.explain, has.history, has.sql):
        server.add_tool(_in_one_sentence(profile, work), structured_output=False)
    return server


class _Tools:
    """What an assistant may ask: names, parameters and docstrings are shown to it as they stand here."""

    def __init__(self, profile: Profile) -> None:
        self._profile, self._told = profile, Client(profile)

    def search(self, text: str, zone: str = "", owner: str = "", tag: str = "", limit: int = 20) -> Answer:
        """Find tables, charts and dashboards by name, title, column, doc, owner or tag; typos do no harm."""
        return self._told.get("search", q=text, zone=zone, owner=owner, tag=tag, limit=limit)

    def describe(self, name: str) -> Answer:
        """Tell all that is known of a table: columns and what they hold, owner, size, checks, runs, code, readers."""
        return _brief(self._told.get("table", name=name))

    def lineage(
        self,
        name: str,
        column: str = "",
        direction: Literal["up", "down", "both"] = "up",
        depth: int = 5,
        as_of: str = "",
    ) -> Answer:
        """Tell what a table or one of its columns is made of (up), or what is made of it (down).

        as_of is a time, a run's id or a snapshot's id, and gives the graph as it was.
        """
        return self._told.get(
            "lineage",
            name=name,
            column=column,
            columns=str(bool(column)).lower(),
            direction=direction,
            depth=depth,
            as_of=as_of,
        )

    def impact(self, name: str, column: str = "") -> Answer:
        """Tell every table, column, check, chart, dashboard and owner that breaks when a table or column goes."""
        return self._told.get("impact", name=name, column=column)

    def explain(self, name: str, partition: str = "", column: str = "") -> Answer:
        """Tell the very runs, snapshots and files that a table's or chart's numbers come from, and what is left."""
        return self._told.get("explain", name=name, partition=partition, column=column)

    def history(self, name: str, limit: int = 20) -> Answer:
        """Tell a table's runs, with rows, snapshots and errors, and how its columns changed."""
        return self._told.get("history", name=name, limit=limit)

    def sql(self, statement: str, limit: int = _ROWS) -> Answer:
        """Run one read-only statement in Trino's SQL; at most 1000 rows are given, and the answer says when cut."""
        return _rows(self._profile, statement, limit)


def _brief(table: Answer) -> Answer:
    """Leave out what is long: an assistant reads every word."""
    checks = [{name: said for name, said in one.items() if name != "history"} for one in table["checks"]]
    return {**table, "checks": checks, "partitions": table["partitions"][:_PARTITIONS]}


def _in_one_sentence(profile: Profile, work: Callable[Given, Answer]) -> Callable[Given, str]:
    """Return a tool that answers in JSON and fails with the sentence that people would read."""
    from mcp.server.mcpserver.exceptions import ToolError  # noqa: PLC0415 - slow to import

    @wraps(work)
    def answer(*given: Given.args, **named: Given.kwargs) -> str:
        try:
            require_running(profile)
            return json.dumps(work(*given, **named), default=str, ensure_ascii=False)
        except HeadwaterError as error:
            raise ToolError(str(error)) from error

    answer.__annotations__["return"] = str
    return answer


def _rows(profile: Profile, statement: str, limit: int) -> Answer:
    if not 1 <= limit <= _MOST_ROWS:
        raise QueryError(f"limit is {limit}; give a number from 1 to {_MOST_ROWS}.")
    schema, batches = Stack.build(profile).reader(seconds=_SECONDS, scanned=_SCANNED).batches(statement)
    rows: list[Answer] = []
    size, cut = 0, False
    for row in (row for batch in batches for row in batch.to_pylist()):
        size += len(json.dumps(row, default=str))
        cut = len(rows) == limit or size > _MOST_CHARACTERS
        if cut:
            break
        rows.append(row)
    return {"columns": {field.name: str(field.type) for field in schema}, "rows": rows, "cut": cut}
