"""What the settings tell the sessionizer's hop, and which events are of which kind (contract, section 1)."""

from typing import NamedTuple

from pipeline.core.channels import Classifier
from pipeline.core.goals import Goals
from pipeline.core.models import Models
from pipeline.core.persons.notable import Notables
from pipeline.core.sessionizer import SessionRules
from pipeline.core.site_rules import SiteRules

BACKGROUND_EVENTS = frozenset({
    "email_sent", "email_delivered", "email_open", "email_bounce", "email_complaint", "email_unsubscribe",
    "survey_response", "ad_cost", "refund", "order_shipped", "subscription_renew", "subscription_cancel",
    "payment_failed", "support_ticket_open", "support_ticket_close", "churn_feedback", "identify",
})  # fmt: skip


class IntakeRules(NamedTuple):
    """Everything the hop is told by the settings. ``session_update_ms`` None: open sessions are not said (bounded).

    ``sites``: what single sites want otherwise; it changes while it is in use.
    """

    sessions: SessionRules
    goals: Goals
    models: Models
    classifier: Classifier
    background: frozenset[str] = BACKGROUND_EVENTS
    out_of_orderness_ms: int = 10_000
    session_update_ms: int | None = 1_000
    notables: Notables = Notables()
    sites: SiteRules | None = None

    @property
    def bounded(self) -> bool:
        """The input ends, nothing is late, and sessions close at its end and not before."""
        return self.sessions.lateness_ms is None
