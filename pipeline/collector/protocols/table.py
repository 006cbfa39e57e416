"""All protocols: who listens where, in the order in which they are asked. The first that does not decline answers."""

from functools import lru_cache

from pipeline.collector.protocols import (
    cloudevents,
    delighted,
    ga4,
    gtag,
    mail_links,
    mailgun,
    matomo,
    plausible,
    posthog,
    postmark,
    segment,
    sendgrid,
    snowplow,
    survey_form,
    typeform,
    umami,
)
from pipeline.collector.protocols.base import Parsed, Request, Route

ROUTES: tuple[Route, ...] = (
    *matomo.ROUTES,
    *snowplow.ROUTES,
    *gtag.ROUTES,
    *ga4.ROUTES,
    *plausible.ROUTES,
    *umami.ROUTES,
    *segment.ROUTES,
    *posthog.ROUTES,
    *cloudevents.ROUTES,
    *mailgun.ROUTES,
    *sendgrid.ROUTES,
    *postmark.ROUTES,
    *mail_links.ROUTES,
    *typeform.ROUTES,
    *delighted.ROUTES,
    *survey_form.ROUTES,
    *snowplow.OWN_PATH_ROUTES,  # the last: any path of two segments
)


@lru_cache(maxsize=1_024)
def listening(path: str) -> tuple[Route, ...]:
    """The routes of a path, whatever the method."""
    return tuple(route for route in ROUTES if route.path.fullmatch(path))


def parse(routes: tuple[Route, ...], request: Request) -> tuple[Route, Parsed] | None:
    """What the first protocol that knows the request found in it; None if none of them does."""
    for route in routes:
        if request.method in route.methods:
            parsed = route.parse(request)
            if parsed is not None:
                return route, parsed
    return None
