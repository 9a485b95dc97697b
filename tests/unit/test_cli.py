"""The command line without a box."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pyarrow as pa
import pytest
from click.testing import CliRunner
from headwater.cli import headwater, ingest
from headwater.cli.output import as_env, as_json, as_table
from headwater.cli.sql import _statements, _write
from headwater.errors import ConfigError


def test_help_lists_every_command_without_loading_one():
    """`headwater --help` imports neither a command's module nor a heavy library."""
    code = (
        "import sys; from headwater.cli import headwater; "
        "headwater(['--help'], standalone_mode=False); "
        "heavy = ('dagster', 'pyarrow', 'pandas', 'boto3', 'psutil'); "
        "print([m for m in sys.modules if m.startswith('headwater.cli.') or m in heavy])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.rstrip().endswith("[]")
    for name in ("up", "down", "sql", "materialize", "demo-data"):
        assert f"\n  {name} " in done.stdout


def test_every_listed_command_exists():
    """A name in the list that cannot be loaded would fail only when somebody needs it."""
    for name in headwater.list_commands(None):
        assert headwater.get_command(None, name) is not None, name


def test_an_error_is_one_sentence_and_exit_code_1(tmp_path):
    """No traceback reaches the user."""
    env = {"PATH": "/usr/bin", "HEADWATER_PROJECT": str(tmp_path), "HEADWATER_PORT": "no"}
    done = subprocess.run(
        [sys.executable, "-m", "headwater", "status"], env=env, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert done.stderr == "error: HEADWATER_PORT is 'no'; give a whole number above 0.\n"


def test_destroy_refuses_a_folder_that_is_no_box(tmp_path):
    """A mistyped HEADWATER_HOME loses nothing."""
    precious = tmp_path / "home" / "precious"
    precious.mkdir(parents=True)
    done = CliRunner(env={"HEADWATER_HOME": str(precious.parent)}).invoke(headwater, ["destroy", "--yes"])

    assert "nothing was deleted" in str(done.exception)
    assert precious.exists()


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("select 1", ["select 1"]),
        ("select 1; select 2;\n", ["select 1", "select 2"]),
        ("select ';' as a -- ; no\n; select 2", ["select ';' as a -- ; no", "select 2"]),
        ("select 'open", ["select 'open"]),
    ],
)
def test_statements_split_at_semicolons_outside_of_quotes(text, statements):
    """A semicolon in a string or a comment ends nothing."""
    assert _statements(text) == statements


def test_nothing_to_run_is_refused():
    """An empty file is no success."""
    with pytest.raises(ConfigError, match="no statement"):
        _statements(" ;; ")


def test_json_is_a_list_of_row_objects(capsys):
    """Types that JSON lacks become text; null stays null."""
    from datetime import date

    _write(pa.table({"n": [1, None], "d": [date(2020, 1, 2), None]}), "json")

    assert json.loads(capsys.readouterr().out) == [{"n": 1, "d": "2020-01-02"}, {"n": None, "d": None}]


def test_two_columns_of_one_name_both_show(capsys):
    """Rows are written by position, not by name."""
    _write(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]), "csv")

    assert capsys.readouterr().out == "a,a\n1,2\n"


def test_a_table_lines_up_and_shows_null_as_a_dash():
    """The header and the cells share their columns' widths."""
    assert as_table(["name", "n"], [["abcdef", 1], [None, 22]]) == "name    n\nabcdef  1\n-       22"


def test_a_table_can_be_as_narrow_as_its_longest_words():
    """Long cells go on below; a word is never broken, whatever the width."""
    rows = [["one two three", "x"], ["averylongword", "y z"]]

    narrow = "a              b\none two three  x\naverylongword  y\n               z"

    assert as_table(["a", "b"], rows, width=16) == as_table(["a", "b"], rows, width=1) == narrow
    assert as_table(["a", "b"], rows, width=18) == as_table(["a", "b"], rows)


def test_env_output_survives_the_shell():
    """A password with quotes and spaces arrives unchanged."""
    value = "a b'c\"$HOME`x`"
    done = subprocess.run(
        ["sh", "-c", as_env({"X": value}) + '\nprintf %s "$X"'], capture_output=True, text=True, check=True
    )

    assert done.stdout == value


def test_json_output_of_no_rows_is_an_empty_list():
    """Scripts can always parse the answer."""
    assert as_json([]) == "[]"


def test_a_long_ingest_says_that_it_is_still_at_work(monkeypatch, capsys):
    """Every few seconds, on standard error, and not once it has ended."""
    monkeypatch.setattr(ingest, "_SECONDS_OF_SILENCE", 0.05)
    with ingest._telling_of_time("raw.rides"):
        time.sleep(0.2)
    first, *_ = capsys.readouterr().err.splitlines()
    time.sleep(0.1)

    assert first == "raw.rides: still at work, 0 s so far"
    assert capsys.readouterr().err == ""
