"""The hops of the pipeline, made from settings; the same over every transport.

A :class:`Plan` says how to make a hop, not when: in one process there is one of each; a worker of many makes one for
each partition that comes to it.
"""

from collections.abc import Callable
from importlib.metadata import version
from typing import NamedTuple

from agents.counters import Counters
from agents.hop import Context, Hop
from agents.journeys import Journeys
from agents.persons import Persons
from agents.sessionizer import Sessionizer
from agents.store import TABLE_OF, Store
from pipeline.collector.sites.in_force import sites_of, watch_sites
from pipeline.collector.sites.registry import Registry
from pipeline.collector.sites.site import models_of, zones_of
from pipeline.core.channels import Classifier
from pipeline.core.goals import Goals
from pipeline.core.intake_rules import BACKGROUND_EVENTS, IntakeRules
from pipeline.core.models import Models, load
from pipeline.core.persons.notable import Notables
from pipeline.core.persons.people import PersonRules
from pipeline.core.sessionizer import SessionRules
from pipeline.core.site_rules import SiteRules
from pipeline.deciding import digest
from pipeline.metrics import Metrics
from pipeline.model_files import texts_in_force
from pipeline.settings import Settings
from pipeline.store.sink import Sink
from pipeline.zones import zone_of
from schemas import topics

STORE = "store"
# Nobody looks at the rows before the end, and a few large inserts are cheaper than many.
HITS_FLUSH_PART = (
    4  # hits wait a quarter of the time: they make large inserts sooner, and somebody looks for them
)
FLUSH_MS_BOUNDED = 5_000
# The first one loads the pattern sets: a fifth of a second that no visitor should wait.
WARM_UP_AGENT = "Mozilla/5.0"


class Plan(NamedTuple):
    """``topics``: what the hop reads. ``make``: a new one of it."""

    name: str
    topics: tuple[str, ...]
    make: Callable[[], Hop]


def load_models(settings: Settings) -> Models:
    """The built-in stage models and those of the settings; the registry says which apply to a site."""
    return load(texts_in_force(settings.models), models_of(sites_of(settings)))


def plans(
    context: Context,
    settings: Settings,
    models: Models,
    sink: Callable[[], Sink],
    *,
    bounded: bool = False,
) -> list[Plan]:
    """All hops, in the order of the data. ``sink`` is asked for when the store's hop is made."""
    rules = intake_rules(settings, models, bounded=bounded)._replace(sites=context.sites)
    if watched := watch_sites(settings):
        put_sites(context.sites, watched.current, settings)
    rules.classifier.device(WARM_UP_AGENT)
    person_rules = PersonRules(
        settings.signal_rules, settings.person_max_visitors, bounded, rules.out_of_orderness_ms
    )

    def sessionizer() -> Sessionizer:
        return Sessionizer(context, rules, pane_ms=settings.pane_ms, segments=settings.window_segments)

    def store() -> Store:
        flush_ms = FLUSH_MS_BOUNDED if bounded else round(settings.store_flush_seconds * 1000)
        return Store(
            context,
            sink(),
            flush_ms=flush_ms,
            hits_flush_ms=flush_ms if bounded else flush_ms // HITS_FLUSH_PART,
            block_bytes=settings.store_block_bytes,
        )

    def journeys() -> Journeys:
        watched, most = settings.churn_regress_models, settings.state_rows
        return Journeys(context, models, bounded=bounded, watched=watched, most=most)

    return [
        Plan("sessionizer", (topics.HITS.name,), sessionizer),
        Plan("journeys", (topics.EVIDENCE.name,), journeys),
        Plan("persons", (topics.TOUCHPOINTS.name,), lambda: Persons(context, person_rules)),
        Plan("counters", (topics.FACTS.name,), lambda: Counters(context, pane_ms=settings.pane_ms)),
        Plan(STORE, tuple(TABLE_OF), store),
    ]


def metrics_of(settings: Settings) -> Metrics:
    """The metrics of a process: the sites of the registry keep their names on them, whatever comes first."""
    sites = [site.name for site in sites_of(settings)]
    return Metrics(version=version("masir"), settings=digest(settings), sites=sites)


def put_sites(rules: SiteRules, registry: Registry, settings: Settings) -> None:
    """What the registry of sites says holds from now on."""
    own_domains = set(settings.own_domains)
    goals: dict[str, Goals] = {}
    zones, models = zones_of(registry.sites.values()), models_of(registry.sites.values())
    for site in registry.sites.values():
        own_domains.update(site.own_domains or ())
        if site.goal_events is not None or site.goal_urls is not None:
            events = settings.goal_events if site.goal_events is None else site.goal_events
            urls = settings.goal_urls if site.goal_urls is None else site.goal_urls
            goals[site.name] = Goals(events, urls)
    classifier = Classifier(sorted(own_domains), settings.bot_patterns)
    rules.put(
        goals,
        classifier,
        zones={site: zone_of(name) for site, name in zones.items()},
        models={site: frozenset(names) for site, names in models.items()},
    )


def intake_rules(settings: Settings, models: Models, *, bounded: bool) -> IntakeRules:
    """What the settings tell the sessionizer. ``bounded``: the input ends (files), nothing in it is late."""
    return IntakeRules(
        sessions=SessionRules(
            timeout_ms=settings.timeout_ms,
            lateness_ms=None if bounded else round(settings.allowed_lateness_seconds * 1000),
            dedupe_ms=round(settings.dedupe_hours * topics.HOUR_MS),
            bounce=settings.bounce,
            splits=settings.splits,
        ),
        goals=Goals(settings.goal_events, settings.goal_urls),
        models=models,
        classifier=Classifier(settings.own_domains, settings.bot_patterns),
        background=BACKGROUND_EVENTS | set(settings.background_events),
        out_of_orderness_ms=round(settings.out_of_orderness_seconds * 1000),
        session_update_ms=None if bounded else round(settings.session_update_seconds * 1000),
        notables=Notables(settings.cancel_urls),
    )
