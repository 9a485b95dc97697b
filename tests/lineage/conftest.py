"""Prints the corpus's figures at the end of a run."""

from __future__ import annotations

import pytest

FIGURES: pytest.StashKey[list[str]] = pytest.StashKey()


def pytest_terminal_summary(terminalreporter, config):
    """Show precision and recall by engine, where the corpus was run."""
    lines = config.stash.get(FIGURES, [])
    if lines:
        terminalreporter.section("lineage corpus: precision / recall")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def show(pytestconfig):
    """Takes lines to be shown at the end."""
    return lambda lines: pytestconfig.stash.__setitem__(FIGURES, lines)
