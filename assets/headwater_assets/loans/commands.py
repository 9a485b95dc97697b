"""The command ``headwater demo-data``."""

from __future__ import annotations

from pathlib import Path

import click
from headwater.errors import ConfigError
from headwater.profile import Profile

DEFAULT_OUT = Path("data") / "loans"


@click.group("demo-data")
def demo_data() -> None:
    """Make up data to try Headwater with."""


@demo_data.command("loans")
@click.option("--rows", type=int, required=True, help="Number of loans, split evenly over all quarters.")
@click.option("--years", required=True, metavar="A-B", help="Years of origination within 1999-2025, such as 2018-2020.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed gives other loans of the same kind.")
@click.option("--months", type=int, default=12, show_default=True, help="Months reported of each loan's life.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=True),
    help=f"Folder to write into; {DEFAULT_OUT} of the project when absent.",
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
def loans(*, rows: int, years: str, seed: int, months: int, out: Path | None, force: bool) -> None:
    """Make up mortgage loans in Freddie Mac's single-family loan-level layout.

    Writes an origination and a performance file per quarter. The same arguments give the same bytes; a few malformed
    lines are there on purpose, as in real files.
    """
    # numpy and pyarrow are loaded only when loans are really made.
    from headwater_assets.loans.demo_data import LoansRequest, write_loans  # noqa: PLC0415

    first, last = _years(years)
    request = LoansRequest(rows=rows, first_year=first, last_year=last, seed=seed, months=months)
    summary = write_loans(request, out or Profile.load().project / DEFAULT_OUT, force=force, say=click.echo)
    for sentence in summary.sentences():
        click.echo(sentence)


def _years(text: str) -> tuple[int, int]:
    """Read ``2018-2020`` or ``2019``."""
    first, dash, last = text.partition("-")
    try:
        return int(first), int(last if dash else first)
    except ValueError:
        raise ConfigError(f"Years {text!r} are not years; write them like 2018-2020.") from None
