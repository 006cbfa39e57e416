"""What single sites want otherwise than the settings: their goals; and the domains that are anybody's own.

It changes as a whole, between two batches, while it is in use: what was judged stays as it was judged. A site that is
not named has the goals of the settings. Own domains are those of all sites together: they belong to one business.
"""

from collections.abc import Mapping

from pipeline.core.channels import Classifier
from pipeline.core.goals import Goals


class SiteRules:
    """``classifier`` None: that of the settings. ``version`` tells that something has changed."""

    def __init__(self) -> None:
        self.version = 0
        self.goals: Mapping[str, Goals] = {}
        self.classifier: Classifier | None = None

    def put(self, goals: Mapping[str, Goals], classifier: Classifier) -> None:
        """From now on."""
        self.goals, self.classifier = goals, classifier
        self.version += 1
