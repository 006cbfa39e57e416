"""The store hears at each start which pages are goals: those of the settings, and of each site of the registry."""

from pathlib import Path

from pipeline.settings import Settings
from pipeline.store.client import Client
from pipeline.store.vocabulary import set_vocabulary


def test_the_globs_of_a_site_come_before_those_of_all(client: Client, tmp_path: Path) -> None:
    registry = tmp_path / "sites.toml"
    registry.write_text(
        '[shop]\ngoal_urls = ["/thanks*", "/50%_off"]\n[blog]\ngoal_events = ["read"]\n', "utf-8"
    )
    told = Settings(goal_urls=("/booked*",), sites=str(registry))
    pages = "SELECT site, goal, path FROM goal_pages ORDER BY position"
    set_vocabulary(client, [], told)
    assert client.query(pages) == [
        ("shop", "/thanks*", "/thanks%"), ("shop", "/50%_off", "/50\\%\\_off"), ("", "/booked*", "/booked%")
    ]  # fmt: skip
    set_vocabulary(client, [], Settings())
    assert client.query(pages) == []
