"""Made-up loans in Freddie Mac's public layout, for trying Headwater without an account anywhere.

The same request gives the same bytes. Loans are drawn and written a chunk at a time, so memory does not grow with them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from headwater.errors import ConfigError
from headwater.words import amount

from headwater_assets.loans._draws import Draws
from headwater_assets.loans._files import MALFORMED_KINDS, LineFile, WrittenFile
from headwater_assets.loans._market import FIRST_YEAR, LAST_YEAR
from headwater_assets.loans._origination import draw_loans, origination_columns, sequence_prefix
from headwater_assets.loans._performance import draw_months, performance_columns

if TYPE_CHECKING:
    from headwater_assets.loans.layout import FileKind

__all__ = ["MALFORMED_KINDS", "MANIFEST", "LoansRequest", "Summary", "WrittenFile", "write_loans"]

MANIFEST = ".demo-data.json"
_LOCK = ".demo-data.lock"
_PARTIAL = ".demo-data.partial"
_VERSION = 1  # of the generator: another number means other bytes for the same request
_QUARTERS = (1, 2, 3, 4)
_MOST_PER_QUARTER = 8_999_999  # sequence numbers from 9,000,000 on are those of malformed lines
_MOST_MONTHS = 360
_LOANS_PER_CHUNK = 10_000
_LINES_PER_CHUNK = 60_000

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class LoansRequest:
    """Which loans to make up.

    Args:
        rows: How many, split evenly over the quarters of all years; a quarter that gets none has empty files.
        first_year: Year of origination of the first, 1999 to 2025.
        last_year: Year of origination of the last.
        seed: Another seed gives other loans of the same kind.
        months: How many months of each loan's life to report, unless it ends before.

    Raises:
        ConfigError: A value is out of range.
    """

    rows: int
    first_year: int
    last_year: int
    seed: int = 1
    months: int = 12

    def __post_init__(self) -> None:
        years = f"{self.first_year}-{self.last_year}"
        if self.first_year > self.last_year:
            raise ConfigError(f"Years {years} run backwards; give the earlier year first.")
        if not FIRST_YEAR <= self.first_year <= self.last_year <= LAST_YEAR:
            raise ConfigError(
                f"Years {years} are not all within {FIRST_YEAR}-{LAST_YEAR}; there are no rates for others."
            )
        if not 1 <= self.months <= _MOST_MONTHS:
            raise ConfigError(f"Cannot report {self.months} months per loan; ask for 1 to {_MOST_MONTHS}.")
        if self.seed < 0:
            raise ConfigError(f"Seed {self.seed} is negative; give 0 or more.")
        most = _MOST_PER_QUARTER * len(self._quarters())
        if not 1 <= self.rows <= most:
            raise ConfigError(f"Cannot make {self.rows:,} loans for {years}; ask for 1 to {most:,}.")

    def quarters(self) -> Iterator[tuple[int, int, int]]:
        """Yield each year, quarter and number of loans."""
        names = self._quarters()
        each, left = divmod(self.rows, len(names))
        for place, (year, quarter) in enumerate(names):
            yield year, quarter, each + (place < left)

    def _quarters(self) -> list[tuple[int, int]]:
        return [(year, quarter) for year in range(self.first_year, self.last_year + 1) for quarter in _QUARTERS]


@dataclass(frozen=True)
class Summary:
    """What a data set holds.

    Args:
        files: Every file.
        already_there: Whether an earlier run with the same request had written it.
    """

    files: tuple[WrittenFile, ...]
    already_there: bool = False

    def lines(self, kind: FileKind) -> int:
        """Count the lines of all files of a kind, malformed ones included."""
        return sum(file.lines for file in self.files if file.kind == kind)

    def malformed(self, kind: FileKind) -> dict[str, int]:
        """Count the malformed lines of all files of a kind."""
        return {name: sum(file.malformed[name] for file in self.files if file.kind == kind) for name in MALFORMED_KINDS}

    def sentences(self) -> Iterator[str]:
        """Tell the same to people."""
        yield f"{len(self.files)} files, {sum(file.bytes for file in self.files) / 1e6:,.1f} MB."
        kinds: tuple[FileKind, ...] = ("origination", "performance")
        for kind in kinds:
            said = ", ".join(f"{count:,} {name}" for name, count in self.malformed(kind).items())
            yield f"{kind}: {self.lines(kind):,} lines, of which malformed: {said}."


def write_loans(request: LoansRequest, out: Path, *, force: bool = False, say: Say = lambda _: None) -> Summary:
    """Write the files of a request into a folder, all or none of them.

    Args:
        request: Which loans.
        out: The folder; it is made when absent.
        force: Replace what stands there.
        say: Takes one line of progress per file.

    Returns:
        What the folder now holds. The same is in its manifest, ``.demo-data.json``.

    Raises:
        ConfigError: The folder cannot be written or holds something else already.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with FileLock(out / _LOCK, timeout=0):
            return _write_locked(request, out, force=force, say=say)
    except Timeout as error:
        raise ConfigError(f"Another run is writing demo data into {out}; wait until it ends.") from error
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigError(
            f"Cannot write demo data into {out}: {why}. Free or choose another folder with --out."
        ) from error


