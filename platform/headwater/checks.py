"""The kinds of check, and how a table's checks are asked and judged. Pure: an engine runs the statements elsewhere.

    run_checks(table, '"curated"."loan__stage_1"', "trino", run=engine.rows, partition_values=(2019,))

Null is judged by ``NotNull`` alone: it passes every other kind. NaN lies outside every range. ``Column(required=True)``
implies ``NotNull``, and a partitioned table is always checked to hold rows of the partitions being written only.
Questions that one scan can answer are asked in one statement. Rows are fetched for broken checks only, and a column
with the tag ``pii`` is hidden in them.
"""

from __future__ import annotations

from headwater._checkplan import CheckPlan, CheckResult, Question, Rows, judge, plan, run_checks
from headwater._kinds import InPartition, InRange, InSet, Matches, NotNull, RowCount
from headwater._set_kinds import CustomSql, ForeignKey, Unique, every_check, reading_others, tables_needed

__all__ = [
    "CheckPlan",
    "CheckResult",
    "CustomSql",
    "ForeignKey",
    "InPartition",
    "InRange",
    "InSet",
    "Matches",
    "NotNull",
    "Question",
    "RowCount",
    "Rows",
    "Unique",
    "every_check",
    "judge",
    "plan",
    "reading_others",
    "run_checks",
    "tables_needed",
]
