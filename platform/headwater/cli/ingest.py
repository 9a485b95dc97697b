"""The ``ingest`` command."""

from __future__ import annotations

import shlex
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from headwater.box.serving import require_running
from headwater.cli.output import objects_as_table
from headwater.errors import InputError
from headwater.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headwater.files import Ingested

_SECONDS_OF_SILENCE = 10.0


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE_OR_FOLDER_OR_S3_URL...")
@click.option("--table", required=True, help="raw.NAME")
@click.option("--if-exists", type=click.Choice(["fail", "append", "replace"]), default="fail", show_default=True)
@click.option("--partition-by", default="", metavar="COLUMN", help="Cut a new table by a column.")
@click.option(
    "--type", "types", multiple=True, metavar="COLUMN=TYPE", help="A type instead of the inferred one; repeatable."
)
@click.option("--names", default="", metavar="A,B,C", help="Column names instead of the header's.")
@click.option("--header/--no-header", default=True, help="Whether the first line names the columns.")
@click.option("--null", default="", metavar="TEXT", help="Text that means no value, such as NA.")
@click.option("--delimiter", default="", help="What divides fields; found out when absent.")
@click.option("--encoding", default="utf-8", show_default=True, help="Of text files.")
@click.option("--any-line-end", is_flag=True, help="Accept lines of one file that end differently.")
@click.option("--format", "kind", default="", help="The format, instead of what the ending says.")
@click.option("--on-bad-rows", type=click.Choice(["fail", "reject"]), default="fail", show_default=True)
@click.option("--again", is_flag=True, help="Append files that the table already holds.")
@click.option("--dry-run", is_flag=True, help="Show the inference over all rows and write nothing.")
def ingest(
    sources: tuple[str, ...], *, table: str, types: tuple[str, ...], names: str, kind: str, dry_run: bool, **wishes: str
) -> None:
    """Make a table of files, at once readable in Spark and Trino.

    csv, tsv, any delimiter, json, ndjson, parquet, orc, arrow, avro, txt, xlsx, packed by gzip, bz2, zstd, snappy or
    zip; images, audio, video and model files become objects with a table about them.
    """
    from headwater.files import Options, ingest_into  # noqa: PLC0415
    from headwater.stack import Stack  # noqa: PLC0415 - only what connects pays

    named = tuple(names.split(",")) if names else ()
    options = Options(types=_types(types), names=named, format=kind, **wishes)  # type: ignore[arg-type]
    profile = Profile.load()
    require_running(profile, lake_alone=True)
    with _telling_of_time(table):
        done = ingest_into(
            Stack.build(profile), list(sources), table=table, options=options, dry_run=dry_run, log=_tell
        )
    _show(done, dry_run=dry_run)


def _types(given: tuple[str, ...]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    for column, mark, kind in pairs:
        if not (column and mark and kind):
            raise InputError(f"--type {column}{mark}{kind} is not COLUMN=TYPE, such as --type zip=string.")
    return {column: kind.lower() for column, _, kind in pairs}


@contextmanager
def _telling_of_time(table: str) -> Iterator[None]:
    """Say every few seconds that it still goes on."""
    ended, began = threading.Event(), time.monotonic()

    def tell() -> None:
        while not ended.wait(_SECONDS_OF_SILENCE):
            _tell(f"{table}: still at work, {time.monotonic() - began:.0f} s so far")

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _tell(message: str) -> None:
    click.echo(message, err=True)


def _show(done: Ingested, *, dry_run: bool) -> None:
    rows = [
        {"column": one.column, "type": one.type, "why": one.why, "for example": ", ".join(one.examples)}
        for one in done.columns
    ]
    click.echo(objects_as_table(rows))
    if dry_run:
        click.echo(f"{done.table}: nothing was written; --type COLUMN=TYPE overrides a type.")
        return
    aside = f", {done.rejected} rejected into {done.table}__rejected" if done.rejected else ""
    size = f"{done.bytes / 1e6:.2f} MB in {done.files} file{'' if done.files == 1 else 's'}"
    click.echo(f"{done.table}: {done.rows} rows{aside}, {size}, {done.seconds:.1f} s.")
    from sqlglot import exp  # noqa: PLC0415 - it takes a tenth of a second to load, which other commands need not wait for

    asked = exp.select("*").from_(exp.to_table(done.table)).limit(5).sql("trino").lower()
    click.echo(f"Try: headwater sql {shlex.quote(asked)}")
