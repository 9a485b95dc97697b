"""The lineage corpus of tests/lineage: reads its cases, and holds a graph against what a case expects. Pure.

The format is told in tests/lineage/README.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

VALUE_KINDS = ("copied", "transformed", "aggregated", "window")
ROW_KINDS = ("filter", "join", "group")
# What is measured: tables, values column by column, values with their kind, what decides about rows.
MEASURES = ("tables", "columns", "kinds", "rows")
_STEPS = ("trino", "spark", "pyspark", "superset", "fails", "wait")
_FIELDS = frozenset({"title", "tables", "names", "sql", "variants", "expect", "limits"})


@dataclass(frozen=True)
class Graph:
    """Tables and what they are made of, by the case's own names.

    Args:
        nodes: Tables.
        tables: Source and target.
        columns: Source, its column, target, its column, kind; no target column where it decides about rows.
    """

    nodes: frozenset[str] = frozenset()
    tables: frozenset[tuple[str, str]] = frozenset()
    columns: frozenset[tuple[str, str, str, str, str]] = frozenset()

    def of(self, measure: str) -> frozenset[tuple[str, ...]]:
        """Return what one measure looks at; the target and its column stand at the third and fourth place."""
        if measure == "tables":
            return frozenset((source, "", target, "") for source, target in self.tables)
        if measure == "rows":
            return frozenset(edge for edge in self.columns if not edge[3])
        values = frozenset(edge for edge in self.columns if edge[3])
        return values if measure == "kinds" else frozenset(edge[:4] for edge in values)


@dataclass(frozen=True)
class Step:
    """One statement, or one piece of a program.

    Args:
        engine: Who runs it.
        text: With names in braces.
        fails: It must fail.
    """

    engine: str
    text: Any
    fails: bool = False


@dataclass(frozen=True)
class Limit:
    """What an engine cannot tell, and why.

    Args:
        way: ``lost`` or ``extra``.
        measure: One of ``MEASURES``.
        of: A table, or a table and its column.
        reason: Why.
    """

    way: str
    measure: str
    of: str
    reason: str

    def covers(self, way: str, measure: str, edge: Sequence[str]) -> bool:
        """Return whether this is why an edge is lost or should not be there."""
        column = self.of == f"{edge[2]}.{edge[3]}"
        return way == self.way and measure == self.measure and (column or self.of == edge[2])


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to do what a case is about.

    Args:
        case: The case's name.
        engine: Whose, and in which way, e.g. ``trino``, ``spark`` or ``dataframe``.
        title: What the case is about.
        tables: Empty tables that are there before, with columns and types.
        names: What a table is called, where that is not its name in the case.
        steps: In order.
        expected: The graph.
        limits: What is known to differ.
    """

    case: str
    engine: str
    title: str
    tables: Mapping[str, Mapping[str, str]]
    names: Mapping[str, str]
    steps: tuple[Step, ...]
    expected: Graph
    limits: tuple[Limit, ...] = ()

    @property
    def id(self) -> str:
        """The name of this variant, unique in the corpus."""
        return f"{self.case}-{self.engine}"


@dataclass(frozen=True)
class Score:
    """How one measure of a graph differs from what is expected.

    Args:
        right: Edges that are in both.
        lost: Edges that are missing.
        extra: Edges that should not be there.
    """

    right: frozenset[tuple[str, ...]] = frozenset()
    lost: frozenset[tuple[str, ...]] = frozenset()
    extra: frozenset[tuple[str, ...]] = frozenset()


@dataclass
class Figures:
    """Precision and recall of many variants together, by measure."""

    right: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MEASURES, 0))
    lost: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MEASURES, 0))
    extra: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MEASURES, 0))
    variants: int = 0

    def add(self, scores: Mapping[str, Score]) -> None:
        """Count one variant."""
        self.variants += 1
        for measure, score in scores.items():
            self.right[measure] += len(score.right)
            self.lost[measure] += len(score.lost)
            self.extra[measure] += len(score.extra)

    def told(self) -> dict[str, dict[str, float]]:
        """Return counts, precision and recall by measure."""
        return {
            name: {
                "right": self.right[name],
                "lost": self.lost[name],
                "extra": self.extra[name],
                "precision": round(self.precision(name), 4),
                "recall": round(self.recall(name), 4),
            }
            for name in MEASURES
        }

    def precision(self, measure: str) -> float:
        """Return the share of edges in the graph that are right; 1 where there are none."""
        return _share(self.right[measure], self.extra[measure])

    def recall(self, measure: str) -> float:
        """Return the share of expected edges that are in the graph; 1 where none is expected."""
        return _share(self.right[measure], self.lost[measure])


def _share(right: int, wrong: int) -> float:
    return right / (right + wrong) if right + wrong else 1.0


