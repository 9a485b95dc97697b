"""The ``sql`` command: one statement, a file of them, or a prompt."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headwater.box.serving import require_running
from headwater.cli.output import as_json, as_table
from headwater.errors import ConfigError, HeadwaterError
from headwater.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

_HISTORY = "sql-history"
_LEAVE = ("exit", "quit")


@click.command()
@click.argument("statement", required=False)
@click.option(
    "-f",
    "--file",
    "source",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of statements, split at semicolons.",
)
@click.option(
    "-o", "--output", type=click.Choice(["table", "csv", "json", "parquet"]), default="table", show_default=True
)
@click.option("--engine", type=click.Choice(["trino", "spark"]), default="trino", show_default=True)
def sql(statement: str | None, source: Path | None, output: str, engine: str) -> None:
    """Run SQL; without a statement or file, open a prompt.

    A table is named zone.name on both engines, e.g. curated.loan_vintage.
    """
    if statement and source:
        raise ConfigError("Give a statement or --file, not both.")
    if output == "parquet" and sys.stdout.isatty():
        raise ConfigError("Parquet is binary; redirect it: `headwater sql ... -o parquet > rows.parquet`.")
    if statement is None and source is None and sys.stdin.isatty():
        _prompt(engine, output)
        return
    text = statement if statement is not None else _read(source)
    for one in _statements(text):
        _write(_query(one, engine), output)


def _read(source: Path | None) -> str:
    if source is None:
        return sys.stdin.read()
    try:
        return source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{source} cannot be read: {error}.") from error


def _statements(text: str) -> list[str]:
    """Split at semicolons outside of quotes and comments."""
    from sqlglot import Tokenizer, TokenType  # noqa: PLC0415
    from sqlglot.errors import TokenError  # noqa: PLC0415

    try:
        tokens = Tokenizer().tokenize(text)
    except TokenError:
        return [text]  # the engine says better what is wrong with it
    cuts = [token.start for token in tokens if token.token_type == TokenType.SEMICOLON]
    starts = [0, *(cut + 1 for cut in cuts)]
    parts = [text[start:end].strip() for start, end in zip(starts, [*cuts, len(text)], strict=True)]
    found = [part for part in parts if part]
    if not found:
        raise ConfigError("There is no statement to run.")
    return found


def _query(statement: str, engine: str) -> pa.Table:
    from headwater.sql import query  # noqa: PLC0415

    return query(statement, engine=engine)


def _write(rows: pa.Table, output: str) -> None:
    _WRITERS[output](rows)


def _write_table(rows: pa.Table) -> None:
    if rows.num_columns:
        click.echo(as_table(rows.column_names, _tuples(rows)))
        click.echo(f"({rows.num_rows} row{'' if rows.num_rows == 1 else 's'})", err=True)


def _write_json(rows: pa.Table) -> None:
    click.echo(as_json(rows.to_pylist()))


def _write_csv(rows: pa.Table) -> None:
    import csv  # noqa: PLC0415

    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows.column_names)
    writer.writerows(_tuples(rows))
    click.echo(text.getvalue(), nl=False)


def _tuples(rows: pa.Table) -> list[tuple[Any, ...]]:
    """Return the rows by position: two columns may bear one name."""
    return list(zip(*(column.to_pylist() for column in rows.columns), strict=True))


def _write_parquet(rows: pa.Table) -> None:
    import pyarrow.parquet as pq  # noqa: PLC0415

    whole = io.BytesIO()
    pq.write_table(rows, whole)
    sys.stdout.buffer.write(whole.getvalue())


_WRITERS: Mapping[str, Callable[[pa.Table], None]] = {
    "table": _write_table,
    "json": _write_json,
    "csv": _write_csv,
    "parquet": _write_parquet,
}


def _prompt(engine: str, output: str) -> None:
    from prompt_toolkit import PromptSession  # noqa: PLC0415
    from prompt_toolkit.history import FileHistory  # noqa: PLC0415

    require_running(Profile.load(), lake_alone=True)
    click.echo(f"{engine}: end a statement with ; and leave with exit or Ctrl-D.")
    session: PromptSession[str] = PromptSession(history=FileHistory(str(Profile.load().home / _HISTORY)))
    text = ""
    while True:
        try:
            text += session.prompt(f"{engine}> " if not text else "...> ") + "\n"
        except KeyboardInterrupt:
            text = ""
            continue
        except EOFError:
            return
        if text.strip().rstrip(";").lower() in _LEAVE:
            return
        if text.rstrip().endswith(";"):
            _answer(text, engine, output)
            text = ""


def _answer(text: str, engine: str, output: str) -> None:
    began = time.monotonic()
    try:
        for one in _statements(text):
            _write(_query(one, engine), output)
        click.echo(f"{time.monotonic() - began:.2f} s", err=True)
    except HeadwaterError as error:
        click.echo(f"error: {error}", err=True)
