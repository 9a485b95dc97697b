"""The CloudFormation template as data: what it makes under some parameters, and what that costs. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml

from headwater.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Shape", "Template"]

_VARIABLE = re.compile(r"\$\{(\w+)\}")


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short functions, which become the long ones."""


def _long_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]  # what is neither of the others
    if suffix == "GetAtt":
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _long_form)


@dataclass(frozen=True)
class Shape:
    """What decides on a resource.

    Args:
        resource: What the template says of it.
        parameters: Those that it names, with their values.
    """

    resource: Mapping[str, Any]
    parameters: Mapping[str, str]

    @property
    def type(self) -> str:
        """CloudFormation's name of its kind."""
        return str(self.resource["Type"])


@dataclass(frozen=True)
class Template:
    """A template.

    Args:
        text: Its YAML.
    """

    text: str

    @classmethod
    def ours(cls) -> Template:
        """Return the one that is part of this version."""
        return cls(files("headwater.aws").joinpath("template.yaml").read_text(encoding="utf-8"))

    @cached_property
    def body(self) -> Mapping[str, Any]:
        """What it says, short functions in their long form."""
        read: Mapping[str, Any] = yaml.load(self.text, _Loader)  # noqa: S506 - a safe loader with more tags
        return read

    def parameters(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return every parameter's value.

        Raises:
            ConfigError: There is no such parameter, or it takes no such value.
        """
        known = self.body["Parameters"]
        for name, value in given.items():
            if name not in known:
                raise ConfigError(f"The template has no parameter {name}; it has {', '.join(known)}.")
            allowed = known[name].get("AllowedValues")
            if allowed and value not in allowed:
                raise ConfigError(f"{name} is {value!r}; give {' or '.join(allowed)}.")
        return {name: given.get(name, str(one.get("Default", ""))) for name, one in known.items()}

    def shapes(self, parameters: Mapping[str, str]) -> dict[str, Shape]:
        """Return what is made under some parameters, by its name in the template."""
        return {
            name: Shape(one, {key: parameters[key] for key in _names(one) if key in parameters})
            for name, one in self._resources(parameters).items()
        }

    def costs(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        """Return what costs, in sentences, without counting: that depends on what is done with it."""
        # What outlives its stack costs also where it is taken over.
        every, made = self.body["Resources"], self._resources(parameters)
        counted = (one for name, one in every.items() if name in made or one.get("DeletionPolicy") == "Retain")
        told = (one.get("Metadata", {}).get("Cost") for one in counted)
        return tuple(filter(None, told))

    def _resources(self, parameters: Mapping[str, str]) -> dict[str, Mapping[str, Any]]:
        every = self.body["Resources"]
        return {name: one for name, one in every.items() if self._holds(one.get("Condition"), parameters)}

    def _holds(self, condition: str | None, parameters: Mapping[str, str]) -> bool:
        if condition is None:
            return True
        one, other = self.body["Conditions"][condition]["Fn::Equals"]
        return bool(parameters[one["Ref"]] == other)


def _names(value: object) -> set[str]:
    """Return the parameters and resources that a part of a template names."""
    if isinstance(value, dict):
        direct = {value["Ref"]} if isinstance(value.get("Ref"), str) else set()
        return direct.union(*map(_names, value.values()))
    if isinstance(value, list):
        return set().union(*map(_names, value))
    return set(_VARIABLE.findall(value)) if isinstance(value, str) else set()
