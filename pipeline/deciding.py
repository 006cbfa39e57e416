"""Which settings decide what the figures say: all workers of one system are to have the same."""

from hashlib import blake2b

import msgspec

from pipeline.settings import Settings

# Stage models are compared by themselves (agents.shared_models), the registry of sites is read while they run.
DECIDING = (
    "session_timeout_seconds", "session_preset", "split_midnight", "split_campaign", "session_max_hours", "time_zone",
    "allowed_lateness_seconds", "out_of_orderness_seconds", "dedupe_hours", "bounce", "goal_events", "goal_urls",
    "background_events", "own_domains", "bot_patterns", "content", "segments", "window_segments", "person_max_visitors",
    "cancel_urls", "churn_thresholds", "churn_weights", "churn_end_days", "churn_regress_models", "pane_seconds",
)  # fmt: skip


def digest(settings: Settings) -> str:
    """Eight hexadecimal digits, the same where these settings are."""
    values = msgspec.json.encode({name: getattr(settings, name) for name in DECIDING}, order="deterministic")
    return blake2b(values, digest_size=4).hexdigest()
