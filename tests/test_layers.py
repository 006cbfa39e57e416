"""The tree keeps its rules: who imports whom, a pure core, topics with both ends, short files."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.cli import COMMANDS
from schemas import topics
from tests.conftest import LONG

ROOT = Path(__file__).resolve().parent.parent
OURS = ("schemas", "pipeline", "agents", "bench")
MAX_LINES = 300
MAX_FUNCTION_LINES = 60

# Longer today. These numbers may fall and never rise; a new entry needs a reason here.
LONGER_FILES = {
    "tests/collector/test_server.py": 317,
    "tests/core/test_journeys.py": 320,
}

# Packages of several modules; those of the commands and the protocols have a table in the code.
MAPPED = (
    "schemas", "pipeline", "agents", "pipeline/collector", "pipeline/collector/sites", "pipeline/core",
    "pipeline/core/persons", "pipeline/demo", "pipeline/journey", "pipeline/journey/map", "pipeline/live",
    "pipeline/sources", "pipeline/store", "pipeline/transport", "pipeline/transport/kafka",
)  # fmt: skip

# What the core may use of the standard library and of others: nothing that knows time, disk or network.
PURE = frozenset({
    "bisect", "collections", "copy", "datetime", "difflib", "enum", "functools", "hashlib", "heapq",
    "itertools", "json", "math", "operator", "re", "tomllib", "typing", "urllib.parse", "zlib",
    "msgspec", "numpy", "crawlerdetect", "ua_parser", "ua_parser_rs", "schemas", "pipeline.core",
})  # fmt: skip
IMPURE_CALLS = frozenset({"open", "print", "input", "exec", "eval", "now", "utcnow", "today"})


def tracked(pattern: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", pattern], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Modules by their full names, wherever in the file they are imported; there are no relative imports."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: a relative import"
            yield str(node.module)


def is_within(module: str, packages: frozenset[str] | set[str]) -> bool:
    parts = module.split(".")
    return any(".".join(parts[:n]) in packages for n in range(1, len(parts) + 1))


PYTHON = tracked("*.py")


def of(folder: str) -> list[Path]:
    return [path for path in PYTHON if name_of(path).startswith(f"{folder}/")]


@pytest.mark.parametrize(
    ("folder", "never"),
    [
        ("schemas", {"pipeline", "agents", "bench", "tests"}),
        ("pipeline", {"agents", "bench", "tests"}),
        ("agents", {"bench"}),
    ],
)
def test_arrows_point_one_way(folder: str, never: set[str]) -> None:
    assert of(folder)
    assert not [
        (name_of(path), module) for path in of(folder) for module in imports(path) if is_within(module, never)
    ]


def test_the_core_imports_nothing_that_knows_time_disk_or_network() -> None:
    assert len(of("pipeline/core")) > 20
    assert not [
        (name_of(path), module)
        for path in of("pipeline/core")
        for module in imports(path)
        if not is_within(module, PURE)
    ]


def test_the_core_calls_nothing_that_reads_or_writes_or_asks_the_clock() -> None:
    for path in of("pipeline/core"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call):
                called = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                assert called not in IMPURE_CALLS, f"{name_of(path)}:{node.lineno}"


def test_the_core_and_the_schemas_load_without_the_machinery() -> None:
    """In a process of its own: what is imported by what is imported counts too."""
    modules = [name_of(path)[:-3].replace("/", ".").removesuffix(".__init__") for path in of("pipeline/core")]
    heavy = "{'faust', 'aiohttp', 'sqlite3', 'asyncio', 'random', 'chdb', 'clickhouse_connect'}"
    code = f"import sys, {', '.join(modules)}; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("topic", topics.TOPICS, ids=lambda topic: topic.name)
def test_every_topic_has_a_writer_and_readers_that_exist(topic: topics.Topic) -> None:
    hops = {path.stem for path in of("agents")} | {"collector"}
    writers = topic.writer.split(", ")
    assert set(writers) <= hops
    assert topic.readers
    assert set(topic.readers) <= hops
    constant = next(name for name, value in vars(topics).items() if value is topic)
    for writer in writers:
        files = (
            of("pipeline/collector") + of("pipeline/transport")
            if writer == "collector"
            else [ROOT / f"agents/{writer}.py"]
        )
        assert any(constant in path.read_text() for path in files), f"{writer} does not send {topic.name}"


def test_every_topic_is_listed() -> None:
    assert {id(value) for value in vars(topics).values() if isinstance(value, topics.Topic)} == set(
        map(id, topics.TOPICS)
    )
    assert len({topic.name for topic in topics.TOPICS}) == len(topics.TOPICS)


def test_every_package_is_installed_and_typed() -> None:
    found = {name_of(path.parent).replace("/", ".") for path in PYTHON if path.name == "__init__.py"}
    ours = {package for package in found if package.split(".")[0] in ("schemas", "pipeline", "agents")}
    text = (ROOT / "pyproject.toml").read_text()
    assert not [package for package in ours if f'"{package}"' not in text]
    assert all((ROOT / package / "py.typed").exists() for package in ("schemas", "pipeline", "agents"))


def test_every_command_has_its_module_and_every_module_of_the_commands_is_one() -> None:
    helpers = {"__init__", "doctor_broker", "runner", "scope"}
    assert {path.stem for path in of("pipeline/cli")} - helpers == set(COMMANDS)


def test_files_are_short() -> None:
    files = PYTHON + [path for kind in ("*.pyx", "*.pxd", "*.pxi") for path in tracked(kind)]
    lines = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in files}
    assert {n: k for n, k in lines.items() if k > LONGER_FILES.get(n, MAX_LINES)} == {}


def test_functions_are_short() -> None:
    found = {}
    for path in PYTHON:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                name = f"{name_of(path)}:{node.name}"
                if length > MAX_FUNCTION_LINES:
                    found[name] = length
    assert found == {}


@pytest.mark.parametrize("folder", MAPPED)
def test_a_package_names_its_modules(folder: str) -> None:
    """Its docstring is what a newcomer reads first."""
    there = {path.stem for path in PYTHON + tracked("*.pyx") if path.parent == ROOT / folder}
    there |= {
        path.parent.name for path in PYTHON if path.stem == "__init__" and path.parents[1] == ROOT / folder
    }
    said = ast.get_docstring(tree(ROOT / folder / "__init__.py")) or ""
    assert set(re.findall(r"``(\w+)``", said)) == there - {"__init__"}


@pytest.mark.parametrize("folder", OURS)
def test_every_module_says_what_it_is(folder: str) -> None:
    assert not [
        name_of(path) for path in of(folder) if path.read_text().strip() and not ast.get_docstring(tree(path))
    ]


def test_nothing_is_left_to_be_done() -> None:
    marks = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")))
    assert not [name_of(path) for path in PYTHON if marks.search(path.read_text("utf-8"))]


def test_no_path_of_a_machine_and_no_package_index_in_tracked_files() -> None:
    """Paths of somebody's workspace, and hosts that packages are fetched from, are the machine's affair."""
    places = re.compile(
        rb"(?<![\w.])/(?:work|root|home/\w+|Users/\w+)/\w"
        rb"|(?:pypi|pythonhosted|npmjs|maven)\.(?:org|com)|index-url|://[\w.-]+/(?:simple|artifactory|nexus)\b"
    )
    found = []
    for path in tracked("*"):
        data = path.read_bytes()
        if b"\0" in data[:8_000] or path == Path(__file__):
            continue
        found += [f"{name_of(path)}: {match[0].decode()}" for match in places.finditer(data)]
    assert found == []


def test_the_files_that_are_started_first_are_there() -> None:
    assert [name for name in LONG if not (ROOT / "tests" / name).exists()] == []
