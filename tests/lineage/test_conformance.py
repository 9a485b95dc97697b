"""The corpus on the real engines: the catalog's graph is what every case expects.

Everything is run first, and the catalog is waited for once; then each variant is a test of its own.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from corpus_engines import ZONE, Engines
from headwater.box.components.databases import connect
from headwater_catalog.identity import reference
from lineage_corpus import Figures, Graph, Variant, faults, read_case, scores, shown, summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headwater.profile import Profile

pytestmark = pytest.mark.box

HERE = Path(__file__).parent
VARIANTS = [variant for path in sorted((HERE / "cases").glob("*.yaml")) for variant in read_case(path)]
AT_ONCE = 8
LONGEST_SECONDS = 45.0
QUIET_SECONDS = 2.0
# Of these Spark runs the very words that Trino runs, and they are read alike: in tier 1 once is enough.
TWICE = frozenset(
    [
        "correlated_exists",
        "correlated_scalar",
        "delete",
        "distinct_order_limit",
        "expressions",
        "join_kinds",
        "rollup",
        "self_join",
        "set_operations",
        "subquery",
        "truncate",
        "update_literal",
    ]
)
# What the engine's events leave out altogether; each of its cases says so.
BLIND = {"streaming"}
# Precision and recall of every engine, known limits counted as faults.
FLOOR = {"columns": (0.95, 0.95), "kinds": (0.95, 0.95), "rows": (0.95, 0.95)}
# Spark's optimizer adds filters of its own, and a DataFrame has no text that says which.
LOWER = {"dataframe": {"rows": (0.55, 0.85)}}
_NAME = re.compile(r"\{(?:(\w+):)?(\w+)\}")
_PLAIN = re.compile(r"\w+", re.ASCII)


class Names:
    """What the tables of a variant are called.

    Args:
        profile: Whose lake.
        mark: Of this run.
        variant: Whose; None for the tables that all share.
    """

    def __init__(self, profile: Profile, mark: str, variant: Variant) -> None:
        self._bucket, self._mark, self._variant = profile.bucket, mark, variant
        # What has a number and no name of its own, such as a chart: node by the case's name.
        self.numbered: dict[str, str] = {}
        self.suffix = f"__{variant.case}_{variant.engine}_{mark}".replace("-", "_")

    def bare(self, name: str) -> str:
        """Return a table's name without its zone."""
        if name in SHARED and name not in self._variant.expected.nodes:
            return f"{name}_{self._mark}"
        return self._variant.names.get(name, name) + self.suffix

    def node(self, name: str, *, folder: bool) -> str:
        """Return what the catalog calls it."""
        if name.startswith("=") or name in self.numbered:
            return self.numbered.get(name, name[1:])
        text = self._folder(name, "s3") if folder else self.full(name, '"')
        return reference(text, self._bucket).name

    def full(self, name: str, quote: str) -> str:
        """Return a table's name as SQL writes it."""
        bare = self.bare(name)
        if not _PLAIN.fullmatch(bare):
            bare = quote + bare.replace(quote, quote * 2) + quote
        return f"{ZONE}.{bare}"

    def _folder(self, name: str, scheme: str) -> str:
        return f"{scheme}://{self._bucket}/conformance/{name}{self.suffix}"

    def folders(self) -> frozenset[str]:
        """Return the names that are folders of files, not tables."""
        texts = [str(step.text) for step in self._variant.steps]
        return frozenset(match[2] for text in texts for match in _NAME.finditer(text) if match[1] in ("s3", "s3a"))

    def filled(self, text: str, quote: str) -> str:
        """Return a text with its names in their places."""
        forms = {
            "": lambda name: self.full(name, quote),
            "bare": self.bare,
            "upper": lambda name: self.full(name, quote).upper(),
            "location": lambda name: f"s3://{self._bucket}/{ZONE}/{self.bare(name)}",
            "s3": lambda name: self._folder(name, "s3"),
            "s3a": lambda name: self._folder(name, "s3a"),
            "folder": lambda name: self._folder(name, "s3a"),
        }
        return _NAME.sub(lambda match: forms[match[1] or ""](match[2]), text)


