"""Every name under which a hop remembers something has its topic, of the right kind; every hop can be asked for."""

import ast
from pathlib import Path

from pipeline.cli.worker import HOPS
from pipeline.transport.kafka.names import INPUTS, STORES, Names
from schemas.topics import TOPICS

AGENTS = Path(__file__).resolve().parents[3] / "agents"


def _asked() -> set[tuple[str, str, bool]]:
    """(hop, name, is it a journal) of each ``transport.state(NAME, …)`` and ``transport.journal(NAME, …)``."""
    found = set()
    for path in AGENTS.glob("*.py"):
        tree = ast.parse(path.read_text())
        constants = {
            node.targets[0].id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("state", "journal")
                and len(node.args) == 2
                and isinstance(node.args[0], ast.Name)
            ):
                found.add((path.stem, str(constants[node.args[0].id]), node.func.attr == "journal"))
    return found


def test_every_hop_finds_what_it_remembers() -> None:
    known = {(store.topic.readers[0], store.name, store.is_journal) for store in STORES}
    assert _asked() == known


def test_only_what_writes_to_no_topic_has_no_transactions() -> None:
    assert {reader for topic in INPUTS.values() for reader in topic.readers} == set(HOPS) - {"store"}
    assert {store.topic.name for store in STORES} == set(INPUTS)
    assert all(reader in HOPS for topic in TOPICS for reader in topic.readers)


def test_names_of_one_prefix() -> None:
    names = Names("eu.shop")
    assert names.topic("hits") == "eu.shop.hits"
    assert names.bare("eu.shop.hits") == "hits"
    assert names.group == "eu.shop.workers"
    assert names.transactional_id("hits", 3) == "eu.shop.hits.3"
