"""What lies in a raw table's folder, and what is refused there."""

from __future__ import annotations

import os

import pytest
from headwater.arrivals import arrivals, fingerprint
from headwater.errors import InputError
from headwater_assets.loans.raw_loan_origination import raw_loan_origination

NAME = "historical_data_2019Q1.txt"


@pytest.fixture
def folder(tmp_path):
    """The folder of the loans' origination files, empty."""
    made = tmp_path / "data" / "loans"
    made.mkdir(parents=True)
    return made


def test_files_are_found_by_partition_and_others_are_not_its_business(folder, tmp_path):
    """A link to a file is a file; what has another name is not looked at."""
    (folder / NAME).write_text("a")
    (folder / "historical_data_2019Q2.txt").symlink_to(folder / NAME)
    (folder / "historical_data_2018Q1.txt").write_text("b")
    (folder / "notes").mkdir()

    found = arrivals(raw_loan_origination, tmp_path)

    assert {key: [path.name for path in paths] for key, paths in found.items()} == {
        "2018": ["historical_data_2018Q1.txt"],
        "2019": [NAME, "historical_data_2019Q2.txt"],
    }


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda path: path.mkdir(), "a folder"),
        (lambda path: path.symlink_to("nowhere"), "a link to nothing"),
        (os.mkfifo, "no file"),
    ],
)
def test_what_has_the_name_of_a_file_and_is_none_is_refused(folder, tmp_path, make, kind):
    """It was meant to be loaded; passing it over would lose it without a word."""
    make(folder / NAME)
    with pytest.raises(InputError, match=rf"{NAME} has the name of a file of raw.loan_origination, but it is {kind};"):
        arrivals(raw_loan_origination, tmp_path)


def test_a_file_that_is_written_anew_has_another_fingerprint(folder):
    """So a sensor, and --stale, see it."""
    file = folder / NAME
    file.write_text("a")
    before = fingerprint([file])
    assert fingerprint([file]) == before
    file.write_text("ab")
    assert fingerprint([file]) != before
