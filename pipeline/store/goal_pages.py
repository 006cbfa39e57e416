"""Tells the store the globs of the goals that are pages, so that its figures can call each by its own."""

from collections.abc import Mapping, Sequence

from pipeline.store.client import Client
from pipeline.store.content import set_rules
from pipeline.store.sql import pattern


def set_goal_pages(client: Client, pages: Mapping[str, Sequence[str]]) -> None:
    """``pages``: site -> its globs, those of a site's own before those of "", which are any site's."""
    named = [(site, glob, pattern(glob)) for site in sorted(pages, reverse=True) for glob in pages[site]]
    set_rules(client, "goal_pages", ("site", "goal", "path"), named)
