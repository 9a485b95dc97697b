"""The order in which components start."""

import pytest
from headwater.box.component import Command, Component
from headwater.box.programs import find, programs, tiers, to_start, with_needs
from headwater.errors import ConfigError


def _component(
    component_name: str, needed: tuple[str, ...] = (), component_roles: tuple[str, ...] = ("",)
) -> Component:
    class Fake(Component):
        name = component_name
        needs = needed
        roles = component_roles

        def command(self, box, role):
            return Command(["/bin/true"])

        def probe(self, box, role):
            return None

        def version(self, box):
            return "1"

    return Fake()


COMPONENTS = {
    one.name: one
    for one in (
        _component("trino", ("metastore",)),
        _component("metastore", ("postgres", "minio")),
        _component("minio"),
        _component("postgres"),
        _component("dagster", ("postgres",), ("webserver", "daemon")),
    )
}


def test_tiers_put_every_component_after_what_it_needs():
    """A tier holds only components whose needs are in earlier tiers."""
    assert tiers(COMPONENTS) == (("minio", "postgres"), ("dagster", "metastore"), ("trino",))


def test_a_circle_is_refused_by_name():
    """Two components that need each other are named."""
    with pytest.raises(ConfigError, match="a -> b -> a|b -> a -> b"):
        tiers({"a": _component("a", ("b",)), "b": _component("b", ("a",))})


def test_asking_for_one_component_brings_all_it_needs():
    """`up trino` starts the metastore and what that needs, and nothing else."""
    assert set(with_needs(COMPONENTS, ["trino"])) == {"trino", "metastore", "minio", "postgres"}


def test_what_few_use_starts_only_when_it_is_named():
    """`up` and `upgrade` without names leave out what is there on demand."""
    rare = _component("rare", ("postgres",))
    type(rare).on_demand = True
    components = {**COMPONENTS, "rare": rare}

    assert set(to_start(components, [])) == set(COMPONENTS)
    assert set(to_start(components, ["rare"])) == {"rare", "postgres"}


def test_an_unknown_component_is_refused_with_the_list():
    """The sentence names what there is."""
    with pytest.raises(ConfigError, match="no component 'kafka'; there are trino, metastore"):
        with_needs(COMPONENTS, ["kafka"])


def test_a_role_is_found_by_its_full_name():
    """`dagster:daemon` is one program; its file name has no colon."""
    program = find(COMPONENTS, "dagster:daemon")

    assert (program.name, program.file_name, program.role) == ("dagster:daemon", "dagster-daemon", "daemon")


def test_a_missing_role_is_refused_with_the_roles_there_are():
    """`run dagster` without a role cannot become one process."""
    with pytest.raises(ConfigError, match="dagster:webserver, dagster:daemon"):
        find(COMPONENTS, "dagster")


def test_every_role_is_one_program():
    """The supervisor gets a program per role."""
    assert [one.name for one in programs([COMPONENTS["dagster"]])] == ["dagster:webserver", "dagster:daemon"]