def _tables() -> dict[str, Any]:
    import yaml

    found: dict[str, Any] = yaml.safe_load((HERE / "tables.yaml").read_text(encoding="utf-8"))
    return found


SHARED = _tables()


class Corpus:
    """Runs every variant and reads the catalog's graph of each.

    Args:
        profile: The box.
        variants: Those that are asked for.
    """

    def __init__(self, profile: Profile, variants: Sequence[Variant]) -> None:
        self._profile, self.mark, self.variants = profile, uuid.uuid4().hex[:8], variants
        self._engines = Engines(profile)
        self._names = {one.id: Names(profile, self.mark, one) for one in variants}
        self.errors: dict[str, str] = {}
        self.found: dict[str, Graph] = {}
        self.took: dict[str, float] = {}

    def run(self) -> None:
        """Run all, and wait until the catalog has told all or says no more."""
        began = time.monotonic()
        for variant in self.variants:
            for name, columns in variant.tables.items():
                self._engines.empty(self._names[variant.id].bare(name), columns)
        self.took["tables"] = time.monotonic() - began
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for done in [pool.submit(self._share, name, SHARED[name]) for name in SHARED]:
                done.result()
            for _ in pool.map(self._variant, self.variants):
                pass
        self._engines.close()
        self.took["statements"] = time.monotonic() - began
        self._settle()
        self.took["catalog"] = time.monotonic() - began - self.took["statements"]

    def _share(self, name: str, told: Any) -> None:
        columns = ", ".join(f"{column} {kind}" for column, kind in told["columns"].items())
        full = f"{ZONE}.{name}_{self.mark}"
        self._engines.trino(f"CREATE TABLE {full} ({columns})")
        self._engines.trino(f"INSERT INTO {full} VALUES {', '.join(told['rows'])}")

    def _variant(self, variant: Variant) -> None:
        names = self._names[variant.id]
        began = time.monotonic()
        try:
            for step in variant.steps:
                self._step(step, names)
        except Exception as error:  # noqa: BLE001 - told by the variant's own test
            self.errors[variant.id] = f"{type(error).__name__}: {error}"[:2000]
        self.took[variant.id] = time.monotonic() - began

    def _step(self, step: Any, names: Names) -> None:
        if step.engine == "wait":
            time.sleep(step.text)
            return
        if step.engine == "superset":
            self._save(json.loads(names.filled(json.dumps(step.text), '"')), names)
            return
        text = names.filled(step.text, "`" if step.engine == "spark" else '"')
        run = getattr(self._engines, step.engine)
        if not step.fails:
            run(text)
            return
        with pytest.raises(Exception, match=r"(?i)zero"):
            run(text)

    def _save(self, told: Any, names: Names) -> None:
        name = told["chart"] if "chart" in told else told["dataset"]
        on = names.numbered.get(told["dataset"], "")
        names.numbered[name] = self._engines.superset({**told, "name": names.bare(name), "dataset": on})

    def _settle(self) -> None:
        end, seen, since = time.monotonic() + LONGEST_SECONDS, -1, time.monotonic()
        while time.monotonic() < end:
            self._read()
            with connect(self._profile, "catalog-db") as connection:
                ((events,),) = connection.execute("SELECT count(*) FROM event").fetchall()
            if events != seen:
                seen, since = events, time.monotonic()
            quiet = time.monotonic() - since
            right = not any(faults(one, self.found[one.id]) for one in self.variants)
            if quiet > QUIET_SECONDS and (right or quiet > 5 * QUIET_SECONDS):
                return
            time.sleep(0.5)

    def _read(self) -> None:
        """Read the graph around every variant's tables, by the names of the cases."""
        with connect(self._profile, "catalog-db") as connection:
            mark = f"%{self.mark}%"
            shown = [node for one in self._names.values() for node in one.numbered.values()]
            values = {"mark": mark, "shown": shown}
            nodes = [row[0] for row in connection.execute(_NODES, values)]
            edges = connection.execute(_EDGES, values).fetchall()
        for variant in self.variants:
            self.found[variant.id] = _graph(self._names[variant.id], variant, nodes, edges)


