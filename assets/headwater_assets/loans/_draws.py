"""Random numbers that depend on a loan's place in its file and on nothing else."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Draws:
    """The draws of the loans ``start`` to ``start + count`` of one quarter.

    Every quantity has a stream of its own, and a stream is entered at the loan's place. So a loan's numbers are the
    same however many loans are drawn at a time, and a new quantity does not change the others.

    Args:
        seed: The data set's seed.
        year: The quarter's year.
        quarter: 1 to 4.
        start: The place of the first loan in the quarter.
        count: How many loans.
    """

    seed: int
    year: int
    quarter: int
    start: int
    count: int

    def uniform(self, name: str, width: int = 1) -> Floats:
        """Draw ``width`` numbers per loan from [0, 1); with a width of 1 the result has one dimension."""
        stream = np.random.PCG64(
            np.random.SeedSequence((self.seed, self.year, self.quarter, zlib.crc32(name.encode())))
        )
        stream.advance(self.start * width)
        numbers = np.random.Generator(stream).random(self.count * width)
        return numbers if width == 1 else numbers.reshape(self.count, width)

    def normal(self, name: str, mean: float = 0.0, deviation: float = 1.0) -> Floats:
        """Draw one number per loan from a normal distribution (Box-Muller: always two uniforms each)."""
        pair = self.uniform(name, 2)
        return mean + deviation * np.sqrt(-2.0 * np.log1p(-pair[:, 0])) * np.cos(2.0 * np.pi * pair[:, 1])

    def choice(self, name: str, weights: Sequence[float]) -> Integers:
        """Draw one place in ``weights`` per loan, in proportion to the weights."""
        steps = np.cumsum(np.asarray(weights, dtype=np.float64))
        places: Integers = np.searchsorted(steps, self.uniform(name) * steps[-1], side="right").astype(np.int64)
        return places

    def chance(self, name: str, probability: float | Floats) -> NDArray[np.bool_]:
        """Say per loan whether something of that probability happens."""
        return self.uniform(name) < probability
