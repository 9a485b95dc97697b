"""What a question or an edit may be given: declared once, read strictly by it, and told to programs by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater_catalog.service.parameters import Parameters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Choice", "Flag", "Number", "Parameter", "Text", "Texts", "values"]


@dataclass(frozen=True)
class Parameter:
    """One value that a question takes.

    Args:
        name: Its name.
        about: What it is, for whoever asks.
    """

    name: str
    about: str

    @property
    def required(self) -> bool:
        """Whether there is no question without it."""
        return False

    @property
    def schema(self) -> dict[str, Any]:
        """What it may be, as a JSON schema."""
        raise NotImplementedError

    def value(self, given: Parameters) -> object:
        """Return it as it was given, or its default.

        Raises:
            Wrong: It will not do.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Text(Parameter):
    """A text.

    Args:
        must: It must be there.
        lower: Capitals do not matter, as in columns' names.
        longest: More letters are passed over; 0 for any number.
    """

    must: bool = False
    lower: bool = False
    longest: int = 0

    @property
    def required(self) -> bool:
        return self.must

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^[^\x00]*[^\x00-\x20\s][^\x00]*$" if self.must else r"^[^\x00]*$"}

    def value(self, given: Parameters) -> str:
        found = given.required(self.name) if self.must else given.text(self.name)
        return (found.lower() if self.lower else found)[: self.longest or None]


@dataclass(frozen=True)
class Texts(Parameter):
    """A list of texts; only an edit's JSON has such."""

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string"}}


@dataclass(frozen=True)
class Choice(Parameter):
    """One of some texts.

    Args:
        choices: The first when nothing is given.
    """

    choices: tuple[str, ...]

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.choices), "default": self.choices[0]}

    def value(self, given: Parameters) -> str:
        return given.choice(self.name, *self.choices)


@dataclass(frozen=True)
class Flag(Parameter):
    """Yes or no; no when nothing is given."""

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "boolean", "default": False}

    def value(self, given: Parameters) -> bool:
        return given.choice(self.name, "false", "true") == "true"


@dataclass(frozen=True)
class Number(Parameter):
    """A whole number from 1.

    Args:
        default: When nothing is given.
        most: The largest.
    """

    default: int
    most: int

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": 1, "maximum": self.most, "default": self.default}

    def value(self, given: Parameters) -> int:
        return given.number(self.name, self.default, self.most)


def values(parameters: Sequence[Parameter], given: Mapping[str, str]) -> dict[str, Any]:
    """Return the value of each parameter by its name.

    Raises:
        Wrong: One will not do, or there is no such.
    """
    asked = Parameters(given, [one.name for one in parameters])
    return {one.name: one.value(asked) for one in parameters}