def _graph(names: Names, variant: Variant, nodes: list[str], edges: list[Any]) -> Graph:
    folders, ends = names.folders(), {end for edge in variant.expected.tables for end in edge}
    known = {names.node(one, folder=one in folders): one for one in {*variant.expected.nodes, *ends, *SHARED}}
    own = {node for node in nodes if names.suffix in node or node in names.numbered.values()}
    near = [edge for edge in edges if edge[0] in own or edge[1] in own]
    kinds = {("", "aggregated"): "group"}
    return Graph(
        frozenset(known.get(node, node) for node in own),
        frozenset((known.get(edge[0], edge[0]), known.get(edge[1], edge[1])) for edge in near),
        frozenset(
            (known.get(source, source), read, known.get(target, target), made, kinds.get((made, kind), kind))
            for source, target, read, made, kind in near
            if kind
        ),
    )


_NODES = "SELECT name FROM node WHERE name LIKE %(mark)s OR name = ANY(%(shown)s)"
_EDGES = """
SELECT s.name, t.name, c.source_column, c.target_column, c.kind FROM edge AS e
JOIN node AS s ON s.id = e.source_id JOIN node AS t ON t.id = e.target_id
LEFT JOIN column_edge AS c ON c.edge_id = e.id AND c.until IS NULL
WHERE e.until IS NULL AND (s.name LIKE %(mark)s OR t.name LIKE %(mark)s OR t.name = ANY(%(shown)s))
"""


@pytest.fixture(scope="module")
def figures() -> dict[str, Figures]:
    """Precision and recall by engine."""
    return {}


@pytest.fixture(scope="module")
def corpus(request, box, show, figures) -> Corpus:
    """The corpus, after it was run; its figures are shown and written."""
    asked = {one.callspec.params["variant"].id for one in request.session.items if _is_variant(one)}
    made = Corpus(box, [one for one in VARIANTS if one.id in asked])
    made.run()
    for one in made.variants:
        figures.setdefault(_engine(one), Figures()).add(scores(one.expected, made.found[one.id]))
    show(summary(figures, lambda engine: sum(len(one.limits) for one in made.variants if _engine(one) == engine)))
    report = {"figures": {engine: one.told() for engine, one in figures.items()}, "variants": _report(made)}
    (box.home.parent / "conformance.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    return made


def _is_variant(item: Any) -> bool:
    return item.name.startswith("test_the_graph_is_what_the_case_expects[")


def _engine(variant: Variant) -> str:
    return variant.engine.partition("-")[0]


def _report(made: Corpus) -> dict[str, Any]:
    return {
        one.id: {
            "error": made.errors.get(one.id, ""),
            "seconds": round(made.took[one.id], 2),
            "faults": faults(one, made.found[one.id]),
            "limits": [vars(limit) for limit in one.limits],
            "found": sorted(map(shown, made.found[one.id].columns)),
        }
        for one in made.variants
    } | {"took": {name: round(made.took[name], 1) for name in ("tables", "statements", "catalog")}}


def _asked(variant: Variant) -> Any:
    twice = variant.engine == "spark" and variant.case in TWICE
    return pytest.param(variant, id=variant.id, marks=[pytest.mark.full] if twice else [])


@pytest.mark.parametrize("variant", [*map(_asked, VARIANTS)])
def test_the_graph_is_what_the_case_expects(corpus, variant):
    """No node twice, no loop that the SQL does not have, no edge lost but those that a limit names and explains."""
    assert variant.id not in corpus.errors, corpus.errors[variant.id]
    assert faults(variant, corpus.found[variant.id]) == []


def test_the_figures_are_what_is_promised(corpus, figures):
    """Table edges are all there and no others, on every engine; column edges as far as engines can tell."""
    assert corpus.found
    for engine, one in figures.items():
        assert one.precision("tables") == 1, engine
        if engine in BLIND:
            continue
        assert one.recall("tables") == 1, engine
        for measure, (precision, recall) in {**FLOOR, **LOWER.get(engine, {})}.items():
            assert one.precision(measure) >= precision, (engine, measure)
            assert one.recall(measure) >= recall, (engine, measure)