def _write_locked(request: LoansRequest, out: Path, *, force: bool, say: Say) -> Summary:
    """Write the files unless they are there; the caller holds the folder's lock."""
    manifest = _read_manifest(out)
    there = _already_there(request, out, manifest)
    if there is not None and not force:
        say(f"{out} already there: {amount(len(there.files), 'file')} of the same request.")
        return there
    if not force:
        _refuse_to_overwrite(request, out, manifest)
    if manifest:
        say(f"{out} holds demo data of another request, which these replace.")
    with _partial_folder(out) as partial:
        summary = Summary(tuple(_write_quarters(request, partial, say)))
        _publish(request, summary, partial=partial, out=out, old=manifest)
    return summary


def _read_manifest(out: Path) -> Mapping[str, Any]:
    """Return what the folder's manifest says; one that cannot be read says nothing."""
    try:
        read = json.loads((out / MANIFEST).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def _already_there(request: LoansRequest, out: Path, manifest: Mapping[str, Any]) -> Summary | None:
    """Return the folder's summary if it holds exactly what is asked for."""
    if manifest.get("request") != asdict(request) or manifest.get("version") != _VERSION:
        return None
    files = tuple(WrittenFile(**file) for file in manifest["files"])
    sizes = [path.stat().st_size if (path := out / file.name).is_file() else None for file in files]
    return Summary(files, already_there=True) if sizes == [file.bytes for file in files] else None


def _refuse_to_overwrite(request: LoansRequest, out: Path, manifest: Mapping[str, Any]) -> None:
    """Stop before anything would be replaced but what was made up, which can be made up again."""
    made = {Path(file["name"]).name: file["bytes"] for file in manifest.get("files", ())}
    wanted = {name for year, quarter, _ in request.quarters() for name in _names(year, quarter).values()}
    for path in (out / name for name in sorted(wanted | set(made))):
        if path.exists() and path.stat().st_size != made.get(path.name):
            why = "is no longer as it was made up" if path.name in made else "exists already"
            raise ConfigError(f"{path} {why}; add --force to replace it, or choose --out.")


@contextmanager
def _partial_folder(out: Path) -> Iterator[Path]:
    """Give an empty folder beside the final names, on the same disk; what a killed run left in it is removed."""
    partial = out / _PARTIAL
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _names(year: int, quarter: int) -> dict[FileKind, str]:
    return {
        "origination": f"historical_data_{year}Q{quarter}.txt",
        "performance": f"historical_data_time_{year}Q{quarter}.txt",
    }


def _write_quarters(request: LoansRequest, folder: Path, say: Say) -> Iterator[WrittenFile]:
    """Write all files, quarter by quarter."""
    before: dict[FileKind, int] = {"origination": 0, "performance": 0}
    for year, quarter, loans in request.quarters():
        files = {
            kind: LineFile(
                folder / name,
                kind,
                prefix=sequence_prefix(year, quarter),
                before=before[kind],
                one_of_each=(year, quarter) == (request.first_year, _QUARTERS[0]),
            )
            for kind, name in _names(year, quarter).items()
        }
        with files["origination"] as origination, files["performance"] as performance:
            for draws in _chunks(request, year, quarter, loans):
                _write_chunk(draws, request.months, origination, performance)
        for kind, file in files.items():
            before[kind] += file.good
            written = file.result()
            say(f"{written.name}: {written.lines:,} lines, {written.bytes / 1e6:,.1f} MB")
            yield written


def _chunks(request: LoansRequest, year: int, quarter: int, loans: int) -> Iterator[Draws]:
    """Cut a quarter into chunks of about as many performance lines each."""
    size = max(1, min(_LOANS_PER_CHUNK, _LINES_PER_CHUNK // request.months))
    for start in range(0, loans, size):
        yield Draws(request.seed, year, quarter, start, min(size, loans - start))


def _write_chunk(draws: Draws, months: int, origination: LineFile, performance: LineFile) -> None:
    """Draw some loans and write their lines into both files."""
    loans = draw_loans(draws)
    origination.write(origination_columns(loans), draws.count)
    lines = draw_months(loans, months)
    performance.write(performance_columns(lines), lines.loan.size)


def _publish(
    request: LoansRequest,
    summary: Summary,
    *,
    partial: Path,
    out: Path,
    old: Mapping[str, Any],
) -> None:
    """Give the finished files their names, the manifest last; a replaced data set leaves no file behind."""
    manifest = {"version": _VERSION, "request": asdict(request), "files": [asdict(file) for file in summary.files]}
    (partial / MANIFEST).write_text(json.dumps(manifest, indent=1))
    (out / MANIFEST).unlink(missing_ok=True)
    names = {file.name for file in summary.files}
    for file in old.get("files", ()):
        if file["name"] not in names:
            (out / Path(file["name"]).name).unlink(missing_ok=True)
    for name in (*sorted(names), MANIFEST):
        (partial / name).replace(out / name)
