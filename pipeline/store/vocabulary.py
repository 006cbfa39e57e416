"""Tells the store what the settings call things: stages in order, kinds of content, pages that are goals, own segments.

Done at every start; writes only what differs from what the store was told before.
"""

from collections.abc import Iterable

from pipeline.collector.sites.in_force import sites_of
from pipeline.core.rules import Model
from pipeline.settings import Settings
from pipeline.store.client import Client
from pipeline.store.content import set_content, set_segments
from pipeline.store.goal_pages import set_goal_pages
from pipeline.store.stages import set_stages


def set_vocabulary(client: Client, models: Iterable[Model], settings: Settings) -> None:
    """Raises QueryError if the condition of a segment is wrong; it names the segment."""
    known = tuple(models)
    stages = {model.name: [stage.id for stage in model.stage] for model in known}
    set_stages(client, stages, {model.name: model.lapse_days for model in known})
    set_content(client, settings.content)
    own = {site.name: site.goal_urls for site in sites_of(settings) if site.goal_urls is not None}
    set_goal_pages(client, {"": settings.goal_urls} | own)
    set_segments(client, settings.segments)
