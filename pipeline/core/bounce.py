"""What a bounce is, by preset. A session without any view is never a bounce (nor counted in the ratio).

``pages``: exactly one page or screen view, whatever else was done. ``plausible``: one view and no other
interactive hit. ``ga4``: not engaged, that is one view, shorter than 10 s (10.000 s is engaged), no
conversion.
"""

PRESETS = ("pages", "plausible", "ga4")
GA4_ENGAGED_MS = 10_000


def bounced(
    preset: str, *, views: int, hits: int, custom_events: int, duration_ms: int, conversions: int
) -> bool:
    """``hits``: all interactive hits; ``custom_events``: those that are no views (goals may be left out)."""
    if views != 1:
        return False
    if preset == "pages":
        return True
    if preset == "plausible":
        return custom_events == 0 and hits == 1
    if preset == "ga4":
        return duration_ms < GA4_ENGAGED_MS and conversions == 0
    raise ValueError(f"bounce preset is {preset!r}; allowed are {', '.join(PRESETS)}")
