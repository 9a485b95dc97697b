"""Statements with gaps: PREPARE, EXECUTE and DEALLOCATE, and parameters that a request carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater_aws_api.athena._sql import refused, split_at_commas, words_of
from headwater_aws_api.athena._statements import with_parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headwater_aws_api.athena._groups import Groups

__all__ = ["resolved"]


def resolved(sql: str, parameters: Sequence[str], groups: Groups, group: str) -> str:
    """Return the statement that is to run; empty when it was PREPARE or DEALLOCATE, which is done at once.

    Args:
        sql: As it was given.
        parameters: For its question marks.
        groups: Keeps prepared statements.
        group: The work group's name.

    Raises:
        AwsError: It is not understood, names what is not there, or has other gaps than parameters.
    """
    words = words_of(sql, "hive" if "`" in sql else "trino")
    first = words[0].upper.partition(" ")[0] if words else ""
    if first == "PREPARE":
        if len(words) < 4 or words[2].upper != "FROM":  # noqa: PLR2004 - PREPARE name FROM statement
            raise refused("PREPARE wants: PREPARE name FROM statement.")
        groups.prepare(group, words[1].text, sql[words[2].end :].strip().rstrip(";"))
        return ""
    if first == "DEALLOCATE":
        groups.unprepare(group, words[-1].text)
        return ""
    if first == "EXECUTE":
        statement = groups.prepared(group, words[1].text)["QueryStatement"]
        using = split_at_commas(sql[words[2].end :].rstrip().rstrip(";")) if len(words) > 2 else []  # noqa: PLR2004
        return with_parameters(statement, using or parameters)
    return with_parameters(sql, parameters) if parameters else sql
