"""A made-up catalog of any size, the same for the same seed.

It is made of realms of 10,000 tables. What a realm holds depends on its number alone, and nothing leads from one into
another: so the tables around a table of the first realm are the same in a catalog of one realm and in one of ten.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import accumulate, product
from typing import TYPE_CHECKING

from headwater_catalog.model import WHOLE_TABLE, ColumnEdge, ColumnFacts, Kind, Lineage, Origin, TableFacts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["PROJECT", "REALM_TABLES", "realm"]

PROJECT = "bench"
REALM_TABLES = 10_000
_REGIONS = ("emea", "apac", "latam", "nordics", "iberia", "benelux", "gulf", "andes", "pacific", "atlas")
_DOMAINS = ("payment", "loan", "billing", "marketing", "logistics", "claim", "account", "fraud", "support", "catalogue")
_ENTITY_WORDS = (
    "customer order invoice refund shipment parcel supplier warehouse campaign click session cart product price "
    "discount coupon contract policy premium incident ticket agent branch employee payroll ledger journal balance "
    "transfer card merchant terminal dispute chargeback device location address household vehicle property mortgage "
    "deposit interest fee statement notice consent document signature rating"
)
_ENTITIES = tuple(_ENTITY_WORDS.split())
_SOURCES = ("crm", "erp", "web", "mobile", "partner")
_GRAINS = ("daily", "weekly", "monthly", "history", "current", "summary", "enriched", "features", "snapshot", "report")
_ATTRIBUTE_WORDS = (
    "id code name type status reason amount currency rate score count total share rank level group segment channel "
    "country region city postcode street email phone birthdate gender language title label note source target parent "
    "owner author reviewer version revision hash key value unit quantity weight height width volume duration delay "
    "started_at ended_at created_at updated_at deleted_at valid_from valid_to booked_on due_on paid_on shipped_on "
    "average median maximum minimum stddev variance ratio margin cost revenue profit tax net gross discounted "
    "opening closing previous following first last distinct active churned retained predicted actual expected"
)
_ATTRIBUTES = tuple(_ATTRIBUTE_WORDS.split())
_COMMON = ("load_id", "loaded_at", "source_file", "is_deleted", "country_code", "currency_code", "reporting_date")
_WORDS = (*_ENTITIES, *_ATTRIBUTES[:40], "per", "of", "after", "before", "without", "corrected", "reconciled", "late")
_TYPES = ("bigint", "string", "date", "timestamp(6)", "decimal(18,2)", "double", "boolean")
_TAGS = ("pii", "gdpr", "finance", "critical", "experimental", "deprecated", "external", "sox")
# Ten on the average, few tables of very many.
_WIDTHS = (3, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 12, 14, 16, 21, 31)
# How many of a domain's 500 curated tables stand so many steps behind the partitioned ones: chains are 13 steps long.
_STEPS = (120, 100, 80, 60, 45, 30, 20, 15, 12, 10, 8)
_HUBS = 10
_VALUE_KINDS = (Kind.COPIED, Kind.COPIED, Kind.TRANSFORMED, Kind.TRANSFORMED, Kind.AGGREGATED)
_CHARTS = 1000
_CHARTS_EACH = 10


@dataclass
class _Made:
    """A table as it is made: what others may read of it."""

    name: str
    columns: tuple[ColumnFacts, ...]
    weight: float


def realm(number: int, seed: int = 1) -> Iterator[TableFacts]:
    """Yield everything of one realm: folders of files, 10,000 tables, charts and dashboards."""
    yield from _Realm(number, random.Random(f"{seed}/{number}")).everything()  # noqa: S311 - nothing secret


class _Realm:
    def __init__(self, number: int, draw: random.Random) -> None:
        self._draw = draw
        self._region = _REGIONS[number % len(_REGIONS)] + ("" if number < len(_REGIONS) else str(number))
        self._teams = [f"team:{self._region}_{domain}_{part}" for domain in _DOMAINS for part in ("core", "insight")]
        self._widths: list[int] = []
        self._hubs: list[_Made] = []
        self._readable: list[_Made] = []  # by charts

    def everything(self) -> Iterator[TableFacts]:
        for domain in _DOMAINS:
            yield from self._domain(domain)
        yield from self._dashboards()

    def _domain(self, domain: str) -> Iterator[TableFacts]:
        layer: list[_Made] = []
        for entity, source in product(_ENTITIES, _SOURCES):
            base = f"{self._region}_{domain}_{entity}_{source}"
            raw = self._made(f"raw.{base}", entity)
            files = Lineage(target=raw.name, sources=(f"files:data/{base}",))
            yield TableFacts(name=f"files:data/{base}", kind="files")
            yield self._facts(raw, domain, entity, ((Origin.DECLARED, files),))
            typed = _Made(f"partitioned.{base}", raw.columns, self._weight())
            yield self._facts(typed, domain, entity, self._lineage(typed, [raw]))
            layer.append(typed)
        yield from self._curated(domain, layer)

    def _curated(self, domain: str, below: list[_Made]) -> Iterator[TableFacts]:
        names = list(product(_ENTITIES, _GRAINS))
        self._draw.shuffle(names)
        earlier = list(below)
        for count in _STEPS:
            layer = []
            for entity, grain in (names.pop() for _ in range(count)):
                made = self._made(f"curated.{self._region}_{domain}_{entity}_{grain}", entity)
                yield self._facts(made, domain, entity, self._lineage(made, self._sources(below, earlier)))
                layer.append(made)
            if len(self._hubs) < _HUBS:
                self._hubs.append(layer[0])
            earlier += layer
            below = layer
        self._readable += earlier[len(_ENTITIES) * len(_SOURCES) :]

    def _sources(self, below: Sequence[_Made], earlier: Sequence[_Made]) -> list[_Made]:
        """Return what a table is made of: mostly of the step before, some of any before, some of the realm's hubs."""
        found = {made.name: made for made in self._some(below, 1)}
        for _ in range(min(11, int(self._draw.expovariate(0.55)))):
            kind = self._draw.random()
            pool = below if kind < 0.5 else earlier if kind < 0.8 or not self._hubs else self._hubs  # noqa: PLR2004
            found |= {made.name: made for made in self._some(pool, 1)}
        return list(found.values())

    def _some(self, pool: Sequence[_Made], count: int) -> list[_Made]:
        return self._draw.choices(pool, cum_weights=list(accumulate(one.weight for one in pool)), k=count)

    def _made(self, name: str, entity: str) -> _Made:
        if not self._widths:
            self._widths = list(_WIDTHS)
            self._draw.shuffle(self._widths)
        wanted = self._widths.pop()
        names = dict.fromkeys([f"{entity}_id", *self._draw.sample(_COMMON, min(wanted // 4, len(_COMMON)))])
        while len(names) < wanted:
            attribute = self._draw.choice(_ATTRIBUTES)
            own = self._draw.random()
            names[attribute if own < 0.15 else f"{entity}_{attribute}" if own < 0.95 else self._odd(attribute)] = None  # noqa: PLR2004
        return _Made(name, tuple(self._column(one, entity) for one in names), self._weight())

    def _odd(self, attribute: str) -> str:
        return f"{attribute}_{self._draw.choice(_ENTITIES)}_{self._draw.randrange(100)}"

    def _column(self, name: str, entity: str) -> ColumnFacts:
        doc = f"The {name.replace('_', ' ')} of one {entity}." if self._draw.random() < 0.5 else ""  # noqa: PLR2004
        tags = (self._draw.choice(_TAGS),) if self._draw.random() < 0.04 else ()  # noqa: PLR2004
        return ColumnFacts(name, self._draw.choice(_TYPES), doc, tags)

    def _weight(self) -> float:
        return self._draw.paretovariate(1.2)

    def _facts(self, made: _Made, domain: str, entity: str, lineage: tuple[tuple[Origin, Lineage], ...]) -> TableFacts:
        draw = self._draw
        words = " ".join(draw.choices(_WORDS, k=draw.randint(3, 9)))
        return TableFacts(
            name=made.name,
            doc=f"One row per {entity} of {domain}: {words}." if draw.random() < 0.85 else "",  # noqa: PLR2004
            owner=draw.choice(self._teams) if draw.random() < 0.9 else "",  # noqa: PLR2004
            domain=domain,
            tags=(draw.choice(_TAGS),) if draw.random() < 0.15 else (),  # noqa: PLR2004
            columns=made.columns,
            lineage=lineage,
            place=f"definitions/{domain}/{entity}.py:{draw.randint(10, 400)}",
            code=f"SELECT * FROM {lineage[0][1].sources[0]}",  # noqa: S608 - nobody runs it
            fresh_within_hours=24.0,
        )

    def _lineage(self, made: _Made, sources: Sequence[_Made]) -> tuple[tuple[Origin, Lineage], ...]:
        names = tuple(one.name for one in sources)
        edges = set(self._values(made, sources))
        for one in sources[1:]:
            edges |= {ColumnEdge(one.name, one.columns[0].name, WHOLE_TABLE, Kind.JOIN)}
        read = sources[0]
        edges |= {ColumnEdge(read.name, self._draw.choice(read.columns).name, WHOLE_TABLE, Kind.FILTER)}
        parsed = Lineage(target=made.name, sources=names, columns=frozenset(edges))
        return ((Origin.DECLARED, Lineage(target=made.name, sources=names)), (Origin.PARSED, parsed))

    def _values(self, made: _Made, sources: Sequence[_Made]) -> Iterator[ColumnEdge]:
        copied = made.name.startswith("partitioned.")
        for column in made.columns:
            if copied:
                yield ColumnEdge(sources[0].name, column.name, column.name, Kind.COPIED)
            for _ in range(0 if copied else self._draw.choice((1, 2, 3, 4, 5, 7, 9))):
                source = self._draw.choice(sources)
                read = self._draw.choice(source.columns).name
                yield ColumnEdge(source.name, read, column.name, self._draw.choice(_VALUE_KINDS))

    def _dashboards(self) -> Iterator[TableFacts]:
        charts = []
        for number, read in enumerate(self._some(self._readable, _CHARTS)):
            entity = read.name.rpartition("_")[0].rpartition("_")[2]
            chart = _Made(f"chart:{self._region}_{entity}_{number}", self._metrics(read), 1.0)
            title = f"{entity.title()} {self._draw.choice(_ATTRIBUTES)} by {self._draw.choice(_ATTRIBUTES)}"
            yield TableFacts(
                name=chart.name, kind="chart", title=title, columns=chart.columns, lineage=self._lineage(chart, [read])
            )
            charts.append(chart.name)
        for at in range(0, _CHARTS, _CHARTS_EACH):
            name = f"dashboard:{self._region}_{at}"
            shown = Lineage(target=name, sources=tuple(charts[at : at + _CHARTS_EACH]))
            yield TableFacts(name=name, kind="dashboard", title=f"Board {at}", lineage=((Origin.DECLARED, shown),))

    def _metrics(self, read: _Made) -> tuple[ColumnFacts, ...]:
        return tuple(
            ColumnFacts(one.name, one.type) for one in self._draw.sample(read.columns, min(3, len(read.columns)))
        )
