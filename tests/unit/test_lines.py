"""Lines of raw files, counted while they are stored."""

from __future__ import annotations

import io

import pytest
from headwater.errors import WriteError
from headwater.write._lines import LineCount


def read_in_pieces(data, size, **more):
    """Read everything in pieces and return the counter."""
    counted = LineCount(io.BytesIO(data), "words.txt", **more)
    while counted.read(size):
        pass
    return counted


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_lines_are_counted_whatever_the_pieces(size):
    """A line end may lie across two pieces."""
    assert read_in_pieces(b"one\r\ntwo\n\rfive", size).lines == 4
    assert read_in_pieces(b"", size).lines == 0


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_line_that_no_engine_can_hold_is_refused(size):
    """The sentence names the file and the line; a line of just that length passes."""
    fits = b"a\n" + b"x" * 10 + b"\n" + b"y" * 10
    assert read_in_pieces(fits, size, longest=10).lines == 3

    with pytest.raises(WriteError, match=r"words\.txt has a line of more than 0 MiB, line 2, .*Correct or remove it"):
        read_in_pieces(b"a\n" + b"x" * 11 + b"\n", size, longest=10)
