"""What the documents say of the tree is so: links, the table of the way, commands, targets."""

import re
import subprocess
from pathlib import Path

import pytest

from pipeline.cli import COMMANDS
from schemas.topics import TOPICS

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "bench/*.md",
        "deploy/*.md",
        "pipeline/**/*.md",
        "tests/data/*.md",
    )
    for path in ROOT.glob(pattern)
)
LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)")


def anchors(path: Path) -> set[str]:
    """The headings of a document as links name them."""
    titles = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    document = ROOT / name
    for link in LINK.findall(document.read_text()):
        if "://" in link:
            continue
        target, _, anchor = link.partition("#")
        path = (document.parent / target).resolve() if target else document
        assert path.exists(), f"{name}: {link}"
        assert not anchor or anchor in anchors(path), f"{name}: {link}"


def table_after(text: str, head: str) -> list[list[str]]:
    """The cells of the rows of the table that begins with ``head``."""
    lines = text[text.index(head) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def names(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


def test_the_table_of_the_way_is_that_of_the_topics() -> None:
    rows = table_after((ROOT / "README.md").read_text(), "| step | agent |")
    ours = {topic.name for topic in TOPICS}
    for _, agent, reads, _, writes, *_ in rows:
        assert names(reads) & ours == {topic.name for topic in TOPICS if agent in topic.readers}, agent
        written = {topic.name for topic in TOPICS if agent in topic.writer.split(", ")}
        assert names(writes) & ours == written, agent
    agents = [agent for _, agent, *_ in rows]
    assert set(agents) == {reader for topic in TOPICS for reader in topic.readers} | {"collector"}
    for _, agent, _, decides, *_ in rows:
        first, *others = re.findall(r"`([^`]+)`", decides)
        assert (ROOT / first).exists(), first
        assert all(((ROOT / first).parent / other).exists() for other in others), others
        assert agent == "collector" or (ROOT / "agents" / f"{agent}.py").exists()


def test_the_commands_are_those_there_are() -> None:
    rows = table_after((ROOT / "README.md").read_text(), "| command | what |")
    assert {word for command, _ in rows for word in re.findall(r"`masir (\w+)", command)} == set(COMMANDS)


def test_make_says_what_it_can_do_and_documents_name_no_other_target() -> None:
    said = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True).stdout
    listed = set(re.findall(r"^  make (\w+)", said, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    assert listed == set(phony[1].split())
    for name in DOCUMENTS:
        code = re.findall(r"`make (\w+)|^\$? ?make (\w+)", (ROOT / name).read_text(), re.MULTILINE)
        used = {first or second for first, second in code}
        assert used <= listed, name


def test_every_guide_is_in_the_index() -> None:
    index = set(LINK.findall((ROOT / "docs/README.md").read_text()))
    assert {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"} <= index
