"""What single sites want otherwise than the settings: goals, time zone, stage models; and whose domains are one's own.

It changes as a whole, between two batches, while it is in use: what was judged stays as it was judged. What a site does
not name is as the settings say. Own domains are those of all sites together: they belong to one business.
"""

from collections.abc import Mapping, Set
from datetime import tzinfo

from pipeline.core.channels import Classifier
from pipeline.core.goals import Goals


class SiteRules:
    """``classifier`` None: that of the settings. ``models``: names of those that apply, by site. ``own``: sites whose
    pages mean something of their own. ``version`` tells that something has changed.
    """

    def __init__(self) -> None:
        self.version = 0
        self.goals: Mapping[str, Goals] = {}
        self.zones: Mapping[str, tzinfo] = {}
        self.models: Mapping[str, frozenset[str]] = {}
        self.classifier: Classifier | None = None
        self.own: Set[str] = frozenset()

    def put(
        self,
        goals: Mapping[str, Goals],
        classifier: Classifier,
        *,
        zones: Mapping[str, tzinfo] | None = None,
        models: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        """From now on."""
        self.goals, self.classifier = goals, classifier
        self.zones, self.models = zones or {}, models or {}
        self.own = self.goals.keys() | self.models.keys()
        self.version += 1
