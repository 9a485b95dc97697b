"""Ask the lake something, from a notebook, a script or the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

from headwater.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["query"]


@overload
def query(sql: str, *, engine: str = "trino", as_: Literal["arrow"] = "arrow") -> pa.Table: ...
@overload
def query(sql: str, *, engine: str = "trino", as_: Literal["pandas"]) -> pd.DataFrame: ...
def query(sql: str, *, engine: str = "trino", as_: str = "arrow") -> pa.Table | pd.DataFrame:
    """Run one statement and return its rows.

    ::

        import headwater

        headwater.query("SELECT count(*) FROM curated.loan_vintage", as_="pandas")

    Args:
        sql: A statement in the engine's dialect; tables are named ``zone.name``.
        engine: ``trino`` or ``spark``.
        as_: ``arrow`` for a pyarrow Table, ``pandas`` for a DataFrame.

    Raises:
        QueryError: The engine refused or failed it; the sentence names the line and column.
        ConfigError: There is no such engine or form, or no box has been started here.
    """
    from headwater.profile import Profile  # noqa: PLC0415 - importing headwater must stay fast
    from headwater.stack import Stack  # noqa: PLC0415

    if as_ not in ("arrow", "pandas"):
        raise ConfigError(f"as_ is {as_!r}; give 'arrow' or 'pandas'.")
    rows = Stack.build(Profile.load()).engine(engine).arrow(sql)
    return rows.to_pandas() if as_ == "pandas" else rows