def read_case(path: Path) -> tuple[Variant, ...]:
    """Return a case's variants.

    Raises:
        ValueError: The file says something that the format does not have; the sentence names it.
    """
    told = yaml.safe_load(path.read_text(encoding="utf-8"))
    unknown = sorted(set(told) - _FIELDS)
    if unknown:
        raise ValueError(f"{path.name}: {', '.join(unknown)} is nothing that a case has.")
    variants = {
        **dict.fromkeys(("trino", "spark") if "sql" in told else (), told.get("sql")),
        **told.get("variants", {}),
    }
    limits = told.get("limits", {})
    if not variants or set(limits) - set(variants):
        raise ValueError(f"{path.name}: a case has variants, and limits of these alone.")
    tables = told.get("tables", {})
    return tuple(
        Variant(
            case=path.stem,
            engine=engine,
            title=told["title"],
            tables=tables,
            names=told.get("names", {}),
            steps=tuple(_step(path, one, "trino" if engine == "trino" else "spark") for one in steps),
            expected=_expected(path, told["expect"], tables),
            limits=tuple(_limit(path, one) for one in limits.get(engine, ())),
        )
        for engine, steps in variants.items()
    )


def _step(path: Path, told: Any, engine: str) -> Step:
    if isinstance(told, str):
        return Step(engine, told)
    ((key, text),) = told.items()
    if key not in _STEPS:
        raise ValueError(f"{path.name}: a step is run by {', '.join(_STEPS)}, not by {key!r}.")
    return Step(engine, text, fails=True) if key == "fails" else Step(key, text)


def _expected(path: Path, told: Mapping[str, Any], tables: Mapping[str, Any]) -> Graph:
    edges, columns = set(), set()
    for target, made in told.items():
        edges |= {(source, target) for source in made["from"]}
        for column, kinds in made.get("columns", {}).items():
            columns |= {(*end, target, column, kind) for kind, end in _ends(path, kinds, VALUE_KINDS)}
        columns |= {(*end, target, "", kind) for kind, end in _ends(path, made.get("rows", {}), ROW_KINDS)}
    stray = {edge[0] for edge in columns} - {source for source, _ in edges}
    if stray:
        raise ValueError(f"{path.name}: columns come from {', '.join(sorted(stray))}, which no `from` names.")
    return Graph(frozenset({*told, *tables}), frozenset(edges), frozenset(columns))


def _ends(
    path: Path, told: Mapping[str, Sequence[str]], allowed: Iterable[str]
) -> Iterator[tuple[str, tuple[str, str]]]:
    for kind, names in told.items():
        if kind not in allowed:
            raise ValueError(f"{path.name}: {kind!r} is no kind here; there are {', '.join(allowed)}.")
        for name in names:
            # Another system's table, marked by "=", has dots of its own.
            table, _, column = name.rpartition(".") if name.startswith("=") else name.partition(".")
            yield kind, (table, column)


def _limit(path: Path, told: Mapping[str, str]) -> Limit:
    ways = [way for way in ("lost", "extra") if way in told]
    if set(told) != {*ways, "of", "reason"} or len(ways) != 1 or told[ways[0]] not in MEASURES:
        raise ValueError(f"{path.name}: a limit says which of {', '.join(MEASURES)} is lost or extra, of what, why.")
    return Limit(ways[0], told[ways[0]], told["of"], told["reason"])


def scores(expected: Graph, found: Graph) -> dict[str, Score]:
    """Return how a graph differs from what is expected, by measure."""
    return {
        measure: Score(wanted & there, wanted - there, there - wanted)
        for measure in MEASURES
        for wanted, there in [(expected.of(measure), found.of(measure))]
    }


def faults(variant: Variant, found: Graph) -> list[str]:
    """Return every difference that no limit explains, and every limit that explains none; one sentence each."""
    told = [f"node {name} should not be there" for name in sorted(found.nodes - variant.expected.nodes)]
    told += [f"node {name} is lost" for name in sorted(variant.expected.nodes - found.nodes)]
    used = set()
    for measure, score in scores(variant.expected, found).items():
        for way, edges in (("lost", score.lost), ("extra", score.extra)):
            for edge in sorted(edges):
                reasons = [one for one in variant.limits if one.covers(way, measure, edge)]
                used.update(reasons)
                told += [] if reasons else [f"{way} {measure}: {shown(edge)}"]
    idle = [one for one in variant.limits if one not in used]
    return told + [f"limit {one.way} {one.measure} of {one.of} explains nothing any more" for one in idle]


def shown(edge: Sequence[str]) -> str:
    """Return an edge as people read it."""
    source, read, target, written, *kind = edge
    ends = [f"{table}.{column}" if column else table for table, column in ((source, read), (target, written))]
    return " ".join((" -> ".join(ends), *kind))


def summary(by_engine: Mapping[str, Figures], limits: Callable[[str], int]) -> list[str]:
    """Return a table of precision and recall, in lines."""
    lines = [f"{'':<12}{'variants':>9}" + "".join(f"{name:>16}" for name in MEASURES) + f"{'known limits':>14}"]
    for engine, figures in by_engine.items():
        cells = [f"{figures.precision(name):.3f} / {figures.recall(name):.3f}" for name in MEASURES]
        lines.append(
            f"{engine:<12}{figures.variants:>9}" + "".join(f"{one:>16}" for one in cells) + f"{limits(engine):>14}"
        )
    return lines
