"""What search can be narrowed to: counted while somebody waits only where that is quick."""

from __future__ import annotations

import time
from contextlib import contextmanager

import psycopg
import pytest
from headwater_catalog.store._choices import Choices


class Counting:
    """A database that takes its time to count, and counts its counts."""

    def __init__(self, seconds):
        self.seconds, self.times = seconds, 0

    def execute(self, statement):
        """Count once more."""
        del statement
        time.sleep(self.seconds)
        self.times += 1
        return [("raw", self.times)]


def first(choices):
    """Return the first number of some choices."""
    return next(iter(choices.values()))[0]["tables"]


def until(condition, seconds=10.0):
    """Wait for a condition, which must come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_quick_counts_are_of_now():
    """In a small catalog a new table is counted at once."""
    database = Counting(0)
    choices = Choices(lambda: pytest.fail("nobody counts apart"), kept=0)
    before = first(choices.of(database))

    assert first(choices.of(database)) > before


def test_nobody_waits_for_slow_counts_again():
    """Who asks while they are counted anew gets the numbers before; later the new ones are there."""
    waited, apart = Counting(0.1), Counting(0.1)

    @contextmanager
    def opened():
        yield apart

    choices = Choices(opened, kept=0)
    old = choices.of(waited)
    began, asked = time.monotonic(), waited.times
    assert [choices.of(waited) for _ in range(5)] == [old] * 5
    assert time.monotonic() - began < 0.1
    assert waited.times == asked

    until(lambda: choices.of(waited) != old)


def test_a_database_that_does_not_answer_leaves_the_numbers_before():
    """And they are counted when it answers again."""
    apart, away = Counting(0.1), [True]

    @contextmanager
    def opened():
        if away.pop() if away else False:
            raise psycopg.OperationalError("it is away")
        yield apart

    choices = Choices(opened, kept=0)
    old = choices.of(Counting(0.1))
    assert choices.of(Counting(0.1)) == old

    until(lambda: not away)
    until(lambda: choices.of(Counting(0.1)) != old)
