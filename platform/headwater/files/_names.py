"""Column names that Spark and Trino both take, from whatever a file calls its columns. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from headwater.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["column_names", "looks_like_value", "usable"]

_LONGEST = 100
_VALUE = re.compile(r"\s*|[-+]?[\d.,]+|\d{4}-\d\d-\d\d.*")


def usable(name: str) -> str:
    """Return a name in lower-case letters, digits and underscores; empty when nothing is left of it.

    >>> usable("Größe (cm)"), usable("pickupZone"), usable("2019"), usable("$")
    ('grosse_cm', 'pickupzone', 'c_2019', '')
    """
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    kept = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    return f"c_{kept}" if kept[:1].isdigit() else kept


def looks_like_value(text: str) -> bool:
    """Return whether a text is a number, a date or nothing, and so hardly a column's name.

    >>> looks_like_value("-89.2"), looks_like_value("2019-01-01"), looks_like_value("price")
    (True, True, False)
    """
    return _VALUE.fullmatch(text) is not None


def column_names(given: Sequence[str], *, where: str, header: bool = False) -> tuple[str, ...]:
    """Return the columns' names.

    Args:
        given: What the file calls them.
        where: For sentences: the file, and its line.
        header: They were read from a first line, which might be a row.

    Raises:
        InputError: One is empty, unusable or there twice.
    """
    if header and all(map(looks_like_value, given)):
        raise InputError(
            f"{where} is no header but looks like a row ({', '.join(given)[:60]}); give names with --names a,b,c, and "
            "--no-header when the first line is a row.",
        )
    made: dict[str, str] = {}
    for number, name in enumerate(given, 1):
        found = usable(name)
        if not found or len(found) > _LONGEST:
            why = "has no name" if not name.strip() else f"has the unusable name {name[:60]!r}"
            raise InputError(
                f"{where}: column {number} {why}; name it in the file, or give all names with --names a,b,c."
            )
        if found in made:
            raise InputError(
                f"{where}: columns {made[found]!r} and {name!r} would both be named {found}; give all names with "
                "--names a,b,c.",
            )
        made[found] = name
    return tuple(made)
