"""The lineage corpus read from its SQL alone, without an engine: tables, columns, kinds and rows are all there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from headwater_catalog._names import parts_of
from headwater_catalog.parsed import lineages
from lineage_corpus import MEASURES, Graph, Variant, read_case, scores, shown

CORPUS = Path(__file__).parents[2] / "lineage"
SHARED = yaml.safe_load((CORPUS / "tables.yaml").read_text())
QUOTES = {"trino": '"', "spark": "`"}
# What these mean is not in the text of a statement.
NOT_IN_THE_TEXT = {
    "rename": "the one table under both names",
    "view_of_view": "that the former text of a replaced view is gone",
    "insert_failed": "that it failed",
}
VARIANTS = [
    one
    for path in sorted((CORPUS / "cases").glob("*.yaml"))
    for one in read_case(path)
    if one.case not in NOT_IN_THE_TEXT and all(step.engine in QUOTES for step in one.steps)
]


def graph(variant: Variant) -> Graph:
    """Return what the statements of a variant say together; a value that a table takes from itself is no edge."""
    known = {f"curated.{name}": [*told["columns"]] for name, told in SHARED.items()}
    known |= {f"curated.{name}": [*columns] for name, columns in variant.tables.items()}
    engines = list(dict.fromkeys(step.engine for step in variant.steps))
    said = [
        one
        for engine in engines
        for one in lineages(
            ";\n".join(named(step.text, QUOTES[engine]) for step in variant.steps if step.engine == engine),
            engine,
            known,
            "curated",
        )
    ]
    assert [one.problem for one in said if one.problem] == []
    return Graph(
        variant.expected.nodes,
        frozenset((called(source), called(one.target)) for one in said for source in one.sources),
        frozenset(
            (called(edge.source), edge.source_column, called(one.target), edge.target_column, kind(edge))
            for one in said
            for edge in one.columns
            if (edge.source, edge.source_column, edge.kind) != (one.target, edge.target_column, "copied")
        ),
    )


def named(text: str, quote: str) -> str:
    """Put the tables' own names into a statement."""

    def name(match: re.Match[str]) -> str:
        full = f"curated.{quote}{match[2]}{quote}"
        return {"bare": match[2], "upper": full.upper()}.get(match[1], full)

    return re.sub(r"\{(?:(\w+):)?(\w+)\}", name, text).strip().rstrip(";")


def called(name: str) -> str:
    """Return a table as the case names it."""
    return parts_of(name)[-1] if name.startswith("curated.") else f"={name}"


def kind(edge) -> str:
    """Return an edge's kind in the words of the corpus."""
    return "group" if edge.kind == "aggregated" and not edge.target_column else edge.kind.value


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda one: one.id)
def test_the_text_says_what_the_case_expects(variant):
    """Nothing is lost and nothing added, in either dialect."""
    for measure, score in scores(variant.expected, graph(variant)).items():
        assert measure in MEASURES
        assert (sorted(map(shown, score.lost)), sorted(map(shown, score.extra))) == ([], []), measure
