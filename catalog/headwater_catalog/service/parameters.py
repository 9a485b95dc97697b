"""A question's parameters, read strictly."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Parameters", "Wrong", "refuse_unknown"]


class Wrong(ValueError):  # noqa: N818 - reads as the outcome it is
    """A question that cannot be asked like that."""


def refuse_unknown(given: Mapping[str, object], known: Sequence[str]) -> None:
    """Refuse what nobody asked about.

    Raises:
        Wrong: It names what there is.
    """
    unknown = sorted(set(given) - set(known))
    if unknown:
        there = f"there are {', '.join(known)}" if known else "there are none"
        raise Wrong(f"There is no parameter {unknown[0]!r}; {there}.")


class Parameters:
    """A question's parameters; each has a default, and what nobody asked about is refused.

    Args:
        given: By name.
        known: The names that there are.
    """

    def __init__(self, given: Mapping[str, str], known: Sequence[str]) -> None:
        refuse_unknown(given, known)
        self._given = given

    def text(self, name: str, default: str = "") -> str:
        """Return a text.

        Raises:
            Wrong: No database can hold it.
        """
        found = self._given.get(name, default)
        if "\x00" in found:
            raise Wrong(f"Parameter {name} holds a NUL character.")
        return found

    def required(self, name: str) -> str:
        """Return a text that must be there."""
        found = self.text(name).strip()
        if not found:
            raise Wrong(f"Parameter {name} is missing.")
        return found

    def choice(self, name: str, *choices: str) -> str:
        """Return one of some texts, the first when nothing is given."""
        found = self.text(name, choices[0])
        if found not in choices:
            raise Wrong(f"Parameter {name} is {found!r}; give one of {', '.join(filter(None, choices))}.")
        return found

    def number(self, name: str, default: int, most: int) -> int:
        """Return a whole number from 1."""
        found = self.text(name, str(default))
        if not found.isascii() or not found.isdigit() or not 1 <= int(found[:9]) <= most:
            raise Wrong(f"Parameter {name} is {found!r}; give a whole number from 1 to {most}.")
        return int(found[:9])
