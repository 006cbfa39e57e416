"""No container engine runs here: what can be read of the image is held against the code. Compose and Kubernetes have
files of their own."""

import re
import shlex
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pipeline.settings import PREFIX, Settings, load

ROOT = Path(__file__).resolve().parent.parent
PINNED = re.compile(r"[a-z/]+:\d+\.\d+\.\d+[-.a-z0-9]*")


def instructions() -> list[tuple[str, str]]:
    """(instruction, its arguments) of the Dockerfile, continued lines joined."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "deploy/Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


def of(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


@pytest.fixture(scope="module")
def variables() -> dict[str, str]:
    """The environment of the image."""
    return dict(pair.split("=", 1) for rest in of("ENV") for pair in shlex.split(rest))


def test_base_images_are_pinned_and_have_a_python_that_masir_runs_on() -> None:
    images = [image.split()[0] for image in of("FROM")]
    assert len(set(images)) == 1
    assert PINNED.fullmatch(images[0])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    least = tuple(map(int, project["requires-python"].removeprefix(">=").split(".")))
    assert tuple(map(int, images[0].split(":")[1].split("-")[0].split(".")))[:2] >= least


def test_what_is_copied_exists_and_passes_the_ignore_file() -> None:
    sources = {source for rest in of("COPY") if "--from" not in rest for source in rest.split()[:-1]}
    assert all((ROOT / source).exists() for source in sources)
    ignore = (ROOT / "deploy/Dockerfile.dockerignore").read_text().splitlines()
    assert {line.removeprefix("!") for line in ignore if line.startswith("!")} == sources
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    top = {package.split(".")[0] for package in project["tool"]["setuptools"]["packages"]}
    assert top <= sources
    assert {project["project"]["readme"], *project["project"]["license-files"]} <= sources


def test_the_compiled_modules_are_built_where_a_compiler_is_and_the_image_has_none() -> None:
    """They are optional: without a look at them an image could lack them, and be slower."""
    text = (ROOT / "deploy/Dockerfile").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    modules = [module["name"] for module in project["tool"]["setuptools"]["ext-modules"]]
    _, build, image = text.split("\nFROM ")
    install = build.index(f"python -I -c 'import {', '.join(modules)}'")
    assert build.index("install --yes --no-install-recommends gcc") < build.index("pip install") < install
    assert "gcc" not in image


def test_it_runs_as_somebody_who_owns_the_data_and_nothing_else(variables: dict[str, str]) -> None:
    (user,) = of("USER")
    assert user not in ("root", "0")
    data = variables["MASIR_DATA"]
    assert of("VOLUME") == [data]
    made = next(rest for rest in of("RUN") if "useradd" in rest)
    assert f"--owner={user}" in made
    assert made.endswith(data)
    last = max(index for index, (name, _) in enumerate(instructions()) if name == "RUN")
    assert ("USER", user) in instructions()[last:]


def test_variables_are_settings(variables: dict[str, str]) -> None:
    ours = {name: value for name, value in variables.items() if name.startswith(PREFIX)}
    settings = load(ours)
    assert (settings.data, settings.listen) == (variables["MASIR_DATA"], variables["MASIR_LISTEN"])


def test_one_port_from_settings_to_the_check(variables: dict[str, str]) -> None:
    port = variables["MASIR_LISTEN"].rpartition(":")[2]
    assert Settings().listen.rpartition(":")[2] == port
    assert of("EXPOSE") == [port]
    (check,) = of("HEALTHCHECK")
    url = re.search(r"http://[^']+", check)
    assert url is not None
    assert (urlsplit(url[0]).port, urlsplit(url[0]).path) == (int(port), "/readyz")


def test_it_runs_masir() -> None:
    assert of("ENTRYPOINT") == ['["masir"]']
    assert of("CMD") == ['["run"]']
